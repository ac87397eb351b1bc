/* Files of vectors as ilp/gen/test.lua writes them, read into memory. */
#ifndef TESTS_ILP_VEC_H
#define TESTS_ILP_VEC_H

#include "ilp/run.h"

struct vec_param {
	char name[64];
	size_t size;
	const uint8_t *value;
};

struct vec_value {
	char name[64];
	size_t size;
};

/* An ADU, what is sent of it, what comes back, and the values of its folds, one after another. */
struct vec_adu {
	const uint8_t *data, *wire, *back, *values;
	size_t len, wire_len;
};

/* What is sent of an ADU, damaged: mask 0, it ends at `at`; else that byte is changed. */
struct vec_damage {
	const struct vec_adu *adu;
	size_t at;
	uint8_t mask;
	bool seen;
};

struct vec {
	size_t params_len, values_len, adus_len, damages_len;
	size_t longest, widest; /* of data, and of what is sent */
	struct vec_param params[16];
	struct vec_value values[16];
	struct vec_adu *adus;
	struct vec_damage *damages;
	uint8_t *file;
};

/* Exits with a message when the file cannot be read or is not of that form. */
void vec_read(struct vec *, const char *path);
void vec_free(struct vec *);

#endif
