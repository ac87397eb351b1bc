/* The clients of tcpkd together: the list of them, those that an earlier tcpkd has left, and their ends. */
#include "tests/tcpkd_calls.h"

/* ---- the list ---- */

/* How many are listed to such a user; each once, by its port. */
static unsigned listed(struct client *c, uint32_t *uids)
{
	struct tcpkd_request q = { .verb = TCPKD_LIST };
	unsigned n = 0;

	*uids = 0;
	while (!ask(c, q)) {
		ck_assert_uint_eq(last.reply.local, LOCAL);
		ck_assert_uint_ne(last.reply.local_port, 0);
		ck_assert_uint_eq(last.reply.cursor, q.cursor + 1);
		*uids += last.reply.uid;
		q.cursor = last.reply.cursor;
		n++;
	}
	ck_assert_int_eq(last.reply.status, -ENOENT);
	return n;
}

START_TEST(listing)
{
	struct client *a = opened(USER), *b = opened(OTHER), *none = connected(2000), *root = connected(0),
		*self = connected(SELF), *own = connected(OTHER);
	uint16_t port;
	uint32_t uids;

	claimed(a);
	claimed(a);
	claimed(b);
	opened(USER); /* with nothing */
	port = claimed(opened(USER));
	ck_assert_uint_eq(listed(none, &uids), 0);
	ck_assert_uint_eq(listed(own, &uids), 1);
	ck_assert_uint_eq(uids, OTHER);
	ck_assert_uint_eq(listed(a, &uids), 3);
	ck_assert_uint_eq(uids, 3 * USER);
	ck_assert_uint_eq(listed(root, &uids), 4);
	ck_assert_uint_eq(listed(self, &uids), 4);
	ck_assert_uint_eq(uids, 3 * USER + OTHER);
	ck_assert_int_eq(ask(root, (struct tcpkd_request){ .verb = TCPKD_LIST, .cursor = 4 }), -ENOENT);
	ck_assert_int_eq(ask(root, (struct tcpkd_request){ .verb = TCPKD_LIST, .cursor = UINT64_MAX }), -ENOENT);

	/* All that is told of one: the last client stands first. */
	ck_assert_int_eq(narrow(all.first, port, REMOTE, 9), 0);
	fake_find(&all.first->claims[0].key)->in_dropped = 8;
	ck_assert_int_eq(ask(root, (struct tcpkd_request){ .verb = TCPKD_LIST }), 0);
	ck_assert_uint_eq(last.reply.local_port, port);
	ck_assert_uint_eq(last.reply.remote, REMOTE);
	ck_assert_uint_eq(last.reply.remote_port, htons(9));
	ck_assert_uint_eq(last.reply.pid, USER + 100);
	ck_assert_uint_eq(last.reply.ring_bytes, 4U << 20);
	ck_assert_uint_eq(last.reply.stats.in_dropped, 8);
}
END_TEST

/* ---- another helper ---- */

/* What a tcpkd that has gone has left: a client of USER with two claims, one of OTHER, one whose process is no more,
 * and a claim of nobody. All have port, port + 1 and so on; their tokens are 100 and so on. */
static void left_behind(uint16_t port)
{
	struct device_tap tap;

	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(devices_make_tap(NULL, USER, &tap), 0);
		fake.clients[i] = (struct table_client){ .tap = tap.ifindex, .uid = i == 1 ? OTHER : USER, .ring_bytes = 4096,
			.pid = 77, .token = 100 + i };
		close(tap.fd);
	}
	fake.taps[3] = false;
	for (uint32_t i = 0; i < 5; i++) {
		static const uint32_t of[] = { 0, 0, 1, 2, 900 };
		const struct table_key k = key(htons((uint16_t)(ntohs(port) + i)), i == 1 ? REMOTE : 0, i == 1 ? 9 : 0);

		ck_assert_int_eq(table_add_claim(NULL, &k, &(struct table_claim){ .client = of[i], .in_segs = i + 1 }), 0);
	}
	fake.log[0] = 0;
}

/* The first of five that nobody has; tests that run at the same time look elsewhere. */
static uint16_t five_ports(void)
{
	for (unsigned port = 15000 + (unsigned)getpid() % 2000 * 5; port < 30000; port += 5) {
		unsigned n = 0;

		while (n < 5 && kernel_gives(LOCAL, htons((uint16_t)(port + n))))
			n++;
		if (n == 5)
			return htons((uint16_t)port);
	}
	ck_abort_msg("no five ports in a row");
}

