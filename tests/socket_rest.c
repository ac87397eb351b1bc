/* A link that is cheap to look at and dear to be woken by (link_ops' rest): a call looks for a while before it sleeps,
 * and then says so; one that moved bytes does not. In virtual time, over a link that is watched: what has come can be
 * hidden from its recv, and a look in vain takes time. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <string.h>

#define LOOK_US 5
#define LINGER_US 50 /* as in core/link/sleep.c */
#define NEVER (1U << 30)

static struct machine m;
static int server, here, there;

static struct {
	const struct link_ops *base;
	struct link_ops ops;
	unsigned hide;  /* from so many looks */
	unsigned look_us; /* that one in vain takes */
	unsigned looks, rests, sleeps;
	unsigned looks_at_rest, rests_at_sleep; /* how many there were at the first */
	unsigned looks_at_send;
	bool came;      /* something does, when it rests */
} w;

static int watch_recv(struct link *l, struct link_in *in, unsigned max)
{
	int n;

	w.looks++;
	if (w.hide) {
		w.hide--;
		m.now_us += w.look_us;
		return 0;
	}
	n = w.base->recv(l, in, max);
	m.now_us += n ? 0 : w.look_us;
	return n;
}

static bool watch_rest(struct link *l)
{
	(void)l;
	if (!w.rests++)
		w.looks_at_rest = w.looks;
	if (w.came)
		w.hide = 0;
	return !w.came;
}

static int watch_send(struct link *l, const struct link_out *o, unsigned n)
{
	w.looks_at_send = w.looks;
	return w.base->send(l, o, n);
}

static void in_sleep(struct machine *machine)
{
	if (!w.sleeps++)
		w.rests_at_sleep = w.rests;
	w.hide = 0;
	stack_turn_tcpu(machine->stack[0]); /* the simulated link has no descriptor: this wakes */
}

/* A connection; the stack here gets no turns but by its calls. */
static void begin(void)
{
	machine_start(&m, &(struct tcpu_stack_config){ 0 });
	server = machine_listener(&m, 80);
	machine_pair(&m, server, 80, &here, &there);
	machine_pass(&m, 100000);
	m.turned = 2;
	m.meanwhile = in_sleep;
	memset(&w, 0, sizeof w);
	w.base = m.link[0]->ops;
	w.ops = *w.base;
	w.ops.recv = watch_recv;
	w.ops.rest = watch_rest;
	w.ops.send = watch_send;
	w.look_us = LOOK_US;
	m.link[0]->ops = &w.ops;
}

static void end(void)
{
	m.turned = 3;
	m.meanwhile = NULL;
	m.link[0]->ops = w.base;
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(server), 0);
	machine_stop(&m);
}

/* So many bytes have come to the link here. */
static void come(size_t n)
{
	static uint8_t data[1000];

	ck_assert_int_eq(send_tcpu(there, data, n, 0), (ssize_t)n);
	machine_pass(&m, 20000);
	w.looks = w.rests = w.sleeps = 0;
}

static ssize_t receive(int flags)
{
	uint8_t data[2000];

	return recv_tcpu(here, data, sizeof data, flags);
}

START_TEST(looks_before_it_sleeps)
{
	begin();
	come(100);
	w.hide = LINGER_US / LOOK_US - 2;
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_eq(w.sleeps, 0);
	ck_assert_uint_eq(w.rests, 0);
	end();
}
END_TEST

/* The next recv says that what the last one gave is not looked at any more: the window that is told counts on it. */
START_TEST(room_before_ack)
{
	begin();
	come(100);
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_eq(w.looks_at_send, 2);
	end();
}
END_TEST

START_TEST(sleeps_then)
{
	begin();
	come(100);
	w.hide = NEVER;
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_ge(w.sleeps, 1);
	ck_assert_uint_eq(w.rests_at_sleep, 1);
	ck_assert_uint_ge(w.looks_at_rest, LINGER_US / LOOK_US);
	ck_assert_uint_le(w.looks_at_rest, LINGER_US / LOOK_US + 3);
	end();
}
END_TEST

