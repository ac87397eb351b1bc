/* Who may claim which ports (tcpkd's manual, `tcpkd --help`, has the file's form). */
#ifndef KERNEL_TCPKD_POLICY_H
#define KERNEL_TCPKD_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_RULES_MAX 256

enum policy_who { POLICY_USER, POLICY_GROUP, POLICY_ANYONE };

struct policy_rule {
	enum policy_who who;
	uint32_t id;
	uint16_t from, to;
};

struct policy {
	struct policy_rule rules[POLICY_RULES_MAX];
	unsigned count;
	uint32_t clients;    /* of one user at a time */
	uint32_t claims;     /* of one user at a time */
	uint32_t ring_bytes; /* the largest ring */
	uint64_t all_ring_bytes; /* of one user's rings together */
};

struct policy_peer {
	uid_t uid;
	const gid_t *groups; /* its own among them */
	unsigned group_count;
	pid_t pid;
};

/* What holds without a file: unprivileged ports for the group "tcpk", all for who runs this. */
void policy_default(struct policy *, uid_t self);
/* Reads length bytes of a file. 0, or -EINVAL: complaint says where, what was expected, and what to do. */
int policy_read(struct policy *, const char *name, const char *text, size_t length, char *complaint, size_t size);
bool policy_allows(const struct policy *, const struct policy_peer *, uint16_t port);
/* One of those that it allows from 1024 on, the next of them for the next number; 0: there is none. */
uint16_t policy_port(const struct policy *, const struct policy_peer *, uint32_t number);
/* Whether there is any port that it allows. */
bool policy_knows(const struct policy *, const struct policy_peer *);
/* Whether anybody may have one below 1024. */
bool policy_has_privileged(const struct policy *);

#endif
