/* Socket options: core/tcpu.h has the list, socket(7) and tcp(7) what they mean. Most are a number of struct
 * tcpu_options in other units, and rows of a table. */
#include "core/link/stack.h"

#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

/* ---- numbers ---- */

enum kind { FLAG, COUNT, TIME }; /* bool, uint32_t, uint64_t of microseconds */

struct number {
	int level, name;
	enum kind kind;
	bool zero;        /* 0 asks for the default */
	size_t at;        /* in struct tcpu_options */
	int min, max;     /* of what the user says; Linux's */
	uint64_t unit;    /* microseconds of one */
};

#define SECONDS 1000000
#define BYTES_MAX (1 << 30) /* RFC 7323 2.2: no window is larger */
#define TIMEOUT_SECONDS_MAX (INT64_MAX / 1000000)
#define FIN_WAIT_SECONDS 120 /* Linux's: TCP_LINGER2 asks for no more */
#define AT(field) offsetof(struct tcpu_options, field)

static const struct number numbers[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, FLAG, false, AT(keepalive), INT_MIN, INT_MAX, 1 },
	{ SOL_SOCKET, SO_SNDBUF, COUNT, false, AT(sndbuf_bytes), 1, BYTES_MAX, 1 },
	{ SOL_SOCKET, SO_RCVBUF, COUNT, false, AT(rcvbuf_bytes), 1, BYTES_MAX, 1 },
	{ IPPROTO_TCP, TCP_NODELAY, FLAG, false, AT(nodelay), INT_MIN, INT_MAX, 1 },
	{ IPPROTO_TCP, TCP_CORK, FLAG, false, AT(cork), INT_MIN, INT_MAX, 1 },
	{ IPPROTO_TCP, TCP_QUICKACK, FLAG, false, AT(quickack), INT_MIN, INT_MAX, 1 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, COUNT, true, AT(notsent_bytes), 0, INT_MAX, 1 },
	{ IPPROTO_TCP, TCP_MAXSEG, COUNT, true, AT(mss_max), 88, 65535, 1 },
	{ IPPROTO_TCP, TCP_SYNCNT, COUNT, false, AT(syn_retries), 1, 127, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, TIME, false, AT(keep_idle_us), 1, 32767, SECONDS },
	{ IPPROTO_TCP, TCP_KEEPINTVL, TIME, false, AT(keep_interval_us), 1, 32767, SECONDS },
	{ IPPROTO_TCP, TCP_KEEPCNT, COUNT, false, AT(keep_probes), 1, 127, 1 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, TIME, false, AT(user_timeout_us), 0, INT_MAX, 1000 },
	{ IPPROTO_TCP, TCP_LINGER2, TIME, true, AT(fin_wait_us), 1, INT_MAX, SECONDS },
};

static const struct number *number_of(int level, int name)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].level == level && numbers[i].name == name)
			return &numbers[i];
	return NULL;
}

