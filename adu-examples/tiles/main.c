/* The command line of tiles. */
#include "adu-examples/tiles/tiles.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
	"Sends an image as tiles at four resolutions, coarse ones first, each an application data unit, and draws them "
	"as they come: over holes, or in order; demo shows both side by side, over a road that loses.\v"
	"IMAGE is a PNG or a raw PPM (P6) of at most 65,535 pixels in a side and 33,554,432 in all. demo paints one "
	"itself where none is named.\n"
	"\n"
	"Examples:\n"
	"  tiles demo --http 8080               # then look at http://127.0.0.1:8080/\n"
	"  tiles demo --loss 2 --frames out photo.png\n"
	"\n"
	"  tiles recv --http 8080 &\n"
	"  tiles send photo.png 127.0.0.1\n"
	"\n"
	"  tiles send --profile alf/profiles/tiles.lua photo.png host.example\n"
	"\n"
	"Exit status:\n"
	"  0  the picture is whole at the other end\n"
	"  1  the transfer failed\n"
	"  2  wrong usage, or a profile that is wrong, or asks for what tiles cannot do\n"
	"  3  nobody answers at HOST:PORT\n"
	"  4  IMAGE cannot be read, or is too large\n"
	"  5  frames cannot be written, or the page cannot be served there\n"
	"  130  interrupted before the picture was whole\n";

#define PORT "2651"

enum { LISTEN = 256, ORDERED, FRAMES, EVERY, HTTP, EDGE, PATIENCE, LOSS, DELAY, RATE, SEED };

static const struct argp_option cutting[] = {
	{ "edge", EDGE, "PIXELS", 0, "of a tile: 32 (the default), 64, 128 or 256", 0 },
	{ "patience", PATIENCE, "MS", 0, "when a finer level supersedes what is left of a coarser one (5000)", 0 },
	{ 0 },
};
static const struct argp_option showing[] = {
	{ "frames", FRAMES, "DIR", 0, "write what is seen as frame-NUMBER-TIMEms.ppm", 0 },
	{ "every", EVERY, "MS", 0, "at most one frame in so many milliseconds, and the last (100)", 0 },
	{ "http", HTTP, "[ADDR:]PORT", 0, "serve a page that shows it, at 127.0.0.1 unless ADDR says otherwise, until "
	  "interrupted; port 0 takes any, and says which", 0 },
	{ 0 },
};
static const struct argp_option receiving[] = {
	{ "listen", LISTEN, "ADDR:PORT", 0, "where to wait (127.0.0.1:" PORT "); port 0 takes any, and says "
	  "which", 0 },
	{ "ordered", ORDERED, NULL, 0, "draw tiles in the order in which they were sent", 0 },
	{ 0 },
};
static const struct argp_option losing[] = {
	{ "loss", LOSS, "PERCENT", 0, "of packets, both ways (1)", 0 },
	{ "delay", DELAY, "MS", 0, "each way (100)", 0 },
	{ "rate", RATE, "MBIT", 0, "millions of bits a second (8)", 0 },
	{ "seed", SEED, "NUMBER", 0, "which packets are lost (3)", 0 },
	{ 0 },
};

/* ADDR:PORT, or PORT. */
static void http_address(struct argp_state *state, const char *text, struct sockaddr_in *out)
{
	char with_colon[300];

	snprintf(with_colon, sizeof with_colon, "%s%s", strchr(text, ':') ? "" : ":", text);
	command_address(state, with_colon, "", out);
}

static double real(struct argp_state *state, const char *text, double low, double high)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n >= low && n <= high))
		argp_error(state, "%s: expected a number from %g to %g", text, low, high);
	return n;
}

