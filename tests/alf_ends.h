/* Two ends of alf/ over two engines in virtual time: the driver that alf/call.c is in real time. */
#ifndef TESTS_ALF_ENDS_H
#define TESTS_ALF_ENDS_H

#include "tests/alf_flow.h"
#include "tests/sim_net.h"

struct ends;

struct end {
	struct ends *both;
	struct alf *alf;
	struct tcb *tcb;
	bool deaf;       /* it does not take what comes */
	void *mine;      /* the test's */
	/* Called for each event; and once a turn, before anything is sent. */
	void (*event)(struct end *, const struct adu_event *);
	void (*turn)(struct end *);
};

struct ends {
	struct net net;
	struct end end[4]; /* the initiator, the responder; those of another connection, if there is one */
};

/* A network, a connection, and ALF at both ends; nothing has crossed yet. */
void ends_open(struct ends *, const struct net_config *, const struct alf_profile *a, const struct alf_profile *b);
/* Another connection between the same engines. */
void ends_open_another(struct ends *, const struct alf_profile *a, const struct alf_profile *b);
/* Runs until done says so, or so many microseconds; false: not done then. */
bool ends_run(struct ends *, bool (*done)(struct ends *), uint64_t us);
/* Ends everything, whatever is under way. */
void ends_close(struct ends *);

#endif
