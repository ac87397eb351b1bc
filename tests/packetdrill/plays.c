/* The adapter for packetdrill, loaded as packetdrill loads it: handshakes, data both ways and ends through its hooks,
 * with calls that block on a thread of their own, and what its flags say. Real time passes, but nothing is asserted of
 * it: each test waits for a packet or for a thread. */
#include "tests/differential/packet.h"
#include "tests/packetdrill/adapter.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOCAL_IP 0xc0a80001
#define PEER_IP 0xc0000201
#define PEER_PORT 5000
#define ISN 77777

static struct packetdrill_interface hook;
static uint16_t port;   /* the stack's */
static uint32_t iss;    /* its ISN */

/* Of build/gcc/tests/packetdrill/plays it is build/gcc/packetdrill/tcpu.so. */
static void *open_adapter(void)
{
	char path[4096] = "";
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

	for (int up = 0; len > 0 && up < 3; up++)
		*strrchr(path, '/') = 0;
	strncat(path, "/packetdrill/tcpu.so", sizeof path - strlen(path) - 1);
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static void load(const char *flags)
{
	void *so = open_adapter();
	void (*init)(const char *, struct packetdrill_interface *);

	ck_assert_msg(so, "%s", dlerror());
	*(void **)&init = dlsym(so, "packetdrill_interface_init");
	ck_assert_msg(init, "%s", dlerror());
	memset(&hook, 0, sizeof hook);
	init(flags, &hook);
}

/* ---- the wire ---- */

static void say(uint8_t flags, uint32_t seq, uint32_t ack, const char *data, unsigned mss)
{
	struct packet p = { .src_ip = PEER_IP, .dst_ip = LOCAL_IP, .src_port = PEER_PORT, .dst_port = port, .seq = seq,
		.ack = ack, .flags = flags, .window = 65535, .len = (uint32_t)strlen(data) };
	uint8_t bytes[20 + PACKET_MAX] = { 0x45, [8] = 255, 6, [12] = 192, 0, 2, 1, 192, 168, 0, 1 };
	uint16_t sum;
	size_t len;

	memcpy(p.data, data, p.len);
	if (mss) {
		p.options_len = 4;
		memcpy(p.options, (uint8_t[]){ 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss }, 4);
	}
	len = 20 + packet_write(&p, bytes + 20);
	bytes[2] = (uint8_t)(len >> 8);
	bytes[3] = (uint8_t)len;
	sum = packet_sum(0, bytes, 20);
	bytes[10] = (uint8_t)(sum >> 8);
	bytes[11] = (uint8_t)sum;
	ck_assert_int_eq(hook.netdev_send(hook.userdata, bytes, len), 0);
}

static bool hear(struct packet *p)
{
	uint8_t bytes[2000];
	size_t len = sizeof bytes;
	long long time_us = 0;
	struct timeval now;

	ck_assert_int_eq(hook.netdev_receive(hook.userdata, bytes, &len, &time_us), 0);
	if (!len)
		return false;
	ck_assert_uint_eq(packet_sum(0, bytes, 20), 0);
	ck_assert_uint_eq((unsigned)bytes[2] << 8 | bytes[3], len);
	*p = (struct packet){ .src_ip = LOCAL_IP, .dst_ip = PEER_IP };
	packet_read(p, bytes + 20, len - 20);
	ck_assert(p->good);
	hook.gettimeofday(hook.userdata, &now, NULL);
	ck_assert_int_le(time_us, now.tv_sec * 1000000LL + now.tv_usec);
	ck_assert_int_gt(time_us, 1000000000000000);
	return true;
}

/* Hears a segment, of which only that is looked at. */
static struct packet expect(uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	struct packet p;

	ck_assert_msg(hear(&p), "nothing was sent");
	ck_assert_uint_eq(p.flags, flags);
	ck_assert_uint_eq(p.seq, iss + seq);
	ck_assert_uint_eq(p.ack, flags & PF_ACK ? ISN + ack : 0);
	ck_assert_uint_eq(p.len, strlen(data));
	ck_assert_mem_eq(p.data, data, p.len);
	return p;
}

/* ---- calls on a thread of their own ---- */

struct call {
	pthread_t thread;
	int fd, result, error;
	char got[100];
	struct sockaddr_in at;
};

static void *accept_thread(void *arg)
{
	struct call *c = arg;
	socklen_t len = sizeof c->at;

	c->result = hook.accept(hook.userdata, c->fd, (struct sockaddr *)&c->at, &len);
	c->error = errno;
	return NULL;
}

static void *read_thread(void *arg)
{
	struct call *c = arg;

	c->result = (int)hook.read(hook.userdata, c->fd, c->got, sizeof c->got);
	c->error = errno;
	return NULL;
}

static void *connect_thread(void *arg)
{
	struct call *c = arg;

	c->at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PEER_PORT),
		.sin_addr.s_addr = htonl(PEER_IP) };
	c->result = hook.connect(hook.userdata, c->fd, (struct sockaddr *)&c->at, sizeof c->at);
	c->error = errno;
	return NULL;
}