static uint32_t edge(struct argp_state *state, const char *text)
{
	uint32_t n = command_number(state, text, EDGE_MIN, EDGE_MAX);

	if (n & (n - 1))
		argp_error(state, "%s: expected 32, 64, 128 or 256", text);
	return n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case LISTEN: command_address(state, arg, PORT, &o->road.address); return 0;
	case ORDERED: o->ordered = true; return 0;
	case FRAMES: o->frames = arg; return 0;
	case EVERY: o->every_ms = command_number(state, arg, 1, 3600000); return 0;
	case HTTP: o->serve = true; http_address(state, arg, &o->http); return 0;
	case EDGE: o->edge = edge(state, arg); return 0;
	case PATIENCE: o->patience_ms = command_number(state, arg, 0, 3600000); return 0;
	case LOSS: o->loss = real(state, arg, 0, 50) / 100; return 0;
	case DELAY: o->delay_ms = command_number(state, arg, 0, 10000); return 0;
	case RATE: o->rate_mbit = real(state, arg, 0.1, 1000); return 0;
	case SEED: o->seed = command_number(state, arg, 0, UINT32_MAX); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* Of a verb's parts own ones of the command's, and behind them the road. */
static error_t inputs(struct argp_state *state, unsigned own, bool road)
{
	struct options *o = state->input;

	for (unsigned i = 0; i < own; i++)
		state->child_inputs[i] = o;
	if (road)
		state->child_inputs[own] = &o->road;
	return 0;
}

/* A verb's arguments, few to most of them: an image, an address. */
static error_t parse_arguments(int key, char *arg, struct argp_state *state, unsigned few, unsigned most)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num >= most)
			argp_usage(state);
		else if (state->arg_num == 0)
			o->image = arg;
		else
			command_address(state, arg, PORT, &o->road.address);
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < few)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What the command line and the file say of the connection. */
static error_t settle(struct argp_state *state, const struct alf_profile *usual)
{
	struct options *o = state->input;
	const struct profile_needs needs = { .framer = &alf_mpa, .clear = true,
		.adu_least = usual->adu_max };

	o->profile = *usual;
	profile_read(state, o->road.profile, &o->profile, &needs);
	o->profile.ordered |= o->ordered;
	return 0;
}

static error_t parse_send(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_SUCCESS)
		return settle(state, &sender_profile);
	return key == ARGP_KEY_INIT ? inputs(state, 1, true) : parse_arguments(key, arg, state, 2, 2);
}

static error_t parse_recv(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_SUCCESS)
		return settle(state, &receiver_profile);
	return key == ARGP_KEY_INIT ? inputs(state, 2, true) : parse_arguments(key, arg, state, 0, 0);
}

static error_t parse_demo(int key, char *arg, struct argp_state *state)
{
	return key == ARGP_KEY_INIT ? inputs(state, 3, false) : parse_arguments(key, arg, state, 0, 1);
}

#define PARTS(options) { options, parse_option, NULL, NULL, NULL, NULL, NULL }
static const struct argp cut = PARTS(cutting), show = PARTS(showing), receive = PARTS(receiving),
	lossy = PARTS(losing);
static const struct argp_child of_send[] = { { &cut, 0, NULL, 0 }, { &road_argp, 0, NULL, 0 }, { 0 } };
static const struct argp_child of_recv[] = { { &receive, 0, NULL, 0 }, { &show, 0, NULL, 0 },
	{ &road_argp, 0, NULL, 0 }, { 0 } };
static const struct argp_child of_demo[] = { { &lossy, 0, NULL, 0 }, { &cut, 0, NULL, 0 }, { &show, 0, NULL, 0 },
	{ 0 } };
static const struct argp argp_top = { NULL, NULL,
	"send [OPTION...] IMAGE HOST[:PORT]\nrecv [OPTION...]\ndemo [OPTION...] [IMAGE]", doc, NULL, NULL, NULL };

static const struct verb {
	const char *name;
	struct argp argp;
	enum status (*run)(const struct options *);
} verbs[] = {
	{ "send", { NULL, parse_send, "IMAGE HOST[:PORT]", doc, of_send, NULL, NULL }, send_picture },
	{ "recv", { NULL, parse_recv, NULL, doc, of_recv, NULL, NULL }, receive_picture },
	{ "demo", { NULL, parse_demo, "[IMAGE]", doc, of_demo, NULL, NULL }, demonstrate },
};
#define VERBS (sizeof verbs / sizeof *verbs)

enum status broke(const struct alf *alf, int error)
{
	if (error == EBADMSG)
		return complain(FAILED, "the other end went away, or does not speak tiles: %s",
			alf_reason_text(alf_reason(alf)));
	return complain(FAILED, "the connection broke: %s", strerror(error));
}

int main(int argc, char **argv)
{
	struct options o = { .edge = 32, .patience_ms = 5000, .every_ms = 100, .loss = 0.01, .delay_ms = 100,
		.rate_mbit = 8, .seed = 3, .road = road_default(PORT) };
	char name[] = "tiles send"; /* as usage and errors name it */

	argp_err_exit_status = USAGE;
	for (size_t i = 0; i < VERBS && argc > 1; i++)
		if (!strcmp(argv[1], verbs[i].name)) {
			memcpy(strchr(name, ' ') + 1, verbs[i].name, 4);
			argv[1] = name;
			argp_parse(&verbs[i].argp, argc - 1, argv + 1, 0, NULL, &o);
			command_signals();
			return (int)verbs[i].run(&o);
		}
	argp_parse(&argp_top, argc, argv, 0, NULL, &o);
	argp_help(&argp_top, stderr, ARGP_HELP_STD_USAGE, "tiles");
	return USAGE;
}