/* Somebody takes the processor whenever it is open to others: calls sleep at once then, for longer and longer. */
START_TEST(in_a_hurry)
{
	uint64_t us = 100000;

	begin();
	for (int i = 0; i < 4; i++, us *= 2) {
		w.look_us = 4000;
		come(100);
		w.hide = NEVER;
		ck_assert_int_eq(receive(0), 100);
		ck_assert_uint_le(w.looks_at_rest, 3);
		w.look_us = LOOK_US;
		for (int j = 0; j < 2; j++) {
			come(100);
			w.hide = NEVER;
			ck_assert_int_eq(receive(0), 100);
			ck_assert_uint_le(w.looks_at_rest, 2);
			m.now_us += us / 2 - 25000;
		}
		m.now_us += 50000;
	}
	come(100);
	w.hide = NEVER;
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_ge(w.looks_at_rest, LINGER_US / LOOK_US);
	end();
}
END_TEST

/* What comes between the last look and rest is not slept over. */
START_TEST(came_meanwhile)
{
	begin();
	come(100);
	w.hide = NEVER;
	w.came = true;
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_eq(w.sleeps, 0);
	ck_assert_uint_ge(w.rests, 1);
	end();
}
END_TEST

/* Who is told that there is nothing may go to sleep elsewhere; and need say so but once. */
START_TEST(nothing_there)
{
	begin();
	come(100);
	ck_assert_int_eq(receive(MSG_DONTWAIT), 100);
	ck_assert_uint_eq(w.rests, 0);
	FAILS(receive(MSG_DONTWAIT), EAGAIN);
	ck_assert_uint_eq(w.rests, 1);
	w.came = true;
	come(50);
	w.hide = NEVER;
	ck_assert_int_eq(receive(MSG_DONTWAIT), 50);
	ck_assert_uint_eq(w.rests, 1);
	end();
}
END_TEST

/* By SO_BUSY_POLL it looks as long as it is told, and is never woken for what it will see. */
START_TEST(busy)
{
	int us = 1000, off = 0;

	begin();
	ck_assert_int_eq(setsockopt_tcpu(here, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us), 0);
	come(100);
	w.hide = 1000 / LOOK_US - 2;
	ck_assert_int_eq(receive(0), 100);
	FAILS(receive(MSG_DONTWAIT), EAGAIN);
	ck_assert_uint_eq(w.sleeps, 0);
	ck_assert_uint_eq(w.rests, 0);
	come(100);
	w.hide = NEVER;
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_ge(w.looks_at_rest, 1000 / LOOK_US);
	ck_assert_uint_eq(w.rests_at_sleep, 1);
	ck_assert_int_eq(setsockopt_tcpu(here, SOL_SOCKET, SO_BUSY_POLL, &off, sizeof off), 0);
	end();
}
END_TEST

/* A descriptor that is watched says when there is something: the link rests after each call. */
START_TEST(watched)
{
	begin();
	ck_assert_int_eq(fcntl_tcpu(here, F_SETFL, O_NONBLOCK), 0);
	come(100);
	ck_assert_int_eq(receive(0), 100);
	ck_assert_uint_eq(w.rests, 1);
	ck_assert_uint_eq(w.looks_at_rest, w.looks);
	end();
}
END_TEST

START_TEST(polled)
{
	struct pollfd p;

	begin();
	come(100);
	p = (struct pollfd){ .fd = here, .events = POLLIN };
	w.hide = NEVER;
	ck_assert_int_eq(poll_tcpu(&p, 1, 1000), 1);
	ck_assert_uint_ge(w.sleeps, 1);
	ck_assert_uint_ge(w.rests_at_sleep, 1);
	ck_assert_int_eq(receive(0), 100);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_rest");
	TCase *tc = tcase_create("socket_rest");

	tcase_add_test(tc, looks_before_it_sleeps);
	tcase_add_test(tc, room_before_ack);
	tcase_add_test(tc, sleeps_then);
	tcase_add_test(tc, in_a_hurry);
	tcase_add_test(tc, came_meanwhile);
	tcase_add_test(tc, nothing_there);
	tcase_add_test(tc, busy);
	tcase_add_test(tc, watched);
	tcase_add_test(tc, polled);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
