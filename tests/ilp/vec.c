/* Reads files of vectors. */
#include "tests/ilp/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *path;
	const uint8_t *next, *end;
};

static _Noreturn void bad(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s, expected what ilp/gen --tests writes; generate it again\n", path, what);
	exit(2);
}

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->next;

	if ((size_t)(r->end - p) < n)
		bad(r->path, "ends too early");
	r->next += n;
	return p;
}

static size_t u8(struct reader *r)
{
	return *take(r, 1);
}

static size_t u16(struct reader *r)
{
	const uint8_t *p = take(r, 2);
	return (size_t)p[0] | (size_t)p[1] << 8;
}

static size_t u32(struct reader *r)
{
	const size_t low = u16(r);
	return low | u16(r) << 16;
}

static uint16_t sum(struct reader *r)
{
	uint16_t value;
	memcpy(&value, take(r, 2), 2);
	return value;
}

static void *array(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		abort();
	return p;
}

static void read_params(struct reader *r, struct vec *v)
{
	v->params_len = u16(r);
	if (v->params_len > sizeof v->params / sizeof v->params[0])
		bad(r->path, "has too many parameters");
	for (size_t i = 0; i < v->params_len; i++) {
		const size_t len = u16(r);
		if (len >= sizeof v->params[i].name)
			bad(r->path, "has a parameter of too long a name");
		memcpy(v->params[i].name, take(r, len), len);
		v->params[i].name[len] = '\0';
		v->params[i].size = u16(r);
		v->params[i].value = take(r, v->params[i].size);
	}
}

static void read_adu(struct reader *r, struct vec_adu *adu, const uint8_t *inputs, size_t input_len)
{
	adu->in = inputs + u16(r) * input_len;
	adu->len = u16(r);
	adu->out = take(r, adu->len);
}

static void read_piece(struct reader *r, struct vec_piece *p)
{
	p->len = u16(r);
	p->written = u16(r);
	p->held = (uint32_t)u8(r);
	p->sum = sum(r);
}

static void read_cut(struct reader *r, struct vec_cut *cut, const uint8_t *inputs, size_t input_len)
{
	read_adu(r, &cut->adu, inputs, input_len);
	cut->pieces_len = u16(r);
	cut->pieces = array(cut->pieces_len, sizeof *cut->pieces);
	for (size_t i = 0; i < cut->pieces_len; i++)
		read_piece(r, &cut->pieces[i]);
	cut->end.written = u8(r);
	cut->end.sum = sum(r);
}

static uint8_t *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;

	*len = 0;
	if (!f)
		bad(path, "cannot be opened");
	for (size_t n = 1; n > 0; *len += n) {
		bytes = realloc(bytes, *len + 65536);
		if (!bytes)
			abort();
		n = fread(bytes + *len, 1, 65536, f);
	}
	fclose(f);
	return bytes;
}

void vec_read(struct vec *v, const char *path)
{
	struct reader r = { .path = path };
	size_t len;

	v->file = read_file(path, &len);
	r.next = v->file;
	r.end = v->file + len;
	if (memcmp(take(&r, 8), "ILPVEC1\n", 8) != 0)
		bad(path, "begins otherwise");
	read_params(&r, v);
	const size_t input_len = u32(&r);
	const uint8_t *inputs = take(&r, u16(&r) * input_len);
	for (int d = 0; d < ILP_DIRECTIONS; d++) {
		v->adus_len[d] = u16(&r);
		v->adus[d] = array(v->adus_len[d], sizeof *v->adus[d]);
		for (size_t i = 0; i < v->adus_len[d]; i++) {
			read_adu(&r, &v->adus[d][i], inputs, input_len);
			v->adus[d][i].sum = sum(&r);
		}
		v->cuts_len[d] = u16(&r);
		v->cuts[d] = array(v->cuts_len[d], sizeof *v->cuts[d]);
		for (size_t i = 0; i < v->cuts_len[d]; i++)
			read_cut(&r, &v->cuts[d][i], inputs, input_len);
	}
	if (r.next != r.end)
		bad(path, "goes on after its end");
}

void vec_free(struct vec *v)
{
	for (int d = 0; d < ILP_DIRECTIONS; d++) {
		for (size_t i = 0; i < v->cuts_len[d]; i++)
			free(v->cuts[d][i].pieces);
		free(v->cuts[d]);
		free(v->adus[d]);
	}
	free(v->file);
}
