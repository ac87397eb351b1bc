/* What stands in the place of tcpkd's maps and devices (kernel/tcpkd/table.h, devices.h), for tests of what it does
 * with them: a table of its own, whose calls are written down and fail when they are told to. Rings and TAPs
 * are eventfds. */
#ifndef TESTS_TCPKD_FAKE_H
#define TESTS_TCPKD_FAKE_H

#include "kernel/tcpkd/devices.h"
#include "kernel/tcpkd/table.h"

#define FAKE_CLAIMS 512
#define FAKE_TAPS 64
#define FAKE_RINGS 64

struct fake {
	/* What has changed the table since the log was emptied, in order: "+tap 1 +client 0 +claim 127.0.0.1:80 ". */
	char log[1024];
	/* This call fails with that (a negative errno); NULL: none does. */
	const char *fail;
	int error;
	/* Called when a claim has gone. May be NULL. */
	void (*removed)(const struct table_key *);

	struct table_client clients[TABLE_CLIENTS];
	struct fake_claim {
		struct table_key key;
		struct table_claim counts;
	} claims[FAKE_CLAIMS];
	unsigned claim_count, room;         /* of room, at most FAKE_CLAIMS */
	struct table_client rings[FAKE_RINGS]; /* that are there; bytes 0: none */
	bool kept;                          /* who has gone keeps his ring */
	bool taps[FAKE_TAPS];               /* alive, by ifindex; 0 is none */
	unsigned last_tap;
};

extern struct fake fake;

/* Empty, and nothing fails. */
void fake_begin(void);
/* NULL: there is none. */
struct table_claim *fake_find(const struct table_key *);
unsigned fake_clients(void);
/* A client's, of which the other end has gone. */
int fake_connection(void);
/* For the fuzz target, too: how many descriptors this process has. */
unsigned fake_descriptors(void);

#endif
