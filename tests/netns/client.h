/* A client of tcpkd that is under no obligation to behave: its requests are sent as they are given, what it writes to
 * its TAP is any bytes, and it looks at all of its ring. What cannot fail in a test that works ends the process. */
#ifndef TESTS_NETNS_CLIENT_H
#define TESTS_NETNS_CLIENT_H

#include "kernel/uapi/tcpk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bad_client {
	int helper, ring, tap;
	uint32_t ring_bytes;
	uint64_t token;           /* for client_resume */
	uint64_t *consumer;       /* where the ring is read up to; a page of its own */
	const uint64_t *producer; /* where it is written up to; the data are a page behind it */
};

extern const char *client_path; /* of tcpkd's socket */

/* A connection; -errno: there is none. */
int client_dial(void);
/* Sends len bytes, with n descriptors attached. 0 or -errno. */
int client_send(int fd, const void *message, size_t len, const int *fds, unsigned n);
/* The next answer. fds, NULL or two, gets the descriptors that come with it, else -1. 0; -ETIMEDOUT: none within five
 * seconds; -ECONNRESET: the helper has closed. */
int client_answer(int fd, struct tcpkd_reply *, int fds[2]);
/* A request and the status of its answer; addresses and ports in network byte order. */
int client_ask(int fd, enum tcpkd_verb, uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port);
/* TCPKD_OPEN on a connection of its own. The status. */
int client_open(struct bad_client *, uint32_t ring_bytes);
/* TCPKD_RESUME on a connection of its own, which is closed then. The status. */
int client_resume(uint64_t token);
int client_claim(const struct bad_client *, uint32_t local, uint16_t port_here);
struct tcpk_stats client_stats(const struct bad_client *);
/* How many claims the helper lists, and the uid of a foreign one or -1. */
unsigned client_list(int fd, uint32_t *foreign);

/* One check's result, a line: `ok WHAT`, or `bad WHAT: how it went`. Returns good. */
bool report(bool good, const char *what, const char *format, ...) __attribute__((format(printf, 3, 4)));
void die(const char *what);

#endif
