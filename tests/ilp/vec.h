/* Files of vectors as ilp/gen/test.lua writes them, read into memory. */
#ifndef TESTS_ILP_VEC_H
#define TESTS_ILP_VEC_H

#include "ilp/run.h"

struct vec_param {
	char name[64];
	size_t size;
	const uint8_t *value;
};

struct vec_adu {
	const uint8_t *in, *out; /* len bytes each */
	size_t len;
	uint16_t sum;
};

struct vec_piece {
	size_t len, written;
	uint32_t held;
	uint16_t sum;
};

/* An ADU that comes in pieces. end: what is written at its end. */
struct vec_cut {
	struct vec_adu adu; /* its sum is unused: each piece has one */
	size_t pieces_len;
	struct vec_piece *pieces, end;
};

struct vec {
	size_t params_len;
	struct vec_param params[16];
	size_t adus_len[ILP_DIRECTIONS], cuts_len[ILP_DIRECTIONS];
	struct vec_adu *adus[ILP_DIRECTIONS];
	struct vec_cut *cuts[ILP_DIRECTIONS];
	uint8_t *file;
};

/* Exits with a message when the file cannot be read or is not of that form. */
void vec_read(struct vec *, const char *path);
void vec_free(struct vec *);

#endif
