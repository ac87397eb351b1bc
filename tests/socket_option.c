/* Options and the calls that ask: by Linux's names, numbers, units and errors. A socket of the kernel beside ours says
 * what those are. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static struct machine m;
/* Segments of a known size. */
static const struct tcpu_stack_config plain = { .turns = true, .engine.without = TCPU_NO_TIMESTAMPS };

/* ---- as the kernel ---- */

struct trial {
	int level, name, value;
	socklen_t len;
};

#define INT sizeof(int)
static const struct trial trials[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 1, INT }, { SOL_SOCKET, SO_REUSEADDR, 7, INT }, { SOL_SOCKET, SO_REUSEADDR, 0, INT },
	{ SOL_SOCKET, SO_REUSEADDR, 1, 3 }, { SOL_SOCKET, SO_KEEPALIVE, 5, INT }, { SOL_SOCKET, SO_KEEPALIVE, 0, INT },
	{ SOL_SOCKET, SO_TYPE, 1, INT }, { SOL_SOCKET, SO_ERROR, 1, INT }, { SOL_SOCKET, SO_ACCEPTCONN, 1, INT },
	{ SOL_SOCKET, SO_PROTOCOL, 6, INT }, { SOL_SOCKET, SO_DOMAIN, 2, INT }, { SOL_SOCKET, 9999, 0, INT },
	{ SOL_SOCKET, SO_SNDBUF, 1, 2 }, { SOL_SOCKET, SO_RCVTIMEO, 1, INT }, { SOL_SOCKET, SO_LINGER, 1, INT },
	{ IPPROTO_TCP, TCP_NODELAY, 1, INT }, { IPPROTO_TCP, TCP_NODELAY, -3, INT }, { IPPROTO_TCP, TCP_NODELAY, 0, INT },
	{ IPPROTO_TCP, TCP_NODELAY, 1, 1 }, { IPPROTO_TCP, TCP_CORK, 1, INT }, { IPPROTO_TCP, TCP_CORK, 0, INT },
	{ IPPROTO_TCP, TCP_MAXSEG, 87, INT }, { IPPROTO_TCP, TCP_MAXSEG, 88, INT }, { IPPROTO_TCP, TCP_MAXSEG, 0, INT },
	{ IPPROTO_TCP, TCP_MAXSEG, 1460, INT }, { IPPROTO_TCP, TCP_MAXSEG, -1, INT },
	{ IPPROTO_TCP, TCP_MAXSEG, 65536, INT }, { IPPROTO_TCP, TCP_KEEPIDLE, 0, INT },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 1, INT }, { IPPROTO_TCP, TCP_KEEPIDLE, 32767, INT },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 32768, INT }, { IPPROTO_TCP, TCP_KEEPINTVL, 0, INT },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 20, INT }, { IPPROTO_TCP, TCP_KEEPINTVL, 32768, INT },
	{ IPPROTO_TCP, TCP_KEEPCNT, 0, INT }, { IPPROTO_TCP, TCP_KEEPCNT, 127, INT }, { IPPROTO_TCP, TCP_KEEPCNT, 128, INT },
	{ IPPROTO_TCP, TCP_SYNCNT, 0, INT }, { IPPROTO_TCP, TCP_SYNCNT, 3, INT }, { IPPROTO_TCP, TCP_SYNCNT, 128, INT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, -1, INT }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 12345, INT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT }, { IPPROTO_TCP, TCP_LINGER2, 7, INT },
	{ IPPROTO_TCP, TCP_LINGER2, 119, INT }, { IPPROTO_TCP, TCP_LINGER2, 100000, INT },
	{ IPPROTO_TCP, TCP_LINGER2, 0, INT },
	{ IPPROTO_TCP, TCP_INFO, 1, INT }, { IPPROTO_TCP, 9999, 1, INT },
	{ IPPROTO_TCP, TCP_CONGESTION, 0x78797a, INT }, { IPPROTO_TCP, TCP_CONGESTION, 0, 0 },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 500000, INT }, { SOL_SOCKET, SO_MAX_PACING_RATE, -1, INT },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 1, 3 },
};

