/* What the fuzz targets share. Each is a file of this folder with LLVMFuzzerTestOneInput, which reads its choices from
 * the bytes that it is given; `make fuzz` links it with libFuzzer, `make check` with replay.c. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Ends the run: the fuzzer keeps the input. */
#define must(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

/* Bytes still to be read; behind the end all are 0. */
struct input {
	const uint8_t *at, *end;
};

static inline uint32_t take8(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint32_t take16(struct input *in)
{
	uint32_t high = take8(in);

	return high << 8 | take8(in);
}

/* A distance, modulo 2^32 */
static inline uint32_t take_near(struct input *in)
{
	int16_t near = (int16_t)take16(in);

	return (uint32_t)near;
}

static inline uint32_t take32(struct input *in)
{
	uint32_t high = take16(in);

	return high << 16 | take16(in);
}

#endif
