/* Word of the network, with quotes of what the engine has sent, or has not, for connections in every state: a bad word
 * for a segment that is not under way changes nothing. */
#include "tests/fuzz/world.h"

#include <errno.h>
#include <string.h>

static const int errors[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPROTO, EACCES, ENOPROTOOPT, 9999 };

/* What a connection may lose by it. */
struct state {
	enum tcpu_state state;
	uint32_t mss, path_mtu, mtu_said, cwnd;
	int error;
};

static struct state state_of(const struct tcb *c)
{
	return (struct state){ c->state, c->mss, c->path_mtu, c->mtu_said, c->cc.cwnd, c->error };
}

static void bad_news(struct world *w)
{
	struct input *in = &w->in;
	struct tcb *c = world_connection(w, take8(in));
	uint32_t what = take8(in), len = take8(in) % 40, seq, count = tcpu_count(w->engine);
	uint8_t *quote = malloc(len + !len);
	struct link_in news = { .src = world_remote(what), .dst = world_local(), .segment = quote, .len = len,
		.error = errors[what & 7], .path_mtu = what & 8 ? take32(in) : what & 16 ? 500 + take8(in) * 4 : 0 };
	struct state before;
	bool under_way;

	for (uint32_t i = 0; i < len; i++)
		quote[i] = (uint8_t)take8(in);
	if (!c) {
		tcpu_input(w->engine, &news);
		free(quote);
		return;
	}
	news.src = c->remote;
	news.dst = c->local;
	if (what & 32 && len >= 8) {
		seq = c->snd_una + take_near(in);
		for (uint32_t i = 0; i < 4; i++)
			quote[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
	}
	seq = len >= 8 ? (uint32_t)quote[4] << 24 | (uint32_t)quote[5] << 16 | (uint32_t)quote[6] << 8 | quote[7] : 0;
	under_way = len == 0 || (len >= 8 && seq_geq(seq, c->snd_una) && seq_lt(seq, c->snd_max));
	before = state_of(c);
	tcpu_input(w->engine, &news);
	free(quote);
	/* RFC 5927 section 4.1; and section 5.2: of those that are open, none ends by it. */
	if (!under_way || (before.state >= TCPU_ESTABLISHED && before.state <= TCPU_CLOSE_WAIT)) {
		struct state after = state_of(c);

		must(tcpu_count(w->engine) == count);
		must(after.state == before.state && after.error == before.error);
		must(under_way || (after.mss == before.mss && after.path_mtu == before.path_mtu && after.cwnd == before.cwnd));
		must(after.path_mtu == before.path_mtu || (after.path_mtu < before.path_mtu && after.path_mtu >= MTU_MIN));
	}
}

/* A connection is opened, used and closed by these: the input says only how far. */
static void go_on(struct world *w, uint32_t what)
{
	struct link_addr src = world_remote(0), dst = world_local();
	const struct tcb *c = world_connection(w, what);
	uint8_t s[20] = { 0 };
	uint32_t seq = c ? c->rcv_nxt : 5000, ack = c ? c->snd_nxt : 0;
	bool opening = !c || c->state == TCPU_SYN_SENT;

	if (c) {
		src = c->remote;
		dst = c->local;
	}
	memcpy(s, &src.port, 2);
	memcpy(s + 2, &dst.port, 2);
	for (uint32_t i = 0; i < 4; i++) {
		s[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
		s[8 + i] = (uint8_t)(ack >> (24 - 8 * i));
	}
	s[12] = 5 << 4;
	s[13] = (uint8_t)((c ? TH_ACK : 0) | (opening ? TH_SYN : what & 64 ? TH_FIN : 0));
	s[14] = 0x7f;
	world_put(w, src, dst, s, sizeof s, false, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;

	if (len > 1024)
		return 0;
	world_open(&w, (struct input){ data, data + len });
	while (w.in.at < w.in.end) {
		uint32_t what = take8(&w.in);

		if (what < 80)
			bad_news(&w);
		else if (what < 120)
			go_on(&w, what);
		else if (what < 150)
			world_clock(&w, w.now_us + (1u << (what - 124) % 26));
		else if (what < 160)
			world_flush(&w);
		else
			world_call(&w, what - 160);
		world_check(&w);
	}
	world_close(&w);
	return 0;
}
