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

static void *room(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p) {
		fputs("out of memory\n", stderr);
		exit(2);
	}
	return p;
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

static void read_file(struct vec *v, struct reader *r, const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;

	r->path = path;
	if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
		bad(path, "cannot be read");
	v->file = room((size_t)size, 1);
	if (fread(v->file, 1, (size_t)size, f) != (size_t)size)
		bad(path, "cannot be read");
	fclose(f);
	r->next = v->file;
	r->end = v->file + size;
}

static void read_name(struct reader *r, char name[64])
{
	const size_t n = u16(r);

	if (n >= 64)
		bad(r->path, "has a name that is too long");
	memcpy(name, take(r, n), n);
	name[n] = 0;
}

static void read_names(struct vec *v, struct reader *r)
{
	v->params_len = u16(r);
	if (v->params_len > sizeof v->params / sizeof v->params[0])
		bad(r->path, "has too many parameters");
	for (size_t i = 0; i < v->params_len; i++) {
		read_name(r, v->params[i].name);
		v->params[i].size = u16(r);
		v->params[i].value = take(r, v->params[i].size);
	}
	v->values_len = u16(r);
	if (v->values_len > sizeof v->values / sizeof v->values[0])
		bad(r->path, "has too many values");
	for (size_t i = 0; i < v->values_len; i++) {
		read_name(r, v->values[i].name);
		v->values[i].size = u16(r);
	}
}

static void read_adus(struct vec *v, struct reader *r)
{
	const uint8_t *inputs[8], *before = NULL;
	const size_t longest = u32(r), count = u16(r);
	size_t before_len = 0;

	if (count > 8)
		bad(r->path, "has too many inputs");
	for (size_t i = 0; i < count; i++)
		inputs[i] = take(r, longest);
	v->adus_len = u32(r);
	if (v->adus_len > (size_t)(r->end - r->next))
		bad(r->path, "has too many ADUs");
	v->adus = room(v->adus_len, sizeof *v->adus);
	for (size_t i = 0; i < v->adus_len; i++) {
		struct vec_adu *a = &v->adus[i];
		const size_t input = u16(r), back = u16(r);

		a->len = u32(r);
		a->wire_len = u32(r);
		const size_t shared = u32(r);
		if (input >= count || back >= count || a->len > longest || shared > a->wire_len || shared > before_len)
			bad(r->path, "has an ADU that is none");
		uint8_t *wire = room(a->wire_len, 1);
		if (shared)
			memcpy(wire, before, shared);
		memcpy(wire + shared, take(r, a->wire_len - shared), a->wire_len - shared);
		a->data = inputs[input];
		a->back = inputs[back];
		a->wire = before = wire;
		before_len = a->wire_len;
		a->values = r->next;
		for (size_t j = 0; j < v->values_len; j++)
			take(r, v->values[j].size);
		v->longest = a->len > v->longest ? a->len : v->longest;
		v->widest = a->wire_len > v->widest ? a->wire_len : v->widest;
	}
}

static void read_damages(struct vec *v, struct reader *r)
{
	v->damages_len = u32(r);
	if (v->damages_len > (size_t)(r->end - r->next))
		bad(r->path, "has too many damages");
	v->damages = room(v->damages_len, sizeof *v->damages);
	for (size_t i = 0; i < v->damages_len; i++) {
		struct vec_damage *d = &v->damages[i];
		const size_t adu = u32(r);

		d->at = u32(r);
		d->mask = (uint8_t)u8(r);
		d->seen = u8(r) != 0;
		if (adu >= v->adus_len || d->at >= v->adus[adu].wire_len)
			bad(r->path, "damages what is not there");
		d->adu = &v->adus[adu];
	}
}

void vec_read(struct vec *v, const char *path)
{
	struct reader r;

	memset(v, 0, sizeof *v);
	read_file(v, &r, path);
	if (memcmp(take(&r, 8), "ILPVEC3\n", 8) != 0)
		bad(path, "is no file of vectors");
	read_names(v, &r);
	read_adus(v, &r);
	read_damages(v, &r);
	if (r.next != r.end)
		bad(path, "goes on too long");
}

void vec_free(struct vec *v)
{
	for (size_t i = 0; i < v->adus_len; i++)
		free((void *)v->adus[i].wire);
	free(v->adus);
	free(v->damages);
	free(v->file);
}
