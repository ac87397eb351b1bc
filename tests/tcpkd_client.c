/* The clients of tcpkd: what each verb answers and does to the table, in which order; what fails leaves nothing
 * behind. */
#include "tests/tcpkd_calls.h"

#include <sys/resource.h>

/* ---- messages ---- */

START_TEST(messages)
{
	struct tcpkd_request q[2] = { { .abi = TCPK_ABI, .verb = TCPKD_LIST } }, wrong = q[0];
	struct client *c = connected(USER), *who = c;
	static const size_t lengths[] = { 0, 1, 31, 33, 64 };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		ck_assert(!client_request(&all, &who, q, lengths[i], &last));
		ck_assert_int_eq(last.reply.status, -EPROTO);
		ck_assert_uint_eq(last.reply.abi, TCPK_ABI);
	}
	wrong.abi = TCPK_ABI + 1;
	ck_assert(!client_request(&all, &who, &wrong, sizeof wrong, &last));
	for (uint32_t verb = 0; verb < 10; verb++) {
		wrong = (struct tcpkd_request){ .abi = TCPK_ABI, .verb = verb == 9 ? UINT32_MAX : verb };
		if (verb < TCPKD_OPEN || verb > TCPKD_RESUME)
			ck_assert(!client_request(&all, &who, &wrong, sizeof wrong, &last));
		else if (verb != TCPKD_OPEN)
			ck_assert_int_eq(ask(c, wrong),
				verb == TCPKD_LIST ? -ENOENT : verb == TCPKD_RESUME ? -EINVAL : -ENOTCONN);
	}
	ck_assert_ptr_eq(who, c);
	did("", 0);
}
END_TEST

/* ---- opening ---- */

START_TEST(opening)
{
	struct client *c = connected(USER);

	ck_assert_int_eq(open_it(c), 0);
	ck_assert_uint_eq(last.reply.ring_bytes, 4U << 20);
	ck_assert_uint_ne(last.reply.cursor, 0);
	ck_assert_uint_eq(last.reply.cursor, fake.clients[0].token);
	did("+tap 1 +client 0 ", 0);
	ck_assert_uint_eq(fake.clients[0].tap, 1);
	ck_assert_uint_eq(fake.clients[0].uid, USER);
	ck_assert_uint_eq(fake.clients[0].pid, USER + 100);
	ck_assert_uint_eq(fake.clients[0].ring_bytes, 4U << 20);
	ck_assert_int_eq(open_it(c), -EISCONN);
	did("", 0);
	ck_assert(clients_any(&all));
	/* Places are given again. */
	opened(OTHER);
	ck_assert_uint_ne(fake.clients[1].token, fake.clients[0].token);
	client_end(&all, c);
	did("+tap 2 +client 1 -client 0 -tap 1 ", 0);
	opened(USER);
	did("+tap 3 +client 0 ", 0);
}
END_TEST