START_TEST(adopting)
{
	const uint16_t port = five_ports();
	struct client *c, *old;
	uint32_t uids;
	struct device_tap unknown;
	int connection;

	left_behind(port);
	ck_assert_int_eq(devices_make_tap(NULL, USER, &unknown), 0);
	close(unknown.fd);
	clients_adopt(&all);
	ck_assert_uint_eq(fake_clients(), 2);
	ck_assert_uint_eq(fake.claim_count, 3);
	ck_assert(fake.taps[1] && fake.taps[2] && !fake.taps[unknown.ifindex]);
	ck_assert(clients_any(&all));
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(kernel_gives(LOCAL, htons((uint16_t)(ntohs(port) + i))), i >= 3);
	ck_assert_uint_eq(clients_share(&all, USER).open, 1);
	ck_assert_uint_eq(clients_share(&all, USER).connections, 0);
	ck_assert_uint_eq(clients_sweep(&all), 2);
	/* As anybody's, but for the pid. */
	c = connected(OTHER);
	ck_assert_uint_eq(listed(c, &uids), 1);
	ck_assert_int_eq(ask(c, (struct tcpkd_request){ .verb = TCPKD_LIST }), 0);
	ck_assert_uint_eq(last.reply.pid, 0);
	/* Another user's, and what are none's. */
	ck_assert_int_eq(resume(&c, 100), -EINVAL);
	ck_assert_int_eq(resume(&c, 102), -EINVAL);
	fake.log[0] = 0;
	all.first->next->entry.token = 0;
	ck_assert_int_eq(resume(&c, 0), -EINVAL);
	client_end(&all, c);

	old = c = connected(USER);
	connection = c->fd;
	fake.log[0] = 0;
	ck_assert_int_eq(resume(&c, 100), 0);
	did("", 0);
	ck_assert_uint_eq(last.reply.ring_bytes, 4096);
	ck_assert_ptr_ne(c, old);
	ck_assert_int_eq(c->fd, connection);
	ck_assert_uint_eq(clients_share(&all, USER).connections, 1);
	ck_assert_uint_eq(count(c).in_segs, 3);
	ck_assert_int_eq(open_it(c), -EISCONN);
	ck_assert_int_eq(resume(&c, 101), -EISCONN);
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), 0);
	ck_assert_int_eq(release(c, htons((uint16_t)(ntohs(port) + 1))), 0);
	ck_assert(kernel_gives(LOCAL, htons((uint16_t)(ntohs(port) + 1))));
	ck_assert_uint_eq(clients_sweep(&all), 1);
	/* It is nobody's to take any more. */
	old = connected(USER);
	ck_assert_int_eq(resume(&old, 100), -EINVAL);
}
END_TEST

/* Meanwhile the kernel's TCP has had a port: the claim goes on, and its end closes nothing of others. */
START_TEST(adopting_too_late)
{
	const uint16_t port = five_ports();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = LOCAL, .sin_port = port };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *c;

	left_behind(port);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	clients_adopt(&all);
	ck_assert_uint_eq(fake.claim_count, 3);
	c = connected(USER);
	ck_assert_int_eq(resume(&c, 100), 0);
	ck_assert_uint_eq(all.lost, 1);
	ck_assert_int_eq(release(c, port), 0);
	ck_assert_uint_eq(all.lost, 0);
	ck_assert(!kernel_gives(LOCAL, port));
	close(fd);
	ck_assert_uint_eq(count(c).in_segs, 3);
}
END_TEST

