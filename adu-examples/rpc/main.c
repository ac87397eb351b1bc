/* The command line of rpc. */
#include "adu-examples/rpc/rpc.h"

#include <argp.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "127.0.0.1:2650"

static const char doc[] =
	"Values by their keys, kept by a server of ONC RPC over a TCP in user space: any client of RPC can call it, and "
	"its client any server that has the program.\v"
	"Verbs:\n"
	"  serve               until it is killed\n"
	"  put ADDR KEY VALUE  without VALUE, standard input\n"
	"  get ADDR KEY        the value, as it is, to standard output\n"
	"  remove ADDR KEY\n"
	"  list ADDR           the keys, a line each\n"
	"  null ADDR           is it there?\n\n"
	"Examples:\n"
	"  rpc serve --listen 127.0.0.1:2650 &\n"
	"  rpc put 127.0.0.1:2650 answer 42\n\n"
	"  rpc serve --ip 10.9.0.2 --host 10.9.0.1 --listen 10.9.0.2:2650 &\n"
	"  rpcinfo -a 10.9.0.2.10.90 -T tcp 536880720 1\n\n"
	"Exit status:\n"
	"  0  done\n"
	"  1  the connection or the call failed\n"
	"  2  wrong usage\n"
	"  3  nobody answers at ADDR\n"
	"  4  there is no such KEY\n"
	"  5  the server takes no more\n";

enum { LISTEN = 256, TCPK, IP, HOST, TIMEOUT, PROGRAM, VERS };

static const struct argp_option known[] = {
	{ "listen", LISTEN, "ADDR:PORT", 0, "where to serve (" ADDRESS "); port 0 takes any, and says which", 0 },
	{ "tcpk", TCPK, NULL, 0, "real TCP packets by TCPK, instead of UDP datagrams below", 0 },
	{ "ip", IP, "IP", 0, "or over a TUN device, with this address (root)", 0 },
	{ "host", HOST, "IP", 0, "and this one at the kernel's end; without it, that is somebody else's to set", 0 },
	{ "timeout", TIMEOUT, "SECONDS", 0, "patience with who is silent (60)", 0 },
	{ "program", PROGRAM, "NUMBER", 0, "to call (536880720)", 0 },
	{ "vers", VERS, "NUMBER", 0, "of the program, to call (1)", 0 },
	{ 0 },
};

enum status complain(enum status s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("rpc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return s;
}

static void address(struct argp_state *state, const char *text, struct sockaddr_in *out)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	char *host = strdup(text), *colon = host ? strrchr(host, ':') : NULL;
	int r;

	if (!colon) {
		free(host);
		argp_error(state, "%s: expected ADDR:PORT", text);
		return;
	}
	*colon = 0;
	r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r)
		argp_error(state, "%s: %s; expected ADDR:PORT", text, gai_strerror(r));
	memcpy(out, found->ai_addr, sizeof *out);
	freeaddrinfo(found);
	free(host);
}

static uint32_t number(struct argp_state *state, const char *text, uint32_t high)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (end == text || *end || n > high)
		argp_error(state, "%s: expected a number up to %u", text, high);
	return (uint32_t)n;
}

static void ip(struct argp_state *state, const char *text, struct in_addr *out)
{
	if (!inet_aton(text, out))
		argp_error(state, "%s: expected an address", text);
}

/* How many words a verb takes: ADDR, KEY, VALUE. 0: it is none. */
static unsigned words(const char *verb, unsigned *least)
{
	static const struct {
		const char *verb;
		unsigned least, most;
	} verbs[] = { { "serve", 1, 1 }, { "null", 2, 2 }, { "list", 2, 2 }, { "get", 3, 3 }, { "remove", 3, 3 },
		{ "put", 3, 4 } };

	for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verb, verbs[i].verb)) {
			*least = verbs[i].least;
			return verbs[i].most;
		}
	return 0;
}

static void word(struct argp_state *state, const char *arg, struct options *o)
{
	unsigned least;

	if (state->arg_num == 0)
		o->verb = arg;
	if (state->arg_num >= words(o->verb, &least))
		argp_usage(state);
	if (state->arg_num == 1)
		address(state, arg, &o->address);
	else if (state->arg_num == 2)
		o->key = arg;
	else if (state->arg_num == 3)
		o->value = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	unsigned least = 1;

	switch (key) {
	case LISTEN:
		address(state, arg, &o->address);
		return 0;
	case TCPK:
		o->tcpk = true;
		return 0;
	case IP:
		ip(state, arg, &o->ip);
		return 0;
	case HOST:
		ip(state, arg, &o->host_ip);
		return 0;
	case TIMEOUT:
		o->timeout_s = number(state, arg, 86400);
		return 0;
	case PROGRAM:
		o->prog = number(state, arg, UINT32_MAX);
		return 0;
	case VERS:
		o->vers = number(state, arg, UINT32_MAX);
		return 0;
	case ARGP_KEY_ARG:
		word(state, arg, o);
		return 0;
	case ARGP_KEY_END:
		if (!o->verb || !words(o->verb, &least) || state->arg_num < least)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, "serve\nVERB ADDR:PORT [KEY [VALUE]]", doc, NULL, NULL, NULL };
	struct options o = { .timeout_s = 60, .prog = STORE, .vers = STORE_1,
		.address = { .sin_family = AF_INET, .sin_port = htons(2650), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };

	argp_err_exit_status = USAGE;
	signal(SIGPIPE, SIG_IGN);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return (int)(strcmp(o.verb, "serve") != 0 ? call(&o) : serve(&o));
}
