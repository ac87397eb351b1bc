/* The policy file of tcpkd: what each statement comes to, what is wrong with one and where, and who may claim what. */
#include "kernel/tcpkd/policy.h"
#include "tests/run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELF 4711

/* As large as the text: nothing behind it is there. */
static int read_text(struct policy *p, const char *text, size_t length, char complaint[256])
{
	char *exact = malloc(length + !length);
	int e;

	memcpy(exact, text, length);
	policy_default(p, SELF);
	complaint[0] = 0;
	e = policy_read(p, "p", exact, length, complaint, 256);
	free(exact);
	return e;
}

static struct policy good(const char *text)
{
	struct policy p;
	char complaint[256];

	ck_assert_msg(!read_text(&p, text, strlen(text), complaint), "%s: %s", text, complaint);
	ck_assert_str_eq(complaint, "");
	return p;
}

static bool same(const struct policy *a, const struct policy *b)
{
	return a->count == b->count && a->clients == b->clients && a->claims == b->claims && a->ring_bytes == b->ring_bytes &&
		a->all_ring_bytes == b->all_ring_bytes && !memcmp(a->rules, b->rules, a->count * sizeof *a->rules);
}

/* What is wrong changes nothing of what held before. */
static void bad(const char *text, const char *said)
{
	struct policy p, before;
	char complaint[256];

	policy_default(&before, SELF);
	ck_assert_msg(read_text(&p, text, strlen(text), complaint) == -EINVAL, "taken: %s", text);
	ck_assert_str_eq(complaint, said);
	ck_assert_msg(same(&p, &before), "changed by: %s", text);
}

static void is_rule(const struct policy *p, unsigned i, enum policy_who who, uint32_t id, unsigned from, unsigned to)
{
	ck_assert_uint_lt(i, p->count);
	ck_assert_int_eq(p->rules[i].who, who);
	ck_assert_uint_eq(p->rules[i].id, id);
	ck_assert_uint_eq(p->rules[i].from, from);
	ck_assert_uint_eq(p->rules[i].to, to);
}

START_TEST(statements)
{
	struct policy p = good("allow user 1000 ports 80\nallow group 50 ports 8000-8999,1-1 , 65535 \n"
		"\t allow anyone\tports  7\nclients 3\nclaims 65536\nring 8K\n");

	ck_assert_uint_eq(p.count, 5);
	is_rule(&p, 0, POLICY_USER, 1000, 80, 80);
	is_rule(&p, 1, POLICY_GROUP, 50, 8000, 8999);
	is_rule(&p, 2, POLICY_GROUP, 50, 1, 1);
	is_rule(&p, 3, POLICY_GROUP, 50, 65535, 65535);
	is_rule(&p, 4, POLICY_ANYONE, 0, 7, 7);
	ck_assert_uint_eq(p.clients, 3);
	ck_assert_uint_eq(p.claims, 65536);
	ck_assert_uint_eq(p.ring_bytes, 8192);
	ck_assert_uint_eq(good("ring 1G").ring_bytes, 1U << 30);
	ck_assert_uint_eq(good("ring 16M").ring_bytes, 16U << 20);
	ck_assert_uint_eq(good("ring 4096").ring_bytes, 4096);
	ck_assert_uint_eq(good("rings 300M").all_ring_bytes, 300U << 20);
	ck_assert_uint_eq(good("rings 300M\nring 8K").ring_bytes, 8192);
	ck_assert_uint_eq(good("rings 1024G").all_ring_bytes, UINT64_C(1) << 40);
	ck_assert_uint_eq(good("rings 5000").all_ring_bytes, 5000);
	ck_assert_uint_eq(good("claims 1\nclaims 2\n").claims, 2); /* the last one counts */
	ck_assert_uint_eq(good("allow user 4294967294 ports 1").rules[0].id, 4294967294);
}
END_TEST

/* A file takes the place of the rules that hold without one, and leaves the limits that it does not name. */
START_TEST(nothing)
{
	static const char *const texts[] = { "", "\n", "\n\n \t\n", "# all\n", "#", "  # a comment\n#another", "\r\n#\r\n" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct policy p = good(texts[i]);

		ck_assert_uint_eq(p.count, 0);
		ck_assert_uint_eq(p.clients, 64);
		ck_assert_uint_eq(p.claims, 4096);
		ck_assert_uint_eq(p.ring_bytes, 64U << 20);
		ck_assert_uint_eq(p.all_ring_bytes, 256U << 20);
		ck_assert(!policy_knows(&p, &(struct policy_peer){ .uid = SELF }));
		ck_assert(!policy_has_privileged(&p));
	}
}
END_TEST

