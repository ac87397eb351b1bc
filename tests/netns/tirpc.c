/* The program of adu-examples/rpc/store.x as others know it: a server or a client of libtirpc, over the kernel's TCP,
 * with the types written in its own words.
 *
 *	tirpc serve IP PORT			says `listening`
 *	tirpc put|get|remove|list IP PORT [KEY [BYTES]]	what came, a line each; of a value its length and sum
 *	tirpc proc|garbage|sys|none|version|program IP PORT	what is wrong, or a credential: says how it went */
#include <arpa/inet.h>
#include <rpc/rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRAM = 0x20002650, VERSION = 1, PUT = 1, GET, REMOVE, LIST };
enum { GOOD, ABSENT, FULL };
#define KEY_MAX 255
#define VALUE_MAX (1 << 20)
#define LIMIT_S 60 /* whoever takes longer hangs */

struct entry {
	char *key;
	u_int len;
	char *value;
};
struct found {
	int status;
	u_int len;
	char *value;
};
struct name {
	char *key;
	struct name *next;
};

static bool_t xdr_key(XDR *x, char **key)
{
	return xdr_string(x, key, KEY_MAX);
}

static bool_t xdr_entry(XDR *x, struct entry *e)
{
	return xdr_key(x, &e->key) && xdr_bytes(x, &e->value, &e->len, VALUE_MAX);
}

static bool_t xdr_found(XDR *x, struct found *f)
{
	return xdr_int(x, &f->status) && (f->status != GOOD || xdr_bytes(x, &f->value, &f->len, VALUE_MAX));
}

/* A list: whether there is one more, and it. */
static bool_t xdr_names(XDR *x, struct name **n)
{
	bool_t more = *n != NULL;

	for (;; n = &(*n)->next) {
		more = *n != NULL;
		if (!xdr_bool(x, &more))
			return FALSE;
		if (!more)
			return TRUE;
		if (x->x_op == XDR_DECODE)
			*n = calloc(1, sizeof **n);
		if (!xdr_key(x, &(*n)->key))
			return FALSE;
	}
}

static bool_t xdr_nothing(XDR *x, void *nothing)
{
	(void)x, (void)nothing;
	return TRUE;
}

/* Arguments that are none. */
static bool_t xdr_garbage(XDR *x, void *nothing)
{
	u_int word = 1000;

	(void)nothing;
	return xdr_u_int(x, &word);
}

/* ---- the server ---- */

static struct entry kept[64];
static int count;

static struct entry *find(const char *key)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(kept[i].key, key))
			return &kept[i];
	return NULL;
}

static int put(const struct entry *e)
{
	struct entry *old = find(e->key);

	if (!old && count == 64)
		return FULL;
	*(old ? old : &kept[count++]) = (struct entry){ strdup(e->key), e->len, memcpy(malloc(e->len + 1), e->value, e->len) };
	return GOOD;
}

static void answer_put(SVCXPRT *to)
{
	struct entry e = { NULL, 0, NULL };
	int status;

	if (!svc_getargs(to, (xdrproc_t)xdr_entry, (caddr_t)&e)) {
		svcerr_decode(to);
		return;
	}
	status = put(&e);
	svc_sendreply(to, (xdrproc_t)xdr_int, (caddr_t)&status);
	svc_freeargs(to, (xdrproc_t)xdr_entry, (caddr_t)&e);
}

static void answer_key(SVCXPRT *to, rpcproc_t procedure)
{
	char *key = NULL;
	struct entry *e;
	struct found f = { ABSENT, 0, NULL };

	if (!svc_getargs(to, (xdrproc_t)xdr_key, (caddr_t)&key)) {
		svcerr_decode(to);
		return;
	}
	e = find(key);
	if (e)
		f = (struct found){ GOOD, e->len, e->value };
	if (e && procedure == REMOVE)
		*e = kept[--count];
	svc_sendreply(to, procedure == GET ? (xdrproc_t)xdr_found : (xdrproc_t)xdr_int, (caddr_t)&f);
	svc_freeargs(to, (xdrproc_t)xdr_key, (caddr_t)&key);
}

static void answer_list(SVCXPRT *to)
{
	static struct name names[64];
	struct name *first = count ? names : NULL;

	for (int i = 0; i < count; i++)
		names[i] = (struct name){ kept[i].key, i + 1 < count ? &names[i + 1] : NULL };
	svc_sendreply(to, (xdrproc_t)xdr_names, (caddr_t)&first);
}

