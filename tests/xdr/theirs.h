/* The types of rpcgen's C of an XDR file. */
#ifndef TESTS_XDR_THEIRS_H
#define TESTS_XDR_THEIRS_H

#include <rpc/rpc.h>
#include <stddef.h>

struct their_type {
	const char *name;
	bool_t (*proc)(XDR *, void *);
	size_t size;
};

#endif