START_TEST(lines)
{
	struct policy p = good("allow user 1 ports 1#one\r\nclients 2\r\n\r\nallow user 2 ports 2 # two\r\nring 4K");

	ck_assert_uint_eq(p.count, 2);
	ck_assert_uint_eq(p.clients, 2);
	ck_assert_uint_eq(p.ring_bytes, 4096);
	is_rule(&p, 1, POLICY_USER, 2, 2, 2);
	/* What ends with the file is a line as well: all of it counts. */
	is_rule(&(struct policy[]){ good("allow anyone ports 5-6") }[0], 0, POLICY_ANYONE, 0, 5, 6);
	is_rule(&(struct policy[]){ good("allow anyone ports 56") }[0], 0, POLICY_ANYONE, 0, 56, 56);
}
END_TEST

START_TEST(names)
{
	const struct passwd *u = getpwuid(0);
	const struct group *g = getgrgid(0);
	char text[256];

	ck_assert(u && g);
	snprintf(text, sizeof text, "allow user %s ports 5\nallow group %s ports 6\n", u->pw_name, g->gr_name);
	is_rule(&(struct policy[]){ good(text) }[0], 0, POLICY_USER, 0, 5, 5);
	is_rule(&(struct policy[]){ good(text) }[0], 1, POLICY_GROUP, 0, 6, 6);
	bad("allow user no.such-user_ ports 5\n",
		"p:1:12: found 'no.such-user_', expected a user of this host, by name or number");
	bad("\nallow group no.such-group ports 5\n",
		"p:2:13: found 'no.such-group', expected a group of this host, by name or number");
	/* None is another's beginning, and none is -1 or what is left of a large number in 32 bits. */
	memset(text, 'x', sizeof text);
	memcpy(text, "allow user ", 11);
	strcpy(text + 11 + 64, " ports 5");
	bad(text, "p:1:12: found 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx', expected a user of this host, by name or number");
	bad("allow user -1 ports 5", "p:1:12: found '-1', expected a user of this host, by name or number");
	bad("allow user 4294967295 ports 5", "p:1:12: found '4294967295', expected a user of this host, by name or number");
	bad("allow user 4294967296 ports 5", "p:1:12: found '4294967296', expected a user of this host, by name or number");
	bad("allow user 99999999999999999999999 ports 5",
		"p:1:12: found '99999999999999999999999', expected a user of this host, by name or number");
	bad("allow group 0x0 ports 5", "p:1:13: found '0x0', expected a group of this host, by name or number");
}
END_TEST

