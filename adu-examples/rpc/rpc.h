/* rpc: a server of ONC RPC (RFC 5531), and a client, over TCPU: values by their keys (store.x), for anybody's clients
 * and with anybody's servers. An ADU is a message, in record marking; what it holds is described in message.x and
 * store.x, which `tcpu xdr` makes C of.
 *
 *	main.c   the command line          answer.c  a call's header, and the reply's
 *	server.c connections, a thread each
 *	client.c calls                     store.c   the program's procedures */
#ifndef RPC_H
#define RPC_H

#include "adu-examples/common/profile.h"
#include "adu-examples/common/road.h"
#include "adu-examples/rpc/message.h"
#include "adu-examples/rpc/store.h"

/* Of a message: what stands before arguments and results, and these. */
#define MESSAGE_MAX (STORE_VALUE_MAX + STORE_KEY_MAX + 2 * AUTH_BYTES_MAX + 256)

struct options {
	const char *verb;
	struct road road;
	struct alf_profile profile;
	uint32_t prog, vers;
	const char *key, *value;
};

enum status serve(const struct options *);
enum status call(const struct options *);

/* A program, as a server has it. */
struct program {
	uint32_t number, low, high; /* versions */
	/* Decodes the arguments, all of them, and encodes the results. */
	enum accept_stat (*procedure)(uint32_t proc, struct ilp_xdr_in *args, struct ilp_xdr_out *results);
};
extern const struct program store;
/* The reply to a message. Returns its length; 0: that was no call. */
size_t answer(const struct program *, const uint8_t *message, size_t len, uint8_t *reply, size_t cap);

#endif
