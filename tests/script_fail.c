/* What a script says when the stack, or the script, does otherwise than it says: the line, what was expected, what
 * came. A runner that lets things pass is worth nothing. */
#include "tests/run.h"
#include "tests/script_world.h"

#include "core/cksum.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN \
	"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
	"+0 bind(3, ..., ...) = 0\n" \
	"+0 listen(3, 1) = 0\n" \
	"+0 < S 0:0(0) win 65535 <mss 1000>\n" \
	"+0 > S. 0:0(0) ack 1 <...>\n" \
	"+.1 < . 1:1(0) ack 1 win 65535\n" \
	"+0 accept(3, ..., ...) = 4\n" /* at 0.1; the next is line 8 */
#define WRITE "+0 write(4, ..., 100) = 100\n" /* line 8 */

static const struct {
	const char *text, *why; /* "": it passes */
} scripts[] = {
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1\n", "" },
	/* ---- segments */
	{ OPEN WRITE "+0 > . 1:101(100) ack 1\n",
		"9: flags: expected > . 1:101(100) ack 1, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 2:102(100) ack 1\n",
		"9: sequence number: expected > P. 2:102(100) ack 1, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 1:100(99) ack 1\n",
		"9: length: expected > P. 1:100(99) ack 1, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 2\n",
		"9: ack: expected > P. 1:101(100) ack 2, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1 win 5\n",
		"9: win: expected > P. 1:101(100) ack 1 win 5, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1 urg 1\n",
		"9: urg: expected > P. 1:101(100) ack 1 urg 1, came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > [ect0] P. 1:101(100) ack 1\n",
		"9: ECN field: expected > [ect0] P. 1:101(100) ack 1, came > [noecn] P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > [ect01] P. 1:101(100) ack 1\n",
		"9: ECN field: expected > [ect01] P. 1:101(100) ack 1, "
		"came > [noecn] P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1 <nop,nop,sack 1:2>\n",
		"9: options: expected > P. 1:101(100) ack 1 <nop,nop,sack 1:2>, "
		"came > P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE "+0 > 1 > 2 P. 1:101(100) ack 1\n",
		"9: ports: expected > 1 > 2 P. 1:101(100) ack 1, "
		"came > 8080 > 40000 P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
	  "+0 < S 0:0(0) win 65535 <mss 1000,nop,nop,TS val 7 ecr 0>\n"
	  "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 100 ecr 8>\n",
		"5: options: expected > S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 100 ecr 8>, "
		"came > S. 0:0(0) ack 1 win 65535 <mss 1460,nop,nop,TS val 100 ecr 7> at 0.000000" },
	/* a timestamp in ticks of a millisecond that is 10 off */
	{ "--tcp_ts_tick_usecs=1000\n"
	  "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
	  "+0 < S 0:0(0) win 65535 <mss 1000,nop,nop,TS val 7 ecr 0>\n"
	  "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 100 ecr 7>\n"
	  "+.1 < P. 1:2(1) ack 1 win 65535 <nop,nop,TS val 8 ecr 100>\n"
	  "+0 > . 1:1(0) ack 2 <nop,nop,TS val 210 ecr 8>\n",
		"8: options: expected > . 1:1(0) ack 2 <nop,nop,TS val 210 ecr 8>, "
		"came > . 1:1(0) ack 2 win 65534 <nop,nop,TS val 200 ecr 8> at 0.100000" },
	{ "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
	  "+0 < S 0:0(0) win 65535 <mss 1000,nop,nop,TS val 7 ecr 0>\n"
	  "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 100 ecr 7>\n"
	  "+.1 < P. 1:2(1) ack 1 win 65535 <nop,nop,TS val 8 ecr 105>\n",
		"6: ecr 105: no segment of ours had this timestamp (see --tcp_ts_ecr_scaled)" },
	/* ---- times */
	{ OPEN WRITE "+.01 > P. 1:101(100) ack 1\n",
		"9: time: expected at 0.110000~0.110000, came at 0.100000: > P. 1:101(100) ack 1 win 65535" },
	{ OPEN WRITE "+.003 > P. 1:101(100) ack 1\n", "" }, /* the tolerance */
	{ "--tolerance_usecs=2000\n" OPEN WRITE "+.003 > P. 1:101(100) ack 1\n",
		"10: time: expected at 0.103000~0.103000, came at 0.100000: > P. 1:101(100) ack 1 win 65535" },
	{ OPEN WRITE "+.01~+.02 > P. 1:101(100) ack 1\n",
		"9: time: expected at 0.110000~0.120000, came at 0.100000: > P. 1:101(100) ack 1 win 65535" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1\n+.35 `true`\n0.2 > P. 1:101(100) ack 1\n",
		"11: time: expected at 0.200000~0.200000, came at 0.400000: > P. 1:101(100) ack 1 win 65535" },
	{ OPEN WRITE "* > P. 1:101(100) ack 1\n", "" },
	{ OPEN WRITE "+0 > P. 1:101(100) ack 1\n+.2~+.25 > P. 1:101(100) ack 1\n",
		"10: expected > P. 1:101(100) ack 1 at 0.300000, nothing came by 0.354000" },
	{ OPEN "* > P. 1:101(100) ack 1\n", "8: expected > P. 1:101(100) ack 1 at 0.100000, nothing came by 86400.104000" },
	{ "1 `true`\n0.5 `true`\n", "2: its time was 0.500000, and it is 1.000000" },
	/* ---- what no line expects */
	{ OPEN WRITE "+.1 `true`\n", "9: no line expects what came before: "
		"> [noecn] 8080 > 40000 P. 1:101(100) ack 1 win 65535 at 0.100000" },
	{ OPEN WRITE, "" }, /* the last event's own */
	{ OPEN "+0 < R 9:9(0) win 0\n+0 < P. 1:2(1) ack 1 win 9\n+0 > . 1:1(0) ack 2\n",
		"10: ack: expected > . 1:1(0) ack 2, came > . 1:1(0) ack 1 win 65535 at 0.100000" },
	{ OPEN "+0 < 5 > 8080 S 0:0(0) win 9\n+0 > S. 0:0(0) ack 1 <...>\n+0 write(4, ..., 1) = 1\n"
	       "+0 > P. 1:2(1) ack 1\n",
		"11: another connection: expected > P. 1:2(1) ack 1, "
		"came > 8080 > 40000 P. 1:2(1) ack 1 win 65535 at 0.100000" },
	/* ---- calls */
	{ OPEN "+0 write(4, ..., 100) = 99\n", "8: write = 99 was expected, 100 came at 0.100000" },
	{ OPEN "+0 recv(4, ..., 9, MSG_DONTWAIT) = 9\n",
		"8: recv = 9 was expected, -1 EAGAIN (Resource temporarily unavailable) came at 0.100000" },
	{ OPEN "+0 recv(4, ..., 9, MSG_DONTWAIT) = -1 EPIPE (x)\n",
		"8: recv = -1 EPIPE was expected, -1 EAGAIN (Resource temporarily unavailable) came at 0.100000" },
	{ OPEN "+0 read(4, ..., 9) = 9\n", "8: read would wait: it must return at once, or have a time range" },
	{ OPEN "+0...0.5 read(4, ..., 9) = 9\n+.3 < P. 1:10(9) ack 1 win 9\n",
		"8: read should have returned at 0.600000, and has, 9, at 0.400000" },
	{ OPEN "+0...0.5 read(4, ..., 9) = 9\n", "8: read should have returned at 0.600000, and has not" },
	{ OPEN "+0...0.5 read(4, ..., 9) = 9\n+1 < P. 1:10(9) ack 1 win 9\n",
		"8: read should have returned at 0.600000, and has not" },
	{ OPEN "+0...0.5 read(4, ..., 9) = 9\n+.1 write(4, ..., 1) = 1\n", "9: read of line 8 has not returned" },
	{ OPEN "+0 frobnicate(4) = 0\n", "8: frobnicate: no call that the runner knows" },
	{ OPEN "+0 write(4, ...) = 0\n", "8: write: more arguments were expected" },
	{ OPEN "+0 write(\"x\", ..., 5) = 5\n", "8: write: a number was expected" },
	{ OPEN "+0 write(5, ..., 5) = 5\n", "8: write = 5 was expected, -1 EBADF (Bad file descriptor) came at 0.100000" },
	{ OPEN "+0 getsockopt(4, SOL_SOCKET, SO_TYPE, [2], [4]) = 0\n", "8: getsockopt gave 1" },
	{ OPEN "+0 getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, \"reno\", [16]) = 0\n", "8: getsockopt gave \"cubic\"" },
	{ OPEN "+0 ioctl(4, SIOCINQ, [5]) = 0\n", "8: ioctl gave 0" },
	{ OPEN "+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1\n",
		"8: poll gave revents 0x4, expected 0x0" },
	{ OPEN "+0 getpeername(4, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr(\"192.0.2.1\")}, ...) = 0\n",
		"8: the address is 192.0.2.1:40000" },
	/* ---- assertions */
	{ OPEN "+0 %{ assert tcpu_mss == 1000 and tcpu_mss * 2 - 1 < 1999 }%\n", "8: tcpu_mss: 1999 < 1999 is not so" },
	{ OPEN "+0 %{ assert 2 + 3 * 4 == 14 and 10 - 2 * 3 >= 4 and 1 != 2 and 1 <= 1 and 2 > 1 }%\n", "" },
	{ "0 %{ assert tcpi_rto == 1 }%\n", "1: no connection to ask" },
	{ "0 < icmp unreachable port_unreachable\n", "1: no segment went out that an ICMP message could quote" },
};

