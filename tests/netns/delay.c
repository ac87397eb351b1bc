#include "tests/netns/delay.h"
#include "tests/netns/address.h"

#include <argp.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 120 /* beside what sending takes: whoever takes longer hangs */

/* A unit: 24 bits by which it is known, none of which a small number of an ADU looks like, 24 of the ADU's number, 16
 * of its place in it. The next one of an ADU is one more. */
#define UNITS (DELAY_BYTES / 8)
#define KNOWN UINT64_C(0xe5ad9b)

static uint64_t unit(uint32_t adu, uint32_t place)
{
	return KNOWN << 40 | (uint64_t)adu << 16 | place;
}

static uint64_t unit_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return be64toh(w);
}

static void fill(uint8_t *bytes, uint32_t adu)
{
	for (uint32_t i = 0; i < UNITS; i++) {
		uint64_t w = htobe64(unit(adu, i));

		memcpy(bytes + (size_t)8 * i, &w, 8);
	}
}

bool delay_find(const uint8_t *bytes, size_t len, size_t *at, struct delay_stretch *s)
{
	for (; *at + 8 <= len; ++*at) {
		uint64_t w = unit_at(bytes + *at);

		if (w >> 40 != KNOWN)
			continue;
		s->adu = (uint32_t)(w >> 16) & 0xffffff;
		s->first = (uint32_t)w & 0xffff;
		while ((*at += 8) + 8 <= len && unit_at(bytes + *at) == w + 1)
			w++;
		s->last = (uint32_t)w & 0xffff;
		return true;
	}
	return false;
}

uint64_t delay_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void sleep_until(uint64_t us)
{
	struct timespec t = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

void delay_fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

void delay_listens(void)
{
	puts("listening");
	fflush(stdout);
}

/* ---- both ends ---- */

static void send_all(const struct delay_way *way, const struct delay_options *o)
{
	static uint8_t adu[DELAY_BYTES];
	uint64_t due_us = delay_now_us();

	for (uint32_t i = 0; i < o->adus; i++, due_us += o->every_us) {
		fill(adu, i);
		if (o->every_us)
			sleep_until(due_us);
		else
			due_us = delay_now_us();
		printf("sent %u %llu\n", i, (unsigned long long)due_us);
		way->send(adu);
	}
}

static void recv_all(const struct delay_way *way)
{
	static uint8_t adu[DELAY_BYTES];

	while (way->recv(adu)) {
		uint64_t now_us = delay_now_us();
		struct delay_stretch s = { 0 };
		size_t at = 0;

		if (!delay_find(adu, sizeof adu, &at, &s) || s.first != 0 || s.last != UNITS - 1) {
			errno = EBADMSG;
			delay_fail("what came is no ADU");
		}
		printf("came %u %llu\n", s.adu, (unsigned long long)now_us);
	}
}

static const struct argp_option known[] = {
	{ "listen", 'l', "IP:PORT", 0, "and receive", 0 },
	{ "connect", 'c', "IP:PORT", 0, "and send", 0 },
	{ "ordered", 'o', 0, 0, "one ADU after the other", 0 },
	{ "streams", 's', "N", 0, "[1]", 0 },
	{ "adus", 'n', "N", 0, "how many, of 8 KiB", 0 },
	{ "every", 'e', "US", 0, "one; 0: as fast as it goes", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct delay_options *o = state->input;

	switch (key) {
	case 'c':
	case 'l':
		o->sends = key == 'c';
		address_read(state, arg, &o->address);
		break;
	case 'o': o->ordered = true; break;
	case 'e': o->every_us = strtoull(arg, NULL, 10); break;
	case 's': o->streams = (uint16_t)atoi(arg); break;
	case 'n':
		o->adus = (uint32_t)atoi(arg);
		if (o->adus > DELAY_ADUS)
			argp_error(state, "--adus %s: at most %d", arg, DELAY_ADUS);
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int delay_main(const struct delay_way *way, int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "One end of a way of ADUs.", NULL, NULL, NULL };
	struct delay_options o = { .address.sin_family = AF_INET, .streams = 1 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	way->open(&o);
	/* The receiver does not know how long it will be: the script ends it with the sender. */
	if (o.sends) {
		alarm((unsigned)(o.adus * o.every_us / 1000000) + PATIENCE_S);
		send_all(way, &o);
	} else {
		recv_all(way);
	}
	way->close();
	return 0;
}
