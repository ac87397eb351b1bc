/* The way to the other end: which TCPU, where to, and how long one waits. */
#ifndef COMMON_ROAD_H
#define COMMON_ROAD_H

#include "adu-examples/common/command.h"

#include <stdbool.h>

#define PARTING_S 2 /* how long one tries to part in peace */

struct road {
	struct sockaddr_in address; /* where to, or where to listen */
	bool tcpk;                  /* the host's own addresses by TCPK; else UDP datagrams below */
	struct in_addr ip, host_ip; /* or a TUN device with an address of its own; 0: none */
	uint32_t timeout_s;
	const char *profile;        /* a file (common/profile.h); NULL: none */
};
/* 127.0.0.1 and that port, by UDP. */
struct road road_default(const char *port);
/* The options for all of it but the address; the input is the struct road. */
extern const struct argp road_argp;

/* Those below complain. A listening socket, which says where it waits. */
enum status road_listen(const struct road *, int backlog, int *fd);
/* A connection. server: what should run there, for who wonders. */
enum status road_connect(const struct road *, const char *server, int *fd);
/* Calls on it take no longer than the timeout. A socket of road_connect has that already. */
void road_patience(const struct road *, int fd);

#endif