START_TEST(rings)
{
	static const struct { uint32_t asked; int status; } cases[] = {
		{ 1, -EINVAL }, { 2048, -EINVAL }, { 3 << 20, -EINVAL }, { 16 << 20, -EINVAL }, { 1U << 31, -EINVAL },
		{ UINT32_MAX, -EINVAL }, { 8 << 20, 0 }, { 64 << 10, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client *c = connected(USER);

		ck_assert_int_eq(ask(c, (struct tcpkd_request){ .verb = TCPKD_OPEN, .ring_bytes = cases[i].asked }),
			cases[i].status);
		ck_assert_uint_eq(last.reply.ring_bytes, cases[i].status ? 0 : cases[i].asked);
		ck_assert_uint_eq(fake_clients(), !cases[i].status);
		client_end(&all, c);
	}
	/* The default is no more than the policy's largest. */
	policy.ring_bytes = 64 << 10;
	opened(USER);
	ck_assert_uint_eq(last.reply.ring_bytes, 64 << 10);
}
END_TEST

START_TEST(who_may_open)
{
	const gid_t groups[] = { 4, 50 };
	struct policy_peer member = { .uid = 3000, .groups = groups, .group_count = 2 };

	ck_assert_int_eq(open_it(connected(2000)), -EPERM);
	did("", 0);
	ck_assert_int_eq(open_it(client_new(&all, fake_connection(), &member)), 0);
	/* So many of one user's, and others all the same. */
	for (int i = 0; i < 3; i++)
		opened(USER);
	ck_assert_int_eq(open_it(connected(USER)), -EDQUOT);
	ck_assert_uint_eq(clients_share(&all, USER).open, 3);
	ck_assert_uint_eq(clients_share(&all, USER).connections, 4);
	opened(OTHER);
	client_end(&all, all.first->next->next); /* the last of USER's that is open */
	opened(USER);
}
END_TEST

/* Opening and ending are dear; so many at once, and others all the same. */
START_TEST(how_often)
{
	all.now_us = 5;
	for (int i = 0; i < BUCKET_AT_ONCE; i++)
		client_end(&all, opened(USER));
	fake.log[0] = 0;
	ck_assert_int_eq(open_it(connected(USER)), -EAGAIN);
	did("", 0);
	all.now_us += BUCKET_EACH_US - 1;
	ck_assert_int_eq(open_it(all.first), -EAGAIN);
	opened(OTHER);
	all.now_us++;
	opened(USER);
	ck_assert_int_eq(open_it(connected(USER)), -EAGAIN);
	client_end(&all, all.first);
	/* Whoever may have none is told so, and it does not count. */
	ck_assert_int_eq(ask(connected(USER), (struct tcpkd_request){ .verb = TCPKD_OPEN, .ring_bytes = 1 }), -EINVAL);
	/* Root and the helper's own user. */
	policy.rules[0].who = POLICY_ANYONE;
	fake.last_tap = 0;
	for (int i = 0; i < BUCKET_AT_ONCE + 1; i++) {
		fake.log[0] = 0;
		client_end(&all, opened(i % 2 ? 0 : SELF));
		fake.last_tap = 0;
		client_end(&all, opened(0));
	}
	/* A long time later it is as at first. */
	all.now_us += 10 * BUCKET_AT_ONCE * BUCKET_EACH_US;
	for (int i = 0; i < BUCKET_AT_ONCE; i++) {
		fake.last_tap = 0;
		client_end(&all, opened(USER));
	}
	ck_assert_int_eq(open_it(connected(USER)), -EAGAIN);
}
END_TEST

/* A large ring is as many times as dear. */
START_TEST(how_large)
{
	struct tcpkd_request q = { .verb = TCPKD_OPEN, .ring_bytes = 8 << 20 };
	struct bucket *one = NULL;

	for (int i = 0; i < BUCKET_AT_ONCE / 2; i++) {
		ck_assert_int_eq(ask(connected(USER), q), 0);
		client_end(&all, all.first);
	}
	q.ring_bytes = 4096;
	ck_assert_int_eq(ask(connected(USER), q), -EAGAIN);
	all.now_us += BUCKET_EACH_US;
	q.ring_bytes = 8 << 20;
	ck_assert_int_eq(ask(all.first, q), -EAGAIN);
	all.now_us += BUCKET_EACH_US;
	ck_assert_int_eq(ask(all.first, q), 0);
	/* There is nothing that nobody may ever have. */
	ck_assert(bucket_take(&one, USER, BUCKET_AT_ONCE + 1, 0));
	ck_assert(!bucket_take(&one, USER, 1, BUCKET_EACH_US - 1));
	ck_assert(bucket_take(&one, USER, 1, BUCKET_EACH_US));
	bucket_free(&one);
}
END_TEST

START_TEST(no_place)
{
	for (uint32_t i = 0; i < TABLE_CLIENTS; i++)
		fake.clients[i].tap = 1;
	ck_assert_int_eq(open_it(connected(USER)), -EDQUOT);
	did("", 0);
	fake.clients[TABLE_CLIENTS - 1].tap = 0;
	opened(USER);
	ck_assert_uint_eq(all.first->index, TABLE_CLIENTS - 1);
	client_end(&all, all.first);
	memset(fake.clients, 0, sizeof fake.clients);
}
END_TEST

START_TEST(opening_fails)
{
	static const struct { const char *call; int error; const char *did; } cases[] = {
		{ "devices_make_tap", -EBUSY, "" }, { "table_add_client", -ENOMEM, "+tap 1 " },
	};
	struct client *c = connected(USER);

	let_fail(cases[_i].call, cases[_i].error);
	ck_assert_int_eq(open_it(c), cases[_i].error);
	did(cases[_i].did, 0);
	ck_assert(!c->open && !clients_any(&all));
	ck_assert_uint_eq(fake_descriptors(), descriptors + 1); /* its connection */
	ck_assert_int_eq(claim(c, LOCAL, 0), -ENOTCONN);
	let_fail(NULL, 0);
	ck_assert_int_eq(open_it(c), 0);
	ck_assert_uint_eq(c->index, 0);
}
END_TEST

/* ---- claims ---- */

START_TEST(claiming)
{
	struct client *c = opened(USER), *d = opened(OTHER);
	struct table_key k;
	uint16_t port;

	did("+tap 1 +client 0 +tap 2 +client 1 ", 0);
	port = claimed(d);
	did("+claim 127.0.0.1:% ", port);
	ck_assert_uint_eq(last.reply.local, LOCAL);
	ck_assert_uint_ne(port, 0);
	k = key(port, 0, 0);
	ck_assert_uint_eq(fake_find(&k)->client, 1);
	ck_assert(!kernel_gives(LOCAL, port));
	/* Whoever has it, another one's, the same one's again, and by all addresses. */
	ck_assert_int_eq(claim(c, LOCAL, port), -EADDRINUSE);
	ck_assert_int_eq(claim(d, LOCAL, port), -EADDRINUSE);
	ck_assert_int_eq(claim(c, 0, port), -EADDRINUSE);
	did("", 0);
	ck_assert_int_eq(release(d, port), 0);
	did("-claim 127.0.0.1:% ", port);
	ck_assert(kernel_gives(LOCAL, port));
	ck_assert_int_eq(claim(c, 0, port), 0);
	ck_assert_uint_eq(last.reply.local, 0);
	ck_assert_uint_eq(last.reply.local_port, port);
	did("+claim 0.0.0.0:% ", port);
	ck_assert_int_eq(claim(d, LOCAL, port), -EADDRINUSE);
	ck_assert(!kernel_gives(LOCAL, port));
}
END_TEST

START_TEST(claims_of_the_kernel)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = LOCAL };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *c = opened(USER);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_eq(claim(c, LOCAL, a.sin_port), -EADDRINUSE);
	ck_assert_int_eq(claim(c, 0, a.sin_port), -EADDRINUSE);
	close(fd);
	ck_assert_int_eq(claim(c, LOCAL, a.sin_port), 0);
}
END_TEST

