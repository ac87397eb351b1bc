#include "tests/netns/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void address_read(struct argp_state *state, char *arg, struct sockaddr_in *address)
{
	char *colon = strchr(arg, ':');

	if (!colon)
		argp_error(state, "'%s' is no IP:PORT", arg);
	*colon = 0;
	address->sin_port = htons((uint16_t)atoi(colon + 1));
	if (!inet_aton(arg, &address->sin_addr))
		argp_error(state, "'%s' is no address", arg);
}
