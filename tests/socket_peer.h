/* Sockets of TCPU and their peers on loopback, for tests: a peer is a thread of this process with its own socket. */
#ifndef TESTS_SOCKET_PEER_H
#define TESTS_SOCKET_PEER_H

#include "core/tcpu.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>

#define MIB (1U << 20)

/* call fails with errno e. */
#define FAILS(call, e) \
	do { \
		errno = 0; \
		ck_assert_int_eq((call), -1); \
		ck_assert_int_eq(errno, e); \
	} while (0)

struct peer {
	pthread_t thread;
	struct sockaddr_in at; /* where it connects to */
	int fd;                /* its descriptor */
	size_t bytes;          /* that it sends, or has read */
	void *ctx;
};

struct sockaddr_in loopback(uint16_t port); /* network byte order */
int new_socket(void);
/* A socket bound to a port of its own. */
int listener(struct sockaddr_in *at);
void start(struct peer *, void *(*body)(void *));
/* Two descriptors that are connected: of the listener's driver, and one of its own. The listener is closed. */
void pair(int *server, int *client);
/* For peers of one thread, of which none answers while the other waits. */
void close_both(int a, int b);

/* The byte at an offset of the stream that peers send. */
uint8_t byte_at(size_t off);
/* Reads to the end, and fails the test at a byte that is wrong. Returns how many. */
size_t read_pattern(int fd, size_t chunk, int flags);

/* Bodies of peers. */
void *just_connect(void *);
void *send_pattern(void *);      /* bytes of them to fd, and closes */
void *connect_and_send(void *);
void *accept_and_read(void *);   /* fd: a listener, closed afterwards; bytes: what came */

#endif
