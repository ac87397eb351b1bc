/* What T_print writes: a line for each field, `name: value`, those of a struct two blanks further in. */
#include "ilp/xdr/code.h"

static void print_name(const struct ilp_xdr_printer *p, const char *name)
{
	fprintf(p->to, "%*s%s: ", (int)(2 * p->indent), "", name);
}

void ilp_xdr_print_value(const struct ilp_xdr_printer *p, const char *name, const char *value)
{
	print_name(p, name);
	fprintf(p->to, "%s\n", value);
}

void ilp_xdr_print_int(const struct ilp_xdr_printer *p, const char *name, int64_t n)
{
	print_name(p, name);
	fprintf(p->to, "%lld\n", (long long)n);
}

void ilp_xdr_print_uint(const struct ilp_xdr_printer *p, const char *name, uint64_t n)
{
	print_name(p, name);
	fprintf(p->to, "%llu\n", (unsigned long long)n);
}

void ilp_xdr_print_open(struct ilp_xdr_printer *p, const char *name, int64_t count)
{
	fprintf(p->to, "%*s%s:", (int)(2 * p->indent), "", name);
	if (count >= 0)
		fprintf(p->to, " [%lld]", (long long)count);
	fputc('\n', p->to);
	p->indent++;
}

void ilp_xdr_print_bytes(const struct ilp_xdr_printer *p, const char *name, const uint8_t *val, size_t len)
{
	print_name(p, name);
	for (size_t i = 0; i < len; i++)
		fprintf(p->to, "%02x", val[i]);
	fputc('\n', p->to);
}

void ilp_xdr_print_string(const struct ilp_xdr_printer *p, const char *name, const struct ilp_xdr_string *s)
{
	print_name(p, name);
	fputc('"', p->to);
	for (size_t i = 0; i < s->len; i++) {
		const unsigned char c = (unsigned char)s->val[i];

		if (c == '"' || c == '\\')
			fprintf(p->to, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(p->to, "\\x%02x", c);
		else
			fputc(c, p->to);
	}
	fputs("\"\n", p->to);
}

/* As many digits as tell it from all others. */
void ilp_xdr_print_double(const struct ilp_xdr_printer *p, const char *name, double d)
{
	print_name(p, name);
	fprintf(p->to, "%.17g\n", d);
}

/* Exactly, as the wire has it: printf knows nothing of this type. */
void ilp_xdr_print_quadruple(const struct ilp_xdr_printer *p, const char *name, const ilp_xdr_quadruple_t *q)
{
	uint8_t wire[16];

	ilp_xdr_q(wire, (const uint8_t *)q);
	print_name(p, name);
	fputs("0x", p->to);
	for (size_t i = 0; i < sizeof wire; i++)
		fprintf(p->to, "%02x", wire[i]);
	fputc('\n', p->to);
}
