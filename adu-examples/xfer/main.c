/* The command line of xfer. */
#include "adu-examples/xfer/xfer.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
	"Sends a file or a tree from one process to another, as application data units over a TCP in user space, "
	"through one fused loop, straight to their places. Started again, it goes on where it was interrupted.\v"
	"Examples:\n"
	"  xfer recv --once copy.iso &\n"
	"  xfer send image.iso 127.0.0.1\n"
	"\n"
	"  xfer recv --once incoming/ &\n"
	"  xfer send photos 127.0.0.1     # the tree incoming/photos\n"
	"\n"
	"  head -c 32 /dev/urandom > key\n"
	"  xfer recv --listen 0.0.0.0:2650 --key key incoming/\n"
	"  xfer send --key key image.iso host.example:2650\n"
	"\n"
	"  xfer send --profile alf/profiles/bulk.lua image.iso host.example\n"
	"\n"
	"Exit status:\n"
	"  0  all files are whole at the other end\n"
	"  1  the transfer failed\n"
	"  2  wrong usage, or a profile that is wrong, or asks for what xfer cannot do\n"
	"  3  nobody answers at HOST:PORT\n"
	"  4  FILE, something in the tree, or the key's file cannot be read or sent, or changed meanwhile\n"
	"  5  OUT cannot be written: disk full, no permission\n"
	"  6  the keys of the two ends differ\n"
	"  130  interrupted\n";

#define PORT "2650"

enum { LISTEN = 256, KEY, CHAIN, SCHEDULE, ONCE, JSON, ADU };

static const struct argp_option both[] = {
	{ "key", KEY, "FILE", 0, "encipher with this key: 32 bytes, or 64 hexadecimal digits", 0 },
	{ "chain", CHAIN, "NAME", 0, "the chain of data manipulations, the same at both ends; `list' lists them ("
	  CHAIN_CLEAR ", or with a key " CHAIN_KEYED ")", 0 },
	{ "schedule", SCHEDULE, "HOW", 0, "fused (the default), layered, tiled or streaming, at this end", 0 },
	{ "json", JSON, NULL, 0, "say how it went as JSON on standard output", 0 },
	{ 0 },
};

static const struct argp_option sending[] = {
	{ "adu", ADU, "BYTES", 0, "size of an ADU, of what is resumed a piece; K and M are known (256K)", 0 },
	{ 0 },
};

static const struct argp_option receiving[] = {
	{ "listen", LISTEN, "ADDR:PORT", 0, "where to wait (127.0.0.1:" PORT "); port 0 takes any, and says which", 0 },
	{ "once", ONCE, NULL, 0, "end after one transfer, with its status", 0 },
	{ 0 },
};

/* What the command line asks for, where a profile may say something else. */
struct asked {
	struct alf_chains chains; /* NULLs: nothing */
	const char *schedule;
};

/* The families that there are: for each plain chain of that name, with what the others add. */
static void list_chains(FILE *to)
{
	struct alf_chains found;

	for (const struct ilp_chain *const *c = ilp_chains; *c; c++) {
		char name[PROFILE_CHAIN_MAX];
		size_t n = strlen((*c)->name);
		if (n < 4 || n - 4 >= sizeof name || strcmp((*c)->name + n - 4, "_sum") != 0)
			continue;
		memcpy(name, (*c)->name, n - 4);
		name[n - 4] = 0;
		if (alf_family(name, &found) == 0)
			fprintf(to, "%-24s %s\n", name, found.marker->stages);
	}
}

static void chain(struct argp_state *state, const char *name, struct asked *a)
{
	if (!strcmp(name, "list")) {
		list_chains(stdout);
		exit(0);
	}
	if (strlen(name) < PROFILE_CHAIN_MAX && alf_family(name, &a->chains) == 0)
		return;
	list_chains(stderr);
	argp_error(state, "%s: no chain that ADUs may go through has that name; expected one of the list above", name);
}

