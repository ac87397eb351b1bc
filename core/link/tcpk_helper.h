/* tcpkd, as its client sees it: a socket on which each question has one answer, in order (kernel/uapi/tcpk.h). Private
 * to core/link/.
 *
 * Who releases an address does not wait for the answer; who asks does, for a few seconds. What was asked goes on
 * meanwhile: an answer that nobody waits for any more is passed over by its number, and what it grants is given back. A
 * helper that has come in the place of another is told who this is, and what is still to be released. */
#ifndef CORE_LINK_TCPK_HELPER_H
#define CORE_LINK_TCPK_HELPER_H

#include "core/link.h"
#include "kernel/uapi/tcpk.h"

#include <stdbool.h>
#include <sys/un.h>

struct tcpk_owed; /* an address that is to be released */

struct tcpk_helper {
	int fd;
	bool gone;                /* another helper knows nothing of this client, which has no ring and no TAP any more */
	uint64_t asked, answered; /* the numbers of the last question and of the last answer */
	uint64_t token;           /* by which another helper knows who this is */
	uint64_t again_us;        /* the helper was mute, or not there: no release looks for it before */
	struct tcpk_owed *owed;
	struct sockaddr_un path;
};

/* fds: ring and TAP, the caller's to close whatever this returns; -1: it did not come to that. *reply is the helper's.
 * 0, its refusal, or -ENAMETOOLONG; -EPROTONOSUPPORT: there is none; -ENETDOWN: it is there, and does not answer;
 * -EPROTO: of another version; else as connect(2). */
int tcpk_helper_open(struct tcpk_helper *, const char *path, uint32_t ring_bytes, struct tcpkd_reply *, int fds[2]);
/* Asks, and waits for the answer. What is to be released comes first. 0, the helper's refusal, or -ENETDOWN: there is
 * no answer. */
int tcpk_helper_ask(struct tcpk_helper *, struct tcpkd_request *, struct tcpkd_reply *);
/* Does not wait for a helper that is there: where it cannot be told now, it is told later. */
void tcpk_helper_release(struct tcpk_helper *, const struct link_addr *);
void tcpk_helper_close(struct tcpk_helper *);

#endif
