/* A page with a canvas, and what is drawn, as a stream of messages that does not end before the pictures do. By GNU
 * libmicrohttpd, which reads what browsers and others say; it is turned by us, and never waits.
 *
 *	GET /		the page (page.c)
 *	GET /tiles	messages: kind: 8 bits | view: 8 | level: 8 | 0: 8 | column: 16 | row: 16 | milliseconds: 32 |
 *			bytes that follow: 32, big-endian
 *
 * Whoever asks gets all from the beginning: views remember in which order tiles were drawn, so that nothing is kept for
 * a reader but where it is. Hosts by other names are refused, lest a page from elsewhere, whose name leads here, reads
 * along. */
#include "adu-examples/tiles/tiles.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEWS_MAX 2
#define READERS_MAX 16
#define PATIENCE_S 30
#define BLOCK_BYTES (64U << 10)
#define TEXT_MAX 200

enum message { MESSAGE_VIEW = 1, MESSAGE_TILE, MESSAGE_END };

struct head {
	uint8_t kind, view, level, zero;
	uint16_t column, row;
	uint32_t ms, len;
};

struct web {
	struct MHD_Daemon *daemon;
	const struct view *view;
	unsigned n;
	char host[INET_ADDRSTRLEN];
	bool anywhere; /* it listens at all addresses: any name will do */
	bool last;
	struct reader *readers;
};

struct reader {
	struct reader *next;
	struct web *web;
	struct MHD_Connection *connection;
	bool sleeps;
	bool told[VIEWS_MAX];       /* what view it is */
	uint32_t drawn[VIEWS_MAX];  /* tiles that it was told of */
	struct head head;           /* the message under way, */
	char text[TEXT_MAX];
	const void *body;           /* and what follows it */
	size_t at, len;             /* of both together */
	bool ended;
};

static void message(struct reader *r, enum message kind, unsigned view, const void *body, size_t len)
{
	r->head = (struct head){ .kind = (uint8_t)kind, .view = (uint8_t)view, .len = htobe32((uint32_t)len) };
	r->body = body;
	r->at = 0;
	r->len = sizeof r->head + len;
}

static void tell_view(struct reader *r, unsigned i)
{
	const struct view *v = &r->web->view[i];
	int len = snprintf(r->text, sizeof r->text, "{\"title\":\"%s\",\"width\":%u,\"height\":%u,\"edge\":%u}",
		v->title, v->picture.width, v->picture.height, v->picture.edge);

	message(r, MESSAGE_VIEW, i, r->text, (size_t)len);
	r->told[i] = true;
}

static void tell_tile(struct reader *r, unsigned i)
{
	const struct view *v = &r->web->view[i];
	const struct drawn *d = &v->log[r->drawn[i]++];
	struct tile t = picture_nth(&v->picture, d->number);

	message(r, MESSAGE_TILE, i, t.bytes, t.len);
	r->head.level = (uint8_t)t.level;
	r->head.column = htobe16((uint16_t)t.column);
	r->head.row = htobe16((uint16_t)t.row);
	r->head.ms = htobe32(d->ms);
}

/* The view that has something to say to it; n of them: none has. */
static unsigned news(const struct reader *r)
{
	const struct view *v = r->web->view;
	unsigned i = 0;

	while (i < r->web->n && (!view_is_open(&v[i]) || (r->told[i] && r->drawn[i] == v[i].drawn)))
		i++;
	return i;
}

/* false: there is nothing to say. */
static bool next_message(struct reader *r)
{
	const unsigned i = news(r);

	if (i < r->web->n && r->told[i]) {
		tell_tile(r, i);
	} else if (i < r->web->n) {
		tell_view(r, i);
	} else if (r->web->last && !r->ended) {
		message(r, MESSAGE_END, 0, NULL, 0);
		r->ended = true;
	} else {
		return false;
	}
	return true;
}

