/* How long ADUs wait for holes that are not theirs, in virtual time: exact, so that any change of it shows in the table
 * of tests/adu-table.txt, which this compares with what comes out.
 *
 *	make adutable		writes the table anew: look at what git says of it
 *
 * ADUs of 8 KiB at a steady rate over a path of 50 ms there and back; the same TCP carries them over holes, and in the
 * order of the stream. An ADU is hit when a packet with bytes of it was lost. One that was not, and was delivered later
 * than its last byte came, was held by another's hole. */
#include "core/tcb.h"
#include "tests/alf_ends.h"
#include "tests/run.h"
#include "tests/table.h"

#include <stdlib.h>
#include <string.h>

#define TABLE "tests/adu-table.txt"
#define ADUS 1000
#define BYTES 8192
#define SEEDS 5

static const struct road {
	double loss;     /* of a hundred */
	unsigned every;  /* milliseconds from one ADU to the next */
} roads[] = { { 0, 40 }, { 0.1, 40 }, { 1, 100 }, { 1, 40 }, { 1, 20 }, { 2, 40 } };
#define ROADS (sizeof roads / sizeof *roads)

static struct ends ends;
static uint8_t data[BYTES];
static uint64_t begin_us, every_us;
static unsigned queued, sent, received;
static struct {
	uint64_t due_us, whole_us, came_us;
	uint64_t end;   /* offset of the stream behind it */
	bool hit;
} adus[ADUS];

/* ---- what happens ---- */

static void sends(struct end *e)
{
	uint64_t now_us = e->both->net.now_us;

	for (; queued < ADUS && begin_us + queued * every_us <= now_us; queued++) {
		struct adu_attr attr = { .name_len = 4 };
		memcpy(attr.name, &queued, 4);
		adus[queued].due_us = begin_us + queued * every_us;
		ck_assert_int_gt(flow_send(e->alf, data, BYTES, &attr), 0);
	}
	if (queued < ADUS)
		e->both->net.app_wake_us = begin_us + queued * every_us;
}

static void on_sent(struct end *e, const struct adu_event *ev)
{
	const struct adu_out *adu = ALF_OF(adu_out, link, e->alf->out.sent.last);

	if (ev->kind != ADU_SENT)
		return;
	while (adu->id != ev->id)
		adu = ALF_OF(adu_out, link, adu->link.prev);
	adus[sent++].end = adu->end;
}

static uint64_t begin_of(unsigned i)
{
	return i ? adus[i - 1].end : 0;
}

/* Whether the receiver's TCP has all of it. */
static bool is_whole(const struct tcb *c, unsigned i)
{
	uint64_t from = begin_of(i) > c->rcv.next ? begin_of(i) : c->rcv.next, to = adus[i].end;
	struct range r;

	return from >= to || (ranges_meet(&c->rcv.over, from, to, &r) && r.begin <= from && r.end >= to);
}

static void looks(struct end *e)
{
	static unsigned first; /* all before are whole */

	first = received ? first : 0;
	while (first < sent && adus[first].whole_us)
		first++;
	for (unsigned i = first; i < sent; i++)
		if (!adus[i].whole_us && is_whole(e->tcb, i))
			adus[i].whole_us = e->both->net.now_us;
}

static void on_came(struct end *e, const struct adu_event *ev)
{
	unsigned i;

	ck_assert_int_ne(ev->kind, ADU_ERROR);
	if (ev->kind != ADU_COMPLETE && ev->kind != ADU_DELIVERED)
		return;
	memcpy(&i, ev->attr.name, 4);
	adus[i].came_us = e->both->net.now_us;
	looks(e);
	received++;
	alf_forget(e->alf, alf_in_find(e->alf, ev->id));
}

/* The road loses: what it loses was part of these ADUs. */
static struct link_sim *sim;
static double loss;
static uint32_t sender_ip;