static void begin(struct call *c, void *(*call)(void *), int fd)
{
	*c = (struct call){ .fd = fd };
	ck_assert_int_eq(pthread_create(&c->thread, NULL, call, c), 0);
}

static int end(struct call *c)
{
	pthread_join(c->thread, NULL);
	return c->result;
}

static int listener(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = htonl(LOCAL_IP) };
	int fd = hook.socket(hook.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP), on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(hook.setsockopt(hook.userdata, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	ck_assert_int_eq(hook.bind(hook.userdata, fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(hook.listen(hook.userdata, fd, 1), 0);
	port = 8080;
	return fd;
}

/* A connection that the stack accepts while a thread waits for it. */
static int accepted(int fd)
{
	struct call c;
	struct packet p;

	begin(&c, accept_thread, fd);
	say(PF_SYN, ISN, 0, "", 1000);
	ck_assert(hear(&p));
	ck_assert_uint_eq(p.flags, PF_SYN | PF_ACK);
	ck_assert_uint_eq(p.ack, ISN + 1);
	iss = p.seq;
	say(PF_ACK, ISN + 1, iss + 1, "", 0);
	ck_assert_int_ge(end(&c), 0);
	ck_assert_uint_eq(c.at.sin_addr.s_addr, htonl(PEER_IP));
	ck_assert_uint_eq(c.at.sin_port, htons(PEER_PORT));
	return c.result;
}

START_TEST(accepts)
{
	int l, c, value = 0;
	struct call r;
	socklen_t len = sizeof value;
	char text[10] = "";

	load("local=192.168.0.1,mtu=1500,wait=5,iw=10");
	l = listener();
	c = accepted(l);
	begin(&r, read_thread, c);
	say(PF_ACK | PF_PSH, ISN + 1, iss + 1, "hello", 0);
	expect(PF_ACK, 1, 6, "");
	ck_assert_int_eq(end(&r), 5);
	ck_assert_str_eq(r.got, "hello");
	ck_assert_int_eq(hook.write(hook.userdata, c, "world!", 6), 6);
	expect(PF_ACK | PF_PSH, 1, 6, "world!");
	say(PF_ACK, ISN + 6, iss + 7, "", 0);
	ck_assert_int_eq(hook.ioctl(hook.userdata, c, SIOCOUTQ, &value), 0);
	ck_assert_int_eq(value, 0);
	ck_assert_int_eq(hook.getsockopt(hook.userdata, c, IPPROTO_TCP, TCP_MAXSEG, &value, &len), 0);
	ck_assert_int_eq(value, 1000);
	say(PF_ACK, ISN + 6, iss + 7, "more", 0);
	expect(PF_ACK, 7, 10, "");
	ck_assert_int_eq(hook.recv(hook.userdata, c, text, 4, MSG_PEEK), 4);
	ck_assert_int_eq(hook.ioctl(hook.userdata, c, SIOCINQ, &value), 0);
	ck_assert_int_eq(value, 4);
	ck_assert_int_eq(hook.recv(hook.userdata, c, text, 4, 0), 4);
	ck_assert_str_eq(text, "more");
	say(PF_FIN | PF_ACK, ISN + 10, iss + 7, "", 0);
	expect(PF_ACK, 7, 11, "");
	ck_assert_int_eq(hook.read(hook.userdata, c, text, 4), 0);
	ck_assert_int_eq(hook.close(hook.userdata, c), 0);
	expect(PF_FIN | PF_ACK, 7, 11, "");
	say(PF_ACK, ISN + 11, iss + 8, "", 0);
	ck_assert_int_eq(hook.close(hook.userdata, l), 0);
	hook.free(hook.userdata);
}
END_TEST

/* Blocking and not; the first number is the one of the flags. */
START_TEST(connects)
{
	int fd;
	struct call c;
	struct packet p;
	struct pollfd ready = { .events = POLLOUT };

	load("isn=1000,delack=off,wait=5");
	fd = hook.socket(hook.userdata, AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(fd, 0);
	if (_i) {
		ck_assert_int_eq(hook.fcntl(hook.userdata, fd, F_SETFL, O_NONBLOCK), 0);
		ck_assert_int_eq(hook.fcntl(hook.userdata, fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
	}
	if (_i) {
		c.fd = fd;
		connect_thread(&c);
		ck_assert_int_eq(c.result, -1);
		ck_assert_int_eq(c.error, EINPROGRESS);
	} else {
		begin(&c, connect_thread, fd);
	}
	iss = 1000;
	port = 0;
	ck_assert(hear(&p));
	ck_assert_uint_eq(p.flags, PF_SYN);
	ck_assert_uint_eq(p.seq, 1000);
	ck_assert_uint_eq(p.mss, 1460);
	ck_assert(p.sack_ok && p.timestamps && p.scale >= 0);
	port = p.src_port;
	say(PF_SYN | PF_ACK, ISN, iss + 1, "", 1460);
	expect(PF_ACK, 1, 1, "");
	if (!_i)
		ck_assert_int_eq(end(&c), 0);
	ready.fd = fd;
	ck_assert_int_eq(hook.poll(hook.userdata, &ready, 1, 0), 1);
	ck_assert_int_eq(ready.revents, POLLOUT);
	ck_assert_int_eq(hook.send(hook.userdata, fd, "abc", 3, 0), 3);
	expect(PF_ACK | PF_PSH, 1, 1, "abc");
	ck_assert_int_eq(hook.shutdown(hook.userdata, fd, SHUT_WR), 0);
	expect(PF_FIN | PF_ACK, 4, 1, "");
	say(PF_RST | PF_ACK, ISN + 1, iss + 5, "", 0);
	ck_assert_int_eq(hook.close(hook.userdata, fd), 0);
	hook.free(hook.userdata);
}
END_TEST

/* netdev_receive waits for what a timer sends, or packetdrill has slept: the stack's timers ran meanwhile. */
START_TEST(waits)
{
	int l, c;

	load(_i ? "wait=0" : "wait=5");
	l = listener();
	c = accepted(l);
	ck_assert_int_eq(hook.write(hook.userdata, c, "x", 1), 1);
	expect(PF_ACK | PF_PSH, 1, 1, "x");
	if (_i)
		ck_assert_int_eq(hook.usleep(hook.userdata, 400000), 0); /* longer than the first timeout */
	expect(PF_ACK | PF_PSH, 1, 1, "x");
	ck_assert_int_eq(hook.close(hook.userdata, c), 0);
	ck_assert_int_eq(hook.close(hook.userdata, l), 0);
	hook.free(hook.userdata);
}
END_TEST

START_TEST(gives_up)
{
	struct packet p;

	load("wait=0");
	ck_assert(!hear(&p));
	hook.free(hook.userdata);
}
END_TEST

START_TEST(refuses)
{
	uint8_t bytes[2000] = { 0 };
	struct iovec piece = { bytes, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	load(NULL);
	ck_assert_int_eq(hook.socket(hook.userdata, AF_INET6, SOCK_STREAM, 0), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(hook.socket(hook.userdata, AF_INET, SOCK_DGRAM, 0), -1);
	ck_assert_int_eq(errno, EPROTOTYPE);
	ck_assert_int_eq(hook.netdev_send(hook.userdata, bytes, 1501), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(hook.netdev_send(hook.userdata, bytes, 1500), 0); /* no IP packet: dropped */
	ck_assert_int_eq(hook.recvmsg(hook.userdata, 0, &message, MSG_PEEK), -1);
	ck_assert_int_eq(errno, EOPNOTSUPP);
	ck_assert_int_eq(hook.read(hook.userdata, 0, bytes, 1), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(hook.epoll_create(hook.userdata, 1), -1);
	ck_assert_int_eq(errno, ENOSYS);
	ck_assert_int_eq(hook.pipe(hook.userdata, (int[2]){ 0 }), -1);
	ck_assert_int_eq(errno, ENOSYS);
	hook.free(hook.userdata);
}
END_TEST

static const char *const wrong_flags[] = { "local=here", "local", "mtu=67", "mtu=65536", "wait=x", "iw=0",
	"isn=4294967296", "delack=perhaps", "speed=9", "=", "mtu=1500,,iw=1", "mtu=999999999999999999999999" };

START_TEST(wrong)
{
	load(wrong_flags[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packetdrill/plays");
	TCase *tc = tcase_create("plays");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_FORK); /* wrong flags end the process */
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, accepts);
	tcase_add_loop_test(tc, connects, 0, 2);
	tcase_add_loop_test(tc, waits, 0, 2);
	tcase_add_test(tc, gives_up);
	tcase_add_test(tc, refuses);
	tcase_add_loop_exit_test(tc, wrong, 2, 0, (int)(sizeof wrong_flags / sizeof *wrong_flags));
	return run_tests(runner);
}
