/* Writes what ALF puts on the wire into a capture file, for other eyes (tests/mpa.sh): ADUs of all kinds between two
 * ends in virtual time, with markers and CRC32C.
 *
 *	adus FILE FPDUS LOSS	at least so many FPDUs from the first end; LOSS of a hundred packets is lost */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 6000

static struct ends ends;
static struct random dice = { 1 };
static FILE *file;
static uint64_t fpdus, queued, over;
static uint8_t data[LONGEST], region[LONGEST];

/* ---- the file: libpcap's format, packets that begin with IP ---- */

static void put32(uint32_t v)
{
	fwrite(&v, sizeof v, 1, file);
}

static void header(void)
{
	put32(0xa1b2c3d4);
	put32(4U << 16 | 2U); /* version 2.4, in the order of two numbers of 16 bits */
	put32(0);
	put32(0);
	put32(65535);
	put32(101); /* LINKTYPE_RAW */
}

static uint16_t checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void tap(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	uint32_t total = 20 + p->len;
	uint8_t ip[20] = { 0x45, 0, (uint8_t)(total >> 8), (uint8_t)total, 0, 0, 0x40, 0, 64, 6 };
	uint16_t sum;

	(void)ctx;
	if (event != LINK_SIM_DELIVERED)
		return;
	memcpy(ip + 12, &p->src.ip, 4);
	memcpy(ip + 16, &p->dst.ip, 4);
	sum = checksum(ip);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	put32((uint32_t)(p->time_us / 1000000));
	put32((uint32_t)(p->time_us % 1000000));
	put32(total);
	put32(total);
	fwrite(ip, sizeof ip, 1, file);
	fwrite(p->segment, p->len, 1, file);
}

/* ---- what is sent ---- */

static void turn(struct end *e)
{
	while (queued - over < 30 && e->alf->stats.fpdus_out < fpdus) {
		size_t len = rnd(&dice, rnd(&dice, 4) ? 1300 : LONGEST);
		struct adu_out like = { .own = { data, len }, .total = len, .here = len, .tagged = rnd(&dice, 8) == 0, .stag = 9 };
		like.attr = (struct adu_attr){ .type = (uint8_t)queued, .name_len = (uint8_t)rnd(&dice, ADU_NAME_MAX + 1),
			.priority = (uint8_t)rnd(&dice, 3) };
		ck_assert_int_gt(alf_queue(e->alf, &like, NULL), 0);
		queued++;
	}
}

static void event(struct end *e, const struct adu_event *ev)
{
	over += ev->kind == ADU_SENT;
	if (ev->kind == ADU_ERROR)
		ck_abort_msg("%s", strerror(ev->error));
	if (ev->kind == ADU_COMPLETE)
		alf_forget(e->alf, alf_in_find(e->alf, ev->id));
}

static bool done(struct ends *b)
{
	return b->end[0].alf->stats.fpdus_out >= fpdus && over == queued;
}

static const char *path;
static double loss;

START_TEST(written)
{
	struct link_sim_path road = { .delay_us = 1000, .loss = loss };
	struct net_config config = { .seed = 1, .path = { road, road } };
	struct alf_profile p = flow_profile(0);

	p.unpacked = true;
	file = fopen(path, "wb");
	ck_assert_msg(file, "%s: %s", path, strerror(errno));
	flow_fill(data, sizeof data, 1);
	header();
	ends_open(&ends, &config, &p, &p);
	ck_assert_int_eq(adu_expose(ends.end[1].alf, 9, region, sizeof region), 0);
	link_sim_tap(ends.net.sim, tap, NULL);
	ends.end[0].turn = turn;
	ends.end[0].event = ends.end[1].event = event;
	ck_assert(ends_run(&ends, done, 100000 * NET_S));
	net_run(&ends.net, NET_S);
	printf("%" PRIu64 " FPDUs\n", ends.end[0].alf->stats.fpdus_out + ends.end[1].alf->stats.fpdus_out);
	ends_close(&ends);
	ck_assert_int_eq(fclose(file), 0);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("adus");
	TCase *tc = tcase_create("adus");

	if (argc != 4) {
		fprintf(stderr, "usage: adus FILE FPDUS LOSS\n");
		return 2;
	}
	path = argv[1];
	fpdus = strtoull(argv[2], NULL, 10);
	loss = atof(argv[3]) / 100;
	tcase_add_test(tc, written);
	tcase_set_timeout(tc, 600);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
