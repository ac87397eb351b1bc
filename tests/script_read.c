/* The reader of scripts and its printer: what it reads, what it says of what it cannot read, and that nothing that it
 * is given does it harm. */
#include "tests/run.h"
#include "tests/script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct script *must_read(const char *text)
{
	struct script_error error = { 0 };
	struct script *s = NULL;
	int e = script_read(text, strlen(text), &s, &error);

	ck_assert_msg(!e, "%d: %u:%u: %s", e, error.line, error.column, error.text);
	return s;
}

/* ---- what is read ---- */

static const struct {
	const char *text, *printed;
} segments[] = {
	{ "0 < S 0:0(0) win 32792 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>", NULL },
	{ "+.5 > . 1:1(0) ack 1", NULL },
	{ "*   >  F.   5:5(0)   ack\t7", "> F. 5:5(0) ack 7" },
	{ "0 > P. 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 4294967295 ecr 7>", NULL },
	{ "0~1 > S. 0:0(0) ack 1 <...>", NULL },
	{ "0 < [ce] . 4294967295:9(10) ack 1 win 0 <nop,nop,sack 1:2 3:4 5:6>", NULL },
	{ "0 < (ect0) . 1:1(0) ack 1 win 0", "< [ect0] . 1:1(0) ack 1 win 0" },
	{ "0 > [ect01] P. 1:2(1) ack 1", NULL },
	{ "0 > [noecn] SEW 0:0(0) <...>", NULL },
	{ "0 < 5000>80 S 0:0(0) win 1 <mss 536>", "< 5000 > 80 S 0:0(0) win 1 <mss 536>" },
	{ "0 < U. 1:2(1) ack 1 win 5 urg 1", NULL },
	{ "0 < - 1:1(0) win 5", NULL },
	{ "0 < SFRPUEW. 1:1(0) ack 0 win 5", NULL },
	{ "0 < R 7:7(0) ack 9 win 0", NULL },
	{ "0 < . 1:1(0) ack 1 win 1 <raw 0200,raw 1e04,raw FE021234>", "< . 1:1(0) ack 1 win 1 <raw 02001e04fe021234>" },
	{ "0 < . 1:1(0) ack 1 win 1 <raw 1e03ff,eol>", NULL },
	{ "0 < . 1:1(0) ack 1 win 1 <wscale 14,eol,eol,eol,eol,nop>", NULL },
	{ "0 < . 1:1(0) ack 1 win 1 <sack 5:6,raw 0802>", NULL },
	{ "0 < . 1:1(0) ack 1 win 1 <raw 0502,raw 0103>", "< . 1:1(0) ack 1 win 1 <raw 0502,nop,raw 03>" },
};

/* Printed, it reads as it was. */
START_TEST(segments_read_and_print)
{
	struct script *s = must_read(segments[_i].text), *again;
	struct script_event *e = s->events;
	char line[SCRIPT_LINE_MAX], text[SCRIPT_LINE_MAX + 10], second[SCRIPT_LINE_MAX];

	ck_assert_uint_eq(s->event_count, 1);
	script_print_event(line, e);
	ck_assert_str_eq(line, segments[_i].printed ? segments[_i].printed : strpbrk(segments[_i].text, "<>"));
	snprintf(text, sizeof text, "0 %s", line);
	again = must_read(text);
	script_print_event(second, again->events);
	ck_assert_str_eq(line, second);
	ck_assert_int_eq(memcmp(&e->segment, &again->events->segment, sizeof e->segment), 0);
	script_free(again);
	script_free(s);
}
END_TEST