START_TEST(claims_denied)
{
	struct client *c = opened(USER);

	ck_assert_int_eq(claim(c, REMOTE, htons(5000)), -EADDRNOTAVAIL);
	ck_assert_int_eq(claim(c, LOCAL, htons(1023)), -EPERM);
	/* Group 50's; this user is no member. */
	ck_assert_int_eq(claim(c, LOCAL, htons(2)), -EPERM);
	policy.rules[0].from = 1000;
	policy.rules[0].to = 1023;
	ck_assert_int_eq(claim(c, LOCAL, 0), -EPERM);
	policy.rules[0].from = 1024;
	did("+tap 1 +client 0 ", 0);
	ck_assert_uint_eq(fake_descriptors(), descriptors + 1);
	policy.rules[0].to = 65535;
	for (int i = 0; i < 5; i++)
		claimed(c);
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);
	ck_assert_uint_eq(fake.claim_count, 5);
	ck_assert_int_eq(release(c, c->claims[2].key.local_port), 0);
	claimed(c);
	ck_assert_uint_eq(fake.claim_count, 5);
}
END_TEST

/* Nor has a user more by more clients; others have theirs. */
START_TEST(quotas_of_a_user)
{
	struct client *c = opened(USER), *d = opened(USER), *other = opened(OTHER);
	struct tcpkd_request q = { .verb = TCPKD_OPEN, .ring_bytes = 8 << 20 };

	for (int i = 0; i < 5; i++)
		claimed(i % 2 ? c : d);
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);
	ck_assert_int_eq(claim(d, LOCAL, 0), -EDQUOT);
	for (int i = 0; i < 5; i++)
		claimed(other);
	client_end(&all, d); /* which has three */
	for (int i = 0; i < 3; i++)
		claimed(c);
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);

	/* 20 MiB of rings: 4, 8 and 8. */
	ck_assert_int_eq(ask(connected(USER), q), 0);
	policy.clients = 10;
	let_fail("table_add_client", -ENOMEM);
	ck_assert_int_eq(ask(connected(USER), q), -ENOMEM);
	let_fail(NULL, 0);
	ck_assert_int_eq(ask(all.first, q), 0);
	fake.log[0] = 0;
	q.ring_bytes = 4096;
	ck_assert_int_eq(ask(connected(USER), q), -EDQUOT);
	did("", 0);
	ck_assert_int_eq(ask(connected(OTHER), q), 0);
	client_end(&all, c);
	ck_assert_int_eq(ask(all.first->next, q), 0);
}
END_TEST

