/* The kernel's side: its TCP behind a TUN device in a network namespace that this process unshares for itself.
 *
 *	  this process -- sockets -- kernel's TCP -- 192.168.0.1, tun -- read and write -- this process as 192.168.0.2
 *
 * A packet written to the device goes through the kernel's TCP before write returns, and its answer lies in the device
 * then: nothing is waited for, unless a timer of the kernel's is to fire. Those that would disturb are turned off or
 * set so long that they do not. */
#include "tests/differential/side.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 250 /* longer than a delayed ACK: 40 to 200 ms */

struct kernel_side {
	struct side side;
	int tun, listener, c; /* -1: none */
	struct setting set;   /* what the namespace is set to */
	uint16_t id;
};

static struct kernel_side *of(struct side *s)
{
	return (struct kernel_side *)s;
}

/* ---- the namespace ---- */

static int set(const char *name, const char *value)
{
	char path[100];
	size_t len = strlen(value);
	int fd, result;

	snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	result = write(fd, value, len) == (ssize_t)len ? 0 : -errno;
	close(fd);
	return result;
}

/* Both of them: rp_filter is the larger of all's and the device's. */
static const char *const always[][2] = {
	{ "tcp_congestion_control", "reno" }, /* set for accepted sockets as well; a host's default may pace */
	{ "tcp_syncookies", "0" },
	{ "tcp_invalid_ratelimit", "0" },    /* every challenge is answered */
	{ "tcp_challenge_ack_limit", "2147483647" },
	{ "tcp_tso_win_divisor", "255" },    /* no segment waits for a larger burst */
	{ "tcp_early_retrans", "0" },        /* no tail loss probe */
	{ "tcp_comp_sack_nr", "0" },         /* no SACK waits for a timer */
	{ "tcp_no_metrics_save", "1" },      /* no run knows of another */
	{ "tcp_autocorking", "0" },
	{ "tcp_rfc1337", "1" },
	{ "tcp_fastopen", "0" },
	{ "tcp_ecn", "2" },                  /* granted to who asks */
	{ "tcp_min_snd_mss", "48" },
	{ "tcp_mtu_probing", "0" },
	{ "conf/all/rp_filter", "0" },
	{ "conf/default/rp_filter", "0" },
};

static int set_always(void)
{
	for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
		int error = set(always[i][0], always[i][1]);

		if (error)
			return error;
	}
	set("tcp_rto_min_us", "100000000"); /* since Linux 6.11; before, a run that takes 200 ms is not compared */
	return 0;
}

static int device(struct kernel_side *k)
{
	struct ifreq r = { .ifr_name = "differ" };
	struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
	int s, result = 0;

	k->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (k->tun < 0 || s < 0 || ioctl(k->tun, TUNSETIFF, &r) < 0)
		result = -errno;
	memset(&r.ifr_ifru, 0, sizeof r.ifr_ifru);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(SIDE_LOCAL_IP) };
	if (!result && ioctl(s, SIOCSIFADDR, &r) < 0)
		result = -errno;
	a->sin_addr.s_addr = htonl(0xffffff00);
	if (!result && ioctl(s, SIOCSIFNETMASK, &r) < 0)
		result = -errno;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!result && ioctl(s, SIOCSIFFLAGS, &r) < 0)
		result = -errno;
	if (s >= 0)
		close(s);
	return result;
}

/* ---- the side ---- */

static int begin(struct side *s)
{
	struct kernel_side *k = of(s);

	s->written = 0;
	k->listener = k->c = -1;
	if (k->set.seed && k->set.sack == s->setting->sack && k->set.timestamps == s->setting->timestamps &&
		k->set.scaling == s->setting->scaling)
		return 0;
	k->set = *s->setting;
	return set("tcp_sack", k->set.sack ? "1" : "0") | set("tcp_timestamps", k->set.timestamps ? "1" : "0") |
		set("tcp_window_scaling", k->set.scaling ? "1" : "0");
}

static void drop(int *fd)
{
	struct linger reset = { .l_onoff = 1 };

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(*fd);
	*fd = -1;
}

static void end(struct side *s)
{
	uint8_t packet[20 + PACKET_MAX];

	drop(&of(s)->c);
	drop(&of(s)->listener);
	while (read(of(s)->tun, packet, sizeof packet) >= 0)
		continue;
}

static int new_socket(struct side *s, int *fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(s->setting->local_port),
		.sin_addr.s_addr = htonl(SIDE_LOCAL_IP) };
	int on = 1;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* RFC 6093: urgent data is data */
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		setsockopt(*fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) < 0 ||
		(s->setting->nodelay && setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) ||
		bind(*fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -errno;
	return 0;
}

static int side_listen(struct side *s)
{
	int error = new_socket(s, &of(s)->listener);

	return error ? error : listen(of(s)->listener, 5) ? -errno : 0;
}

static bool side_accept(struct side *s)
{
	struct kernel_side *k = of(s);

	if (k->listener >= 0 && k->c < 0)
		k->c = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	else
		return false;
	return k->c >= 0;
}