/* Until it has its port again, nobody else gets a part of it: that would be looked up first. */
START_TEST(reserving_again)
{
	const uint16_t port = five_ports();
	const uint32_t beside = htonl(INADDR_LOOPBACK + 1);
	const struct table_key k = { .local_port = port };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = LOCAL, .sin_port = port };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct device_tap tap;
	struct client *c;

	ck_assert_int_eq(devices_make_tap(NULL, USER, &tap), 0);
	close(tap.fd);
	fake.clients[0] = (struct table_client){ .tap = tap.ifindex, .uid = USER, .ring_bytes = 4096, .token = 100 };
	ck_assert_int_eq(table_add_claim(NULL, &k, &(struct table_claim){ .client = 0 }), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	clients_adopt(&all);
	ck_assert_uint_eq(all.lost, 1);
	c = opened(OTHER);
	policy.rules[1].from = policy.rules[1].to = ntohs(port);
	for (int i = 0; i < 2; i++) {
		ck_assert(kernel_gives(beside, port));
		ck_assert_int_eq(claim(c, beside, port), -EADDRINUSE);
		ck_assert_int_eq(claim(c, beside, 0), -EADDRINUSE);
		ck_assert_uint_eq(fake.claim_count, 1);
		if (i == 0) {
			ck_assert_uint_eq(clients_sweep(&all), 2); /* a client, and what it has lost */
			close(fd);
		}
	}
	ck_assert_uint_eq(clients_sweep(&all), 1);
	ck_assert_uint_eq(all.lost, 0);
	ck_assert(!kernel_gives(beside, port));
	c = connected(USER);
	ck_assert_int_eq(resume(&c, 100), 0);
	ck_assert_int_eq(ask(c, (struct tcpkd_request){ .verb = TCPKD_RELEASE, .local_port = port }), 0);
	ck_assert(kernel_gives(LOCAL, port));
}
END_TEST

START_TEST(sweeping)
{
	struct client *c;

	left_behind(five_ports());
	clients_adopt(&all);
	c = opened(USER);
	fake.taps[1] = false; /* the first one's process ends */
	ck_assert_uint_eq(clients_sweep(&all), 1);
	ck_assert_uint_eq(fake.claim_count, 1);
	fake.taps[c->entry.tap] = false; /* whoever has a connection is not swept: that will end */
	fake.taps[2] = false;
	ck_assert_uint_eq(clients_sweep(&all), 0);
	ck_assert_uint_eq(fake.claim_count, 0);
	ck_assert_ptr_eq(all.first, c);
}
END_TEST

/* ---- the end ---- */

START_TEST(ends)
{
	struct client *c = connected(USER);

	client_end(&all, c);
	did("", 0);
	c = opened(USER);
	client_end(&all, c);
	did("+tap 1 +client 0 -client 0 -tap 1 ", 0);
	c = opened(USER);
	connected(OTHER);
	clients_lose(&all, 0);
	clients_lose(&all, 3);
	ck_assert_ptr_eq(all.first->next, c);
	for (int i = 0; i < 5; i++) /* more than there is room for at first */
		claimed(c);
	ck_assert_int_eq(narrow(c, c->claims[3].key.local_port, REMOTE, 9), 0);
	clients_lose(&all, 2);
	ck_assert_ptr_null(all.first->next);
	ck_assert_uint_eq(fake.claim_count, 0);
	ck_assert(!clients_any(&all));
	ck_assert(!strstr(fake.log, "-client"));
	clients_finish(&all);
	ck_assert(strstr(fake.log, "-client 0 -tap 2 "));
	ck_assert_uint_eq(fake_descriptors(), descriptors + 1);
}
END_TEST

/* What others wait for goes at once, the rest one by one; until then, whose it was has it. */
START_TEST(leaving)
{
	struct client *c[3];
	uint16_t port;

	for (int i = 0; i < 3; i++)
		c[i] = opened(USER);
	port = claimed(c[0]);
	fake.log[0] = 0;
	ck_assert_int_eq(open_it(connected(USER)), -EDQUOT);
	for (int i = 0; i < 3; i++)
		client_leave(&all, c[i]);
	did("-claim 127.0.0.1:% ", port);
	ck_assert(kernel_gives(LOCAL, port));
	ck_assert(!clients_any(&all));
	ck_assert_uint_eq(fake_descriptors(), descriptors + 1);
	ck_assert_int_eq(open_it(all.first), -EAGAIN);
	ck_assert(clients_finish(&all));
	did("-client 2 -tap 3 ", 0);
	ck_assert_int_eq(open_it(all.first), 0);
	did("+tap 4 +client 2 ", 0);
	ck_assert(clients_finish(&all));
	ck_assert(!clients_finish(&all));
	did("-client 1 -tap 2 -client 0 -tap 1 ", 0);
	ck_assert(!clients_finish(&all));
	client_leave(&all, connected(OTHER)); /* which has nothing */
	ck_assert_ptr_null(all.leaving);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_clients");
	TCase *tc = tcase_create("tcpkd_clients");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, listing);
	tcase_add_test(tc, adopting);
	tcase_add_test(tc, adopting_too_late);
	tcase_add_test(tc, reserving_again);
	tcase_add_test(tc, sweeping);
	tcase_add_test(tc, ends);
	tcase_add_test(tc, leaving);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
