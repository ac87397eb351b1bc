#include "tests/alf_ends.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static bool progress(struct end *e)
{
	struct adu_event event;
	bool more = false;
	ssize_t n;

	if (e->turn)
		e->turn(e);
	alf_tick(e->alf, e->both->net.now_us);
	n = alf_wants_out(e->alf) ? tcpu_send(e->tcb, &e->alf->out.source, TCPU_SEND_NOW) : 0;
	more |= n > 0;
	if (n < 0 && n != -EAGAIN)
		alf_fail(e->alf, (int)-n);
	tcpu_sink(e->tcb, e->deaf ? NULL : &e->alf->in.sink);
	if (!e->deaf) {
		n = tcpu_recv(e->tcb, &e->alf->in.sink);
		more |= n > 0;
		if (n == 0)
			alf_in_end(e->alf);
		else if (n < 0 && n != -EAGAIN)
			alf_fail(e->alf, (int)-n);
	}
	alf_acked(e->alf, tcpu_acked(e->tcb));
	while (alf_event(e->alf, &event)) {
		more = true;
		if (e->event)
			e->event(e, &event);
	}
	return more;
}

static void app(struct net *net, int peer, void *ctx)
{
	struct ends *b = ctx;
	uint64_t due_us;

	for (struct end *e = &b->end[peer]; e < b->end + 4; e += 2) {
		if (!e->tcb)
			continue;
		while (progress(e))
			;
		due_us = alf_deadline(e->alf);
		if (due_us < net->app_wake_us || net->app_wake_us <= net->now_us)
			net->app_wake_us = due_us;
	}
}

static void open_pair(struct ends *b, struct end *end, const struct alf_profile *a, const struct alf_profile *c)
{
	struct alf_profile profile[2] = { *a, *c };
	struct tcb *tcb[2];

	net_pair(&b->net, &tcb[0], &tcb[1]);
	for (int i = 0; i < 2; i++) {
		profile[i].initiator = i == 0;
		if (!profile[i].wanted) /* all that is told */
			profile[i].wanted = ((1U << ADU_EVENTS) - 1) & ~(1U << ADU_PLACED) &
				~(1U << (profile[i].ordered ? ADU_COMPLETE : ADU_DELIVERED));
		end[i] = (struct end){ .both = b, .alf = alf_new(&profile[i]), .tcb = tcb[i] };
		ck_assert_ptr_nonnull(end[i].alf);
	}
	b->net.app_wake_us = b->net.now_us;
}

void ends_open(struct ends *b, const struct net_config *config, const struct alf_profile *a,
	const struct alf_profile *c)
{
	struct net_config k = *config;

	memset(b, 0, sizeof *b);
	k.engine[0].options.notsent_bytes = k.engine[1].options.notsent_bytes = 1;
	net_open(&b->net, &k);
	open_pair(b, b->end, a, c);
	b->net.app = app;
	b->net.app_ctx = b;
}

void ends_open_another(struct ends *b, const struct alf_profile *a, const struct alf_profile *c)
{
	open_pair(b, b->end + 2, a, c);
}

struct until {
	struct ends *ends;
	bool (*done)(struct ends *);
};

static bool is_done(struct net *net, void *ctx)
{
	struct until *u = (struct until *)(void *)ctx;

	(void)net;
	return u->done(u->ends);
}

bool ends_run(struct ends *b, bool (*done)(struct ends *), uint64_t us)
{
	struct until u = { b, done };

	return net_until(&b->net, is_done, &u, us);
}

void ends_close(struct ends *b)
{
	for (int i = 0; i < 4 && b->end[i].tcb; i++) {
		tcpu_sink(b->end[i].tcb, NULL);
		alf_free(b->end[i].alf);
		tcpu_abort(b->end[i].tcb);
		b->end[i].tcb = NULL;
	}
	net_close(&b->net);
}