static uint64_t value_at(const struct number *n, const struct tcpu_options *o)
{
	const char *at = (const char *)o + n->at;

	return n->kind == FLAG ? *(const bool *)at : n->kind == COUNT ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static int set_number(struct sock *s, const struct number *n, int v)
{
	struct tcpu_options o, now;
	char *at = (char *)&o + n->at;
	int e;

	if ((v || !n->zero) && (v < n->min || v > n->max))
		return -EINVAL;
	if (n->at == AT(fin_wait_us) && v > FIN_WAIT_SECONDS)
		v = FIN_WAIT_SECONDS;
	sock_options(s, &o);
	if (n->kind == FLAG)
		*(bool *)at = v;
	else if (n->kind == COUNT)
		*(uint32_t *)at = (uint32_t)v;
	else
		*(uint64_t *)at = (uint64_t)v * n->unit;
	e = sock_set_options(s, &o);
	sock_options(s, &now);
	if (e)
		return e;
	return v && value_at(n, &now) != value_at(n, &o) ? -EINVAL : 0; /* it came too late */
}

/* What is not set is what there will be; on a connection, what there is. */
static int get_number(const struct sock *s, const struct number *n)
{
	struct tcpu_info i = { 0 };
	struct tcpu_options o;
	uint64_t v;

	sock_options(s, &o);
	sock_info(s, &i);
	v = value_at(n, &o);
	if (n->at == AT(mss_max))
		v = i.mss ? i.mss : v ? v : TCP_MSS_DEFAULT;
	else if (n->at == AT(rcvbuf_bytes))
		v = i.rcvbuf_bytes ? i.rcvbuf_bytes : v ? v : TCPU_RCVBUF_DEFAULT;
	else if (n->at == AT(sndbuf_bytes))
		v = i.sndbuf_bytes ? i.sndbuf_bytes : v ? v : TCPU_SNDBUF_DEFAULT;
	else if (!v && n->zero)
		v = value_at(n, tcpu_defaults(s->stack->engine));
	return (int)(v / n->unit);
}

/* ---- what is of another shape ---- */

static uint64_t *timeout_of(struct sock *s, int level, int name)
{
	if (level != SOL_SOCKET || (name != SO_SNDTIMEO && name != SO_RCVTIMEO))
		return NULL;
	return name == SO_SNDTIMEO ? &s->send_timeout_us : &s->recv_timeout_us;
}

static int set_timeout(uint64_t *us, const void *value, socklen_t len)
{
	struct timeval t;

	if (len < sizeof t)
		return -EINVAL;
	memcpy(&t, value, sizeof t);
	if (t.tv_usec < 0 || t.tv_usec >= 1000000)
		return -EDOM;
	/* As Linux: a time before now is none at all, and one that ends after all clocks is without end. */
	if (t.tv_sec < 0)
		*us = 1;
	else if (t.tv_sec >= TIMEOUT_SECONDS_MAX)
		*us = 0;
	else
		*us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
	return 0;
}

static int set_linger(struct sock *s, const void *value, socklen_t len)
{
	struct linger l;

	if (len < sizeof l)
		return -EINVAL;
	memcpy(&l, value, sizeof l);
	s->linger = l.l_onoff;
	if (l.l_onoff)
		s->linger_seconds = l.l_linger;
	return 0;
}

/* socket(7) knows 32 bits of it and 64: all ones are no limit. */
static int set_pacing(struct sock *s, const void *value, socklen_t len)
{
	struct tcpu_options o;
	uint32_t narrow;

	if (len < sizeof narrow)
		return -EINVAL;
	sock_options(s, &o);
	memcpy(&narrow, value, sizeof narrow);
	if (len >= sizeof o.pacing_max_bps)
		memcpy(&o.pacing_max_bps, value, sizeof o.pacing_max_bps);
	else
		o.pacing_max_bps = narrow == UINT32_MAX ? UINT64_MAX : narrow;
	if (o.pacing_max_bps == UINT64_MAX)
		o.pacing_max_bps = 0;
	return sock_set_options(s, &o);
}

static int set_congestion(struct sock *s, const char *value, socklen_t len)
{
	struct tcpu_options o;
	size_t n = strnlen(value, len < sizeof o.congestion - 1 ? len : sizeof o.congestion - 1);

	if (!len)
		return -EINVAL;
	sock_options(s, &o);
	memset(o.congestion, 0, sizeof o.congestion);
	memcpy(o.congestion, value, n);
	return tcpu_has_congestion(o.congestion) ? sock_set_options(s, &o) : -ENOENT;
}

/* The error that waits, once. What came may hold it, and whoever asks has been woken by that. */
static int take_error(struct sock *s)
{
	int e = s->error;

	stack_catch_up(s->stack);
	s->error = 0;
	if (!e && s->tcb && !s->listening)
		e = tcpu_error(s->tcb);
	return !e && s->stack->gone ? ENETDOWN : e;
}

/* ---- TCP_INFO ---- */

static uint8_t linux_state(enum tcpu_state state)
{
	static const uint8_t number[] = { [TCPU_CLOSED] = 7, [TCPU_LISTEN] = 10, [TCPU_SYN_SENT] = 2,
		[TCPU_SYN_RECEIVED] = 3, [TCPU_ESTABLISHED] = 1, [TCPU_FIN_WAIT_1] = 4, [TCPU_FIN_WAIT_2] = 5,
		[TCPU_CLOSE_WAIT] = 8, [TCPU_CLOSING] = 11, [TCPU_LAST_ACK] = 9, [TCPU_TIME_WAIT] = 6 };

	return number[state];
}

static void fill_tcp_info(const struct sock *s, struct tcp_info *t)
{
	struct tcpu_info i = { 0 };
	struct tcpu_options o;
	uint32_t mss;

	*t = (struct tcp_info){ .tcpi_state = linux_state(sock_state(s)) };
	sock_options(s, &o);
	t->tcpi_max_pacing_rate = o.pacing_max_bps ? o.pacing_max_bps : UINT64_MAX;
	if (sock_info(s, &i))
		return;
	mss = i.mss ? i.mss : 1;
	t->tcpi_options = (uint8_t)((i.timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (i.sack ? TCPI_OPT_SACK : 0) |
		(i.scaling ? TCPI_OPT_WSCALE : 0) | (i.ecn ? TCPI_OPT_ECN : 0));
	t->tcpi_rto = i.rto_us;
	t->tcpi_snd_mss = i.mss;
	t->tcpi_unacked = (i.buffered_bytes - i.unsent_bytes + mss - 1) / mss;
	t->tcpi_pmtu = i.path_mtu;
	t->tcpi_rtt = i.srtt_us;
	t->tcpi_rttvar = i.rttvar_us;
	t->tcpi_min_rtt = i.min_rtt_us;
	/* Linux counts segments, and this is its infinity. */
	t->tcpi_snd_ssthresh = i.ssthresh_bytes >= BYTES_MAX ? INT_MAX : i.ssthresh_bytes / mss;
	t->tcpi_snd_cwnd = i.cwnd_bytes / mss;
	t->tcpi_total_retrans = (uint32_t)i.retransmits;
	t->tcpi_bytes_acked = i.acked_bytes;
	t->tcpi_bytes_received = i.received_bytes;
	t->tcpi_bytes_sent = i.sent_bytes;
	t->tcpi_segs_out = (uint32_t)i.segments_out;
	t->tcpi_segs_in = (uint32_t)i.segments_in;
	t->tcpi_notsent_bytes = i.unsent_bytes;
	t->tcpi_dsack_dups = (uint32_t)i.dsacks_in;
	t->tcpi_rcv_ooopack = (uint32_t)i.out_of_order;
	t->tcpi_snd_wnd = i.snd_wnd_bytes;
}

/* ---- the calls ---- */

static int set(struct sock *s, int level, int name, const void *value, socklen_t len)
{
	const struct number *n = number_of(level, name);
	uint64_t *timeout_us = timeout_of(s, level, name);
	int v;

	if (timeout_us)
		return set_timeout(timeout_us, value, len);
	if (level == SOL_SOCKET && name == SO_LINGER)
		return set_linger(s, value, len);
	if (level == SOL_SOCKET && name == SO_MAX_PACING_RATE)
		return set_pacing(s, value, len);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return set_congestion(s, value, len);
	if (!n && !(level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_BUSY_POLL)) &&
		!(level == IPPROTO_TCPK && name == TCPU_THREAD))
		return -ENOPROTOOPT;
	if (len < sizeof v)
		return -EINVAL;
	memcpy(&v, value, sizeof v);
	if (n)
		return set_number(s, n, v);
	if (level == IPPROTO_TCPK)
		return stack_thread(s->stack, v);
	if (name == SO_BUSY_POLL && v < 0)
		return -EINVAL;
	if (name == SO_BUSY_POLL)
		s->stack->busy_us = (uint32_t)v;
	else
		s->reuse = v;
	return 0;
}

int setsockopt_tcpu(int fd, int level, int name, const void *value, socklen_t len)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, set(s, level, name, value, len)) : -1;
}