static int side_connect(struct side *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(s->setting->remote_port),
		.sin_addr.s_addr = htonl(SIDE_REMOTE_IP) };
	int error = new_socket(s, &of(s)->c);

	if (error)
		return error;
	return connect(of(s)->c, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int side_write(struct side *s, const uint8_t *data, size_t len)
{
	int n = (int)send(of(s)->c, data, len, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static int side_read(struct side *s, uint8_t *data, size_t cap)
{
	int n, more = 0, sum = 0;

	/* It stops where urgent data begins or ends. */
	do {
		n = (int)recv(of(s)->c, data + sum, cap - (size_t)sum, 0);
		sum += n > 0 ? n : 0;
	} while (n > 0 && (size_t)sum < cap && ioctl(of(s)->c, FIONREAD, &more) == 0 && more);
	return sum ? sum : n < 0 ? -errno : 0;
}

static int side_shutdown(struct side *s)
{
	return shutdown(of(s)->c, SHUT_WR) < 0 ? -errno : 0;
}

static int side_close(struct side *s)
{
	struct kernel_side *k = of(s);

	if (k->c < 0)
		return -EBADF;
	close(k->c);
	k->c = -1;
	return 0;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void input(struct side *s, const uint8_t *tcp, size_t len)
{
	uint8_t packet[20 + PACKET_MAX] = { 0x45, [8] = 64, 6 };

	put16(packet + 2, (uint32_t)(20 + len));
	put16(packet + 4, ++of(s)->id);
	put16(packet + 12, SIDE_REMOTE_IP >> 16);
	put16(packet + 14, SIDE_REMOTE_IP & 0xffff);
	put16(packet + 16, SIDE_LOCAL_IP >> 16);
	put16(packet + 18, SIDE_LOCAL_IP & 0xffff);
	put16(packet + 10, packet_sum(0, packet, 20));
	memcpy(packet + 20, tcp, len);
	ck_assert_int_eq(write(of(s)->tun, packet, 20 + len), 20 + (ssize_t)len);
}

/* Setting TCP_QUICKACK sends an ACK that is owed. */
static void flush(struct side *s)
{
	int on = 1;

	if (of(s)->c >= 0)
		setsockopt(of(s)->c, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Not of IPv4's TCP, or of another run: false. */
static bool read_ip(const struct side *s, struct packet *p, const uint8_t *packet, size_t len)
{
	size_t header = len ? (size_t)(packet[0] & 15) * 4 : 0;

	if (len < 20 || packet[0] >> 4 != 4 || packet[9] != 6 || header > len || header < 20)
		return false;
	*p = (struct packet){ .src_ip = get32(packet + 12), .dst_ip = get32(packet + 16) };
	packet_read(p, packet + header, len - header);
	return p->src_port == s->setting->local_port && p->dst_port == s->setting->remote_port;
}

static bool hear(struct side *s, struct packet *p, bool patiently)
{
	uint8_t packet[20 + PACKET_MAX];
	ssize_t n;

	for (;;) {
		while ((n = read(of(s)->tun, packet, sizeof packet)) > 0)
			if (read_ip(s, p, packet, (size_t)n))
				return true;
		if (!patiently || poll(&(struct pollfd){ .fd = of(s)->tun, .events = POLLIN }, 1, PATIENCE_MS) <= 0)
			return false;
	}
}

static enum tcpu_state state(struct side *s)
{
	static const enum tcpu_state name[] = { [TCP_ESTABLISHED] = TCPU_ESTABLISHED, [TCP_SYN_SENT] = TCPU_SYN_SENT,
		[TCP_SYN_RECV] = TCPU_SYN_RECEIVED, [TCP_FIN_WAIT1] = TCPU_FIN_WAIT_1, [TCP_FIN_WAIT2] = TCPU_FIN_WAIT_2,
		[TCP_TIME_WAIT] = TCPU_CLOSED, [TCP_CLOSE] = TCPU_CLOSED, [TCP_CLOSE_WAIT] = TCPU_CLOSE_WAIT,
		[TCP_LAST_ACK] = TCPU_LAST_ACK, [TCP_LISTEN] = TCPU_LISTEN, [TCP_CLOSING] = TCPU_CLOSING };
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (of(s)->c < 0 || getsockopt(of(s)->c, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return TCPU_CLOSED;
	return info.tcpi_state < sizeof name / sizeof *name ? name[info.tcpi_state] : TCPU_CLOSED;
}

static unsigned ready(struct side *s)
{
	struct pollfd p = { .fd = of(s)->c, .events = POLLIN | POLLOUT };

	if (p.fd < 0)
		return 0;
	poll(&p, 1, 0);
	return (p.revents & POLLIN ? TCPU_IN : 0) | (p.revents & POLLOUT ? TCPU_OUT : 0) |
		(p.revents & POLLERR ? TCPU_ERR : 0) | (p.revents & POLLHUP ? TCPU_HUP : 0);
}

static const struct side_ops ops = { "Linux", begin, end, side_listen, side_accept, side_connect, side_write, side_read,
	side_shutdown, side_close, input, flush, hear, state, ready };

struct side *side_kernel(const char **why)
{
	static struct kernel_side k = { .side = { .ops = &ops }, .tun = -1, .listener = -1, .c = -1 };
	int error = unshare(CLONE_NEWNET) < 0 ? -errno : 0;

	*why = "a network namespace of its own";
	if (!error) {
		*why = "a TUN device";
		error = device(&k);
	}
	if (!error) {
		*why = "settings of TCP";
		error = set_always();
	}
	if (error) {
		errno = -error;
		return NULL;
	}
	return &k.side;
}
