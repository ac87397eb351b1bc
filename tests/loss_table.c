/* How fast a transfer is, by loss and receive buffer, in virtual time: exact, so that any change of how TCPU sends
 * shows in the table of tests/loss-table.txt, which this compares with what comes out.
 *
 *	make losstable		writes the table anew: look at what git says of it
 *
 * One direction, 1 MiB, sixteen seeds to a cell; the path takes 10 ms each way and 100 Mbit/s. A disturbed path beside
 * its loss reorders and duplicates 5 % of the packets and corrupts 1 %. */
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "tests/loss-table.txt"
#define TRANSFER (1U << 20)
#define SEEDS 16

static const unsigned losses[] = { 0, 1, 5, 20 }; /* percent */
static const unsigned buffers[] = { 16, 64, 256, 1024 }; /* KiB */
#define LOSSES (sizeof losses / sizeof *losses)
#define BUFFERS (sizeof buffers / sizeof *buffers)

struct run {
	struct tcb *listener, *from, *to;
	uint64_t sent, come;
};

static void app(struct net *n, int peer, void *ctx)
{
	static uint8_t bytes[65536];
	struct run *r = ctx;
	ssize_t got;

	(void)n;
	if (peer == 0 && r->sent < TRANSFER) {
		size_t left = TRANSFER - r->sent;

		got = net_send(r->from, bytes, left < sizeof bytes ? left : sizeof bytes);
		r->sent += got > 0 ? (uint64_t)got : 0;
	}
	if (peer == 1 && !r->to)
		tcpu_accept(r->listener, &r->to);
	while (peer == 1 && r->to && (got = net_recv(r->to, bytes, sizeof bytes)) > 0)
		r->come += (uint64_t)got;
}

static bool all_came(struct net *n, void *ctx)
{
	(void)n;
	return ((struct run *)ctx)->come == TRANSFER;
}

/* Microseconds that one transfer takes. */
static uint64_t transfer(unsigned percent, unsigned kib, bool disturbed, uint64_t seed)
{
	struct link_sim_path path = { .loss = percent / 100.0, .delay_us = 10000, .rate_bps = 100000000,
		.queue_bytes = 500000 };
	struct net_config c = { .seed = seed };
	struct run r = { 0 };
	struct net n;
	uint64_t began_us, took_us;

	if (disturbed) {
		path.reorder = path.duplicate = 0.05;
		path.reorder_us = 5000;
		path.corrupt = 0.01;
	}
	c.path[0] = c.path[1] = path;
	c.engine[0].options.sndbuf_bytes = 2 * TRANSFER;
	c.engine[1].options.rcvbuf_bytes = kib << 10;
	c.engine[0].options.data_retries = c.engine[0].options.syn_retries = 40;
	net_open(&n, &c);
	began_us = n.now_us;
	r.listener = net_listen(&n, 1);
	r.from = net_connect(&n);
	n.app = app;
	n.app_ctx = &r;
	ck_assert_msg(net_until(&n, all_came, &r, 7200 * NET_S), "%u %% and %u KiB, seed %llu: %llu bytes came", percent,
		      kib, (unsigned long long)seed, (unsigned long long)r.come);
	took_us = n.now_us - began_us;
	net_close(&n);
	return took_us;
}

/* kB a second, the mean of the seeds. */
static unsigned long cell(unsigned percent, unsigned kib, bool disturbed)
{
	uint64_t took = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		took += transfer(percent, kib, disturbed, seed);
	return (unsigned long)(SEEDS * (uint64_t)TRANSFER * 1000 / took);
}

static void write_table(FILE *f)
{
	fprintf(f, "kB/s of one transfer of 1 MiB by loss and receive buffer; round trip 20 ms, 100 Mbit/s\n");
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		fprintf(f, "\n%-22s", disturbed ? "reorder, duplicate 5 %" : "");
		for (size_t b = 0; b < BUFFERS; b++)
			fprintf(f, "%6u KiB", buffers[b]);
		fprintf(f, disturbed ? "\ncorrupt 1 %%\n" : "\n");
		for (size_t l = 0; l < LOSSES; l++) {
			fprintf(f, "%-8s%5u %% loss  ", "", losses[l]);
			for (size_t b = 0; b < BUFFERS; b++)
				fprintf(f, "%10lu", cell(losses[l], buffers[b], disturbed));
			fputc('\n', f);
		}
	}
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 10000);

	ck_assert_msg(f && text, "%s: %s: run this in the project's root", path, strerror(errno));
	ck_assert_uint_lt(fread(text, 1, 10000, f), 10000);
	fclose(f);
	return text;
}

/* Cells that differ, with their lines. Returns how many lines do. */
static unsigned compare(char *was, char *is)
{
	char *was_at, *is_at, *old = strtok_r(was, "\n", &was_at), *new = strtok_r(is, "\n", &is_at);
	unsigned different = 0;

	while (old || new) {
		if (!old || !new || strcmp(old, new) != 0) {
			printf("- %s\n+ %s\n", old ? old : "", new ? new : "");
			different++;
		}
		old = old ? strtok_r(NULL, "\n", &was_at) : NULL;
		new = new ? strtok_r(NULL, "\n", &is_at) : NULL;
	}
	return different;
}

START_TEST(table)
{
	char *was, *is = NULL;
	size_t len;
	FILE *f = open_memstream(&is, &len);

	write_table(f);
	fclose(f);
	was = file_text(TABLE);
	ck_assert_msg(compare(was, is) == 0, "%s is not what comes out; `make losstable` writes it anew", TABLE);
	free(was);
	free(is);
}
END_TEST

START_TEST(refresh)
{
	FILE *f = fopen(TABLE, "w");

	ck_assert_msg(f, "%s: %s: run this in the project's root", TABLE, strerror(errno));
	write_table(f);
	ck_assert(!ferror(f) && fclose(f) == 0);
}
END_TEST

int main(int argc, char **argv)
{
	bool writes = argc > 1 && !strcmp(argv[1], "refresh");
	Suite *suite = suite_create("loss_table");
	TCase *tc = tcase_create("table");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, writes ? refresh : table);
	return run_tests(runner);
}
