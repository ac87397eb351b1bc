/* A call's header and the reply's: RFC 5531 section 9. Who calls is looked at, and may: the store is everybody's. */
#include "adu-examples/rpc/rpc.h"

#include <errno.h>

/* Whether the credentials are any. */
static enum auth_stat check(const opaque_auth *cred)
{
	struct ilp_xdr_in in = ilp_xdr_in(cred->body.val, cred->body.len);
	authsys_parms who;
	bool good;

	if (cred->flavor == AUTH_NONE)
		return AUTH_OK;
	if (cred->flavor != AUTH_SYS)
		return AUTH_REJECTEDCRED;
	if (authsys_parms_decode(&who, &in))
		return AUTH_BADCRED;
	good = in.at == in.end;
	authsys_parms_free(&who);
	return good ? AUTH_OK : AUTH_BADCRED;
}

static enum accept_stat carry_out(const struct program *p, const call_body *c, struct ilp_xdr_in *args,
	struct ilp_xdr_out *results)
{
	if (c->prog != p->number)
		return PROG_UNAVAIL;
	if (c->vers < p->low || c->vers > p->high)
		return PROG_MISMATCH;
	return p->procedure(c->proc, args, results);
}

/* Results stand behind a header that says that there are any, which is written first. */
static void accept_call(const struct program *p, const call_body *c, struct ilp_xdr_in *args, reply_start *r,
	struct ilp_xdr_out *out)
{
	struct ilp_xdr_out results = *out;
	accepted *how = &r->body.u.areply.reply_data;

	how->stat = SUCCESS;
	if (reply_start_encode(r, &results))
		return;
	how->stat = carry_out(p, c, args, &results);
	if (how->stat == PROG_MISMATCH)
		how->u.mismatch = (versions){ p->low, p->high };
	if (how->stat == SUCCESS)
		*out = results;
	else
		reply_start_encode(r, out);
}

static void deny(reply_start *r, rejected_reply why, struct ilp_xdr_out *out)
{
	r->body = (reply_body){ .stat = MSG_DENIED, .u.rreply = why };
	reply_start_encode(r, out);
}

size_t answer(const struct program *p, const uint8_t *message, size_t len, uint8_t *reply, size_t cap)
{
	struct ilp_xdr_in in = ilp_xdr_in(message, len);
	struct ilp_xdr_out out = ilp_xdr_out(reply, cap);
	reply_start r = { .mtype = REPLY };
	call_start start;
	call_body body;
	int e;

	in.budget = 2 * MESSAGE_MAX;
	if (call_start_decode(&start, &in) || start.mtype != CALL)
		return 0;
	r.xid = start.xid;
	if (start.rpcvers != RPC_VERSION) {
		deny(&r, (rejected_reply){ .stat = RPC_MISMATCH, .u.mismatch = { RPC_VERSION, RPC_VERSION } }, &out);
		return (size_t)(out.at - reply);
	}
	e = call_body_decode(&body, &in);
	if (e && e != -EMSGSIZE)
		return 0;
	/* (8.2) no body of authentication is longer than 400 bytes */
	enum auth_stat auth = e ? AUTH_BADCRED : check(&body.cred);
	if (auth == AUTH_OK)
		accept_call(p, &body, &in, &r, &out);
	else
		deny(&r, (rejected_reply){ .stat = AUTH_ERROR, .u.auth = auth }, &out);
	call_body_free(&body);
	return (size_t)(out.at - reply);
}