union value {
	int v;
	struct timeval time;
	struct linger linger;
	uint32_t narrow;
	uint64_t wide;
	char congestion[16];
	struct tcp_info info;
};

static int get_socket(struct sock *s, int name)
{
	switch (name) {
	case SO_REUSEADDR:
		return s->reuse;
	case SO_BUSY_POLL:
		return (int)s->stack->busy_us;
	case SO_TYPE:
		return SOCK_STREAM;
	case SO_DOMAIN:
		return AF_INET;
	case SO_PROTOCOL:
		return IPPROTO_TCP;
	case SO_ACCEPTCONN:
		return s->listening;
	case SO_ERROR:
		return take_error(s);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_pacing(const struct sock *s, union value *out, size_t len)
{
	struct tcpu_options o;
	uint64_t v;

	sock_options(s, &o);
	v = o.pacing_max_bps ? o.pacing_max_bps : UINT64_MAX;
	if (len >= sizeof v)
		out->wide = v;
	else
		out->narrow = v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
	return len >= sizeof v ? sizeof v : sizeof out->narrow;
}

/* Returns the bytes of the value. len: how many there is room for. */
static int get(struct sock *s, int level, int name, union value *out, size_t len)
{
	const struct number *n = number_of(level, name);
	uint64_t *timeout_us = timeout_of(s, level, name);
	struct tcpu_options o;

	if (timeout_us) {
		out->time = (struct timeval){ (time_t)(*timeout_us / 1000000), (suseconds_t)(*timeout_us % 1000000) };
		return sizeof out->time;
	}
	if (level == SOL_SOCKET && name == SO_LINGER) {
		out->linger = (struct linger){ s->linger, s->linger_seconds };
		return sizeof out->linger;
	}
	if (level == SOL_SOCKET && name == SO_MAX_PACING_RATE)
		return get_pacing(s, out, len);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
		sock_options(s, &o);
		memset(out->congestion, 0, sizeof out->congestion);
		memcpy(out->congestion, o.congestion, sizeof o.congestion);
		return sizeof out->congestion;
	}
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		fill_tcp_info(s, &out->info);
		return sizeof out->info;
	}
	if (level == IPPROTO_TCPK && name == TCPU_THREAD)
		out->v = s->stack->thread;
	else if (!n && level != SOL_SOCKET)
		return -ENOPROTOOPT;
	else
		out->v = n ? get_number(s, n) : get_socket(s, name);
	return n || out->v >= 0 ? (int)sizeof out->v : out->v;
}

/* As much of it as there is room for: getsockopt(2). */
static int give(struct sock *s, int level, int name, void *value, socklen_t *len)
{
	union value v;
	int size;

	if ((int)*len < 0)
		return -EINVAL;
	size = get(s, level, name, &v, *len);
	if (size < 0)
		return size;
	if ((socklen_t)size < *len)
		*len = (socklen_t)size;
	memcpy(value, &v, *len);
	return 0;
}

int getsockopt_tcpu(int fd, int level, int name, void *value, socklen_t *len)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, give(s, level, name, value, len)) : -1;
}