static void same_answer(int ours, int theirs, const struct trial *t, const char *what)
{
	ck_assert_msg(ours == theirs, "%d, %d, %d (%u bytes): %s %d, the kernel's %d", t->level, t->name, t->value, t->len,
		what, ours, theirs);
}

/* Whatever is set, and whether it may be, the kernel says the same, and then gives the same, in any length. */
START_TEST(as_the_kernel)
{
	int ours = new_socket(), kernel = socket(AF_INET, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
		const struct trial *t = &trials[i];
		int error[2] = { 0 };

		if (setsockopt_tcpu(ours, t->level, t->name, &t->value, t->len))
			error[0] = errno;
		if (setsockopt(kernel, t->level, t->name, &t->value, t->len))
			error[1] = errno;
		same_answer(error[0], error[1], t, "set: errno");
		if (t->name == TCP_INFO || t->name == SO_SNDBUF || (t->level == IPPROTO_TCP && t->name == TCP_CONGESTION))
			continue;
		for (socklen_t room = 0; room <= 20; room++) {
			uint8_t got[2][20];
			socklen_t len[2] = { room, room };

			memset(got, 0xee, sizeof got);
			error[0] = getsockopt_tcpu(ours, t->level, t->name, got[0], &len[0]) ? errno : 0;
			error[1] = getsockopt(kernel, t->level, t->name, got[1], &len[1]) ? errno : 0;
			same_answer(error[0], error[1], t, "get: errno");
			same_answer((int)len[0], (int)len[1], t, "get: length");
			ck_assert_msg(!memcmp(got[0], got[1], 20), "%d, %d, %d: other bytes", t->level, t->name, t->value);
		}
	}
	ck_assert_int_eq(close_tcpu(ours), 0);
	close(kernel);
}
END_TEST

static int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int v = -1;

	ck_assert_int_eq(getsockopt_tcpu(fd, level, name, &v, &len), 0);
	ck_assert_uint_eq(len, sizeof v);
	return v;
}

static void set_int(int fd, int level, int name, int v)
{
	ck_assert_int_eq(setsockopt_tcpu(fd, level, name, &v, sizeof v), 0);
}

static void rejects(int fd, int level, int name, int v, int e)
{
	FAILS(setsockopt_tcpu(fd, level, name, &v, sizeof v), e);
}

/* What the kernel does otherwise, or cannot be asked for. */
START_TEST(on_our_own)
{
	int fd = new_socket();
	struct timeval too_many = { 0, 1000000 };
	struct linger l = { 1, 9 };
	socklen_t len = sizeof l;
	uint64_t rate = 10000000000;
	char name[32];

	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_SNDBUF), TCPU_SNDBUF_DEFAULT);
	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_RCVBUF), TCPU_RCVBUF_DEFAULT);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 12345);
	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_RCVBUF), 12345);
	rejects(fd, SOL_SOCKET, SO_RCVBUF, 0, EINVAL);
	rejects(fd, SOL_SOCKET, SO_BUSY_POLL, -1, EINVAL);
	rejects(fd, SOL_SOCKET, SO_SNDBUF, -1, EINVAL);
	rejects(fd, SOL_SOCKET, SO_SNDBUF, INT_MAX, EINVAL);
	rejects(fd, IPPROTO_TCP, TCP_LINGER2, -1, EINVAL);
	set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 65535);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_MAXSEG), 65535);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_QUICKACK), 0);
	set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 3);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
	FAILS(setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &too_many, sizeof too_many), EDOM);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
	l = (struct linger){ 0, 4 }; /* off: the seconds stay */
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	ck_assert_int_eq(l.l_onoff, 0);
	ck_assert_int_eq(l.l_linger, 9);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate), 0);
	rate = 0;
	len = sizeof rate;
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	ck_assert_uint_eq(rate, 10000000000);
	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	len = sizeof name;
	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_uint_eq(len, 16);
	ck_assert_str_eq(name, "cubic");
	ck_assert_int_eq(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, "renown", 4), 0); /* 4 bytes of it */
	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_str_eq(name, "reno");
	len = UINT_MAX;
	FAILS(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, name, &len), EINVAL);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

/* ---- on connections ---- */

static void ask_info(int fd, struct tcp_info *t)
{
	socklen_t len = sizeof *t;

	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_INFO, t, &len), 0);
	ck_assert_uint_eq(len, sizeof *t);
}