START_TEST(times)
{
	struct script *s = must_read("0 `true`\n+1.5 `true` // later\n.25~0.5 > . 1:1(0)\n* > . 1:1(0) ack 1\n"
		"+0~+.000001 > . 1:1(0)\n/* a\ncomment */ 12...13.5 f() = 0 +0...0.2 g() = 0\n");
	const struct {
		unsigned line;
		int kind;
		uint64_t from_us, to_us;
	} expected[] = {
		{ 1, SCRIPT_AT, 0, 0 }, { 2, SCRIPT_AFTER, 1500000, 1500000 }, { 3, SCRIPT_AT, 250000, 500000 },
		{ 4, SCRIPT_ANY, 0, 0 }, { 5, SCRIPT_AFTER, 0, 1 }, { 7, SCRIPT_AT, 12000000, 12000000 },
		{ 7, SCRIPT_AFTER, 0, 0 },
	};

	ck_assert_uint_eq(s->event_count, 7);
	for (unsigned i = 0; i < 7; i++) {
		ck_assert_uint_eq(s->events[i].line, expected[i].line);
		ck_assert_int_eq((int)s->events[i].when.kind, expected[i].kind);
		ck_assert_uint_eq(s->events[i].when.from_us, expected[i].from_us);
		ck_assert_uint_eq(s->events[i].when.to_us, expected[i].to_us);
	}
	ck_assert(s->events[5].call.blocks);
	ck_assert_uint_eq(s->events[5].call.end_us, 13500000);
	ck_assert_uint_eq(s->events[6].call.end_us, 200000);
	script_free(s);
}
END_TEST

START_TEST(calls)
{
	struct script *s = must_read("0 poll([{fd=4, events=POLLIN|POLLOUT, revents=0x1}], 1, -5) = -1 EAGAIN (Try again)\n"
		"0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}, ...) = ...\n"
		"0 f() = 0x12 (flags O_RDWR)");
	const struct script_value *v = s->values;
	const struct script_call *c = &s->events[0].call;
	uint32_t list = c->first, fields = v[v[list].first].first;

	ck_assert(script_text_is(c->name, "poll"));
	ck_assert_int_eq(c->result, -1);
	ck_assert_int_eq(c->error, EAGAIN);
	ck_assert_int_eq((int)v[list].kind, SCRIPT_LIST);
	ck_assert_int_eq((int)v[v[list].first].kind, SCRIPT_STRUCT);
	ck_assert(script_text_is(v[fields].name, "fd"));
	ck_assert_int_eq(v[fields].number, 4);
	ck_assert_int_eq(v[v[fields].next].number, POLLIN | POLLOUT);
	ck_assert_int_eq(v[v[v[fields].next].next].number, 1);
	ck_assert_uint_eq(v[v[v[fields].next].next].next, 0);
	ck_assert_int_eq(v[v[v[list].next].next].number, -5);

	c = &s->events[1].call;
	ck_assert(c->result_any);
	fields = v[v[c->first].next].first;
	ck_assert_int_eq(v[fields].number, AF_INET);
	ck_assert_int_eq((int)v[v[fields].next].kind, SCRIPT_FUNCTION);
	ck_assert(script_text_is(v[v[fields].next].text, "htons"));
	ck_assert(script_text_is(v[v[fields].next].name, "sin_port"));
	ck_assert_int_eq(v[v[v[fields].next].first].number, 80);
	ck_assert(script_text_is(v[v[v[v[fields].next].next].first].text, "1.2.3.4"));
	ck_assert_int_eq((int)v[v[v[c->first].next].next].kind, SCRIPT_ELLIPSIS);

	ck_assert_uint_eq(s->events[2].call.first, 0);
	ck_assert_int_eq(s->events[2].call.result, 0x12);
	script_free(s);
}
END_TEST

START_TEST(assertions)
{
	struct script *s = must_read("0 %{ assert tcpi_rto >= 3 * 10 + 4 and tcpu_state==1, 'no'\n"
		" assert 1<2; assert 1 != 2 }%");
	const char before[] = "&g*+&=&<&!";

	ck_assert_uint_eq(s->term_count, sizeof before - 1);
	for (unsigned i = 0; i < s->term_count; i++)
		ck_assert_int_eq(s->terms[i].before, before[i]);
	ck_assert_str_eq(s->terms[0].field->name, "tcpi_rto");
	ck_assert_str_eq(s->terms[4].field->name, "tcpu_state");
	ck_assert_int_eq(s->terms[2].number, 10);
	script_free(s);
}
END_TEST

