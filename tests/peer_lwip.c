/* TCPU against lwIP, a TCP that no one here wrote, in one process and virtual time: lwIP's raw interface on one side,
 * an engine over the TUN link on the other, a socket pair that loses what the seed says between them. */
#include "core/engine.h"
#include "core/link/host.h"
#include "core/link/sim.h"
#include "core/plain.h"
#include "tests/run.h"
#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* lwIP has address functions of its own by these names. */
#undef htons
#undef htonl
#undef ntohs
#undef ntohl
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#define OURS 0x0a000002 /* TCPU's */
#define THEIRS 0x0a000001
#define LIMIT_US 3000000000ULL
#define SEEDS 4

static uint64_t now_us = 1000000;
static struct link_sim *dice;
static double loss;
static int wire; /* lwIP's end */
static bool moved;

/* The library asks this program, not its own function, what time it is. */
u32_t sys_now(void)
{
	return (u32_t)(now_us / 1000);
}

static struct side {
	uint64_t sent, received, to_send;
	bool shut, ended; /* its own end, the other's */
	bool broken;      /* a byte was wrong, or the connection is lost */
} tcpu_side, lwip_side;

/* The streams differ. */
enum who { TCPU, LWIP };

static uint8_t byte_at(enum who from, uint64_t off)
{
	return (uint8_t)(off * 7 + (off >> 11) + from);
}

static void fill(uint8_t *buffer, size_t n, enum who from, uint64_t off)
{
	for (size_t i = 0; i < n; i++)
		buffer[i] = byte_at(from, off + i);
}

static void check_bytes(struct side *s, const uint8_t *data, size_t n, enum who from)
{
	for (size_t i = 0; i < n; i++)
		s->broken |= data[i] != byte_at(from, s->received + i);
	s->received += n;
}

/* ---- lwIP's side ---- */

static struct netif netif;
static struct tcp_pcb *pcb; /* of the connection; NULL: before and after */

static err_t lwip_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	uint8_t packet[VNET + 2000] = { 0 };
	u16_t len = pbuf_copy_partial(p, packet + VNET, 2000, 0);

	(void)n;
	(void)to;
	moved = true;
	if (!link_sim_chance(dice, loss) && write(wire, packet, VNET + len) < 0)
		return ERR_IF;
	return ERR_OK;
}

static err_t lwip_attach(struct netif *n)
{
	n->mtu = 1500;
	n->output = lwip_output;
	return ERR_OK;
}

static void lwip_input(void)
{
	static uint8_t packet[VNET + 2000];
	ssize_t n;

	while ((n = read(wire, packet, sizeof packet)) > VNET) {
		u16_t len = (u16_t)(n - VNET);
		struct pbuf *p = pbuf_alloc(PBUF_RAW, len, PBUF_RAM);

		moved = true;
		pbuf_take(p, packet + VNET, len);
		if (link_sim_chance(dice, loss) || netif.input(p, &netif) != ERR_OK)
			pbuf_free(p);
	}
}

