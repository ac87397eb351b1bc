/* ADUs between two engines in virtual time, both ways at once, through every family of chains, under every fault that a
 * network has: each ADU exactly once, every byte compared.
 *
 *	CK_RUN_CASE=corrupt build/gcc/tests/alf_sim	runs one kind of fault; a failure names the seed
 *	TCPU_SEED=17 build/gcc/tests/alf_sim		runs one seed of each */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADUS 40
#define ADU_LONGEST 30000
#define SEEDS 20

static const struct fault {
	const char *name;
	struct link_sim_path path;
} faults[] = {
	{ "clean", { .delay_us = 5000 } },
	{ "loss", { .loss = 0.03, .delay_us = 5000 } },
	{ "reorder", { .reorder = 0.2, .reorder_us = 10000, .delay_us = 5000 } },
	{ "duplicate", { .duplicate = 0.2, .delay_us = 5000 } },
	{ "corrupt", { .corrupt = 0.05, .delay_us = 5000 } },
	{ "all", { .loss = 0.02, .corrupt = 0.03, .duplicate = 0.03, .reorder = 0.05, .reorder_us = 9000, .delay_us = 5000,
		   .jitter_us = 3000 } },
};
#define FAULTS ((int)(sizeof faults / sizeof *faults))

/* An end's ADUs. */
static struct side {
	struct random dice;
	unsigned queued, sent, acked, received, ordered;
	uint8_t *data[ADUS];
	size_t len[ADUS];
	struct adu_attr attr[ADUS];
	bool got[ADUS];
	unsigned busy;  /* queued and not yet TCP's */
} sides[2];
static struct ends ends;
static uint64_t seed;

static void make(struct side *s, unsigned i)
{
	unsigned kind = rnd(&s->dice, 4);
	struct adu_attr *t = &s->attr[i];

	s->len[i] = rnd(&s->dice, kind == 0 ? 8 : kind == 1 ? 3000 : ADU_LONGEST);
	s->data[i] = malloc(s->len[i] + 1);
	flow_fill(s->data[i], s->len[i], s->dice.state);
	t->type = (uint8_t)i;
	t->priority = (uint8_t)rnd(&s->dice, ADU_PRIORITIES);
	t->name_len = (uint8_t)(1 + rnd(&s->dice, ADU_NAME_MAX));
	flow_fill(t->name, t->name_len, i);
}

static void turn(struct end *e)
{
	struct side *s = e->mine;

	while (s->queued < ADUS && s->busy < 6) {
		unsigned i = s->queued++;
		make(s, i);
		if (flow_send(e->alf, s->data[i], s->len[i], &s->attr[i]) <= 0)
			ck_abort_msg("seed %lu: alf_queue failed", seed);
		s->busy++;
	}
}

static void complete(struct end *e, const struct adu_event *ev)
{
	struct side *s = e->mine, *other = s == sides ? &sides[1] : &sides[0];
	const struct adu_attr *t = &other->attr[ev->attr.type];
	unsigned i = ev->attr.type;

	if (i >= other->queued || s->got[i])
		ck_abort_msg("seed %lu: ADU %u came twice, or was never sent", seed, i);
	if (ev->len != other->len[i] || (ev->len && memcmp(ev->data, other->data[i], ev->len) != 0))
		ck_abort_msg("seed %lu: ADU %u: other bytes", seed, i);
	if (ev->attr.name_len != t->name_len || memcmp(ev->attr.name, t->name, t->name_len) != 0 ||
		ev->attr.priority != t->priority)
		ck_abort_msg("seed %lu: ADU %u: another name", seed, i);
	s->got[i] = true;
	s->received++;
	alf_forget(e->alf, alf_in_find(e->alf, ev->id));
}

static void event(struct end *e, const struct adu_event *ev)
{
	struct side *s = e->mine;

	switch (ev->kind) {
	case ADU_COMPLETE:
	case ADU_DELIVERED:
		complete(e, ev);
		break;
	case ADU_SENT:
		s->busy--;
		s->sent++;
		break;
	case ADU_ACKNOWLEDGED:
		s->acked++;
		break;
	case ADU_OPENED:
	case ADU_CREDIT:
		break;
	default:
		ck_abort_msg("seed %lu: event %s: %s", seed, adu_event_name(ev->kind), strerror(ev->error));
	}
}

static bool all_there(struct ends *b)
{
	(void)b;
	return sides[0].received == ADUS && sides[1].received == ADUS && sides[0].acked == ADUS && sides[1].acked == ADUS;
}

static void check_counts(const struct fault *fault)
{
	for (int i = 0; i < 2; i++) {
		struct tcpu_info info = net_info(ends.end[i].tcb);
		const struct alf_stats *s = &ends.end[i].alf->stats;
		ck_assert_uint_eq(s->bytes_held, 0);
		ck_assert_uint_eq(s->adus_complete, ADUS);
		if (!strcmp(fault->name, "clean"))
			ck_assert_uint_gt(info.direct_bytes, 0);
		if (!strcmp(fault->name, "clean"))
			ck_assert_uint_eq(s->fpdus_direct, s->fpdus_in);
	}
}

START_TEST(transfer)
{
	const struct fault *fault = &faults[_i / 1000];
	struct net_config config = { .path = { fault->path, fault->path } };
	struct alf_profile p[2];

	seed = (uint64_t)_i % 1000;
	config.seed = seed;
	for (int i = 0; i < 2; i++) {
		sides[i] = (struct side){ .dice = random_seed(_i * 2 + i) };
		p[i] = flow_profile((unsigned)seed % FLOW_KINDS);
		p[i].schedule = ilp_schedule_name((enum ilp_schedule)(seed / 2 % ILP_SCHEDULES));
		p[i].markers = rnd(&sides[i].dice, 4);
		p[i].crc = rnd(&sides[i].dice, 3);
		p[i].unpacked = seed / FLOW_KINDS % 2;
		p[i].adu_max = ADU_LONGEST;
		p[i].credit = rnd(&sides[i].dice, 2) ? ADU_LONGEST + ADU_COST : 0;
		p[i].ordered = rnd(&sides[i].dice, 3) == 0;
		p[i].quantum = 1 + rnd(&sides[i].dice, 20000);
		config.engine[i].options.mss_max = 200 + rnd(&sides[i].dice, 1260);
		config.train_max[i] = seed % 3 ? 65515 : 0;
	}
	ends_open(&ends, &config, &p[0], &p[1]);
	for (int i = 0; i < 2; i++) {
		ends.end[i].mine = &sides[i];
		ends.end[i].turn = turn;
		ends.end[i].event = event;
	}
	ck_assert_msg(ends_run(&ends, all_there, 3600 * NET_S), "%s, seed %lu: stuck at %u and %u of %u ADUs, %u and %u acked",
		      fault->name, seed, sides[0].received, sides[1].received, ADUS, sides[0].acked, sides[1].acked);
	check_counts(fault);
	ends_close(&ends);
	for (unsigned i = 0; i < 2 * ADUS; i++)
		free(sides[i % 2].data[i / 2]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_sim");
	const char *one = getenv("TCPU_SEED");
	int from = one ? atoi(one) : 1, to = one ? from + 1 : SEEDS + 1;

	for (int f = 0; f < FAULTS; f++) {
		TCase *tc = tcase_create(faults[f].name);
		tcase_add_loop_test(tc, transfer, f * 1000 + from, f * 1000 + to);
		suite_add_tcase(suite, tc);
	}
	return run_tests(srunner_create(suite));
}
