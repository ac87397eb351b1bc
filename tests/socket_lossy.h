/* A stack of which the test has the link, with real time and a peer on loopback. */
#ifndef TESTS_SOCKET_LOSSY_H
#define TESTS_SOCKET_LOSSY_H

#include "core/tcpu.h"

#include <pthread.h>
#include <stdatomic.h>

/* A link over UDP. */
struct lossy {
	struct link link;
	struct link *udp;
	_Atomic int drop;     /* so many segments */
	_Atomic bool silent;  /* it has no descriptor: calls that look are not told when */
	_Atomic bool gone;    /* as a device that is deleted */
	pthread_t main;
	_Atomic int driven;   /* looks into the link by other threads */
	_Atomic int called;   /* and by the thread that has made it */
	_Atomic int since;    /* of the others': since the last of that thread's */
	_Atomic int between;  /* and between two of them */
};

/* A stack, inline or with a helper, and a listener on it. */
struct tcpu_stack *lossy_stack(bool thread, struct lossy **lossy, int *l, struct sockaddr_in *at);

#endif
