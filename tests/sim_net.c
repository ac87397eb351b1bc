#include "tests/sim_net.h"

#include "core/cksum.h"
#include "core/plain.h"
#include "core/tcb.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECV_MAX 16
#define FIRST_PORT 49152 /* that a claim of any port gets */

void *net_take(void *ctx, size_t bytes)
{
	struct net_memory *m = ctx;
	void *p;

	if (++m->calls == m->fail_at || (m->fail_chance > 0 && link_sim_chance(m->sim, m->fail_chance))) {
		m->failed++;
		return NULL;
	}
	p = malloc(bytes);
	ck_assert_ptr_nonnull(p);
	memset(p, 0xa5, bytes); /* fresh memory is no zero memory */
	m->blocks++;
	m->bytes += bytes;
	m->bytes_max = m->bytes > m->bytes_max ? m->bytes : m->bytes_max;
	return p;
}

void net_give(void *ctx, void *p, size_t bytes)
{
	struct net_memory *m = ctx;

	ck_assert_uint_ge(m->bytes, bytes);
	m->blocks--;
	m->bytes -= bytes;
	memset(p, 0x5a, bytes);
	free(p);
}

static int gate_send(struct link *gate, const struct link_out *out, unsigned count)
{
	struct net_peer *p = (struct net_peer *)((char *)gate - offsetof(struct net_peer, gate));
	unsigned n = count < p->gate_room ? count : p->gate_room;
	int e = p->gate_error;

	if (e) {
		p->gate_error = 0;
		return e;
	}
	if (p->gate_room != NET_ROOM)
		p->gate_room -= n;
	return n ? p->link->ops->send(p->link, out, n) : 0;
}

static const struct link_ops gate_ops = { .send = gate_send };

/* The clock that gives the ISN asked for: it counts 4 us (RFC 6528). */
static uint64_t clock_for(const struct net *n, int i, const struct tcpu_config *config, uint32_t below)
{
	struct tcpu e = { .config = *config, .now = n->now_us };
	struct link_addr from = net_addr(n, 0, FIRST_PORT), to = net_addr(n, 1, NET_PORT);
	struct tcb c = { .engine = &e, .local = i ? to : from, .remote = i ? from : to };

	return (uint64_t)(0 - below - tcb_isn(&c)) * 4;
}

void net_open(struct net *n, const struct net_config *c)
{
	memset(n, 0, sizeof *n);
	n->now_us = NET_S;
	n->app_wake_us = TCPU_NEVER;
	n->sim = link_sim_new(c->seed);
	ck_assert_ptr_nonnull(n->sim);
	link_sim_clock(n->sim, n->now_us);
	for (int i = 0; i < 2; i++)
		n->peer[i].ip = htonl(0x0a000001U + (uint32_t)i);
	for (int i = 0; i < 2; i++) {
		struct net_peer *p = &n->peer[i];
		struct tcpu_config k = c->engine[i];

		p->link = link_sim_host(n->sim, p->ip, c->segment_max[i] ? c->segment_max[i] : 1480,
					c->input_bytes[i] ? c->input_bytes[i] : 4 << 20);
		if (i == 1 && c->scripted)
			break;
		p->gate = (struct link){ .ops = &gate_ops, .segment_max = p->link->segment_max,
					 .window_max = p->link->window_max, .train_max = c->train_max[i] };
		p->gate_room = NET_ROOM;
		p->memory.sim = n->sim;
		k.link = &p->gate;
		k.alloc = net_take;
		k.free = net_give;
		k.alloc_ctx = &p->memory;
		for (unsigned b = 0; b < sizeof k.secret; b++)
			k.secret[b] = (uint8_t)link_sim_random(n->sim);
		p->ahead_us = c->below_wrap[i] ? clock_for(n, i, &k, c->below_wrap[i]) : 0;
		k.now_us = n->now_us + p->ahead_us;
		ck_assert_int_eq(tcpu_new(&k, &p->engine), 0);
	}
	for (int i = 0; i < 2; i++)
		link_sim_path(n->sim, n->peer[i].ip, htonl(0x0a000002U - (uint32_t)i), &c->path[i]);
}

void net_close(struct net *n)
{
	for (int i = 0; i < 2; i++) {
		if (!n->peer[i].engine)
			continue;
		tcpu_free(n->peer[i].engine);
		ck_assert_uint_eq(n->peer[i].memory.blocks, 0);
		ck_assert_uint_eq(n->peer[i].memory.bytes, 0);
	}
	link_sim_free(n->sim);
}

