/* Trains (one header for many segments, cut behind the link) of a connection that sends all it can: whole ones where
 * the way is short, and pieces as ACKs make room for them where it is long. In virtual time, over a link that is
 * watched. */
#include "core/cksum.h"
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <netinet/tcp.h>
#include <string.h>

#define MSS 1448
#define WHOLE (45 * MSS) /* what an IP packet holds */
#define CALL (128 << 10)
#define CALLS 64
#define WINDOW (1 << 19) /* as the machine has it */

static struct machine m;

static struct {
	const struct link_ops *base;
	struct link_ops ops;
	uint64_t all, whole; /* bytes */
	size_t longest;
	unsigned packets;
} w;

static int watch_send(struct link *l, const struct link_out *o, unsigned n)
{
	int sent = w.base->send(l, o, n);

	for (int i = 0; i < sent; i++) {
		w.packets += o[i].data_len != 0;
		w.longest = o[i].data_len > w.longest ? o[i].data_len : w.longest;
		w.all += o[i].data_len;
		w.whole += o[i].data_len == WHOLE ? WHOLE : 0;
	}
	return sent;
}

static int server, here, there;

/* There, all is read in each sleep. */
static void read_all(struct machine *machine)
{
	static uint8_t data[1 << 20];

	(void)machine;
	while (recv_tcpu(there, data, sizeof data, MSG_DONTWAIT) > 0)
		;
}

/* A connection with trains, over such paths both ways, whose other end reads all it can. */
static void begin(const struct tcpu_stack_config *config, const struct link_sim_path *path, uint32_t window_max)
{
	machine_start(&m, config);
	link_sim_path(m.sim, HERE_IP, THERE_IP, path);
	link_sim_path(m.sim, THERE_IP, HERE_IP, path);
	m.link[0]->train_max = 65515;
	m.link[0]->window_max = m.link[1]->window_max = window_max;
	memset(&w, 0, sizeof w);
	w.base = m.link[0]->ops;
	w.ops = *w.base;
	w.ops.send = watch_send;
	m.link[0]->ops = &w.ops;
	server = machine_listener(&m, 80);
	machine_pair(&m, server, 80, &here, &there);
	m.meanwhile = read_all;
}

static void send_call(void)
{
	static uint8_t data[CALL];

	ck_assert_int_eq(send_tcpu(here, data, CALL, 0), CALL);
}

static void end(void)
{
	static uint8_t data[CALL];

	m.meanwhile = NULL;
	ck_assert_int_eq(shutdown_tcpu(here, SHUT_WR), 0);
	while (recv_tcpu(there, data, CALL, 0) > 0)
		;
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(server), 0);
	machine_stop(&m);
}

static void stream(uint64_t delay_us, uint64_t rate_bps)
{
	begin(&(struct tcpu_stack_config){ 0 },
		&(struct link_sim_path){ .delay_us = delay_us, .rate_bps = rate_bps }, WINDOW);
	for (int i = 0; i < CALLS; i++)
		send_call();
	end();
	ck_assert_uint_ge(w.all, (uint64_t)CALLS * CALL);
}

START_TEST(whole)
{
	stream(50, 0);
	ck_assert_uint_ge(w.whole, w.all / 10 * 9);
	/* and beside them at most one for each call, and those with which it began */
	ck_assert_uint_le(w.packets, w.all / WHOLE + CALLS + 40);
}
END_TEST

/* ACKs make room bit by bit, but soon enough. */
START_TEST(waited_for)
{
	stream(50, 4000000000);
	ck_assert_uint_ge(w.whole, w.all / 10 * 9);
}
END_TEST

static unsigned lose; /* the next so many segments with data */

static bool loses(void *ctx, struct link_sim_packet *p)
{
	(void)ctx;
	if (p->len < MSS || !lose)
		return true;
	lose--;
	return false;
}

static uint32_t cwnd(int fd)
{
	struct tcpu_info info;

	ck_assert_int_eq(info_tcpu(fd, &info), 0);
	return info.cwnd_bytes;
}

/* Who waits for room for a train leaves cwnd not quite full; it grows all the same, behind a loss a segment in each
 * round trip, which takes a millisecond here. */
