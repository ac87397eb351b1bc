/* The two TCPs that the differential test compares, behind one set of calls, none of which waits: the engine of core/
 * (engine.c), and the kernel's, behind a TUN device in a network namespace of this process (kernel.c). */
#ifndef TESTS_DIFFERENTIAL_SIDE_H
#define TESTS_DIFFERENTIAL_SIDE_H

#include "core/engine.h"
#include "tests/differential/packet.h"

/* Addresses, host byte order: of the TCP under test, and of the script that talks to it. */
#define SIDE_LOCAL_IP 0xc0a80001
#define SIDE_REMOTE_IP 0xc0a80002

/* Of a run, the same for both sides. */
struct setting {
	uint64_t seed;
	uint16_t local_port, remote_port;
	bool sack, timestamps, scaling; /* are offered and accepted */
	bool nodelay;
	uint32_t isn;                   /* of the script */
};

struct side {
	const struct side_ops *ops;
	const struct setting *setting;
	uint64_t written;   /* bytes of the stream that this side's user has written */
	bool hurried;       /* its clock has gone on only a little since the last flush */
};

/* Functions that return int: 0 or more, or a negative errno. */
struct side_ops {
	const char *name;
	int (*begin)(struct side *);
	/* Forgets all connections. */
	void (*end)(struct side *);
	int (*listen)(struct side *);
	/* Whether one came. The side holds one connection at a time. */
	bool (*accept)(struct side *);
	int (*connect)(struct side *);
	int (*write)(struct side *, const uint8_t *, size_t);
	int (*read)(struct side *, uint8_t *, size_t);
	int (*shutdown)(struct side *);
	int (*close)(struct side *);
	/* A segment from the wire: TCP header and data. */
	void (*input)(struct side *, const uint8_t *tcp, size_t len);
	/* The input is over: delayed ACKs, where they can be told to, go out. */
	void (*flush)(struct side *);
	/* The next segment that it sent; false: none. patiently: one that a timer may be about to send is waited for. */
	bool (*hear)(struct side *, struct packet *, bool patiently);
	/* Of the connection, TIME-WAIT told as CLOSED; and TCPU_IN ... of it. */
	enum tcpu_state (*state)(struct side *);
	unsigned (*ready)(struct side *);
};

/* The byte of the stream at an offset. */
static inline uint8_t side_byte(uint64_t off)
{
	return (uint8_t)((off * 0x9e3779b97f4a7c15) >> 56);
}

struct side *side_engine(void);
/* NULL: this process may not, or the kernel cannot; *why says so. */
struct side *side_kernel(const char **why);

#endif
