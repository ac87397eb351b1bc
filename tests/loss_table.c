/* How fast a transfer is, by loss and receive buffer, in virtual time: exact, so that any change of how TCPU sends
 * shows in the table of tests/loss-table.txt, which this compares with what comes out.
 *
 *	make losstable		writes the table anew: look at what git says of it
 *
 * One direction, 1 MiB, sixteen seeds to a cell; the path takes 10 ms each way and 100 Mbit/s. A disturbed path beside
 * its loss reorders and duplicates 5 % of the packets and corrupts 1 %. */
#include "tests/sim_net.h"
#include "tests/table.h"

#include <check.h>

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

int main(int argc, char **argv)
{
	return table_main("loss_table", TABLE, "make losstable", write_table, argc, argv);
}