START_TEST(inherited)
{
	enum { EARLY = 2 };
	static const struct { int level, name, value; } options[] = {
		{ SOL_SOCKET, SO_RCVBUF, 50000 }, { IPPROTO_TCP, TCP_MAXSEG, 1000 }, /* EARLY of them bind early */
		{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_SNDBUF, 40000 },
		{ SOL_SOCKET, SO_REUSEADDR, 1 }, { IPPROTO_TCP, TCP_NODELAY, 1 }, { IPPROTO_TCP, TCP_QUICKACK, 1 },
		{ IPPROTO_TCP, TCP_CORK, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, 77 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 7 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 5000 },
		{ IPPROTO_TCP, TCP_LINGER2, 11 }, { IPPROTO_TCP, TCP_SYNCNT, 2 }, { SOL_SOCKET, SO_BUSY_POLL, 0 },
		{ SOL_SOCKET, SO_MAX_PACING_RATE, 1000000 },
	};
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	struct timeval t = { 3, 0 };
	struct linger l = { 1, 5 };
	socklen_t len = sizeof t;
	int fd, here, there;
	char name[16];

	machine_start(&m, &plain);
	fd = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	ck_assert_int_eq(bind_tcpu(fd, &at, sizeof at), 0);
	if (_i) /* set on a listener, or before it is one */
		for (size_t i = 0; i < sizeof options / sizeof *options; i++)
			set_int(fd, options[i].level, options[i].name, options[i].value);
	ck_assert_int_eq(listen_tcpu(fd, 5), 0);
	for (size_t i = 0; !_i && i < sizeof options / sizeof *options; i++)
		if (i < EARLY)
			rejects(fd, options[i].level, options[i].name, options[i].value, EINVAL);
		else
			set_int(fd, options[i].level, options[i].name, options[i].value);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
	ck_assert_int_eq(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	machine_pair(&m, fd, 80, &here, &there);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (_i || i >= EARLY)
			ck_assert_int_eq(get_int(there, options[i].level, options[i].name), options[i].value);
	t.tv_sec = 0;
	ck_assert_int_eq(getsockopt_tcpu(there, SOL_SOCKET, SO_SNDTIMEO, &t, &len), 0);
	ck_assert_int_eq(t.tv_sec, 3);
	len = sizeof l;
	l.l_linger = 0;
	ck_assert_int_eq(getsockopt_tcpu(there, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	ck_assert_int_eq(l.l_linger, 5);
	len = sizeof name;
	ck_assert_int_eq(getsockopt_tcpu(there, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_str_eq(name, "reno");
	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_eq(get_int(there, SOL_SOCKET, SO_ACCEPTCONN), 0);
	ck_assert_int_eq(get_int(here, IPPROTO_TCP, TCP_KEEPIDLE), 7200); /* it was told nothing */
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	machine_stop(&m);
}
END_TEST

/* A stack's own defaults hold where nothing is said, and off is something that can be said. */
START_TEST(stack_defaults)
{
	struct tcpu_stack_config c = { .turns = true, .engine.options = { .keepalive = true, .nodelay = true,
		.keep_idle_us = 60000000, .user_timeout_us = 9000000 } };
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, here, there;

	machine_start(&m, &c);
	l = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	ck_assert_int_eq(bind_tcpu(l, &at, sizeof at), 0);
	set_int(l, SOL_SOCKET, SO_KEEPALIVE, 0);
	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	here = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	ck_assert_int_eq(get_int(here, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	set_int(here, IPPROTO_TCP, TCP_NODELAY, 0);
	set_int(here, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
	ck_assert_int_eq(connect_tcpu(here, &at, sizeof at), 0);
	there = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq(get_int(here, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get_int(here, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_eq(get_int(here, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	ck_assert_int_eq(get_int(there, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(get_int(there, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(get_int(there, IPPROTO_TCP, TCP_USER_TIMEOUT), 9000);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* What binds early is refused later, and what holds for a connection is read from it. */
START_TEST(sizes_of_a_connection)
{
	int l, here, there;

	machine_start(&m, &plain);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(get_int(here, IPPROTO_TCP, TCP_MAXSEG), 1460);
	rejects(here, IPPROTO_TCP, TCP_MAXSEG, 1000, EINVAL);
	rejects(here, SOL_SOCKET, SO_RCVBUF, 100000, EINVAL);
	set_int(here, SOL_SOCKET, SO_SNDBUF, 30000);
	ck_assert_int_eq(get_int(here, SOL_SOCKET, SO_SNDBUF), 30000);
	ck_assert_int_eq(send_tcpu(here, "x", 1, 0), 1);
	rejects(here, SOL_SOCKET, SO_SNDBUF, 40000, EINVAL);
	ck_assert_int_eq(get_int(here, SOL_SOCKET, SO_SNDBUF), 30000);
	rejects(l, SOL_SOCKET, SO_RCVBUF, 100000, EINVAL);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

START_TEST(tcp_info)
{
	static char b[20000];
	int l, here, there, fresh;
	struct tcp_info t;
	struct tcpu_info i;

	machine_start(&m, &plain);
	l = machine_listener(&m, 80);
	fresh = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	ask_info(fresh, &t);
	ck_assert_uint_eq(t.tcpi_state, 7); /* CLOSE, of the kernel's net/tcp_states.h */
	ck_assert_uint_eq(t.tcpi_max_pacing_rate, UINT64_MAX);
	ck_assert_int_eq(setsockopt_tcpu(fresh, SOL_SOCKET, SO_MAX_PACING_RATE, &(uint64_t){ 1000000 }, 8), 0);
	ask_info(fresh, &t);
	ck_assert_uint_eq(t.tcpi_max_pacing_rate, 1000000);
	ask_info(l, &t);
	ck_assert_uint_eq(t.tcpi_state, 10);
	ck_assert_uint_eq(t.tcpi_snd_mss, 0);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(send_tcpu(here, b, sizeof b, 0), sizeof b);
	ask_info(here, &t);
	ck_assert_uint_eq(t.tcpi_state, 1);
	ck_assert_uint_eq(t.tcpi_snd_mss, 1460);
	ck_assert_uint_eq(t.tcpi_snd_cwnd, 10);
	ck_assert_uint_eq(t.tcpi_snd_ssthresh, INT_MAX);
	ck_assert_uint_eq(t.tcpi_unacked, 10);
	ck_assert_uint_eq(t.tcpi_notsent_bytes, sizeof b - 10 * 1460);
	ck_assert_uint_eq(t.tcpi_bytes_sent, 10 * 1460);
	ck_assert_uint_ge(t.tcpi_rtt, 20000);
	ck_assert_uint_eq(t.tcpi_options & TCPI_OPT_WSCALE, TCPI_OPT_WSCALE);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_WAITALL), sizeof b);
	ask_info(there, &t);
	ck_assert_uint_eq(t.tcpi_bytes_received, sizeof b);
	ck_assert_int_eq(info_tcpu(there, &i), 0);
	ck_assert_uint_eq(t.tcpi_segs_in, i.segments_in);
	ck_assert_uint_eq(t.tcpi_segs_out, i.segments_out);
	ck_assert_uint_eq(t.tcpi_snd_wnd, i.snd_wnd_bytes);
	ck_assert_int_eq(shutdown_tcpu(here, SHUT_WR), 0);
	machine_pass(&m, 100000);
	ask_info(here, &t);
	ck_assert_uint_eq(t.tcpi_state, 5); /* FIN-WAIT-2 */
	ask_info(there, &t);
	ck_assert_uint_eq(t.tcpi_state, 8); /* CLOSE-WAIT */
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(close_tcpu(fresh), 0);
	machine_stop(&m);
}
END_TEST

/* FIONREAD, SIOCOUTQ, SIOCOUTQNSD, FIONBIO: before, on and after a connection. */
START_TEST(ioctls)
{
	static char b[20000];
	int l, here, there, v = 1, fresh;

	machine_start(&m, &plain);
	l = machine_listener(&m, 80);
	fresh = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	FAILS(ioctl_tcpu(-1, FIONREAD, &v), EBADF);
	FAILS(ioctl_tcpu(fresh, TIOCGWINSZ, &v), ENOTTY);
	FAILS(ioctl_tcpu(l, FIONREAD, &v), EINVAL);
	FAILS(ioctl_tcpu(l, SIOCOUTQ, &v), EINVAL);
	ck_assert_int_eq(ioctl_tcpu(fresh, SIOCINQ, &v), 0);
	ck_assert_int_eq(v, 0);
	v = 1;
	ck_assert_int_eq(ioctl_tcpu(fresh, FIONBIO, &v), 0);
	ck_assert_int_eq(fcntl_tcpu(fresh, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	v = 0;
	ck_assert_int_eq(ioctl_tcpu(fresh, FIONBIO, &v), 0);
	ck_assert_int_eq(fcntl_tcpu(fresh, F_GETFL, 0), O_RDWR);
	ck_assert_int_eq(close_tcpu(fresh), 0);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(send_tcpu(here, b, sizeof b, 0), sizeof b);
	ck_assert_int_eq(ioctl_tcpu(here, SIOCOUTQ, &v), 0);
	ck_assert_int_eq(v, sizeof b);
	ck_assert_int_eq(ioctl_tcpu(here, SIOCOUTQNSD, &v), 0);
	ck_assert_int_eq(v, sizeof b - 14600); /* the initial window */
	link_sim_clock(m.sim, m.now_us += 10000);
	ck_assert_int_eq(ioctl_tcpu(there, FIONREAD, &v), 0);
	ck_assert_int_eq(v, 14600);
	machine_pass(&m, 100000);
	ck_assert_int_eq(ioctl_tcpu(here, SIOCOUTQ, &v), 0);
	ck_assert_int_eq(v, 0);
	ck_assert_int_eq(recv_tcpu(there, b, 5000, 0), 5000);
	ck_assert_int_eq(ioctl_tcpu(there, FIONREAD, &v), 0);
	ck_assert_int_eq(v, sizeof b - 5000);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* SO_REUSEADDR: without it, a port whose last connection sits out its TIME-WAIT cannot be bound. */
START_TEST(reuse)
{
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, here, there, fd;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	machine_pass(&m, 100000);
	ck_assert_int_eq(close_tcpu(here), 0);
	machine_pass(&m, 100000);
	fd = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	FAILS(bind_tcpu(fd, &at, sizeof at), EADDRINUSE);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	ck_assert_int_eq(bind_tcpu(fd, &at, sizeof at), 0);
	ck_assert_int_eq(listen_tcpu(fd, 1), 0);
	machine_pair(&m, fd, 80, &here, &there);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(fd), 0);
	machine_stop(&m);
}
END_TEST

/* Called again, listen_tcpu has another backlog: so many connections more are completed. */
START_TEST(another_backlog)
{
	enum { N = 5 };
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, c[N], done = 0, fd;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	ck_assert_int_eq(listen_tcpu(l, 2), 0);
	for (int i = 0; i < N; i++) {
		c[i] = stack_socket_tcpu(m.stack[0], SOCK_STREAM | SOCK_NONBLOCK);
		FAILS(connect_tcpu(c[i], &at, sizeof at), EINPROGRESS);
	}
	machine_pass(&m, 500000);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	while ((fd = accept_tcpu(l, NULL, NULL)) >= 0) {
		ck_assert_int_eq(close_tcpu(fd), 0);
		done++;
	}
	ck_assert_int_eq(done, 2);
	ck_assert_int_eq(listen_tcpu(l, 3), 0);
	machine_pass(&m, 60000000);
	while ((fd = accept_tcpu(l, NULL, NULL)) >= 0) {
		ck_assert_int_eq(close_tcpu(fd), 0);
		done++;
	}
	ck_assert_int_eq(done, N);
	for (int i = 0; i < N; i++)
		close_tcpu(c[i]);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_option");
	TCase *tc = tcase_create("option");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, as_the_kernel);
	tcase_add_test(tc, on_our_own);
	tcase_add_loop_test(tc, inherited, 0, 2);
	tcase_add_test(tc, stack_defaults);
	tcase_add_test(tc, sizes_of_a_connection);
	tcase_add_test(tc, tcp_info);
	tcase_add_test(tc, ioctls);
	tcase_add_test(tc, reuse);
	tcase_add_test(tc, another_backlog);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