START_TEST(scripts_say_why_not)
{
	struct script_error error = { 0 };
	char why[1000];
	struct script *s;
	int e = script_read(scripts[_i].text, strlen(scripts[_i].text), &s, &error), played;

	ck_assert_msg(!e, "%u:%u: %s", error.line, error.column, error.text);
	played = script_play(s, &(struct script_play){ 0 }, why);
	ck_assert_str_eq(why, scripts[_i].why);
	ck_assert_int_eq(played, *why ? -1 : 0);
	script_free(s);
}
END_TEST

/* The suite's scripts leave open what comes at the end. */
START_TEST(an_open_end)
{
	const char *text = OPEN WRITE "+.1 `true`\n";
	struct script_error error;
	char why[1000];
	struct script *s;

	ck_assert_int_eq(script_read(text, strlen(text), &s, &error), 0);
	ck_assert_int_eq(script_play(s, &(struct script_play){ .open_end = true }, why), 0);
	script_free(s);
}
END_TEST

/* Time is the script's: the same script says the same, whenever it is played. */
START_TEST(plays_repeat)
{
	const char *text = OPEN WRITE "+0 > P. 1:101(100) ack 1\n+.5 > P. 1:101(100) ack 1\n";
	struct script_error error;
	char first[1000], second[1000];
	struct script *s;

	ck_assert_int_eq(script_read(text, strlen(text), &s, &error), 0);
	ck_assert_int_eq(script_play(s, &(struct script_play){ 0 }, first), -1);
	ck_assert_int_eq(script_play(s, &(struct script_play){ 0 }, second), -1);
	ck_assert_str_eq(first, second);
	script_free(s);
}
END_TEST