START_TEST(grows)
{
	struct tcpu_stack_config config = { .engine.options.congestion = "reno" };
	uint64_t begin_us;
	uint32_t early = 0;

	begin(&config, &(struct link_sim_path){ .delay_us = 500 }, 16 << 20);
	link_sim_filter(m.sim, loses, NULL);
	begin_us = m.now_us;
	for (int i = 0; m.now_us < begin_us + 400000; i++) {
		lose = i == 3;
		send_call();
		if (!early && m.now_us > begin_us + 100000)
			early = cwnd(here);
	}
	ck_assert_uint_ge(cwnd(here), early + 200 * MSS);
	ck_assert_uint_le(cwnd(here), early + 400 * MSS);
	end();
}
END_TEST

START_TEST(pieces)
{
	stream(20000, 100000000);
	ck_assert_uint_le(w.whole, w.all / 4);
}
END_TEST

/* ---- records ---- */

static struct {
	struct seam_source seam;
	uint64_t left;
	bool shorter; /* each third record does not fill its segment */
	unsigned records;
	uint32_t most; /* bytes that waited in a sleep */
} r;

static void look_and_read(struct machine *machine)
{
	struct tcpu_info info;

	ck_assert_int_eq(info_tcpu(here, &info), 0);
	r.most = info.unsent_bytes > r.most ? info.unsent_bytes : r.most;
	read_all(machine);
}

static size_t fill_record(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	size_t n = r.shorter && r.records % 3 == 2 ? cap - 8 : cap;

	(void)ctx;
	(void)off;
	if (!r.left)
		return 0;
	n = n < r.left ? n : r.left;
	ck_assert_uint_le(n, MSS);
	memset(dst, (int)r.records++, n);
	*sum = tcpu_sum(dst, n);
	r.left -= n;
	return n;
}

/* Calls that each write so many bytes of records; what the link could take has left then. */
static void send_records(uint64_t delay_us, uint64_t rate_bps, bool trains, bool shorter)
{
	const int one = 1;

	begin(&(struct tcpu_stack_config){ 0 },
		&(struct link_sim_path){ .delay_us = delay_us, .rate_bps = rate_bps }, WINDOW);
	ck_assert_int_eq(setsockopt_tcpu(here, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &one, sizeof one), 0);
	r.seam = (struct seam_source){ .fill = fill_record, .record = true, .trains = trains };
	r.shorter = shorter;
	r.records = r.most = 0;
	m.meanwhile = look_and_read;
	for (int i = 0; i < CALLS; i++) {
		r.left = CALL;
		ck_assert_int_eq(fill_tcpu(here, &r.seam, 0), CALL);
	}
	end();
	ck_assert_uint_ge(w.all, (uint64_t)CALLS * CALL);
}

/* Those that fill their segments go together, which the link cuts where they meet. */
START_TEST(records)
{
	send_records(50, 0, true, false);
	ck_assert_uint_ge(w.whole, w.all / 3 * 2); /* a call ends within one */
	ck_assert_uint_le(w.packets, w.all / WHOLE + 2 * CALLS + 40);
}
END_TEST

/* One that does not is the last of its train: else the next would be cut elsewhere. */
START_TEST(short_records)
{
	send_records(50, 0, true, true);
	ck_assert_uint_eq(w.whole, 0);
	ck_assert_uint_ge(w.packets, r.records / 3);
	ck_assert_uint_le(w.longest, 3 * MSS - 8);
	ck_assert_uint_gt(w.longest, MSS);
}
END_TEST

/* A source that must have each for itself has. */
START_TEST(lone_records)
{
	send_records(50, 0, false, false);
	ck_assert_uint_le(w.longest, MSS);
}
END_TEST

/* None waits for room for a train: what could not go at once was not asked for, but one. */
START_TEST(records_do_not_wait)
{
	send_records(20000, 100000000, true, false);
	ck_assert_uint_gt(w.longest, MSS);
	ck_assert_uint_gt(r.most, 0);
	ck_assert_uint_le(r.most, MSS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_trains");
	TCase *tc = tcase_create("socket_trains");

	tcase_add_test(tc, whole);
	tcase_add_test(tc, waited_for);
	tcase_add_test(tc, pieces);
	tcase_add_test(tc, grows);
	tcase_add_test(tc, records);
	tcase_add_test(tc, short_records);
	tcase_add_test(tc, lone_records);
	tcase_add_test(tc, records_do_not_wait);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