void net_turn(struct net *n, int i)
{
	struct net_peer *p = &n->peer[i];
	struct link_in in[RECV_MAX];
	int got;

	if (!p->engine)
		return;
	tcpu_clock(p->engine, n->now_us + p->ahead_us);
	while ((got = p->link->ops->recv(p->link, in, RECV_MAX)) > 0)
		for (int k = 0; k < got; k++) {
			in[k].vouched = !in[k].error && p->vouches;
			tcpu_input(p->engine, &in[k]);
		}
	if (n->app)
		n->app(n, i, n->app_ctx);
	tcpu_flush(p->engine);
}

static uint64_t next_event(const struct net *n)
{
	uint64_t next = link_sim_next(n->sim);

	if (n->app_wake_us < next)
		next = n->app_wake_us;
	for (int i = 0; i < 2; i++) {
		const struct net_peer *p = &n->peer[i];

		if (!p->engine)
			continue;
		if (tcpu_deadline(p->engine) - p->ahead_us < next) /* never is later than all there is */
			next = tcpu_deadline(p->engine) - p->ahead_us;
		if (link_sim_readable(p->link))
			next = n->now_us;
	}
	return next > n->now_us ? next : n->now_us;
}

bool net_step(struct net *n, uint64_t until_us)
{
	uint64_t next = next_event(n);

	if (next > until_us) {
		n->now_us = until_us;
		link_sim_clock(n->sim, n->now_us);
		return false;
	}
	n->now_us = next;
	if (n->app_wake_us <= next)
		n->app_wake_us = TCPU_NEVER;
	link_sim_clock(n->sim, n->now_us);
	net_turn(n, 0);
	net_turn(n, 1);
	return true;
}

void net_run(struct net *n, uint64_t us)
{
	uint64_t until_us = n->now_us + us;

	/* The test may have made calls, and a driver's turn ends with what they left to do. */
	net_turn(n, 0);
	net_turn(n, 1);
	while (net_step(n, until_us))
		continue;
}

bool net_until(struct net *n, bool (*done)(struct net *, void *ctx), void *ctx, uint64_t us)
{
	uint64_t until_us = n->now_us + us;

	while (!done(n, ctx))
		if (!net_step(n, until_us))
			return done(n, ctx);
	return true;
}

static void trace(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	static struct wire w;
	const struct net *n = ctx;

	wire_read(p, &w);
	printf("%11.6f %s %s %u-%u %s%s%s%s%s seq %u:%u ack %u win %u%s\n", (double)p->time_us / 1e6,
	       p->src.ip == n->peer[0].ip ? ">" : "<", event == LINK_SIM_SENT ? "sent" : "came", ntohs(w.src.port),
	       ntohs(w.dst.port), w.flags & SYN ? "S" : "", w.flags & FIN ? "F" : "", w.flags & RST ? "R" : "",
	       w.flags & PSH ? "P" : "", w.flags & ACK ? "." : "", w.seq, w.seq + w.len, w.ack, w.window,
	       w.good ? "" : " BAD");
}

void net_trace(struct net *n)
{
	if (getenv("TCPU_TRACE"))
		link_sim_tap(n->sim, trace, n);
}

/* Shared with Check's children, which leave by _exit when an assertion fails, or by a signal. */
static struct repeats {
	pid_t owner;
	unsigned count; /* tests under way, or failed */
	char environment[16][100];
} *repeats;

static void print_repeats(void)
{
	if (getpid() != repeats->owner)
		return;
	for (unsigned i = 0; i < repeats->count && i < 16; i++)
		fprintf(stderr, "repeat with: %s %s\n", repeats->environment[i], program_invocation_name);
}

