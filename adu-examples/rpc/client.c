/* Calls: one message out, its reply in. */
#include "adu-examples/rpc/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t message[MESSAGE_MAX];

static const char *accept_text(enum accept_stat stat)
{
	switch (stat) {
	case PROG_UNAVAIL:
		return "it does not have the program";
	case PROC_UNAVAIL:
		return "the program does not have the procedure";
	case GARBAGE_ARGS:
		return "it cannot read the arguments";
	default:
		return "something went wrong there";
	}
}

/* What keeps the results from being there. */
static enum status refused(const reply_body *b)
{
	const accepted *a = &b->u.areply.reply_data;
	const rejected_reply *r = &b->u.rreply;

	if (b->stat == MSG_DENIED && r->stat == AUTH_ERROR)
		return complain(FAILED, "the server refuses who calls: authentication error %d", r->u.auth);
	if (b->stat == MSG_DENIED)
		return complain(FAILED, "the server speaks versions %u to %u of RPC", r->u.mismatch.low, r->u.mismatch.high);
	if (a->stat == PROG_MISMATCH)
		return complain(FAILED, "the server has versions %u to %u of the program", a->u.mismatch.low,
				a->u.mismatch.high);
	return a->stat == SUCCESS ? OK : complain(FAILED, "the server: %s", accept_text(a->stat));
}

static const char *failure(const struct alf *alf)
{
	return errno == EBADMSG ? alf_reason_text(alf_reason(alf)) : strerror(errno);
}

/* The reply to that call; results is what it leaves to be decoded. Others may be late ones. */
static enum status hear(struct alf *alf, uint32_t xid, struct ilp_xdr_in *results)
{
	reply_start r;
	enum status s;
	bool mine;
	int64_t id;
	ssize_t n;

	do {
		n = adu_recv(alf, message, sizeof message, NULL, &id, NULL);
		if (n < 0 && errno == EAGAIN)
			return complain(FAILED, "no reply");
		if (n < 0 || !id)
			return complain(FAILED, "the server went away: %s", n ? failure(alf) : "no reply");
		*results = ilp_xdr_in(message, (size_t)n);
		results->budget = 4 * MESSAGE_MAX;
		if (reply_start_decode(&r, results) || r.mtype != REPLY)
			return complain(FAILED, "what came is no reply");
		mine = r.xid == xid;
		s = mine ? refused(&r.body) : OK;
		reply_start_free(&r);
	} while (!mine);
	return s;
}

/* A call's arguments: of an entry, of a key, or none. */
static int put_arguments(const struct options *o, uint32_t proc, const store_entry *entry, struct ilp_xdr_out *out)
{
	const call_start start = { .xid = (uint32_t)getpid(), .mtype = CALL, .rpcvers = RPC_VERSION };
	const call_body body = { .prog = o->prog, .vers = o->vers, .proc = proc };
	int e = call_start_encode(&start, out);

	if (!e)
		e = call_body_encode(&body, out);
	if (!e && proc == STORE_PUT)
		e = store_entry_encode(entry, out);
	if (!e && (proc == STORE_GET || proc == STORE_REMOVE))
		e = store_key_encode(&entry->key, out);
	return e;
}

/* ---- results ---- */

static enum status undecodable(int e)
{
	return complain(FAILED, "what came are no results: %s", strerror(-e));
}

static enum status judge(store_status s, const char *key)
{
	if (s == STORE_ABSENT)
		return complain(UNREADABLE, "%s: there is none", key);
	return s == STORE_FULL ? complain(UNWRITABLE, "%s: the server takes no more", key) : OK;
}

static enum status take_status(struct ilp_xdr_in *in, const char *key)
{
	store_status s;
	int e = store_status_decode(&s, in);

	return e ? undecodable(e) : judge(s, key);
}

static enum status written(bool good)
{
	return good && fflush(stdout) == 0 ? OK : complain(FAILED, "standard output: %s", strerror(errno));
}

static enum status take_found(struct ilp_xdr_in *in, const char *key)
{
	store_found f;
	enum status s;
	int e = store_found_decode(&f, in);

	if (e)
		return undecodable(e);
	s = judge(f.status, key);
	if (s == OK)
		s = written(!f.u.value.len || fwrite(f.u.value.val, f.u.value.len, 1, stdout) == 1);
	store_found_free(&f);
	return s;
}

static enum status take_names(struct ilp_xdr_in *in)
{
	store_names names;
	int e = store_names_decode(&names, in);

	if (e)
		return undecodable(e);
	for (const store_name *n = names; n; n = n->next)
		printf("%.*s\n", (int)n->key.len, n->key.val);
	store_names_free(&names);
	return written(true);
}

static enum status take_results(struct ilp_xdr_in *in, uint32_t proc, const char *key)
{
	switch (proc) {
	case STORE_GET:
		return take_found(in, key);
	case STORE_LIST:
		return take_names(in);
	case STORE_NULL:
		return OK;
	default:
		return take_status(in, key);
	}
}

/* ---- a call ---- */

static uint32_t procedure_of(const char *verb)
{
	static const char *const verbs[] = { "null", "put", "get", "remove", "list" }; /* as store.x counts them */
	uint32_t proc = 0;

	while (strcmp(verb, verbs[proc]) != 0)
		proc++;
	return proc;
}

static enum status call_over(struct alf *alf, const struct options *o, const store_entry *entry)
{
	const uint32_t proc = procedure_of(o->verb);
	struct ilp_xdr_out out = ilp_xdr_out(message, sizeof message);
	struct ilp_xdr_in results;
	enum status s;
	int e = put_arguments(o, proc, entry, &out);

	if (e)
		return complain(FAILED, "%s: longer than %d bytes, or its key than %d", o->key, STORE_VALUE_MAX,
				STORE_KEY_MAX);
	if (adu_send(alf, message, (size_t)(out.at - message), NULL) < 0)
		return complain(FAILED, "the call: %s", failure(alf));
	s = hear(alf, (uint32_t)getpid(), &results);
	return s == OK ? take_results(&results, proc, o->key) : s;
}

static enum status connected(int fd, const struct options *o, const store_entry *entry)
{
	struct alf *alf = alf_open(fd, &o->profile);
	enum status s;

	if (!alf)
		return complain(FAILED, "%s", strerror(errno));
	s = call_over(alf, o, entry);
	alf_close(alf);
	return s;
}

/* The value is the word on the command line, or what standard input has. */
static size_t read_value(const struct options *o, uint8_t *to, size_t cap)
{
	size_t n = o->value ? strlen(o->value) : fread(to, 1, cap, stdin);

	n = n < cap ? n : cap;
	if (o->value)
		memcpy(to, o->value, n);
	return n;
}

enum status call(const struct options *o)
{
	static uint8_t value[STORE_VALUE_MAX + 1]; /* one too long is noticed */
	store_entry entry = { .value.val = value };
	enum status s;
	int fd;

	if (o->key)
		entry.key = (store_key){ (uint32_t)strlen(o->key), (char *)o->key };
	if (!strcmp(o->verb, "put"))
		entry.value.len = (uint32_t)read_value(o, value, sizeof value);
	s = road_connect(&o->road, "`rpc serve`", &fd);
	if (s != OK)
		return s;
	s = connected(fd, o, &entry);
	close_tcpu(fd);
	return s;
}