START_TEST(mistakes)
{
	static const char *const cases[][2] = {
		{ "permit\n", "p:1:1: found 'permit', expected allow, clients, claims, ring or rings" },
		{ "# one\n  alow user 1 ports 1\n", "p:2:3: found 'alow', expected allow, clients, claims, ring or rings" },
		{ "cl", "p:1:1: found 'cl', expected allow, clients, claims, ring or rings" },
		{ "clanks 1\n", "p:1:1: found 'clanks', expected allow, clients, claims, ring or rings" },
		{ "allow", "p:1:6: found the end of the file, expected user NAME, group NAME or anyone" },
		{ "allow\r\n", "p:1:6: found the end of the line, expected user NAME, group NAME or anyone" },
		{ "allow usr 1", "p:1:7: found 'usr', expected user NAME, group NAME or anyone" },
		{ "allow 1 ports 1", "p:1:7: found '1', expected user NAME, group NAME or anyone" },
		{ "allow user\n", "p:1:11: found the end of the line, expected a user's name or number" },
		{ "allow group @x ports 1", "p:1:13: found '@x', expected a group's name or number" },
		{ "allow user 1\n", "p:1:13: found the end of the line, expected ports" },
		{ "allow user 1 2\n", "p:1:14: found '2', expected ports" },
		{ "allow anyone port 80\n", "p:1:14: found 'port', expected ports" },
		{ "allow anyone ports\n", "p:1:19: found the end of the line, expected a port" },
		{ "allow anyone ports http\n", "p:1:20: found 'http', expected a port" },
		{ "allow anyone ports 80,\n", "p:1:23: found the end of the line, expected a port" },
		{ "allow anyone ports ,80\n", "p:1:20: found ',', expected a port" },
		{ "allow anyone ports 80-\n", "p:1:23: found the end of the line, expected a port" },
		{ "allow anyone ports -80\n", "p:1:20: found '-80', expected a port" },
		{ "allow anyone ports 80x\n", "p:1:22: found 'x', expected -, a comma or the end of the line" },
		{ "allow anyone ports 80-90-91\n", "p:1:25: found '-91', expected a comma or the end of the line" },
		{ "allow anyone ports 80 81\n", "p:1:23: found '81', expected -, a comma or the end of the line" },
		{ "allow anyone ports 0", "p:1:20: found '0', expected ports from 1 to 65535, the lower one first" },
		{ "allow anyone ports 1, 65536", "p:1:23: found '65536', expected ports from 1 to 65535, the lower one first" },
		{ "allow anyone ports 9-8", "p:1:20: found '9-8', expected ports from 1 to 65535, the lower one first" },
		{ "allow anyone ports 4294967297\n",
			"p:1:20: found '4294967297', expected ports from 1 to 65535, the lower one first" },
		{ "allow anyone ports 18446744073709551617-18446744073709551618\n",
			"p:1:20: found '18446744073709551617-18446744', expected ports from 1 to 65535, the lower one first" },
		{ "clients\n", "p:1:8: found the end of the line, expected a number" },
		{ "clients many\n", "p:1:9: found 'many', expected a number" },
		{ "clients 1 2\n", "p:1:11: found '2', expected the end of the line" },
		{ "clients 1K\n", "p:1:10: found 'K', expected the end of the line" },
		{ "clients 0\n", "p:1:9: found '0', expected a number from 1 to 1024" },
		{ "clients 1025\n", "p:1:9: found '1025', expected a number from 1 to 1024" },
		{ "clients 4294967297\n", "p:1:9: found '4294967297', expected a number from 1 to 1024" },
		{ "claims 65537", "p:1:8: found '65537', expected a number from 1 to 65536" },
		{ "ring\n", "p:1:5: found the end of the line, expected bytes, as 16M" },
		{ "ring 1T\n", "p:1:7: found 'T', expected the end of the line" },
		{ "ring 3M\n", "p:1:6: found '3M', expected a power of 2 from 4K to 1G" },
		{ "ring 2K\n", "p:1:6: found '2K', expected a power of 2 from 4K to 1G" },
		{ "ring 0\n", "p:1:6: found '0', expected a power of 2 from 4K to 1G" },
		{ "ring 2G\n", "p:1:6: found '2G', expected a power of 2 from 4K to 1G" },
		{ "ring 17179869185G\n", "p:1:6: found '17179869185G', expected a power of 2 from 4K to 1G" },
		{ "ring 4294967296\n", "p:1:6: found '4294967296', expected a power of 2 from 4K to 1G" },
		{ "rings\n", "p:1:6: found the end of the line, expected bytes, as 16M" },
		{ "ringss 4K\n", "p:1:6: found 's', expected bytes, as 16M" },
		{ "rings 4095\n", "p:1:7: found '4095', expected bytes from 4K to 1024G" },
		{ "rings 1025G\n", "p:1:7: found '1025G', expected bytes from 4K to 1024G" },
		{ "rings 1048577M\n", "p:1:7: found '1048577M', expected bytes from 4K to 1024G" },
		{ "ring 4K\n\x01\n", "p:2:1: found '?', expected allow, clients, claims, ring or rings" },
		{ "allow user 1 ports 1\nallow user 1 ports 2\nno\n",
			"p:3:1: found 'no', expected allow, clients, claims, ring or rings" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		bad(cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(bytes_of_zero)
{
	struct policy p;
	char complaint[256];

	ck_assert_int_eq(read_text(&p, "ring\0 4K\n", 9, complaint), -EINVAL);
	ck_assert_str_eq(complaint, "p:1:5: found '?', expected bytes, as 16M");
	ck_assert_int_eq(read_text(&p, "#\0\nring 4K\n", 11, complaint), 0);
}
END_TEST

/* 256 ranges are taken, and one more is not. */
START_TEST(many)
{
	char text[8192] = "allow anyone ports 1\nallow user 7 ports 1000", one[16], said[128];
	struct policy p;

	for (unsigned i = 2; i < POLICY_RULES_MAX; i++) {
		snprintf(one, sizeof one, ",%u", 1000 + i);
		strcat(text, one);
	}
	p = good(text);
	ck_assert_uint_eq(p.count, POLICY_RULES_MAX);
	is_rule(&p, 255, POLICY_USER, 7, 1255, 1255);
	snprintf(said, sizeof said, "p:2:%zu: found '2000', expected no more than 256 ranges of ports in all",
		strlen(strchr(text, '\n') + 1) + 2);
	bad(strcat(text, ",2000"), said);
}
END_TEST

START_TEST(allows)
{
	struct policy p = good("allow user 10 ports 80,100-200\nallow group 20 ports 1000\nallow anyone ports 5000-5001\n");
	const gid_t groups[] = { 3, 20 };
	struct policy_peer ten = { .uid = 10 }, member = { .uid = 11, .groups = groups, .group_count = 2 },
		other = { .uid = 20, .groups = groups, .group_count = 1 };

	ck_assert(policy_allows(&p, &ten, 80) && policy_allows(&p, &ten, 100) && policy_allows(&p, &ten, 200));
	ck_assert(!policy_allows(&p, &ten, 79) && !policy_allows(&p, &ten, 81) && !policy_allows(&p, &ten, 99));
	ck_assert(!policy_allows(&p, &ten, 201) && !policy_allows(&p, &ten, 1000) && policy_allows(&p, &ten, 5000));
	ck_assert(policy_allows(&p, &member, 1000) && policy_allows(&p, &member, 5001));
	ck_assert(!policy_allows(&p, &member, 80) && !policy_allows(&p, &member, 999) && !policy_allows(&p, &member, 5002));
	/* A user's number is no group's. */
	ck_assert(!policy_allows(&p, &other, 1000) && !policy_allows(&p, &other, 80) && policy_allows(&p, &other, 5000));
	ck_assert(policy_knows(&p, &ten) && policy_knows(&p, &member) && policy_knows(&p, &other));
	ck_assert(policy_has_privileged(&p));
	/* What is unprivileged, in turn. */
	ck_assert_uint_eq(policy_port(&p, &ten, 0), 5000);
	ck_assert_uint_eq(policy_port(&p, &ten, 1), 5001);
	ck_assert_uint_eq(policy_port(&p, &ten, UINT32_MAX), 5001);
	p = good("allow user 10 ports 80,1000-1025,2000\nallow group 20 ports 3000-3001\n");
	ck_assert_uint_eq(policy_port(&p, &ten, 0), 1024);
	ck_assert_uint_eq(policy_port(&p, &ten, 1), 1025);
	ck_assert_uint_eq(policy_port(&p, &ten, 2), 2000);
	ck_assert_uint_eq(policy_port(&p, &member, 5), 3001);
	ck_assert_uint_eq(policy_port(&p, &other, 5), 0);
	p = good("allow user 10 ports 1-1023");
	ck_assert_uint_eq(policy_port(&p, &ten, 5), 0);
	p = good("allow user 10 ports 1024\nallow group 20 ports 65535\n");
	ck_assert(!policy_has_privileged(&p));
	ck_assert(policy_knows(&p, &ten) && policy_knows(&p, &member) && !policy_knows(&p, &other));
	ck_assert(policy_has_privileged(&(struct policy[]){ good("allow user 10 ports 1023-2000") }[0]));
}
END_TEST

START_TEST(defaults)
{
	const struct group *g = getgrnam("tcpk");
	const gid_t gid = g ? g->gr_gid : 0;
	struct policy p;

	policy_default(&p, SELF);
	ck_assert(policy_allows(&p, &(struct policy_peer){ .uid = SELF }, 1));
	ck_assert(policy_allows(&p, &(struct policy_peer){ .uid = SELF }, 65535));
	ck_assert(!policy_allows(&p, &(struct policy_peer){ .uid = SELF + 1 }, 8080));
	ck_assert(!policy_knows(&p, &(struct policy_peer){ .uid = SELF + 1 }));
	if (g) {
		ck_assert(policy_allows(&p, &(struct policy_peer){ .uid = 1, .groups = &gid, .group_count = 1 }, 1024));
		ck_assert(!policy_allows(&p, &(struct policy_peer){ .uid = 1, .groups = &gid, .group_count = 1 }, 1023));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_policy");
	TCase *tc = tcase_create("tcpkd_policy");

	tcase_add_test(tc, statements);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, lines);
	tcase_add_test(tc, names);
	tcase_add_test(tc, mistakes);
	tcase_add_test(tc, bytes_of_zero);
	tcase_add_test(tc, many);
	tcase_add_test(tc, allows);
	tcase_add_test(tc, defaults);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