static ssize_t read_messages(void *ctx, uint64_t pos, char *to, size_t max)
{
	struct reader *r = ctx;
	size_t n = 0, k;

	(void)pos;
	while (n < max && (r->at < r->len || next_message(r))) {
		const size_t head = sizeof r->head;
		const size_t left = (r->at < head ? head : r->len) - r->at;
		k = left < max - n ? left : max - n;
		memcpy(to + n, r->at < head ? (const char *)&r->head + r->at : (const char *)r->body + (r->at - head),
			k);
		r->at += k;
		n += k;
	}
	if (n)
		return (ssize_t)n;
	if (r->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	MHD_suspend_connection(r->connection);
	r->sleeps = true;
	return 0;
}

static void forget(void *ctx)
{
	struct reader *r = ctx, **at = &r->web->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free(r);
}

static enum MHD_Result respond(struct MHD_Connection *c, unsigned status, struct MHD_Response *response,
	const char *type)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'; connect-src 'self'; "
		"script-src 'unsafe-inline'; style-src 'unsafe-inline'");
	result = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result respond_text(struct MHD_Connection *c, unsigned status, const char *text, const char *type)
{
	return respond(c, status, MHD_create_response_from_buffer(strlen(text), (void *)text,
		MHD_RESPMEM_PERSISTENT), type);
}

static enum MHD_Result respond_tiles(struct web *w, struct MHD_Connection *c)
{
	struct reader *r = malloc(sizeof *r);
	struct MHD_Response *response;

	if (!r)
		return MHD_NO;
	*r = (struct reader){ .next = w->readers, .web = w, .connection = c };
	w->readers = r;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_messages, r, forget);
	if (!response)
		forget(r);
	return respond(c, MHD_HTTP_OK, response, "application/octet-stream");
}

static bool is_our_name(const struct web *w, const char *host)
{
	size_t len;

	if (w->anywhere || !host)
		return w->anywhere;
	len = strcspn(host, ":");
	return (len == strlen(w->host) && !strncmp(host, w->host, len)) ||
		(len == strlen("localhost") && !strncmp(host, "localhost", len));
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *len, void **state)
{
	struct web *w = ctx;

	(void)version;
	(void)data;
	if (!*state) { /* its head has come */
		*state = w;
		return MHD_YES;
	}
	if (*len) { /* what it brings is nothing to us */
		*len = 0;
		return MHD_YES;
	}
	if (!is_our_name(w, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host")))
		return respond_text(c, MHD_HTTP_FORBIDDEN, "not a name of this host\n", "text/plain");
	if (strcmp(method, "GET") != 0)
		return respond_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET\n", "text/plain");
	if (!strcmp(url, "/"))
		return respond_text(c, MHD_HTTP_OK, web_page, "text/html; charset=utf-8");
	if (!strcmp(url, "/tiles"))
		return respond_tiles(w, c);
	return respond_text(c, MHD_HTTP_NOT_FOUND, "expected / or /tiles\n", "text/plain");
}

enum status web_open(struct web **out, const struct sockaddr_in *at, const struct view *view, unsigned n)
{
	struct web *w = calloc(1, sizeof *w);

	if (!w)
		return complain(FAILED, "%s", strerror(ENOMEM));
	*w = (struct web){ .view = view, .n = n, .anywhere = at->sin_addr.s_addr == htonl(INADDR_ANY) };
	inet_ntop(AF_INET, &at->sin_addr, w->host, sizeof w->host);
	errno = 0;
	w->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, w,
		MHD_OPTION_SOCK_ADDR, at, MHD_OPTION_CONNECTION_LIMIT, READERS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		PATIENCE_S, MHD_OPTION_END);
	if (!w->daemon) {
		free(w);
		return complain(UNWRITABLE, "HTTP at port %u: %s", ntohs(at->sin_port),
			errno ? strerror(errno) : "it does not start");
	}
	*out = w;
	return complain(OK, "see http://%s:%u/", w->host,
		MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
}

void web_turn(struct web *w, bool last)
{
	w->last = last;
	for (struct reader *r = w->readers; r; r = r->next)
		if (r->sleeps && (last || news(r) < w->n)) {
			r->sleeps = false;
			MHD_resume_connection(r->connection);
		}
	MHD_run(w->daemon);
}

int web_fd(const struct web *w)
{
	return MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

bool web_is_watched(const struct web *w)
{
	return w->readers;
}

void web_close(struct web *w)
{
	if (!w)
		return;
	/* A connection that sleeps cannot be ended. */
	for (struct reader *r = w->readers; r; r = r->next)
		if (r->sleeps)
			MHD_resume_connection(r->connection);
	MHD_stop_daemon(w->daemon);
	free(w);
}
