/* Clients of tcpkd as its tests call them, over tests/tcpkd_fake.h; ports are reserved in the kernel's own TCP, on
 * loopback. */
#ifndef TESTS_TCPKD_CALLS_H
#define TESTS_TCPKD_CALLS_H

#include "kernel/tcpkd/client.h"
#include "tests/run.h"
#include "tests/tcpkd_fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SELF 500
#define USER 1000
#define OTHER 1001
#define LOCAL 0x0100007f
#define REMOTE 0x0200000a /* 10.0.0.2 */

static struct clients all;
static struct policy policy;
static unsigned descriptors;

static inline bool kernel_gives(uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = port };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool gives = !bind(fd, (struct sockaddr *)&a, sizeof a);

	close(fd);
	return gives;
}

static inline void setup(void)
{
	char complaint[256];
	static const char text[] = "allow user 1000 ports 1024-65535\nallow user 1001 ports 1024-65535\n"
		"allow group 50 ports 2\nclients 3\nclaims 5\nring 8M\nrings 20M\n";

	fake_begin();
	policy_default(&policy, SELF);
	ck_assert_int_eq(policy_read(&policy, "p", text, sizeof text - 1, complaint, sizeof complaint), 0);
	all = (struct clients){ .policy = &policy, .self = SELF };
	descriptors = fake_descriptors();
}

/* Whatever a test has done: when all have gone, nothing is left. */
static inline void teardown(void)
{
	fake.removed = NULL;
	while (all.first)
		client_end(&all, all.first);
	while (clients_finish(&all))
		;
	bucket_free(&all.opens);
	ck_assert_uint_eq(fake.claim_count, 0);
	ck_assert_uint_eq(fake_clients(), 0);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

/* ---- a client's calls ---- */

static struct client_answer last;

static inline int ask_of(struct client **c, struct tcpkd_request q)
{
	q.abi = TCPK_ABI;
	ck_assert(client_request(&all, c, &q, sizeof q, &last));
	ck_assert_uint_eq(last.reply.abi, TCPK_ABI);
	ck_assert_uint_eq(last.fd_count, q.verb == TCPKD_OPEN && !last.reply.status ? 2 : 0);
	for (unsigned i = 0; i < last.fd_count; i++) {
		ck_assert_int_ge(fcntl(last.fds[i], F_GETFD), 0);
		close(last.fds[i]);
	}
	return last.reply.status;
}

static inline int ask(struct client *c, struct tcpkd_request q)
{
	struct client *before = c;
	int e = ask_of(&c, q);

	ck_assert_ptr_eq(c, before);
	return e;
}

static inline struct client *connected(uid_t uid)
{
	const gid_t group = 77;
	struct policy_peer peer = { .uid = uid, .groups = &group, .group_count = 1, .pid = (pid_t)uid + 100 };
	struct client *c = client_new(&all, fake_connection(), &peer);

	ck_assert_ptr_nonnull(c);
	return c;
}

static inline int open_it(struct client *c)
{
	return ask(c, (struct tcpkd_request){ .verb = TCPKD_OPEN });
}

static inline struct client *opened(uid_t uid)
{
	struct client *c = connected(uid);

	ck_assert_int_eq(open_it(c), 0);
	return c;
}

/* The client that came back, if one has, in its place. */
static inline int resume(struct client **c, uint64_t token)
{
	return ask_of(c, (struct tcpkd_request){ .verb = TCPKD_RESUME, .cursor = token });
}

static inline int claim(struct client *c, uint32_t ip, uint16_t port)
{
	return ask(c, (struct tcpkd_request){ .verb = TCPKD_CLAIM, .local = ip, .local_port = port });
}

/* Of any port of LOCAL. */
static inline uint16_t claimed(struct client *c)
{
	ck_assert_int_eq(claim(c, LOCAL, 0), 0);
	return last.reply.local_port;
}

static inline int narrow(struct client *c, uint16_t port, uint32_t remote, unsigned remote_port)
{
	return ask(c, (struct tcpkd_request){ .verb = TCPKD_NARROW, .local = LOCAL, .local_port = port, .remote = remote,
		.remote_port = htons((uint16_t)remote_port) });
}

static inline int release(struct client *c, uint16_t port)
{
	return ask(c, (struct tcpkd_request){ .verb = TCPKD_RELEASE, .local = LOCAL, .local_port = port });
}

static inline struct tcpk_stats count(struct client *c)
{
	ck_assert_int_eq(ask(c, (struct tcpkd_request){ .verb = TCPKD_COUNT }), 0);
	return last.reply.stats;
}

static inline struct table_key key(uint16_t port, uint32_t remote, unsigned remote_port)
{
	return (struct table_key){ .local = LOCAL, .local_port = port, .remote = remote,
		.remote_port = htons((uint16_t)remote_port) };
}

/* What has been done since the last look; % stands for the port. */
static inline void did(const char *expected, uint16_t port)
{
	char text[sizeof fake.log] = "";
	size_t n = 0;

	for (const char *p = expected; *p; p++)
		n += (size_t)snprintf(text + n, sizeof text - n, *p == '%' ? "%u" : "%c",
			*p == '%' ? ntohs(port) : (unsigned char)*p);
	ck_assert_str_eq(fake.log, text);
	fake.log[0] = 0;
}

static inline void let_fail(const char *call, int error)
{
	fake.fail = call;
	fake.error = error;
}

#endif