void net_repeat_open(void)
{
	repeats = mmap(NULL, sizeof *repeats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (repeats == MAP_FAILED)
		abort(); /* no test runs yet that could fail */
	repeats->owner = getpid();
	atexit(print_repeats);
}

void net_repeat(const char *environment)
{
	if (!environment)
		repeats->count--;
	else if (repeats->count++ < 16)
		snprintf(repeats->environment[repeats->count - 1], 100, "%s", environment);
}

struct link_addr net_addr(const struct net *n, int peer, uint16_t port)
{
	return (struct link_addr){ n->peer[peer].ip, htons(port) };
}

struct tcb *net_listen(struct net *n, unsigned backlog)
{
	struct link_addr a = net_addr(n, 1, NET_PORT);
	struct tcb *l;
	const int e = n->peer[1].link->ops->claim(n->peer[1].link, &a);

	ck_assert(e == 0 || e == -EADDRINUSE); /* a listener before this one had it, whose connections may be there */
	ck_assert_int_eq(tcpu_listen(n->peer[1].engine, a, backlog, NULL, &l), 0);
	return l;
}

struct tcb *net_connect(struct net *n)
{
	struct link_addr a = net_addr(n, 0, 0);
	struct tcb *c;

	ck_assert_int_eq(n->peer[0].link->ops->claim(n->peer[0].link, &a), 0);
	tcpu_clock(n->peer[0].engine, n->now_us + n->peer[0].ahead_us);
	ck_assert_int_eq(tcpu_connect(n->peer[0].engine, a, net_addr(n, 1, NET_PORT), NULL, &c), 0);
	return c;
}

void net_pair(struct net *n, struct tcb **client, struct tcb **server)
{
	struct tcb *l = net_listen(n, 1);
	int e;

	*client = net_connect(n);
	while ((e = tcpu_accept(l, server)) == -EAGAIN)
		ck_assert(net_step(n, n->now_us + 60 * NET_S));
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(net_state(*client), TCPU_ESTABLISHED);
	tcpu_close(l);
}

bool net_router(void *ctx, struct link_sim_packet *p)
{
	struct net_router *r = ctx;

	if (p->len + 20 <= r->path_mtu || p->src.ip != r->net->peer[0].ip)
		return true;
	r->too_long++;
	link_sim_inject_mtu(r->net->sim, p->dst, p->src, p->segment, 8, r->path_mtu);
	return false;
}

struct tcpu_info net_info(const struct tcb *c)
{
	struct tcpu_info i;

	tcpu_info(c, &i);
	return i;
}

enum tcpu_state net_state(const struct tcb *c)
{
	return net_info(c).state;
}

ssize_t net_send(struct tcb *c, const void *data, size_t len)
{
	struct plain_source p;

	plain_source(&p, data, len);
	return tcpu_send(c, &p.seam, TCPU_SEND_NOW);
}

ssize_t net_recv(struct tcb *c, void *data, size_t cap)
{
	struct plain_sink p;

	plain_sink(&p, data, cap);
	return tcpu_recv(c, &p.seam);
}

/* ---- the wire ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void read_options(struct wire *w, const uint8_t *o, const uint8_t *end)
{
	w->scale = -1;
	while (o < end && *o) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (end - o < 2 || o[1] < 2 || o[1] > end - o) {
			w->good = false;
			return;
		}
		if (o[0] == 2 && o[1] == 4)
			w->mss = (uint16_t)(o[2] << 8 | o[3]);
		if (o[0] == 3 && o[1] == 3)
			w->scale = o[2];
		o += o[1];
	}
}

void wire_read(const struct link_sim_packet *p, struct wire *w)
{
	const uint8_t *s = p->segment;
	uint16_t sum;

	memset(w, 0, offsetof(struct wire, data));
	w->src = p->src;
	w->dst = p->dst;
	w->time_us = p->time_us;
	if (p->len < 20 || (s[12] >> 4) < 5 || (s[12] >> 4) * 4U > p->len)
		return;
	sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(p->src.ip, p->dst.ip, p->len) + tcpu_sum(s, p->len));
	w->good = sum == 0xffff && !memcmp(s, &p->src.port, 2) && !memcmp(s + 2, &p->dst.port, 2);
	w->seq = get32(s + 4);
	w->ack = get32(s + 8);
	w->flags = s[13] & 0x3f;
	w->window = (uint16_t)(s[14] << 8 | s[15]);
	w->header_len = (s[12] >> 4) * 4U;
	w->len = p->len - w->header_len;
	read_options(w, s + 20, s + w->header_len);
	memcpy(w->data, s + w->header_len, w->len);
}

void script_sum(uint32_t src_ip, uint32_t dst_ip, uint8_t *segment, uint32_t len)
{
	uint16_t sum;

	memset(segment + 16, 0, 2);
	sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(src_ip, dst_ip, len) + tcpu_sum(segment, len));
	sum = (uint16_t)~sum;
	memcpy(segment + 16, &sum, 2);
}

void script_raw(struct net *n, uint16_t src_port, uint16_t dst_port, const void *segment, uint32_t len)
{
	link_sim_inject(n->sim, net_addr(n, 1, src_port), net_addr(n, 0, dst_port), segment, len, 0);
	net_turn(n, 0);
	link_sim_clock(n->sim, n->now_us);
}

void script_put(struct net *n, const struct say *say)
{
	uint8_t s[LINK_SIM_SEGMENT_MAX] = { 0 };
	uint32_t header = 20 + say->options_len;
	uint16_t src = htons(say->src_port), dst = htons(say->dst_port);

	memcpy(s, &src, 2);
	memcpy(s + 2, &dst, 2);
	put32(s + 4, say->seq);
	put32(s + 8, say->ack);
	s[12] = (uint8_t)(header / 4 << 4);
	s[13] = say->flags;
	s[14] = (uint8_t)(say->window >> 8);
	s[15] = (uint8_t)say->window;
	if (say->options_len)
		memcpy(s + 20, say->options, say->options_len);
	if (say->len)
		memcpy(s + header, say->data, say->len);
	script_sum(n->peer[1].ip, n->peer[0].ip, s, header + say->len);
	link_sim_inject(n->sim, net_addr(n, 1, say->src_port), net_addr(n, 0, say->dst_port), s, header + say->len, 0);
}

void script_say(struct net *n, const struct say *say)
{
	script_put(n, say);
	net_turn(n, 0);
	link_sim_clock(n->sim, n->now_us);
}

bool script_hear(struct net *n, struct wire *w)
{
	struct link *link = n->peer[1].link;
	struct link_in in;
	struct link_sim_packet p;

	if (link->ops->recv(link, &in, 1) != 1)
		return false;
	p = (struct link_sim_packet){ .src = in.src, .dst = in.dst, .time_us = n->now_us,
				      .segment = (uint8_t *)in.segment, .len = in.len };
	wire_read(&p, w);
	return true;
}

unsigned script_forget(struct net *n)
{
	struct link *link = n->peer[1].link;
	struct link_in in[RECV_MAX];
	unsigned count = 0;
	int got;

	while ((got = link->ops->recv(link, in, RECV_MAX)) > 0)
		count += (unsigned)got;
	return count;
}

/* ---- a conversation ---- */

#define SCRIPT_ISS 7000u

static void begin(struct talk *t, const struct net_config *config)
{
	struct net_config c = *config;

	memset(t, 0, sizeof *t);
	c.scripted = true;
	net_open(&t->net, &c);
	t->seq = SCRIPT_ISS;
	t->window = 65535;
}

void talk_open(struct talk *t, const struct net_config *config, uint16_t mss)
{
	uint8_t option[4] = { 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss };

	begin(t, config);
	t->c = net_connect(&t->net);
	net_run(&t->net, 0);
	ck_assert(script_hear(&t->net, &t->heard));
	ck_assert_uint_eq(t->heard.flags, SYN);
	t->port = ntohs(t->heard.src.port);
	t->ack = t->heard.seq + 1;
	script_say(&t->net, &(struct say){ .flags = SYN | ACK, .seq = t->seq++, .ack = t->ack, .window = t->window,
					   .options = option, .options_len = 4, .src_port = NET_PORT,
					   .dst_port = t->port });
	talk_expect(t, ACK, 0);
	ck_assert_int_eq(net_state(t->c), TCPU_ESTABLISHED);
}

void talk_accept(struct talk *t, const struct net_config *config, uint16_t mss)
{
	uint8_t option[4] = { 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss };
	struct tcb *l;

	begin(t, config);
	t->port = NET_PORT;
	ck_assert_int_eq(tcpu_listen(t->net.peer[0].engine, net_addr(&t->net, 0, NET_PORT), 5, NULL, &l), 0);
	script_say(&t->net, &(struct say){ .flags = SYN, .seq = t->seq++, .window = t->window, .options = option,
					   .options_len = 4, .src_port = NET_PORT, .dst_port = t->port });
	ck_assert(talk_hear(t));
	ck_assert_uint_eq(t->heard.flags, SYN | ACK);
	t->ack = t->heard.seq + 1;
	talk_say(t, 0, NULL, 0);
	ck_assert_int_eq(tcpu_accept(l, &t->c), 0);
	tcpu_close(l);
}

void talk_say_at(struct talk *t, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, uint32_t len)
{
	script_say(&t->net, &(struct say){ .flags = flags, .seq = seq, .ack = ack, .window = t->window, .data = data,
					   .len = len, .src_port = NET_PORT, .dst_port = t->port });
}

void talk_say(struct talk *t, uint8_t flags, const void *data, uint32_t len)
{
	uint32_t seq = t->seq;

	t->seq += len + !!(flags & SYN) + !!(flags & FIN);
	talk_say_at(t, flags | ACK, seq, t->ack, data, len);
}

bool talk_hear(struct talk *t)
{
	link_sim_clock(t->net.sim, t->net.now_us);
	if (!script_hear(&t->net, &t->heard))
		return false;
	ck_assert(t->heard.good);
	if (t->heard.seq == t->ack && !(t->heard.flags & SYN))
		t->ack += t->heard.len + !!(t->heard.flags & FIN);
	return true;
}

void talk_expect(struct talk *t, uint8_t flags, uint32_t len)
{
	ck_assert_msg(talk_hear(t), "the engine is silent");
	ck_assert_int_eq(t->heard.flags & ~PSH, flags);
	ck_assert_uint_eq(t->heard.len, len);
}

void talk_expect_nothing(struct talk *t)
{
	ck_assert_msg(!talk_hear(t), "unexpected segment: flags %x, %u bytes", t->heard.flags, t->heard.len);
}

void talk_close(struct talk *t)
{
	net_close(&t->net);
}