/* Not from within lwIP's callbacks: of 2.1.3 that of accept is no place to close, where FIN came with the ACK. */
static void lwip_app(void)
{
	struct side *s = &lwip_side;
	uint8_t buffer[4096];

	if (!pcb || s->shut)
		return;
	while (s->sent < s->to_send && tcp_sndbuf(pcb)) {
		size_t n = s->to_send - s->sent < sizeof buffer ? (size_t)(s->to_send - s->sent) : sizeof buffer;

		n = n < tcp_sndbuf(pcb) ? n : tcp_sndbuf(pcb);
		fill(buffer, n, LWIP, s->sent);
		if (tcp_write(pcb, buffer, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		s->sent += n;
	}
	tcp_output(pcb);
	s->shut = s->sent == s->to_send && tcp_shutdown(pcb, 0, 1) == ERR_OK;
}

static err_t lwip_recv(void *arg, struct tcp_pcb *from, struct pbuf *p, err_t e)
{
	(void)arg;
	(void)e;
	if (!p) {
		lwip_side.ended = true;
		return ERR_OK;
	}
	for (struct pbuf *q = p; q; q = q->next)
		check_bytes(&lwip_side, q->payload, q->len, TCPU);
	tcp_recved(from, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static void lwip_failed(void *arg, err_t e)
{
	(void)arg;
	/* CLSD: a side that had closed its own direction only is told of the other's end. */
	lwip_side.broken |= e != ERR_CLSD;
	pcb = NULL;
}

static err_t lwip_connected(void *arg, struct tcp_pcb *connected, err_t e)
{
	(void)arg;
	(void)e;
	pcb = connected;
	tcp_recv(pcb, lwip_recv);
	tcp_err(pcb, lwip_failed);
	return ERR_OK;
}

static void lwip_open(bool server)
{
	ip4_addr_t ip = { htonl(THEIRS) }, mask = { htonl(0xffffff00) }, any = { 0 };
	ip_addr_t ours = IPADDR4_INIT(htonl(OURS));
	struct tcp_pcb *opening;

	srand(1); /* lwIP's ISNs and ports */
	lwip_init();
	ck_assert_ptr_nonnull(netif_add(&netif, &ip, &mask, &any, NULL, lwip_attach, ip_input));
	netif_set_default(&netif);
	netif_set_link_up(&netif);
	netif_set_up(&netif);
	opening = tcp_new();
	if (server) {
		ck_assert_int_eq(tcp_bind(opening, IP_ANY_TYPE, 80), ERR_OK);
		tcp_accept(tcp_listen(opening), lwip_connected);
	} else {
		tcp_err(opening, lwip_failed);
		ck_assert_int_eq(tcp_connect(opening, &ours, 80, lwip_connected), ERR_OK);
	}
}

/* ---- TCPU's side ---- */

static struct link *l;
static struct tcpu *engine;
static struct tcb *listener, *c;

static void tcpu_open(bool server)
{
	struct tcpu_config config = { .alloc = link_host_alloc, .free = link_host_free, .now_us = now_us };
	struct link_addr local = { 0, htons(80) }, theirs = { htonl(THEIRS), htons(80) };

	l = tun_pair(OURS, true, &wire);
	config.link = l;
	ck_assert_int_eq(tcpu_new(&config, &engine), 0);
	if (!server)
		local.port = htons(40000);
	ck_assert_int_eq(l->ops->claim(l, &local), 0);
	if (server)
		ck_assert_int_eq(tcpu_listen(engine, local, 1, NULL, &listener), 0);
	else
		ck_assert_int_eq(tcpu_connect(engine, local, theirs, NULL, &c), 0);
}

static ssize_t take(void *buffer, size_t room)
{
	struct plain_sink p;

	plain_sink(&p, buffer, room);
	return tcpu_recv(c, &p.seam);
}

static ssize_t give(const void *data, size_t len)
{
	struct plain_source p;

	plain_source(&p, data, len);
	return tcpu_send(c, &p.seam, 0);
}

static void tcpu_app(void)
{
	uint8_t buffer[8192];
	struct side *s = &tcpu_side;
	ssize_t n;

	if (listener && tcpu_accept(listener, &c) == 0) {
		tcpu_close(listener);
		listener = NULL;
	}
	if (!c || s->broken)
		return;
	while ((n = take(buffer, sizeof buffer)) > 0)
		check_bytes(s, buffer, (size_t)n, LWIP);
	s->ended |= n == 0;
	s->broken |= n < 0 && n != -EAGAIN;
	while (s->sent < s->to_send) {
		size_t want = s->to_send - s->sent < sizeof buffer ? (size_t)(s->to_send - s->sent) : sizeof buffer;

		fill(buffer, want, TCPU, s->sent);
		n = give(buffer, want);
		if (n <= 0)
			break;
		s->sent += (uint64_t)n;
	}
	if (!s->shut && s->sent == s->to_send && tcpu_ready(c) & TCPU_OUT)
		s->shut = tcpu_shutdown(c) == 0;
}

static void tcpu_turn(void)
{
	struct link_in in[32];
	int n;

	tcpu_clock(engine, now_us);
	while ((n = l->ops->recv(l, in, 32)) > 0) {
		moved = true;
		for (int i = 0; i < n; i++)
			tcpu_input(engine, &in[i]);
	}
	tcpu_app();
	tcpu_flush(engine);
}

/* ---- both ---- */

/* A turn of each; when nothing moves, on to the next timer of either. */
static void turn(void)
{
	uint64_t next, lwip_next;

	moved = false;
	tcpu_turn();
	sys_check_timeouts();
	lwip_input();
	lwip_app();
	if (moved)
		return;
	next = tcpu_deadline(engine);
	lwip_next = (now_us / 1000 + sys_timeouts_sleeptime()) * 1000;
	next = next < lwip_next ? next : lwip_next;
	now_us = next > now_us ? next : now_us + 1000;
}

static bool is_over(void)
{
	return tcpu_side.broken || lwip_side.broken || (tcpu_side.ended && lwip_side.ended && tcpu_side.shut);
}

static const struct {
	bool tcpu_serves;
	uint64_t by_tcpu, by_lwip;
	double loss;
} cases[] = {
	{ true, 0, 0, 0 }, { false, 0, 0, 0 }, { true, 1, 1, 0 },
	{ true, 20000000, 0, 0 }, { false, 20000000, 0, 0 }, { true, 0, 20000000, 0 }, { false, 0, 20000000, 0 },
	{ true, 9000000, 9000000, 0 }, { false, 9000000, 9000000, 0 },
	{ true, 2000000, 1, 0.01 }, { false, 1, 2000000, 0.01 }, { true, 1000000, 1000000, 0.01 },
	{ false, 1000000, 300000, 0.05 }, { true, 300000, 1000000, 0.05 }, { false, 100000, 100000, 0.2 },
};

START_TEST(transfer)
{
	int i = _i / SEEDS;

	dice = link_sim_new((uint64_t)_i);
	loss = cases[i].loss;
	tcpu_side.to_send = cases[i].by_tcpu;
	lwip_side.to_send = cases[i].by_lwip;
	tcpu_open(cases[i].tcpu_serves);
	lwip_open(!cases[i].tcpu_serves);
	while (!is_over() && now_us < LIMIT_US)
		turn();
	ck_assert(!tcpu_side.broken);
	ck_assert(!lwip_side.broken);
	ck_assert_uint_eq(tcpu_side.received, cases[i].by_lwip);
	ck_assert_uint_eq(lwip_side.received, cases[i].by_tcpu);
	/* Neither holds anything in the end. */
	tcpu_close(c);
	c = NULL;
	while ((tcpu_count(engine) || tcp_active_pcbs || tcp_tw_pcbs) && now_us < LIMIT_US)
		turn();
	ck_assert_uint_eq(tcpu_count(engine), 0);
	ck_assert_ptr_null(tcp_active_pcbs);
	ck_assert_uint_eq(link_tun_stats(l).malformed, 0);
	tcpu_free(engine);
	l->ops->close(l);
	close(wire);
	link_sim_free(dice);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peer_lwip");
	TCase *tc = tcase_create("lwip");
	SRunner *runner = srunner_create(suite);

	tcase_add_loop_test(tc, transfer, 0, SEEDS * (int)(sizeof cases / sizeof *cases));
	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_FORK); /* there is one lwIP in a process */
	return run_tests(runner);
}