START_TEST(icmp)
{
	struct script *s = must_read("0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]\n"
		"0 < icmp unreachable port_unreachable\n0 < icmp time_exceeded ttl_exceeded [5:5(0)]");

	ck_assert_int_eq(s->events[0].icmp.error, EMSGSIZE);
	ck_assert_uint_eq(s->events[0].icmp.mtu, 1200);
	ck_assert_uint_eq(s->events[0].icmp.seq, 1);
	ck_assert_uint_eq(s->events[0].icmp.len, 1000);
	ck_assert_int_eq(s->events[1].icmp.error, ECONNREFUSED);
	ck_assert_int_eq(s->events[2].icmp.error, EHOSTUNREACH);
	ck_assert_uint_eq(s->events[2].icmp.seq, 5);
	script_free(s);
}
END_TEST

START_TEST(options_of_the_script)
{
	struct script *s = must_read("// about\n--ip_version=ipv4\n--tolerance_usecs=75\n--local_ip=10.0.0.1 --mtu=576\n"
		"--bind_port=80\n--connect_port=81\n--tcp_ts_tick_usecs=1000\n--tcp_ts_ecr_scaled\n--remote_ip=10.0.0.2\n"
		"--tcpu=isn=5,iw=3,delack=25ms,rto_min=1s,rto_max=70us,no_sack,no_ecn,ecn,congestion=reno\n"
		"--tcpu=user_timeout=2s,mss=700\n"
		"0 `true`");
	const struct script_config *c = &s->config;

	ck_assert_uint_eq(c->tolerance_us, 75);
	ck_assert_uint_eq(c->local_ip, inet_addr("10.0.0.1"));
	ck_assert_uint_eq(c->remote_ip, inet_addr("10.0.0.2"));
	ck_assert_uint_eq(c->mtu, 576);
	ck_assert_uint_eq(c->bind_port, 80);
	ck_assert_uint_eq(c->connect_port, 81);
	ck_assert_uint_eq(c->ts_tick_us, 1000);
	ck_assert(c->ts_ecr_scaled && c->engine.isn_fixed && c->engine.ecn && !c->engine.pacing);
	ck_assert_uint_eq(c->engine.isn, 5);
	ck_assert_uint_eq(c->engine.initial_cwnd, 3);
	ck_assert_uint_eq(c->engine.delack_us, 25000);
	ck_assert_uint_eq(c->engine.rto_min_us, 1000000);
	ck_assert_uint_eq(c->engine.rto_max_us, 70);
	ck_assert_uint_eq(c->engine.without, TCPU_NO_SACK | TCPU_NO_ECN);
	ck_assert_str_eq(c->engine.options.congestion, "reno");
	ck_assert_uint_eq(c->engine.options.user_timeout_us, 2000000);
	ck_assert_uint_eq(c->engine.options.mss_max, 700);
	script_free(s);
}
END_TEST

/* ---- what is not ---- */

