/* Sockets in virtual time: two stacks, here and there, over the network of core/link/sim.h, on a machine (core/link/
 * host.h) whose time goes on when a call sleeps. Both stacks take their turns then; so one thread can block. */
#ifndef TESTS_SOCKET_MACHINE_H
#define TESTS_SOCKET_MACHINE_H

#include "core/link/sim.h"
#include "core/tcpu.h"

#define HERE_IP 0x0100000a /* 10.0.0.1 */
#define THERE_IP 0x0200000a

struct machine {
	struct link_sim *sim;
	struct link *link[2];
	struct tcpu_stack *stack[2]; /* here, there */
	uint64_t now_us;
	unsigned turned; /* which of them take turns in sleeps: 1, 2, or 3, as at the beginning */
	/* Called in each sleep, before it is looked whether it is over. May be NULL. */
	void (*meanwhile)(struct machine *);
	void *ctx;
};

/* Paths take 10 ms each way. config: of both stacks, link excepted; NULL: by turns, the rest by default. */
void machine_start(struct machine *, const struct tcpu_stack_config *config);
/* Fails the test if a socket was left open. */
void machine_stop(struct machine *);
/* Lets so much time pass, with the stacks' turns in it. */
void machine_pass(struct machine *, uint64_t us);
struct sockaddr_in machine_at(uint32_t ip, unsigned port);
/* A listener there. */
int machine_listener(struct machine *, unsigned port);
/* Descriptors that are connected: here, and accepted there. */
void machine_pair(struct machine *, int listener, unsigned port, int *here, int *there);

#endif
