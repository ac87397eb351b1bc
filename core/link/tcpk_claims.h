/* What tcpk_module.c and tcpk_claims.c share: the link, and the sockets below it. */
#ifndef CORE_LINK_TCPK_CLAIMS_H
#define CORE_LINK_TCPK_CLAIMS_H

#include "core/link/ip.h"
#include "core/link/tcpk_ways.h"
#include "kernel/uapi/tcpk.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TCPK_SLOTS 16         /* of a recv: enough super-packets to amortize it, few enough to stay in cache */
#define TCPK_QUOTE 60         /* bytes of a segment that an ICMP message may quote: a whole header, if need be */
#define TCPK_CHAINS 1024      /* of the table of claims */

struct claim {
	struct link_addr local, remote; /* remote.port 0: not narrowed */
	int fd;
	bool has_errors; /* ICMP's words wait, of which recvmsg says nothing any more */
	struct claim *next; /* in its chain */
};

/* Room for one control message. */
struct info_control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct tcpk_info))];
};

struct module {
	struct link link;
	struct link_tcpk_stats stats; /* dropped_in: of sockets that are gone */
	struct link_tcpk_config config;
	int epoll;
	unsigned count;
	struct claim *chains[TCPK_CHAINS];
	struct claim *only; /* the one there is, where there is one: no need to ask epoll */
	/* Something sent that was too large for its device: word of it for the next recv. */
	struct link_in too_large;
	uint8_t quote[TCPK_QUOTE];
	struct mmsghdr messages[TCPK_SLOTS];
	struct iovec slots[TCPK_SLOTS];
	struct sockaddr_in names[TCPK_SLOTS];
	struct info_control controls[TCPK_SLOTS];
	uint8_t *arena;
};

static inline struct module *module_of(const struct link *link)
{
	return (struct module *)link;
}

static inline struct sockaddr_in sockaddr_of(const struct link_addr *a)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = a->ip, .sin_port = a->port };
}

/* The calls of the link. */
int claims_take(struct link *, struct link_addr *local);
void claims_release(struct link *, const struct link_addr *local);
int claims_narrow(struct link *, const struct link_addr *local, const struct link_addr *remote);
/* The claim that a segment leaves from; NULL: there is none. */
struct claim *claims_source(struct module *, const struct link_addr *src);
/* Closes all. */
void claims_end(struct module *);
/* What the kernel has dropped for want of room, of sockets that are open. */
uint64_t claims_dropped(const struct module *);
/* A socket, set up and watched for the claim, without an address; or a negative errno. */
int claims_socket(struct module *, struct claim *);

#endif