static const struct {
	const char *text, *error; /* line:column: what */
} errors[] = {
	{ "", "2:1: expected --option=value or a time, found end of file" },
	{ "0 < S 0:0(0) wim 5", "1:16: expected win N, found 'm'" },
	{ "\n\n 0 ! S",
		"3:4: expected a time or < or > and a segment or a call or `true` (scripts run no other command), found '!'" },
	{ "0 > . 1:1(0) ack", "2:1: expected a number or ack N, found end of file" },
	{ "0 > . 1:5(3) ack 1", "1:12: from 1 to 5 there are not 3 bytes" },
	{ "0 > X. 1:1(0)", "1:5: expected a number or flags as S, S., P. or -, found 'X.'" },
	{ "0 < . 1:1(0) ack 1 win 70000", "1:29: a number of at most 65535 was expected" },
	{ "0 < . 1:1(0) ack 1", "1:19: a segment that comes in needs win" },
	{ "0 < . 1:1(0) ack 1 win 1 <...>", "1:31: a segment that comes in needs its options and ECN field as they are" },
	{ "0 > . 1:1(0) ack 4294967296", "1:28: a number of at most 4294967295 was expected" },
	{ "0 > . 1:1(0) <mss 65536>", "1:24: a number of at most 65535 was expected" },
	{ "0 > . 1:1(0) <mss 5,nop>", "1:25: options of 5 bytes: nop or eol must make them a multiple of 4" },
	{ "0 > . 1:1(0) <must 5>", "1:16: expected a TCP option, found 'ust'" },
	{ "0 f(3) = 0\n0 g(BOGUS) = 0", "2:5: 'BOGUS' is no constant that we know" },
	{ "0 f(3] = 0", "1:6: ')' was expected, found ']'" },
	{ "0 f([[[[[[[[[1]]]]]]]]]) = 0", "1:13: brackets stand more than 8 deep" },
	{ "0 f(1|\"x\") = 0", "1:9: | joins numbers only" },
	{ "0 f(1=2) = 0", "1:6: a field's name was expected before =" },
	{ "0 f(1,) = 0", "1:7: expected a number or an argument, found ')'" },
	{ "0 f() = -1 EWHAT (x)", "1:12: 'EWHAT' is no errno" },
	{ "0 f() 5", "1:7: expected = result, found '5'" },
	{ "0 f() = ", "2:1: expected a number or a result, found end of file" },
	{ "0 `rm -rf /`", "1:4: expected `true` (scripts run no other command), found 'rm'" },
	{ "0 %{ assert tcpi_nonsense == 1 }%", "1:13: 'tcpi_nonsense' is no field of TCP_INFO that we know" },
	{ "0 %{ assert 1 = 1 }%", "1:16: expected a comparison, found end of line" },
	{ "--frobnicate=1\n0 `true`", "1:3: --frobnicate: expected an option that script_config.c knows, and this is none" },
	{ "--tcpu=iw=x\n0 `true`", "1:3: --tcpu: expected key=number" },
	{ "--tcpu=delack=40\n0 `true`", "1:3: --tcpu: expected key=time as 40ms, 500us or 1s" },
	{ "--tcpu=nonsense\n0 `true`", "1:3: --tcpu: expected a word that script_config.c knows" },
	{ "--mtu=20\n0 `true`", "1:3: --mtu: expected from 68 to 65535" },
	{ "--local_ip=1.2.3\n0 `true`", "1:3: --local_ip: expected an IPv4 address" },
	{ "0 < icmp unreachable nonsense", "1:22: ICMP 'unreachable nonsense' is none that we know" },
	{ "* < . 1:1(0) ack 1 win 1", "1:3: only a segment that goes out may come at any time, or between two times" },
	{ "0~1 f() = 0", "1:5: only a segment that goes out may come at any time, or between two times" },
	{ "2~1 > . 1:1(0)", "1:5: a time that ends before it begins" },
	{ "2...1 f() = 0", "1:7: a call that ends before it begins" },
	{ "99999999999 `true`", "1:10: a time of more than 1000000000 s" },
	{ "0 f(99999999999999999999) = 0", "1:23: a number beyond 2^63" },
	{ "0 > . 1:1(0) <sack 1:2 3:4 5:6 7:8 9:10>", "1:40: options of more than 40 bytes" },
	{ "0 < . 1:65497(65496) ack 1 win 1", "1:33: a segment of more than 65495 bytes" },
	{ "0 < . 0:4294967295(4294967295) ack 1 win 1", "1:43: a segment of more than 65495 bytes" },
	{ "0 < . 1:65492(65491) ack 1 win 1 <raw FE05010203,nop,nop,nop>", "1:62: a segment of more than 65495 bytes" },
	{ "0 /* no end", "2:1: expected a time, found end of file" },
};

