/* Threads that are inside one call each, and the stack that they share, over the link of tests/socket_lossy.h. */
#ifndef TESTS_SOCKET_CALLER_H
#define TESTS_SOCKET_CALLER_H

#include "tests/socket_lossy.h"
#include "tests/socket_peer.h"

#include <stdatomic.h>

/* A thread with one call. */
struct caller {
	pthread_t thread;
	_Atomic pid_t tid;
	int fd;
	struct sockaddr_in at; /* connect */
	void (*call)(struct caller *);
	ssize_t result;
	int error;
	short revents;
	char got[8];
};

/* Calls that wait: for bytes, room, a connection, ... */
void do_recv(struct caller *);
void do_peek(struct caller *);
void do_send(struct caller *); /* until it fails */
void do_accept(struct caller *);
void do_connect(struct caller *);
void do_poll(struct caller *);
void do_close(struct caller *);

void *run_caller(void *caller); /* for pthread_create */
/* S, R, ...: of proc(5). */
char state_of(pid_t tid);
/* Returns when it is inside the call, and sleeps: nobody else holds the lock that it might wait for. */
void begin(struct caller *, int fd, void (*call)(struct caller *));
/* Fails the test if it ends otherwise. */
void end(struct caller *, ssize_t result, int error);

extern struct tcpu_stack *k;
extern struct lossy *lossy;
extern struct sockaddr_in at;
extern int l; /* its listener */
/* A connection on it; the peer has a stack of its own. */
int accepted(int *peer);
void abort_(int fd);
/* A byte from the peer is there: a call of this thread has taken it from the link. */
void bring(int peer, int s);
/* Aborts n of them with their peers, and ends the stack. */
void end_stack(const int *s, const int *peer, int n);
/* Until nothing of the stack's waits for time any more. */
void come_to_rest(void);

#endif
