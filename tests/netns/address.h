/* What programs of tests/netns are told on their command lines. */
#ifndef TESTS_NETNS_ADDRESS_H
#define TESTS_NETNS_ADDRESS_H

#include <argp.h>
#include <netinet/in.h>

/* An option's IP:PORT, which it cuts in two; ends the program where it is none. */
void address_read(struct argp_state *, char *arg, struct sockaddr_in *);

#endif