/* The rings that somebody keeps are his who has opened them. */
START_TEST(kept_rings)
{
	struct tcpkd_request q = { .verb = TCPKD_OPEN, .ring_bytes = 8 << 20 };
	struct client *c;

	fake.kept = true;
	for (int i = 0; i < 2; i++) {
		c = connected(USER);
		ck_assert_int_eq(ask(c, q), 0);
		client_end(&all, c);
	}
	ck_assert_int_eq(ask(connected(USER), q), -EDQUOT);
	q.ring_bytes = 4096;
	ck_assert_int_eq(ask(all.first, q), 0);
	/* That makes three, which is what he may have, however small they are. */
	ck_assert_int_eq(ask(connected(USER), q), -EDQUOT);
	ck_assert_int_eq(ask(connected(OTHER), q), 0);
	fake.kept = false;
	memset(fake.rings, 0, sizeof fake.rings);
	ck_assert_int_eq(ask(connected(USER), q), 0);
	let_fail("table_rings_of", -ENOMEM);
	ck_assert_int_eq(ask(connected(USER), q), -ENOMEM);
	let_fail(NULL, 0);
}
END_TEST

/* What is kept for connections, no claim takes, and no client. */
START_TEST(descriptors_kept_back)
{
	struct client *c = opened(USER), *d = connected(OTHER);
	struct rlimit before, few;
	int next = dup(0);

	close(next);
	ck_assert(!getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = (rlim_t)next + 64;
	ck_assert(!setrlimit(RLIMIT_NOFILE, &few));
	fake.log[0] = 0;
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);
	did("", 0);
	ck_assert_int_eq(open_it(d), -EDQUOT);
	ck_assert_uint_eq(fake_clients(), 1);
	ck_assert_uint_eq(fake_descriptors(), descriptors + 2);
	few.rlim_cur++;
	ck_assert(!setrlimit(RLIMIT_NOFILE, &few));
	claimed(c);
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);
	ck_assert_int_eq(release(c, c->claims[0].key.local_port), 0);
	claimed(c);
	ck_assert(!setrlimit(RLIMIT_NOFILE, &before));
	ck_assert_int_eq(open_it(d), 0);
}
END_TEST

/* Any port is one of those that the policy allows, while there is one. */
START_TEST(any_port)
{
	struct client *c = opened(USER);

	policy.rules[0].from = 1020;
	policy.rules[0].to = 1027;
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(claim(c, LOCAL, 0), 0);
		ck_assert_uint_ge(ntohs(last.reply.local_port), 1024);
		ck_assert_uint_le(ntohs(last.reply.local_port), 1027);
	}
	ck_assert_int_eq(claim(c, LOCAL, 0), -EADDRINUSE);
	ck_assert_uint_eq(c->claim_count, 4);
	ck_assert_int_eq(release(c, htons(1025)), 0);
	ck_assert_int_eq(claim(c, LOCAL, 0), 0);
	ck_assert_uint_eq(last.reply.local_port, htons(1025));
}
END_TEST

