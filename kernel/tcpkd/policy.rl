/* The policy file's grammar. */
#include "kernel/tcpkd/policy.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ 64
#define PAGE 4096U

struct reader {
	struct policy *p;
	char name[NAME_MAX_];
	unsigned name_len, first_rule; /* of this line */
	enum policy_who who;
	uint64_t number;
	uint32_t from;
	const char *wrong; /* what is, where the grammar is content */
};

static uint32_t who_is(struct reader *r)
{
	char *end;
	unsigned long id;

	r->name[r->name_len] = 0;
	id = strtoul(r->name, &end, 10);
	if (!*end)
		return (uint32_t)id;
	if (r->who == POLICY_USER) {
		const struct passwd *u = getpwnam(r->name);
		if (u)
			return u->pw_uid;
		r->wrong = "a user of this host, by name or number";
	} else {
		const struct group *g = getgrnam(r->name);
		if (g)
			return g->gr_gid;
		r->wrong = "a group of this host, by name or number";
	}
	return UINT32_MAX;
}

static void add(struct reader *r, uint32_t id)
{
	if (r->from < 1 || r->number > 65535 || r->from > r->number)
		r->wrong = "ports from 1 to 65535, the lower one first";
	else if (r->p->count == POLICY_RULES_MAX)
		r->wrong = "no more than 256 ranges of ports";
	else
		r->p->rules[r->p->count++] = (struct policy_rule){ r->who, id, (uint16_t)r->from, (uint16_t)r->number };
}

static uint32_t limit(struct reader *r, uint64_t most)
{
	if (!r->number || r->number > most)
		r->wrong = "a number above 0, within bounds: 1024 clients, 65536 claims, 1G of ring";
	return (uint32_t)r->number;
}

static uint32_t ring(struct reader *r)
{
	uint32_t bytes = limit(r, 1U << 30);

	if (!r->wrong && (bytes & (bytes - 1) || bytes < PAGE))
		r->wrong = "a power of 2 of at least 4K, as 16M";
	return bytes;
}

%%{
	machine policy;

	action clear { r.number = 0; }
	action digit { if (r.number < UINT32_MAX) r.number = r.number * 10 + (uint64_t)(*p - '0'); }
	action kilo { r.number <<= 10; }
	action mega { r.number <<= 20; }
	action giga { r.number <<= 30; }
	action name_begin { r.name_len = 0; }
	action name { if (r.name_len < NAME_MAX_ - 1) r.name[r.name_len++] = *p; }
	action user { r.who = POLICY_USER; }
	action group { r.who = POLICY_GROUP; }
	action anyone { r.who = POLICY_ANYONE; id = 0; }
	action who { id = who_is(&r); if (r.wrong) { fhold; fbreak; } }
	action lower { r.from = (uint32_t)(r.number > 65536 ? 65536 : r.number); }
	action range { add(&r, id); if (r.wrong) { fhold; fbreak; } }
	action clients { r.p->clients = limit(&r, 1024); if (r.wrong) { fhold; fbreak; } }
	action claims { r.p->claims = limit(&r, 65536); if (r.wrong) { fhold; fbreak; } }
	action ring { r.p->ring_bytes = ring(&r); if (r.wrong) { fhold; fbreak; } }
	action line { line++; }

	sp = [ \t]+;
	number = digit+ >clear $digit;
	size = number ( 'K' @kilo | 'M' @mega | 'G' @giga )?;
	name = [A-Za-z0-9_.\-]+ >name_begin $name;
	range = number %lower ( '-' number )? %range;
	ranges = range ( ',' range )*;
	who = 'user' sp @user name %who | 'group' sp @group name %who | 'anyone' @anyone;
	allow = 'allow' sp who sp 'ports' sp ranges;
	limits = 'clients' sp number %clients | 'claims' sp number %claims | 'ring' sp size %ring;
	statement = sp? ( ( allow | limits ) sp? )? ( '#' [^\n]* )?;
	main := ( statement '\n' @line )*;

	write data nofinal noentry;
}%%

int policy_read(struct policy *out, const char *name, const char *text, size_t length, char *complaint, size_t size)
{
	const char *p = text, *pe = text + length;
	struct policy read = { .clients = out->clients, .claims = out->claims, .ring_bytes = out->ring_bytes };
	struct reader r = { .p = &read };
	unsigned line = 1;
	uint32_t id = 0;
	int cs;

	%% write init;
	%% write exec;

	if (r.wrong || cs == policy_error || (p == pe && length && text[length - 1] != '\n')) {
		snprintf(complaint, size, "%s:%u: expected %s", name, line, r.wrong ? r.wrong :
			cs == policy_error ? "`allow user NAME ports 80,8000-8999' (user, group or anyone), `clients N', "
			"`claims N' or `ring 16M'" : "a newline at the end of the last line");
		return -EINVAL;
	}
	*out = read;
	return 0;
}

void policy_default(struct policy *p, uid_t self)
{
	const struct group *g = getgrnam("tcpk");

	*p = (struct policy){ .clients = 64, .claims = 4096, .ring_bytes = 64 << 20 };
	p->rules[p->count++] = (struct policy_rule){ POLICY_USER, self, 1, 65535 };
	if (g)
		p->rules[p->count++] = (struct policy_rule){ POLICY_GROUP, g->gr_gid, 1024, 65535 };
}

static bool is_about(const struct policy_rule *r, const struct policy_peer *peer)
{
	if (r->who != POLICY_GROUP)
		return r->who == POLICY_ANYONE || r->id == peer->uid;
	for (unsigned i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == r->id)
			return true;
	return false;
}

bool policy_allows(const struct policy *p, const struct policy_peer *peer, uint16_t port)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->rules[i].from <= port && port <= p->rules[i].to && is_about(&p->rules[i], peer))
			return true;
	return false;
}

bool policy_knows(const struct policy *p, const struct policy_peer *peer)
{
	for (unsigned i = 0; i < p->count; i++)
		if (is_about(&p->rules[i], peer))
			return true;
	return false;
}

bool policy_has_privileged(const struct policy *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->rules[i].from < 1024)
			return true;
	return false;
}
