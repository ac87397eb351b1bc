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
#define FOUND_MAX 32
#define PRIVILEGED 1024 /* ports below */
#define RINGS_MOST (UINT64_C(1) << 40)

struct reader {
	struct policy *p;
	char name[NAME_MAX_];
	unsigned name_len;
	enum policy_who who;
	uint64_t number;
	uint32_t from;
	unsigned line;
	const char *line_begin;
	const char *word;  /* a keyword that is not complete; NULL: none is */
	const char *item;  /* the last name, number or range */
	const char *want;  /* by the grammar */
	const char *wrong; /* what the item is not, where the grammar is content */
};

/* A number, or else a name of this host. */
static uint32_t who_is(struct reader *r)
{
	const struct passwd *u;
	const struct group *g;

	r->name[r->name_len] = 0;
	if (r->name_len == strspn(r->name, "0123456789")) {
		unsigned long id = strtoul(r->name, NULL, 10);

		if (id < UINT32_MAX) /* which is no one's: -1 */
			return (uint32_t)id;
	} else if (r->who == POLICY_USER && r->name_len < NAME_MAX_ - 1 && (u = getpwnam(r->name))) {
		return u->pw_uid;
	} else if (r->who == POLICY_GROUP && r->name_len < NAME_MAX_ - 1 && (g = getgrnam(r->name))) {
		return g->gr_gid;
	}
	r->wrong = r->who == POLICY_USER ? "a user of this host, by name or number" :
		"a group of this host, by name or number";
	return UINT32_MAX;
}

static void add(struct reader *r, uint32_t id)
{
	if (r->from < 1 || r->number > 65535 || r->from > r->number)
		r->wrong = "ports from 1 to 65535, the lower one first";
	else if (r->p->count == POLICY_RULES_MAX)
		r->wrong = "no more than 256 ranges of ports in all";
	else
		r->p->rules[r->p->count++] = (struct policy_rule){ r->who, id, (uint16_t)r->from, (uint16_t)r->number };
}

static uint32_t limit(struct reader *r, uint64_t most, const char *want)
{
	if (!r->number || r->number > most)
		r->wrong = want;
	return (uint32_t)r->number;
}

static uint64_t rings(struct reader *r)
{
	if (r->number < PAGE || r->number > RINGS_MOST)
		r->wrong = "bytes from 4K to 1024G";
	return r->number;
}

static uint32_t ring(struct reader *r)
{
	static const char want[] = "a power of 2 from 4K to 1G";
	uint32_t bytes = limit(r, 1U << 30, want);

	if (bytes & (bytes - 1) || bytes < PAGE)
		r->wrong = want;
	return bytes;
}

/* A word, as much of it as there is room for; or one character that ends words. */
static void show(const char *at, const char *end, char text[FOUND_MAX])
{
	static const char ends[] = " \t\r\n,#";
	size_t n = 0;

	text[n++] = '\'';
	do
		text[n++] = *at >= ' ' && *at <= '~' ? *at : '?';
	while (!strchr(ends, *at++) && at < end && n < FOUND_MAX - 2 && !strchr(ends, *at));
	text[n++] = '\'';
	text[n] = 0;
}

static int complain(const struct reader *r, const char *name, const char *at, const char *end, char *text, size_t size)
{
	char found[FOUND_MAX] = "the end of the file";

	if (at < end && (*at == '\n' || *at == '\r'))
		strcpy(found, "the end of the line");
	else if (at < end)
		show(at, end, found);
	snprintf(text, size, "%s:%u:%td: found %s, expected %s", name, r->line, at - r->line_begin + 1, found,
		r->wrong ? r->wrong : r->want);
	return -EINVAL;
}