static void answer(struct svc_req *r, SVCXPRT *to)
{
	switch (r->rq_proc) {
	case NULLPROC:
		svc_sendreply(to, (xdrproc_t)xdr_nothing, NULL);
		break;
	case PUT:
		answer_put(to);
		break;
	case GET:
	case REMOVE:
		answer_key(to, r->rq_proc);
		break;
	case LIST:
		answer_list(to);
		break;
	default:
		svcerr_noproc(to);
	}
}

static int serve(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	SVCXPRT *to;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) || listen(fd, 8)) {
		perror("tirpc: listen");
		return 1;
	}
	to = svctcp_create(fd, 0, 0);
	if (!to || !svc_register(to, PROGRAM, VERSION, answer, 0)) { /* 0: rpcbind is not told */
		fprintf(stderr, "tirpc: no server\n");
		return 1;
	}
	puts("listening");
	svc_run();
	return 1;
}

/* ---- the client ---- */

static CLIENT *client;

static int call(rpcproc_t procedure, xdrproc_t out, void *args, xdrproc_t in, void *results)
{
	const struct timeval patience = { 20, 0 };
	enum clnt_stat s = clnt_call(client, procedure, out, args, in, results, patience);

	if (s != RPC_SUCCESS)
		printf("%s\n", clnt_sperrno(s));
	return s != RPC_SUCCESS;
}

static int call_put(char *key, u_int len)
{
	struct entry e = { key, len, malloc(len + 1) };
	int status = -1;

	for (u_int i = 0; i < len; i++)
		e.value[i] = (char)(i * 7 + i / 253);
	if (call(PUT, (xdrproc_t)xdr_entry, &e, (xdrproc_t)xdr_int, &status))
		return 1;
	printf("status %d\n", status);
	return 0;
}

static int call_get(char *key)
{
	struct found f = { -1, 0, NULL };
	unsigned long sum = 0;

	if (call(GET, (xdrproc_t)xdr_key, &key, (xdrproc_t)xdr_found, &f))
		return 1;
	for (u_int i = 0; i < f.len; i++)
		sum = sum * 31 + (u_char)f.value[i];
	printf("status %d, %u bytes, sum %lu\n", f.status, f.len, sum);
	return 0;
}

static int call_remove(char *key)
{
	int status = -1;

	if (call(REMOVE, (xdrproc_t)xdr_key, &key, (xdrproc_t)xdr_int, &status))
		return 1;
	printf("status %d\n", status);
	return 0;
}

static int call_list(void)
{
	struct name *names = NULL;

	if (call(LIST, (xdrproc_t)xdr_nothing, NULL, (xdrproc_t)xdr_names, &names))
		return 1;
	for (; names; names = names->next)
		puts(names->key);
	return 0;
}

static int call_null(rpcproc_t procedure, xdrproc_t out)
{
	if (call(procedure, out, NULL, (xdrproc_t)xdr_nothing, NULL))
		return 1;
	puts("done");
	return 0;
}

static int run(const char *verb, char *key, const char *bytes)
{
	if (!strcmp(verb, "put"))
		return call_put(key, (u_int)atoi(bytes));
	if (!strcmp(verb, "get"))
		return call_get(key);
	if (!strcmp(verb, "remove"))
		return call_remove(key);
	if (!strcmp(verb, "list"))
		return call_list();
	if (!strcmp(verb, "proc"))
		return call_null(99, (xdrproc_t)xdr_nothing);
	if (!strcmp(verb, "garbage"))
		return call_null(GET, (xdrproc_t)xdr_garbage);
	if (!strcmp(verb, "sys"))
		client->cl_auth = authunix_create_default();
	return call_null(NULLPROC, (xdrproc_t)xdr_nothing);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = RPC_ANYSOCK;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4 || !inet_aton(argv[2], &at.sin_addr)) {
		fprintf(stderr, "usage: tirpc VERB IP PORT [KEY [BYTES]]\n");
		return 2;
	}
	at.sin_port = htons((in_port_t)atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		return serve(&at);
	alarm(LIMIT_S);
	client = clnttcp_create(&at, PROGRAM + (u_long)!strcmp(argv[1], "program"),
		VERSION + (u_long)!strcmp(argv[1], "version"), &fd, 0, 0);
	if (!client) {
		clnt_pcreateerror("tirpc");
		return 1;
	}
	return run(argv[1], argc > 4 ? argv[4] : NULL, argc > 5 ? argv[5] : "0");
}
