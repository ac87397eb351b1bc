/* The command line of rpc. */
#include "adu-examples/rpc/rpc.h"

#include <argp.h>
#include <string.h>

#define PORT "2650"

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
	"  rpc serve &\n"
	"  rpc put 127.0.0.1 answer 42\n\n"
	"  rpc serve --profile alf/profiles/rpc.lua &\n\n"
	"  rpc serve --ip 10.9.0.2 --host 10.9.0.1 --listen 10.9.0.2:2650 &\n"
	"  rpcinfo -a 10.9.0.2.10.90 -T tcp 536880720 1\n\n"
	"Exit status:\n"
	"  0  done\n"
	"  1  the connection or the call failed\n"
	"  2  wrong usage, or a profile that is wrong, or asks for what rpc cannot do\n"
	"  3  nobody answers at ADDR\n"
	"  4  there is no such KEY\n"
	"  5  the server takes no more\n";

enum { LISTEN = 256, PROGRAM, VERS };

static const struct argp_option known[] = {
	{ "listen", LISTEN, "ADDR:PORT", 0, "where to serve (127.0.0.1:" PORT "); port 0 takes any, and says which", 0 },
	{ "program", PROGRAM, "NUMBER", 0, "to call (536880720)", 0 },
	{ "vers", VERS, "NUMBER", 0, "of the program, to call (1)", 0 },
	{ 0 },
};

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
		command_address(state, arg, PORT, &o->road.address);
	else if (state->arg_num == 2)
		o->key = arg;
	else if (state->arg_num == 3)
		o->value = arg;
}

static error_t settle(struct argp_state *state, struct options *o)
{
	/* Messages are in XDR already, and nobody else would turn their words around. */
	const struct profile_needs needs = { .framer = &alf_record, .chain = "copy_sum",
		.adu_most = MESSAGE_MAX };

	o->profile = (struct alf_profile){ .framer = &alf_record, .adu_max = MESSAGE_MAX,
		.credit = MESSAGE_MAX + ADU_COST, .initiator = strcmp(o->verb, "serve") != 0 };
	profile_read(state, o->road.profile, &o->profile, &needs);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	unsigned least = 1;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->road;
		return 0;
	case LISTEN:
		command_address(state, arg, PORT, &o->road.address);
		return 0;
	case PROGRAM:
		o->prog = command_number(state, arg, 0, UINT32_MAX);
		return 0;
	case VERS:
		o->vers = command_number(state, arg, 0, UINT32_MAX);
		return 0;
	case ARGP_KEY_ARG:
		word(state, arg, o);
		return 0;
	case ARGP_KEY_END:
		if (!o->verb || !words(o->verb, &least) || state->arg_num < least)
			argp_usage(state);
		return 0;
	case ARGP_KEY_SUCCESS:
		return settle(state, o);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_child children[] = { { &road_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { known, parse, "serve\nVERB ADDR[:PORT] [KEY [VALUE]]", doc, children, NULL, NULL };
	struct options o = { .prog = STORE, .vers = STORE_1, .road = road_default(PORT) };

	argp_err_exit_status = USAGE;
	signal(SIGPIPE, SIG_IGN);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return (int)(strcmp(o.verb, "serve") != 0 ? call(&o) : serve(&o));
}
