/* rpc: a server of ONC RPC (RFC 5531), and a client, over TCPU: values by their keys (store.x), for anybody's clients
 * and with anybody's servers. An ADU is a message, in record marking; what it holds is described in message.x and
 * store.x, which `tcpu xdr` makes C of.
 *
 *	main.c   the command line          server.c  connections, a thread each
 *	road.c   which TCPU                answer.c  a call's header, and the reply's
 *	client.c calls                     store.c   the program's procedures */
#ifndef RPC_H
#define RPC_H

#include "adu-examples/rpc/message.h"
#include "adu-examples/rpc/store.h"

#include <netinet/in.h>
#include <stdbool.h>

enum status {
	OK = 0,
	FAILED = 1,  /* the connection, or the call */
	USAGE = 2,
	ABSENT = 3,  /* nobody answers there */
	NO_KEY = 4,  /* the server has none of that name */
	FULL = 5,    /* the server takes no more */
};

/* Of a message: what stands before arguments and results, and these. */
#define MESSAGE_MAX (STORE_VALUE_MAX + STORE_KEY_MAX + 2 * AUTH_BYTES_MAX + 256)

struct options {
	const char *verb;
	struct sockaddr_in address;
	bool tcpk;
	struct in_addr ip, host_ip; /* of a TUN device; 0: none */
	uint32_t timeout_s, prog, vers;
	const char *key, *value;
};

enum status serve(const struct options *);
enum status call(const struct options *);

/* A socket of the TCPU that the options name; -1, and it has complained. */
int road_socket(const struct options *);
/* Calls on it take so long. */
void road_patience(int fd, uint32_t seconds);

/* A program, as a server has it. */
struct program {
	uint32_t number, low, high; /* versions */
	/* Decodes the arguments, all of them, and encodes the results. */
	enum accept_stat (*procedure)(uint32_t proc, struct ilp_xdr_in *args, struct ilp_xdr_out *results);
};
extern const struct program store;
/* The reply to a message. Returns its length; 0: that was no call. */
size_t answer(const struct program *, const uint8_t *message, size_t len, uint8_t *reply, size_t cap);

/* `rpc: ...` on stderr. Returns status. */
__attribute__((format(printf, 2, 3))) enum status complain(enum status, const char *format, ...);

#endif