START_TEST(claiming_fails)
{
	static const struct { int error, told; } cases[] = {
		{ -EEXIST, -EADDRINUSE }, { -E2BIG, -EDQUOT }, { -ENOMEM, -ENOMEM },
	};
	struct client *c = opened(USER);
	uint16_t port = claimed(c);

	ck_assert_int_eq(release(c, port), 0);
	let_fail("table_add_claim", cases[_i].error);
	ck_assert_int_eq(claim(c, LOCAL, port), cases[_i].told);
	ck_assert_uint_eq(last.reply.local_port, 0);
	ck_assert(kernel_gives(LOCAL, port));
	ck_assert_uint_eq(c->claim_count, 0);
	ck_assert_uint_eq(fake.claim_count, 0);
	ck_assert_int_eq(release(c, port), -ENOENT);
	let_fail(NULL, 0);
	ck_assert_int_eq(claim(c, LOCAL, port), 0);
	/* A table without room. */
	fake.room = 1;
	ck_assert_int_eq(claim(c, LOCAL, 0), -EDQUOT);
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), -EDQUOT);
	ck_assert_int_eq(release(c, port), 0);
}
END_TEST

/* ---- narrowing ---- */

START_TEST(narrowing)
{
	struct client *c = opened(USER);
	uint16_t port = claimed(c);
	struct table_key k = key(port, 0, 0);

	*fake_find(&k) = (struct table_claim){ .in_segs = 5, .in_bytes = 500, .client = c->index };
	fake.log[0] = 0;
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), 0);
	did("+claim 127.0.0.1:%<10.0.0.2:9 -claim 127.0.0.1:% ", port);
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), 0);
	did("", port);
	ck_assert_int_eq(narrow(c, port, REMOTE, 10), 0);
	did("+claim 127.0.0.1:%<10.0.0.2:10 -claim 127.0.0.1:%<10.0.0.2:9 ", port);
	ck_assert(!kernel_gives(LOCAL, port));
	ck_assert_int_eq(narrow(c, port, 0, 0), 0);
	did("+claim 127.0.0.1:% -claim 127.0.0.1:%<10.0.0.2:10 ", port);
	ck_assert_uint_eq(count(c).in_bytes, 500);
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), 0);
	fake.log[0] = 0;
	ck_assert_int_eq(release(c, port), 0);
	did("-claim 127.0.0.1:%<10.0.0.2:9 ", port);
	ck_assert_uint_eq(count(c).in_segs, 5);
}
END_TEST

START_TEST(narrowing_fails)
{
	struct client *c = opened(USER), *d = opened(OTHER);
	uint16_t port = claimed(c);
	const struct table_key taken = key(port, REMOTE, 9);

	ck_assert_int_eq(narrow(c, port, REMOTE, 0), -EINVAL);
	ck_assert_int_eq(narrow(c, port, 0, 9), -EINVAL);
	ck_assert_int_eq(narrow(c, (uint16_t)(port + 1), REMOTE, 9), -ENOENT);
	ck_assert_int_eq(narrow(d, port, REMOTE, 9), -ENOENT); /* another's */
	ck_assert_int_eq(table_add_claim(NULL, &taken, &(struct table_claim){ .client = 1 }), 0);
	fake.log[0] = 0;
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), -EADDRINUSE);
	let_fail("table_add_claim", -ENOMEM);
	ck_assert_int_eq(narrow(c, port, REMOTE, 10), -ENOMEM);
	let_fail("table_claim", -EFAULT);
	ck_assert_int_eq(narrow(c, port, REMOTE, 10), -EFAULT);
	let_fail(NULL, 0);
	did("", port);
	table_remove_claim(NULL, &taken);
	ck_assert_int_eq(narrow(c, port, REMOTE, 9), 0);
	ck_assert_int_eq(release(c, port), 0);
}
END_TEST

