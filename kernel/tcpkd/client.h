/* What a client of tcpkd may ask for, and has. One thread: but see connection.h.
 *
 * A client is a connection to the helper, and from TCPKD_OPEN on a place in the table, a ring and a TAP. One that is
 * adopted has no connection: an earlier tcpkd has served it, and it may come back. */
#ifndef KERNEL_TCPKD_CLIENT_H
#define KERNEL_TCPKD_CLIENT_H

#include "kernel/tcpkd/bucket.h"
#include "kernel/tcpkd/devices.h"
#include "kernel/tcpkd/policy.h"
#include "kernel/tcpkd/table.h"
#include "kernel/uapi/tcpk.h"

#include <stddef.h>

struct claim {
	struct table_key key;
	int reserved; /* a socket, bound and never listening: the kernel's TCP gives the port to nobody; negative: somebody
		       * was quicker while no tcpkd was there */
};

struct client {
	struct client *next;
	int fd; /* the connection; -1: adopted */
	struct policy_peer peer;
	bool stranger; /* the policy knows nothing of it */
	bool open;
	uint32_t index;
	struct table_client entry;
	struct claim *claims;
	unsigned claim_count, claim_room;
	struct tcpk_stats before; /* counts of what it does not claim any more */
};

struct clients {
	struct table *table;
	struct devices *devices;
	const struct policy *policy;
	uid_t self;
	int epoll; /* that connections are watched by */
	struct client *first;
	unsigned lost;        /* claims that somebody else has reserved */
	struct client *leaving; /* those whose place and TAP are not given back yet */
	struct bucket *opens; /* how many of each user's are due */
	uint64_t now_us;      /* CLOCK_MONOTONIC, as of the request */
};

/* A connection. NULL: no memory. groups are copied. */
struct client *client_new(struct clients *, int fd, const struct policy_peer *);
/* Gives back all that it has, and closes its connection. */
void client_end(struct clients *, struct client *);
/* The same, but for what takes as long as a hundred requests, its place and its TAP: that is left to clients_finish. */
void client_leave(struct clients *, struct client *);
/* Gives that back for one of those that leave. Whether there are more. */
bool clients_finish(struct clients *);

/* What a user has together: connections, those that are being closed among them, open clients, and claims. */
struct client_share {
	unsigned connections, open, claims;
};
struct client_share clients_share(const struct clients *, uid_t);
bool clients_trust(const struct clients *, uid_t); /* root, and who runs the helper */

/* What the client is to be sent: fds, of which fd_count are to be attached and closed then. */
struct client_answer {
	struct tcpkd_reply reply;
	int fds[2];
	unsigned fd_count;
};

/* One message of len bytes. false: it was no request of this ABI, and the connection is to be closed after the answer.
 * An adopted client that came back has its connection from then on, which this one then is: *who is changed. */
bool client_request(struct clients *, struct client **who, const void *message, size_t len, struct client_answer *);

/* Takes over what is in the table from before. */
void clients_adopt(struct clients *);
/* A device has gone: whose TAP it was, ends. */
void clients_lose(struct clients *, uint32_t ifindex);
/* Ends what was adopted and has nobody any more, and reserves what could not be reserved again. Returns how many are
 * left, of both. */
unsigned clients_sweep(struct clients *);
bool clients_any(const struct clients *);

#endif
