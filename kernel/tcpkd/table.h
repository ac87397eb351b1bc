/* The programs of kernel/bpf, loaded, and their maps: the port table. Errors are negative errnos.
 *
 * Maps are pinned in a folder of a BPF file system, where there is one: the next tcpkd finds them there, with all that
 * is claimed in them. */
#ifndef KERNEL_TCPKD_TABLE_H
#define KERNEL_TCPKD_TABLE_H

#include "kernel/bpf/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct table;

enum table_program { TABLE_IN, TABLE_OUT, TABLE_MUTE };

/* pins: NULL for none. Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; only CAP_BPF from then on. Prints what is
 * wrong. */
struct table *table_open(const char *pins);
/* keep: pins stay, for the next one; else they go, and with the last program that is attached the maps. */
void table_close(struct table *, bool keep);
int table_program(const struct table *, enum table_program);

/* A client's place; its ring of so many bytes is made. Returns the ring's descriptor, the caller's to close. -E2BIG:
 * too many rings are there. */
int table_add_client(struct table *, uint32_t index, const struct table_client *);
void table_remove_client(struct table *, uint32_t index);
/* -ENOENT: there is none. */
int table_client(const struct table *, uint32_t index, struct table_client *);
bool table_has_tap(const struct table *, uint32_t ifindex);

/* A user's rings that are there: as long as a process has the descriptor of one, or its memory mapped. */
struct table_rings {
	unsigned count;
	uint64_t bytes;
};
int table_rings_of(struct table *, uid_t, struct table_rings *);

/* -EEXIST: it is taken. */
int table_add_claim(struct table *, const struct table_key *, const struct table_claim *);
void table_remove_claim(struct table *, const struct table_key *);
int table_claim(const struct table *, const struct table_key *, struct table_claim *);
/* All that there are, in no order: after the key that is given, NULL for the first. -ENOENT: no more. */
int table_next_claim(const struct table *, const struct table_key *after, struct table_key *next);

/* Whether what leaves by a veth goes to its other end at once. */
int table_set_shortcut(struct table *, uint32_t ifindex, bool on);

/* The host's addresses. */
int table_add_local(struct table *, uint32_t ip);
bool table_is_local(const struct table *, uint32_t ip);
/* Puts all in doubt; those that are not added again by then go. There is no moment in which one that stays is not
 * there: what came for it would be the kernel's, which knows nothing of it and answers by RST. */
void table_doubt_locals(struct table *);
void table_settle_locals(struct table *);

#endif