static bool road(void *ctx, struct link_sim_packet *p)
{
	const struct tcb *c = ends.end[0].tcb;
	uint32_t header = (p->segment[12] >> 4) * 4U, seq;
	uint64_t from, to;

	(void)ctx;
	if (p->src.ip != sender_ip || p->len == header || !received ||
		(double)link_sim_random(sim) / (double)UINT64_MAX >= loss)
		return true;
	seq = (uint32_t)p->segment[4] << 24 | (uint32_t)p->segment[5] << 16 | (uint32_t)p->segment[6] << 8 | p->segment[7];
	from = c->snd.una + (seq - c->snd_una);
	to = from + p->len - header;
	for (unsigned i = 0; i <= sent && i < ADUS; i++)
		if (begin_of(i) < to && (i == sent || from < adus[i].end))
			adus[i].hit = true;
	return false;
}

static bool all_came(struct ends *b)
{
	(void)b;
	return received == ADUS;
}

/* ---- what is said of it ---- */

struct result {
	unsigned hit, held, n;
	uint64_t delay_us[ADUS * SEEDS], waited_us[ADUS * SEEDS];
};

static void run(const struct road *k, bool ordered, uint64_t seed, struct result *r)
{
	struct link_sim_path path = { .delay_us = 25000 };
	struct net_config config = { .seed = seed, .path = { path, path } };
	struct alf_profile p = flow_profile(0), q = p;

	memset(adus, 0, sizeof adus);
	queued = sent = received = 0;
	every_us = k->every * NET_MS;
	q.ordered = ordered;
	q.credit = 64 << 20;
	config.engine[1].options.rcvbuf_bytes = 4 << 20;
	ends_open(&ends, &config, &p, &q);
	sim = ends.net.sim;
	sender_ip = ends.net.peer[0].ip;
	loss = k->loss / 100;
	link_sim_filter(sim, road, NULL);
	begin_us = ends.net.now_us + NET_S;
	ends.end[0].turn = sends;
	ends.end[0].event = on_sent;
	ends.end[1].turn = looks;
	ends.end[1].event = on_came;
	ends.net.app_wake_us = begin_us;
	ck_assert(ends_run(&ends, all_came, 100000 * NET_S));
	for (unsigned i = 0; i < ADUS; i++) {
		ck_assert(adus[i].whole_us && adus[i].whole_us <= adus[i].came_us);
		r->hit += adus[i].hit;
		if (adus[i].hit)
			continue;
		r->held += adus[i].came_us > adus[i].whole_us;
		r->waited_us[r->n] = adus[i].came_us - adus[i].whole_us;
		r->delay_us[r->n++] = adus[i].came_us - adus[i].due_us;
	}
	ends_close(&ends);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(const uint64_t *us, unsigned n, unsigned of_hundred)
{
	const uint64_t at = (uint64_t)(n - 1) * of_hundred / 100;

	return (double)us[at] / 1000;
}

static void write_table(FILE *f)
{
	static struct result r;

	fprintf(f, "ADUs of 8 KiB, %d of them, %d seeds; 50 ms there and back; of those that were not hit: held by another's\n"
		"hole, how long it waited when it was whole, and from when it was due until it was delivered\n\n", ADUS, SEEDS);
	fprintf(f, "%44s%6s%10s%14s%8s%14s%8s%8s\n", "", "hit", "held", "waited: p99", "most", "due: p50 ms", "p99", "most");
	for (size_t i = 0; i < ROADS; i++)
		for (int ordered = 1; ordered >= 0; ordered--) {
			memset(&r, 0, sizeof r);
			for (uint64_t seed = 1; seed <= SEEDS; seed++)
				run(&roads[i], ordered, seed, &r);
			qsort(r.delay_us, r.n, sizeof *r.delay_us, by_size);
			qsort(r.waited_us, r.n, sizeof *r.waited_us, by_size);
			fprintf(f, "%5.1f %% loss, one every %3u ms   %-12s%6u%8.2f %%%14.1f%8.1f%14.1f%8.1f%8.1f\n", roads[i].loss,
				roads[i].every, ordered ? "in order" : "over holes", r.hit, 100.0 * r.held / r.n,
				percentile(r.waited_us, r.n, 99), percentile(r.waited_us, r.n, 100), percentile(r.delay_us, r.n, 50),
				percentile(r.delay_us, r.n, 99), percentile(r.delay_us, r.n, 100));
			ck_assert(ordered || !r.held);
		}
}

int main(int argc, char **argv)
{
	return table_main("adu_table", TABLE, "make adutable", write_table, argc, argv);
}
