/* Words of the command line, complaints, signals: the same for all examples. */
#include "adu-examples/common/command.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile sig_atomic_t interrupted;

enum status complain(enum status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void command_heed(int signal)
{
	/* Calls return; a second one kills. */
	const struct sigaction a = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(signal, &a, NULL);
}

void command_signals(void)
{
	command_heed(SIGINT);
	command_heed(SIGTERM);
	command_heed(SIGHUP);
	signal(SIGPIPE, SIG_IGN);
}

void command_address(struct argp_state *state, const char *text, const char *port, struct sockaddr_in *out)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char host[NI_MAXHOST + NI_MAXSERV], *colon;
	int r;

	if ((size_t)snprintf(host, sizeof host, "%s", text) >= sizeof host)
		argp_error(state, "%.64s...: too long; expected ADDR:PORT", text);
	colon = strrchr(host, ':');
	if (colon) {
		*colon = 0;
		port = colon + 1;
	}
	r = getaddrinfo(*host ? host : "127.0.0.1", port, &hints, &found);
	if (r)
		argp_error(state, "%s: %s; expected ADDR:PORT", text, gai_strerror(r));
	memcpy(out, found->ai_addr, sizeof *out);
	freeaddrinfo(found);
}

uint32_t command_number(struct argp_state *state, const char *text, uint32_t low, uint32_t high)
{
	char *end;
	unsigned long n = strtoul(text, &end, strncasecmp(text, "0x", 2) != 0 ? 10 : 16);

	if ((*end == 'K' || *end == 'M') && n < 1UL << 40)
		n <<= *end++ == 'K' ? 10 : 20;
	if (!isdigit((unsigned char)*text) || *end || n < low || n > high)
		argp_error(state, "%s: expected a whole number from %u to %u", text, low, high);
	return (uint32_t)n;
}