/* What no stack of ours sends: 100 bytes, 8080 > 40000, seq 1001, ack 2001, with one byte changed before or after the
 * checksum was made. */
static const struct {
	unsigned at; /* in the segment */
	bool before;
	const char *why; /* NULL: nothing is wrong */
} rubbish[] = {
	{ 14, true, NULL }, { 14, false, "a wrong checksum" }, { 119, false, "a wrong checksum" },
	{ 119, true, "wrong data" }, { 20, true, "wrong data" },
	{ 0, true, "wrong addresses" }, { 3, true, "wrong addresses" },
	{ 12, true, "reserved bits" },
};

static void checksum(const struct sent *s)
{
	uint16_t sum;

	memset(s->bytes + 16, 0, 2);
	sum = (uint16_t)~tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(s->src.ip, s->dst.ip, s->len) + tcpu_sum(s->bytes, s->len));
	memcpy(s->bytes + 16, &sum, 2);
}

START_TEST(rubbish_is_seen)
{
	static struct world w;
	struct script script = { 0 };
	struct pair p = { .local_isn = 1000, .remote_isn = 2000, .local_known = true, .remote_known = true };
	struct script_segment came, none = { 0 };
	uint8_t bytes[120] = { 8080 >> 8, 8080 & 255, 40000 >> 8, 40000 & 255, 0, 0, 1001 >> 8, 1001 & 255, 0, 0,
		2001 >> 8, 2001 & 255, 5 << 4, SCRIPT_ACK | SCRIPT_PSH };
	const char *why;
	struct sent s;

	script_config_default(&script.config);
	w.script = &script;
	s = (struct sent){ .src = { script.config.local_ip, htons(8080) }, .dst = { script.config.remote_ip, htons(40000) },
		.len = sizeof bytes, .bytes = bytes };
	for (unsigned i = 0; i < 100; i++)
		bytes[20 + i] = script_byte(i);
	checksum(&s);
	bytes[rubbish[_i].at] ^= 1;
	if (rubbish[_i].before)
		checksum(&s);
	why = script_segment_read(&w, &s, &p, &none, &came);
	if (!rubbish[_i].why) {
		ck_assert_ptr_null(why);
		ck_assert_uint_eq(came.seq, 1);
		ck_assert_uint_eq(came.ack, 1);
		ck_assert_uint_eq(came.len, 100);
	} else {
		ck_assert_str_eq(why, rubbish[_i].why);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("script_fail");
	TCase *c = tcase_create("script_fail");

	tcase_add_loop_test(c, scripts_say_why_not, 0, sizeof scripts / sizeof *scripts);
	tcase_add_test(c, an_open_end);
	tcase_add_test(c, plays_repeat);
	tcase_add_loop_test(c, rubbish_is_seen, 0, sizeof rubbish / sizeof *rubbish);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}
