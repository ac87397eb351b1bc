/* A link: what carries segments below the TCP. One small vtable; core/link/ holds the links that there are.
 *
 * Addresses and ports are in network byte order throughout, as in struct sockaddr_in. */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_addr {
	uint32_t ip;   /* network byte order */
	uint16_t port; /* network byte order */
};

/* A segment to send. header and data may be one piece of memory (header + header_len == data), and the
 * next segment's header may follow at once: a link that gathers can then send many as one piece. */
struct link_out {
	struct link_addr src, dst;
	const uint8_t *header; /* the TCP header, complete, its checksum done */
	const uint8_t *data;
	uint32_t header_len, data_len;
	uint32_t segment_len;  /* of links with a train_max: not 0, and less than data_len: as segments with so many bytes
				* each, the last perhaps with fewer; as TSO makes them of this header */
	uint8_t ecn;           /* ECN field of the IP header, RFC 3168: 2 is ECT(0), 0 none; a link without may drop it */
};

/* A segment that came; or, with error set, word that what was sent from dst to src cannot arrive. */
struct link_in {
	struct link_addr src, dst; /* port: of the carrier where it has one (UDP), else as in the TCP header */
	/* TCP header and data; readable and unchanged until the next recv. With error: what the message quotes of the
	 * segment, from its first byte on; len 0 when it quotes nothing. */
	const uint8_t *segment;
	uint32_t len;
	bool vouched; /* the link knows that the TCP checksum is right or not needed */
	uint8_t ecn;  /* as it came: 3 is CE */
	int error;    /* 0, or a positive errno: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, ... */
	uint32_t path_mtu; /* with EMSGSIZE: bytes of the largest IP packet that would have passed; 0: not said */
};

struct link;

/* All return a negative errno when they fail. */
struct link_ops {
	/* Take a local address and port: port 0 asks for any. *local receives what was taken.
	 * -EADDRINUSE, -EADDRNOTAVAIL, -EACCES. */
	int (*claim)(struct link *, struct link_addr *local);
	/* Others may claim it. What it was claimed for may still have something to send. */
	void (*release)(struct link *, const struct link_addr *local);
	/* From what was claimed only segments of that remote matter from now on; others may have the rest. May be said again,
	 * of another remote. NULL: nothing to do. -EADDRINUSE: somebody else has that pair. */
	int (*narrow)(struct link *, const struct link_addr *local, const struct link_addr *remote);
	/* The address that segments to remote_ip leave from, of those that the link has. NULL: the one that was claimed. */
	int (*route)(struct link *, uint32_t remote_ip, uint32_t *local_ip);
	/* Bytes of the largest IP packet that is known to pass to remote_ip. NULL: segment_max and an IP header. */
	uint32_t (*mtu)(struct link *, uint32_t remote_ip);
	/* Send n segments. Returns how many left or were dropped as a network drops; when fewer than n, the
	 * link is full and the rest are the caller's still. The memory is the caller's again on return. */
	int (*send)(struct link *, const struct link_out *, unsigned n);
	/* Receive at most max segments without waiting. Returns how many; 0 when there are none; -ENETDOWN: there will be
	 * none any more, and no descriptor. */
	int (*recv)(struct link *, struct link_in *, unsigned max);
	/* recv has found nothing, and nobody looks again but when fd says so. false: by now there is something. NULL: fd
	 * always says so. With it, recv costs next to nothing. */
	bool (*rest)(struct link *);
	/* A descriptor that polls readable when recv would return something; -1 where there is none. */
	int (*fd)(const struct link *);
	void (*close)(struct link *);
};

struct link {
	const struct link_ops *ops;
	uint32_t segment_max; /* bytes: the largest TCP segment, header and data, that one send carries */
	uint32_t train_max;   /* bytes: of the largest that one link_out may be, when it is cut behind it; 0: nothing is */
	uint32_t window_max;  /* bytes of data that may wait in the link before it drops: bounds RCV.WND */
	bool exclusive;       /* what is released gets nothing any more: it is not, while a connection of it is left */
	bool joins;           /* on the way behind it, segments may be joined up to a PSH, before their receiver sees them */
};

#endif
