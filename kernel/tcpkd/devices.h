/* The host's devices and addresses, by rtnetlink, and the TAPs of clients. Errors are negative errnos. */
#ifndef KERNEL_TCPKD_DEVICES_H
#define KERNEL_TCPKD_DEVICES_H

#include "kernel/tcpkd/table.h"

#include <net/if.h>
#include <sys/types.h>

struct devices;

#define SHORTCUTS_MAX 16

/* Names of veths whose other end is in another namespace: what leaves by them goes to that end at once, past queues, tc
 * and whatever watches this one, while checksums and TSO are left to the device. */
struct shortcuts {
	const char *names[SHORTCUTS_MAX];
	unsigned count;
};

/* Attaches the program for what comes in to all devices that there are, and fills in the addresses. Keeps doing so:
 * devices_turn. gone is called with each device that has gone. Needs CAP_NET_ADMIN. Prints what is wrong; NULL. */
struct devices *devices_open(struct table *, const struct shortcuts *, void (*gone)(void *, uint32_t ifindex), void *);
/* Polls readable when devices_turn has something to do. */
int devices_fd(const struct devices *);
void devices_turn(struct devices *);
/* detach: takes the program off all devices. */
void devices_close(struct devices *, bool detach);

struct device_tap {
	int fd;
	uint32_t ifindex;
	char name[IF_NAMESIZE];
};

/* A TAP whose owner can send by it what tcpk_out lets out, once the table knows it; and hears nothing. */
int devices_make_tap(struct devices *, uid_t owner, struct device_tap *);
void devices_delete(struct devices *, uint32_t ifindex);
/* Whether there is such a TAP of a process that lives; true, too, where that cannot be found out. */
bool devices_has_tap(struct devices *, uint32_t ifindex);

#endif