/* A port of all addresses: the table finds no connection by no local address. */
START_TEST(narrowing_all_addresses)
{
	struct client *c = opened(USER);
	struct tcpkd_request q = { .verb = TCPKD_NARROW, .remote = REMOTE, .remote_port = htons(9) };

	ck_assert_int_eq(claim(c, 0, 0), 0);
	q.local_port = last.reply.local_port;
	fake.log[0] = 0;
	ck_assert_int_eq(ask(c, q), 0);
	q.remote_port = 0;
	ck_assert_int_eq(ask(c, q), -EINVAL);
	did("", 0);
	ck_assert_uint_eq(fake.claims[0].key.remote, 0);
}
END_TEST

/* ---- release, counts ---- */

static unsigned too_early;

static void see_reserved(const struct table_key *k)
{
	too_early += kernel_gives(k->local, k->local_port);
}

/* The kernel's TCP would refuse by RST what comes while the table still has the claim's place. */
START_TEST(release_order)
{
	struct client *c = opened(USER), *d = opened(USER);
	uint16_t port = claimed(c);

	claimed(c);
	claimed(d);
	too_early = 0;
	fake.removed = see_reserved;
	ck_assert_int_eq(release(c, port), 0);
	ck_assert_int_eq(release(c, port), -ENOENT);
	client_end(&all, c);
	fake.log[0] = 0;
	port = d->claims[0].key.local_port;
	client_end(&all, d);
	did("-claim 127.0.0.1:% -client 1 -tap 2 ", port);
	ck_assert_uint_eq(too_early, 0);
	ck_assert(kernel_gives(LOCAL, port));
}
END_TEST

START_TEST(counts)
{
	struct client *c = opened(USER), *d = opened(USER);
	uint16_t port = claimed(c), other = claimed(c);
	const struct table_key a = key(port, 0, 0), b = key(other, 0, 0);
	struct tcpk_stats s;

	*fake_find(&a) = (struct table_claim){ 0, 0, 1, 10, 100, 1000, 10000 };
	*fake_find(&b) = (struct table_claim){ 0, 0, 2, 20, 200, 2000, 20000 };
	fake.clients[0].out_refused = 9;
	for (int i = 0; i < 2; i++) {
		s = count(c);
		ck_assert_uint_eq(s.in_segs, 3);
		ck_assert_uint_eq(s.in_bytes, 30);
		ck_assert_uint_eq(s.in_dropped, 300);
		ck_assert_uint_eq(s.out_segs, 3000);
		ck_assert_uint_eq(s.out_bytes, 30000);
		ck_assert_uint_eq(s.out_refused, 9);
		if (!i)
			ck_assert_int_eq(release(c, port), 0);
	}
	ck_assert_int_eq(claim(c, LOCAL, port), 0); /* which begins anew */
	ck_assert_uint_eq(count(c).in_segs, 3);
	s = count(d);
	ck_assert_uint_eq(s.in_segs + s.out_refused, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_client");
	TCase *tc = tcase_create("tcpkd_client");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages);
	tcase_add_test(tc, opening);
	tcase_add_test(tc, rings);
	tcase_add_test(tc, who_may_open);
	tcase_add_test(tc, how_often);
	tcase_add_test(tc, how_large);
	tcase_add_test(tc, no_place);
	tcase_add_loop_test(tc, opening_fails, 0, 2);
	tcase_add_test(tc, claiming);
	tcase_add_test(tc, claims_of_the_kernel);
	tcase_add_test(tc, claims_denied);
	tcase_add_test(tc, quotas_of_a_user);
	tcase_add_test(tc, kept_rings);
	tcase_add_test(tc, descriptors_kept_back);
	tcase_add_test(tc, any_port);
	tcase_add_loop_test(tc, claiming_fails, 0, 3);
	tcase_add_test(tc, narrowing);
	tcase_add_test(tc, narrowing_fails);
	tcase_add_test(tc, narrowing_all_addresses);
	tcase_add_test(tc, release_order);
	tcase_add_test(tc, counts);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