START_TEST(errors_say_where_and_what)
{
	struct script_error error;
	struct script *s;
	char came[300];

	ck_assert_int_eq(script_read(errors[_i].text, strlen(errors[_i].text), &s, &error), -EBADMSG);
	snprintf(came, sizeof came, "%u:%u: %s", error.line, error.column, error.text);
	ck_assert_str_eq(came, errors[_i].error);
}
END_TEST

START_TEST(text_is_bounded)
{
	struct script_error error;
	struct script *s;
	char *text = malloc(SCRIPT_BYTES_MAX + 1);

	memset(text, ' ', SCRIPT_BYTES_MAX + 1);
	ck_assert_int_eq(script_read(text, SCRIPT_BYTES_MAX + 1, &s, &error), -EFBIG);
	memcpy(text, "0 `true`", 8);
	ck_assert_int_eq(script_read(text, SCRIPT_BYTES_MAX, &s, &error), 0);
	script_free(s);
	text[20] = 0;
	ck_assert_int_eq(script_read(text, SCRIPT_BYTES_MAX, &s, &error), -EBADMSG);
	ck_assert_str_eq(error.text, "a byte of 0");
	free(text);
}
END_TEST

/* Every beginning of a script, and scripts with bytes changed: read, or an error, and nothing else. */
START_TEST(hostile_text)
{
	static const char text[] = "--tcpu=iw=3,ecn --mtu=1500\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 // comment\n"
		"+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n"
		"+0...1 writev(3, [{..., 5}], 1) = -1 EPIPE (x)\n"
		"+0 < [ce] 1 > 2 SFE. 0:0(0) ack 1 win 5 urg 1 <mss 5,sackOK,sack 1:2 3:4,TS val 1 ecr 2,raw 0502>\n"
		"0~1 > - 1:1(0) <...>\n* > P. 1:1(0) ack 1\n+0 < icmp unreachable frag_needed mtu 5 [1:2(1)]\n"
		"+0 `true` /* x */ 1 %{ assert tcpi_rtt * 2 + 1 <= 5 and 1 == 1; assert 1 > 0 }%\n";
	static const char alphabet[] = "0123456789abcdefSFRP. \n<>[](){}=~+-*/,:|`\"%&_\\";
	struct script_error error;
	char copy[sizeof text];
	struct script *s;
	uint32_t seed = 1;
	unsigned read = 0;

	for (size_t len = 0; len < sizeof text; len++)
		if (!script_read(text, len, &s, &error))
			script_free(s);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(copy, text, sizeof text);
		for (unsigned changes = 0; changes < 1 + round % 3; changes++) {
			seed = seed * 1664525 + 1013904223;
			copy[(seed >> 8) % (sizeof text - 1)] = alphabet[(seed >> 20) % (sizeof alphabet - 1)];
		}
		if (script_read(copy, sizeof text - 1, &s, &error))
			continue;
		read++;
		script_free(s);
	}
	ck_assert_uint_gt(read, 500);
	ck_assert_uint_lt(read, 19000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("script_read");
	TCase *c = tcase_create("script_read");

	tcase_add_loop_test(c, segments_read_and_print, 0, sizeof segments / sizeof *segments);
	tcase_add_test(c, times);
	tcase_add_test(c, calls);
	tcase_add_test(c, assertions);
	tcase_add_test(c, icmp);
	tcase_add_test(c, options_of_the_script);
	tcase_add_loop_test(c, errors_say_where_and_what, 0, sizeof errors / sizeof *errors);
	tcase_add_test(c, text_is_bounded);
	tcase_add_test(c, hostile_text);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}