%%{
	machine policy;

	action word { r.word = p; }
	action item { r.item = p; }
	action clear { r.number = 0; }
	action digit { if (r.number < UINT32_MAX) r.number = r.number * 10 + (uint64_t)(*p - '0'); }
	action kilo { r.number <<= 10; }
	action mega { r.number <<= 20; }
	action giga { r.number = r.number > 1024 ? UINT64_MAX : r.number << 30; }
	action name_begin { r.name_len = 0; r.item = p; r.want = "ports"; }
	action name { if (r.name_len < NAME_MAX_ - 1) r.name[r.name_len++] = *p; }
	action user { r.who = POLICY_USER; r.word = NULL; r.want = "a user's name or number"; }
	action group { r.who = POLICY_GROUP; r.word = NULL; r.want = "a group's name or number"; }
	action anyone { r.who = POLICY_ANYONE; id = 0; r.word = NULL; r.want = "ports"; }
	action who { id = who_is(&r); if (r.wrong) { fhold; fbreak; } }
	action lower { r.from = (uint32_t)(r.number > 65536 ? 65536 : r.number); }
	action range { add(&r, id); if (r.wrong) { fhold; fbreak; } }
	action clients { r.p->clients = limit(&r, 1024, "a number from 1 to 1024"); if (r.wrong) { fhold; fbreak; } }
	action claims { r.p->claims = limit(&r, 65536, "a number from 1 to 65536"); if (r.wrong) { fhold; fbreak; } }
	action ring { r.p->ring_bytes = ring(&r); if (r.wrong) { fhold; fbreak; } }
	action rings { r.p->all_ring_bytes = rings(&r); if (r.wrong) { fhold; fbreak; } }
	action line { r.line++; r.line_begin = p + 1; r.want = statement; }
	action want_who { r.word = NULL; r.want = "user NAME, group NAME or anyone"; }
	action want_port { r.word = NULL; r.want = "a port"; }
	action want_more { r.want = "-, a comma or the end of the line"; }
	action want_comma { r.want = "a comma or the end of the line"; }
	action want_number { r.word = NULL; r.want = "a number"; }
	action want_size { r.word = NULL; r.want = "bytes, as 16M"; }
	action want_end { r.want = "the end of the line"; }

	sp = [ \t]+;
	number = digit+ >clear $digit;
	count = number >item $want_end;
	size = ( number ( 'K' @kilo | 'M' @mega | 'G' @giga )? ) >item $want_end;
	name = [A-Za-z0-9_.\-]+ >name_begin $name;
	range = ( number $want_more %lower ( '-' @want_port number $want_comma )? ) >item %range;
	ranges = range ( sp? ',' @want_port sp? range )*;
	who = 'user' >word @user sp name %who | 'group' >word @group sp name %who | 'anyone' >word @anyone;
	allow = 'allow' >word @want_who sp who sp 'ports' >word @want_port sp ranges;
	limits = 'clients' >word @want_number sp count %clients | 'claims' >word @want_number sp count %claims |
		'ring' >word @want_size sp size %ring | 'rings' >word @want_size sp size %rings;
	statement = sp? ( ( allow | limits ) sp? )? ( '#' [^\n]* )? '\r'?;
	main := ( statement '\n' @line )* statement;

	write data noentry;
}%%

int policy_read(struct policy *out, const char *name, const char *text, size_t length, char *complaint, size_t size)
{
	static const char statement[] = "allow, clients, claims, ring or rings";
	const char *p = text, *pe = text + length, *eof = pe;
	struct policy read = { .clients = out->clients, .claims = out->claims, .ring_bytes = out->ring_bytes,
		.all_ring_bytes = out->all_ring_bytes };
	struct reader r = { .p = &read, .line = 1, .line_begin = text, .want = statement };
	uint32_t id = 0;
	int cs;

	%% write init;
	%% write exec;

	if (r.wrong || cs < policy_first_final)
		return complain(&r, name, r.wrong ? r.item : r.word ? r.word : p, pe, complaint, size);
	*out = read;
	return 0;
}

void policy_default(struct policy *p, uid_t self)
{
	const struct group *g = getgrnam("tcpk");

	*p = (struct policy){ .clients = 64, .claims = 4096, .ring_bytes = 64 << 20,
		.all_ring_bytes = 256 << 20 };
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

/* How many of a rule's ports need no privilege. */
static uint32_t unprivileged(const struct policy_rule *r)
{
	return r->to < PRIVILEGED ? 0 : r->to + 1U - (r->from < PRIVILEGED ? PRIVILEGED : r->from);
}

uint16_t policy_port(const struct policy *p, const struct policy_peer *peer, uint32_t number)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < p->count; i++)
		all += is_about(&p->rules[i], peer) ? unprivileged(&p->rules[i]) : 0;
	if (!all)
		return 0;
	number %= all;
	for (const struct policy_rule *r = p->rules;; r++) {
		uint32_t n = is_about(r, peer) ? unprivileged(r) : 0;

		if (number < n)
			return (uint16_t)(r->to - (n - 1) + number);
		number -= n;
	}
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
		if (p->rules[i].from < PRIVILEGED)
			return true;
	return false;
}