/* What the command line says of the connection goes before what the file says, and that before what is usual. */
static void settle(struct argp_state *state, struct options *o, const struct asked *a)
{
	/* What may wait for its turn at the other end: so none waits for credit. */
	const uint64_t credit = 2 * ENTRIES_MAX * (MESSAGE_MAX + ADU_COST);
	const struct profile_needs needs = { .framer = &alf_mpa, .ordered = true,
		.adu_least = MESSAGE_MAX, .credit_least = credit };
	const char *said = a->chains.plain ? NULL : o->road.profile; /* the file that may have the chain */
	struct alf_profile *p = &o->profile;

	*p = (struct alf_profile){ .schedule = ilp_schedule_name(ILP_FUSED), .initiator = !o->receive,
		.crc = true, .ordered = true,
		.markers = o->receive, /* where bytes come, they are placed over holes */
		.adu_max = MESSAGE_MAX, .credit = credit, .chain = a->chains };
	if (!p->chain.plain)
		alf_family(o->key_file ? CHAIN_KEYED : CHAIN_CLEAR, &p->chain);
	profile_read(state, o->road.profile, p, &needs);
	if (a->chains.plain)
		p->chain = a->chains;
	if (a->schedule)
		p->schedule = a->schedule;
	profile_chain(p, o->chain);
	if (p->chain.plain->associate && !o->key_file)
		argp_error(state, "%schain %s enciphers: it needs a --key", profile_at(said, "chain"), o->chain);
	if (!p->chain.plain->associate && o->key_file)
		argp_error(state, "%schain %s does not encipher: leave out --key, or take another", profile_at(said, "chain"),
			o->chain);
}

static error_t parse_both(int key, char *arg, struct argp_state *state)
{
	static struct asked asked;
	struct options *o = state->input;

	switch (key) {
	case KEY:
		o->key_file = arg;
		return 0;
	case CHAIN:
		chain(state, arg, &asked);
		return 0;
	case SCHEDULE:
		if (ilp_find_schedule(arg) < 0)
			argp_error(state, "%s: expected layered, tiled, fused or streaming", arg);
		asked.schedule = arg;
		return 0;
	case JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_END:
		settle(state, o, &asked);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_send(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o;
		state->child_inputs[1] = &o->road;
		return 0;
	case ADU:
		o->piece_bytes = command_number(state, arg, PIECE_MIN, PIECE_MAX);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			o->file = arg;
		else if (state->arg_num == 1)
			command_address(state, arg, PORT, &o->road.address);
		else
			argp_usage(state);
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_recv(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o;
		state->child_inputs[1] = &o->road;
		return 0;
	case LISTEN:
		command_address(state, arg, PORT, &o->road.address);
		return 0;
	case ONCE:
		o->once = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_usage(state);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!state->arg_num)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp_both = { both, parse_both, NULL, NULL, NULL, NULL, NULL };
static const struct argp_child children[] = { { &argp_both, 0, NULL, 0 }, { &road_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp_send = { sending, parse_send, "FILE|TREE HOST[:PORT]", doc, children, NULL,
				       NULL };
static const struct argp argp_recv = { receiving, parse_recv, "OUT", doc, children, NULL, NULL };
static const struct argp argp_top = { NULL, NULL, "send [OPTION...] FILE|TREE HOST[:PORT]\nrecv [OPTION...] OUT",
				      doc, NULL, NULL, NULL };

int main(int argc, char **argv)
{
	struct options o = { .piece_bytes = 256U << 10, .road = road_default(PORT) };
	char name[] = "xfer send"; /* as usage and errors name it */
	enum status s = OK;

	argp_err_exit_status = USAGE;
	if (argc > 1 && (!strcmp(argv[1], "send") || !strcmp(argv[1], "recv"))) {
		o.receive = argv[1][0] == 'r';
		memcpy(strchr(name, ' ') + 1, argv[1], 4);
		argv[1] = name;
		argp_parse(o.receive ? &argp_recv : &argp_send, argc - 1, argv + 1, 0, NULL, &o);
	} else {
		argp_parse(&argp_top, argc, argv, 0, NULL, &o);
		argp_help(&argp_top, stderr, ARGP_HELP_STD_USAGE, name);
		return USAGE;
	}
	if (o.key_file)
		s = key_read(o.key_file, o.key);
	command_signals();
	command_heed(SIGALRM); /* peer_close */
	signal(SIGXFSZ, SIG_IGN); /* EFBIG says it better */
	if (s == OK)
		s = o.receive ? receive_files(&o) : send_files(&o);
	ilp_wipe(&o, sizeof o);
	return (int)s;
}
