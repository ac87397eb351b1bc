/* Profiles in files (alf/profile.h). alf/profile.lua reads a file and judges each of its fields; here is what goes with
 * what, and what becomes of words. */
#include "alf/profile.h"

#include "alf/conn.h"
#include "ilp/lua.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MAX ((size_t)64 << 20)
#define INSTRUCTIONS_MAX 1e8 /* the sandbox has limits for the file's own; this one is for what reads it, too */

struct reading {
	const char *file;
	struct ilp_why *why;
	struct alf_profile profile;
	struct lua_State *L;
	bool odd; /* alf/profile.lua let something pass */
};

/* Where the file has the field; 0: nowhere. */
static unsigned line_of(struct lua_State *L, const char *field)
{
	char name[32];
	double line = 0;

	snprintf(name, sizeof name, "%s_line", field);
	ilp_lua_number(L, name, &line);
	return (unsigned)line;
}

static bool is_given(const struct reading *r, const char *field)
{
	return line_of(r->L, field);
}

static __attribute__((format(printf, 3, 4))) int refuse(struct reading *r, const char *field, const char *format, ...)
{
	const unsigned line = line_of(r->L, field);
	char what[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return ilp_why(r->why, -EINVAL, "%s:%u: %s", r->file, line ? line : 1, what);
}

/* ---- words ---- */

static const char *const congestions[] = { "cubic", "reno", NULL };
static const char *const orders[] = { "any", "begun", NULL };
static const char *const acks[] = { "delayed", "quick", NULL };
static const char *const recoveries[] = { "keep", "recompute", "tolerate", "supersede", NULL }; /* from ADU_KEEP on */
static const struct alf_framer *const framers[] = { &alf_mpa, &alf_record, &alf_cobs, &alf_plain };
#define FRAMERS (sizeof framers / sizeof *framers)

/* The place of the field's word among these. */
static int word(struct reading *r, const char *field, const char *const words[], int otherwise)
{
	size_t len;
	const char *text = ilp_lua_text(r->L, 0, field, &len);

	if (!is_given(r, field))
		return otherwise;
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	r->odd = true;
	return otherwise;
}

static void take_words(struct reading *r)
{
	const char *names[FRAMERS + 1] = { NULL }, *schedules[ILP_SCHEDULES + 1] = { NULL };
	struct alf_profile *p = &r->profile;
	int n;

	for (unsigned i = 0; i < FRAMERS; i++)
		names[i] = framers[i]->name;
	for (unsigned i = 0; i < ILP_SCHEDULES; i++)
		schedules[i] = ilp_schedule_name((enum ilp_schedule)i);
	n = word(r, "congestion", congestions, -1);
	p->congestion = n < 0 ? p->congestion : congestions[n];
	n = word(r, "framer", names, -1);
	p->framer = n < 0 ? p->framer : framers[n];
	p->ordered = word(r, "order", orders, p->ordered) == 1;
	p->quickack = word(r, "acks", acks, p->quickack) == 1;
	n = word(r, "schedule", schedules, -1);
	p->schedule = n < 0 ? p->schedule : schedules[n];
	n = word(r, "recovery", recoveries, -1);
	p->recovery = n < 0 ? p->recovery : (uint8_t)(ADU_KEEP + n);
}

static void take_numbers(struct reading *r)
{
	struct alf_profile *p = &r->profile;
	double n;

	if (ilp_lua_number(r->L, "markers", &n))
		p->markers = n != 0;
	if (ilp_lua_number(r->L, "crc", &n))
		p->crc = n != 0;
	if (ilp_lua_number(r->L, "adu", &n))
		p->adu_max = (uint64_t)n;
	if (ilp_lua_number(r->L, "credit", &n))
		p->credit = (uint64_t)n;
	if (ilp_lua_number(r->L, "quantum", &n))
		p->quantum = (uint32_t)n;
	if (ilp_lua_number(r->L, "rekey", &n))
		p->rekey_after = (uint64_t)n;
	if (ilp_lua_number(r->L, "forgeries", &n))
		p->forgeries_max = (uint32_t)n;
	if (ilp_lua_number(r->L, "deadline_ms", &n))
		p->deadline_ms = (uint32_t)n;
}

/* ---- chains ---- */

/* A family with MPA, else a chain. -ENOENT, -EINVAL: it does not fit. */
static int find_chain(const char *name, struct alf_profile *p)
{
	struct alf_profile whole;
	struct alf_way way[3];
	int e = 0;

	p->chain = (struct alf_chains){ .plain = NULL };
	if (!p->framer || !p->framer->stream)
		e = alf_family(name, &p->chain);
	else if (!(p->chain.plain = ilp_find(name)))
		e = -ENOENT;
	whole = *p;
	alf_complete(&whole);
	return e ? e : alf_ways(way, &whole);
}

/* Those that would do, one after the other. */
static const char *list_chains(struct alf_profile p, char *list, size_t size)
{
	/* What a chain's name has more than its family's. */
	const int over = !p.framer || !p.framer->stream ? (int)strlen("_sum") : 0;
	size_t n = 0;

	list[0] = 0;
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++) {
		const int len = (int)strlen((*c)->name) - over;
		char name[128];

		if (len < 0 || strcmp((*c)->name + len, over ? "_sum" : "") != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", len, (*c)->name);
		if (n < size && find_chain(name, &p) == 0)
			n += (size_t)snprintf(list + n, size - n, "%s%s", n ? ", " : "", name);
	}
	return list;
}

static int take_chain(struct reading *r)
{
	struct alf_profile *p = &r->profile;
	const char *framer = p->framer ? p->framer->name : alf_mpa.name;
	size_t len;
	const char *name = ilp_lua_text(r->L, 0, "chain", &len);
	struct alf_profile whole = *p;
	struct alf_way way[3];
	char list[512];

	if (!is_given(r, "chain")) {
		alf_complete(&whole);
		return !alf_ways(way, &whole) ? 0 : refuse(r, "framer",
			"framer %s cannot carry the chain that the program has set, expected another; leave framer "
			"out, or give a chain", framer);
	}
	switch (strlen(name) == len ? find_chain(name, p) : -ENOENT) {
	case 0:
		return 0;
	case -ENOENT:
		return refuse(r, "chain",
			"chain is \"%.64s\", which does not exist for framer %s, expected one of %s; correct it, or "
			"build the chain in", name, framer, list_chains(*p, list, sizeof list));
	default:
		return refuse(r, "chain",
			"chain is \"%.64s\", which %s framer %s cannot carry, expected one of %s; correct it, or "
			"take another framer", name, p->chain.plain->associate ? "authenticates, what" : "does what",
			framer,
			list_chains(*p, list, sizeof list));
	}
}

/* ---- what goes with what ---- */

static int check_framer(struct reading *r, const struct alf_profile *p)
{
	static const char *const mpa[] = { "markers", "crc" };
	const bool wanted[] = { p->markers, p->crc };

	for (int i = 0; i < 2; i++)
		if (is_given(r, mpa[i]) && wanted[i] && p->framer->stream)
			return refuse(r, mpa[i],
				"%s is true, expected false with framer %s, which has none; leave it out, or take "
				"framer mpa", mpa[i], p->framer->name);
	if (is_given(r, "recovery") && p->recovery == ADU_RECOMPUTE && !p->framer->again)
		return refuse(r, "recovery",
			"recovery is \"recompute\", expected another with framer %s, which keeps all; take "
			"\"keep\", or framer mpa", p->framer->name);
	return 0;
}

static int check_limits(struct reading *r, const struct alf_profile *p)
{
	static const char *const sealed[] = { "rekey", "forgeries" };

	for (int i = 0; i < 2; i++)
		if (is_given(r, sealed[i]) && !p->chain.plain->associate)
			return refuse(r, sealed[i],
				"%s is given, expected none with chain %s, which does not authenticate; leave it "
				"out, or take a chain like aes128_gcm_copy", sealed[i], p->chain.plain->name);
	if ((is_given(r, "credit") || is_given(r, "adu")) && p->credit < p->adu_max + ADU_COST)
		return refuse(r, is_given(r, "credit") ? "credit" : "adu",
			"credit is %ju, expected %ju or more, for an ADU of adu bytes and its books; raise credit, "
			"or lower adu", (uintmax_t)p->credit,
			(uintmax_t)(p->adu_max + ADU_COST));
	return 0;
}

static int take(struct lua_State *L, void *ctx)
{
	struct reading *r = ctx;
	struct alf_profile whole;
	int e;

	r->L = L;
	take_words(r);
	take_numbers(r);
	if (r->odd)
		return -EPROTO;
	e = take_chain(r);
	whole = r->profile;
	alf_complete(&whole);
	if (!e)
		e = check_framer(r, &whole);
	return e ? e : check_limits(r, &whole);
}

/* What the file says, in a table for take. */
static int read_file(const char *file, int (*take_table)(struct lua_State *, void *), void *ctx, struct ilp_why *why)
{
	struct ilp_lua call = { .who = "alf/profile.lua", .module = "alf.profile", .function = "read", .file = file,
		.instructions = INSTRUCTIONS_MAX, .memory_max = MEMORY_MAX, .take = take_table, .ctx = ctx };
	int e;

	ilp_why(why, 0, "%s", "");
	e = ilp_share(&call.folder, "alf/profile.lua", why);
	if (!e)
		e = ilp_readable(file, "profile", why);
	return e ? e : ilp_lua(&call, why);
}

int alf_profile_load(struct alf_profile *profile, const char *file, char *text, size_t size)
{
	struct ilp_why why = { .text = text, .size = size };
	struct reading r = { .file = file, .why = &why, .profile = *profile };
	int e = read_file(file, take, &r, &why);

	if (!e)
		*profile = r.profile;
	return e;
}

struct search {
	const char *field;
	unsigned line;
};

static int find_line(struct lua_State *L, void *ctx)
{
	struct search *s = ctx;

	s->line = line_of(L, s->field);
	return 0;
}

unsigned alf_profile_line(const char *file, const char *field)
{
	struct search s = { .field = field };
	struct ilp_why why = { .text = NULL };

	return read_file(file, find_line, &s, &why) ? 0 : s.line;
}
