/* The calls of a script: arguments as packetdrill has them, made on the sockets of core/tcpu.h, results compared. Data
 * sent is script_byte of its place in the stream, and data read must be. */
#include "tests/script_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ARGS 8
#define BYTES_MAX (16 << 20)
#define PIECES 16
#define OPTION_MAX 256 /* bytes of a socket option */

struct doing { /* a call under way */
	struct world *w;
	const struct script_event *e;
	const struct script_value *arg[ARGS];
	unsigned args;
	struct file *file; /* of the descriptor that is its first argument */
};

/* -1, as a call that fails; the script has failed. */
static int wrong(const struct doing *d, const char *what)
{
	world_fail(d->w, d->e, "%.*s: %s", (int)d->e->call.name.len, d->e->call.name.at, what);
	return -1;
}

static const struct script_value *value(const struct doing *d, uint32_t index)
{
	return index ? &d->w->script->values[index] : NULL;
}

/* The member of a struct with this name; NULL: none. */
static const struct script_value *field(const struct doing *d, const struct script_value *of, const char *name)
{
	const struct script_value *v = of->kind == SCRIPT_STRUCT ? value(d, of->first) : NULL;

	while (v && !script_text_is(v->name, name))
		v = value(d, v->next);
	return v;
}

static bool is_number(const struct doing *d, const struct script_value *v, int64_t *n)
{
	if (!v || v->kind != SCRIPT_NUMBER) {
		wrong(d, "a number was expected");
		return false;
	}
	*n = v->number;
	return true;
}

static int64_t number(const struct doing *d, unsigned i)
{
	int64_t n = 0;

	is_number(d, i < d->args ? d->arg[i] : NULL, &n);
	return n;
}

/* [n], or [] of what it is not; other without brackets or for ... */
static int64_t in_brackets(const struct doing *d, unsigned i, int64_t other)
{
	const struct script_value *v = i < d->args ? d->arg[i] : NULL;
	int64_t n = other;

	if (!v || v->kind == SCRIPT_ELLIPSIS)
		return other;
	if (v->kind == SCRIPT_NUMBER)
		return v->number;
	if (v->kind == SCRIPT_LIST)
		is_number(d, value(d, v->first), &n);
	else
		wrong(d, "[number] was expected");
	return n;
}

static struct file *find_file(struct world *w, int64_t script_fd)
{
	for (unsigned i = 0; i < w->file_count; i++)
		if (w->files[i].script_fd == script_fd)
			return &w->files[i];
	return NULL;
}

/* The descriptor, and -1 for one that the script has never got, or has closed. */
static int fd_of(const struct doing *d)
{
	return d->file ? d->file->fd : -1;
}

/* ---- addresses ---- */

static const struct script_value *argument_of(const struct doing *d, const struct script_value *v, const char *function)
{
	if (v && v->kind == SCRIPT_FUNCTION && script_text_is(v->text, function))
		v = value(d, v->first);
	return v;
}

/* {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.1")}, or ... for other. */
static bool address(const struct doing *d, unsigned i, uint32_t ip, uint16_t port, struct sockaddr_in *a)
{
	const struct script_value *v = i < d->args ? d->arg[i] : NULL, *host;
	char s[INET_ADDRSTRLEN] = "";
	int64_t n = 0;

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip };
	if (!v || v->kind == SCRIPT_ELLIPSIS)
		return true;
	if (!is_number(d, field(d, v, "sa_family"), &n))
		return false;
	a->sin_family = (sa_family_t)n;
	if (!is_number(d, argument_of(d, field(d, v, "sin_port"), "htons"), &n))
		return false;
	a->sin_port = htons((uint16_t)n);
	host = argument_of(d, field(d, v, "sin_addr"), "inet_addr");
	if (!host || host->kind != SCRIPT_STRING || host->text.len >= sizeof s) {
		wrong(d, "sin_addr = inet_addr(\"a.b.c.d\") was expected");
		return false;
	}
	memcpy(s, host->text.at, host->text.len);
	if (inet_pton(AF_INET, s, &a->sin_addr) == 1)
		return true;
	wrong(d, "no IPv4 address");
	return false;
}

/* What a call told, against what was written. */
static int64_t told_address(const struct doing *d, unsigned i, const struct sockaddr_in *a, int64_t result)
{
	struct sockaddr_in expected;

	if (result < 0 || i >= d->args || d->arg[i]->kind == SCRIPT_ELLIPSIS)
		return result;
	if (address(d, i, 0, 0, &expected) && (expected.sin_port != a->sin_port ||
		expected.sin_addr.s_addr != a->sin_addr.s_addr || expected.sin_family != a->sin_family))
		world_fail(d->w, d->e, "the address is %s:%u", inet_ntoa(a->sin_addr), ntohs(a->sin_port));
	return result;
}

static int64_t do_socket(struct doing *d)
{
	return socket_tcpu(d->arg[0]->kind == SCRIPT_ELLIPSIS ? AF_INET : (int)number(d, 0), (int)number(d, 1),
		(int)number(d, 2));
}

static int64_t do_bind(struct doing *d)
{
	const struct script_config *c = &d->w->script->config;
	struct sockaddr_in a;

	return address(d, 1, c->local_ip, c->bind_port, &a) ?
		bind_tcpu(fd_of(d), &a, (socklen_t)in_brackets(d, 2, sizeof a)) : -1;
}

static int64_t do_connect(struct doing *d)
{
	const struct script_config *c = &d->w->script->config;
	struct pair *before = d->w->current;
	struct sockaddr_in a;
	int result;

	if (!address(d, 1, c->remote_ip, c->connect_port, &a))
		return -1;
	if (d->file)
		d->w->info_fd = fd_of(d);
	d->w->current = NULL;
	d->w->connecting = true;
	result = connect_tcpu(fd_of(d), &a, (socklen_t)in_brackets(d, 2, sizeof a));
	if (errno == EALREADY || errno == EISCONN || errno == EBADF) { /* no SYN came of it */
		d->w->current = before;
		d->w->connecting = false;
	}
	return result;
}

static int64_t do_listen(struct doing *d)
{
	d->w->current = NULL;
	return listen_tcpu(fd_of(d), (int)number(d, 1));
}

static int64_t do_accept(struct doing *d)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int fd = accept_tcpu(fd_of(d), &a, &len);

	if (fd >= 0)
		d->w->info_fd = fd;
	return told_address(d, 1, &a, fd);
}

static int64_t do_getsockname(struct doing *d)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	return told_address(d, 1, &a, getsockname_tcpu(fd_of(d), &a, &len));
}

static int64_t do_getpeername(struct doing *d)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	return told_address(d, 1, &a, getpeername_tcpu(fd_of(d), &a, &len));
}

/* ---- data ---- */

static uint8_t *memory(const struct doing *d, int64_t n)
{
	uint8_t *p = n >= 0 && n <= BYTES_MAX ? malloc((size_t)n + 1) : NULL;

	if (!p)
		wrong(d, "no memory for so many bytes");
	return p;
}

static void write_bytes(uint8_t *p, int64_t n, uint64_t offset)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = script_byte(offset + (uint64_t)i);
}

static void check_bytes(const struct doing *d, const uint8_t *p, int64_t n)
{
	if (!script_data_is_right(p, (size_t)n, d->file->taken))
		wrong(d, "read data that was not sent");
}

static int64_t do_send(struct doing *d)
{
	int64_t n = number(d, 2), done;
	uint8_t *p = memory(d, n);

	if (!p)
		return -1;
	write_bytes(p, n, d->file ? d->file->sent : 0);
	done = send_tcpu(fd_of(d), p, (size_t)n, d->args > 3 ? (int)number(d, 3) : 0);
	if (d->file && done > 0)
		d->file->sent += (uint64_t)done;
	free(p);
	return done;
}

static int64_t do_recv(struct doing *d)
{
	int flags = d->args > 3 ? (int)number(d, 3) : 0;
	int64_t n = number(d, 2), done;
	uint8_t *p = memory(d, n);

	if (!p)
		return -1;
	done = recv_tcpu(fd_of(d), p, (size_t)n, flags);
	if (d->file && done > 0) {
		check_bytes(d, p, done);
		d->file->taken += flags & MSG_PEEK ? 0 : (uint64_t)done;
	}
	free(p);
	return done;
}

/* [{..., 100}, {..., 200}] in one piece of memory; its bytes, or -1. */
static int64_t pieces(const struct doing *d, struct iovec v[PIECES], int *count)
{
	const struct script_value *at = d->args > 1 && d->arg[1]->kind == SCRIPT_LIST ? value(d, d->arg[1]->first) : NULL;
	int64_t sum = 0, n = 0;
	uint8_t *p;

	for (*count = 0; at && *count < PIECES; at = value(d, at->next)) {
		const struct script_value *base = at->kind == SCRIPT_STRUCT ? value(d, at->first) : NULL;

		if (!is_number(d, base ? value(d, base->next) : NULL, &n) || n < 0 || n > BYTES_MAX)
			return wrong(d, "{..., bytes} was expected");
		v[(*count)++].iov_len = (size_t)n;
		sum += n;
	}
	if (at || !*count)
		return wrong(d, "a list of {..., bytes} was expected");
	p = memory(d, sum);
	for (int i = 0; i < *count; i++) {
		v[i].iov_base = p;
		p = p ? p + v[i].iov_len : NULL;
	}
	return v[0].iov_base ? sum : -1;
}

static int64_t do_writev(struct doing *d)
{
	struct iovec v[PIECES];
	int64_t n, done;
	int count;

	n = pieces(d, v, &count);
	if (n < 0)
		return -1;
	write_bytes(v[0].iov_base, n, d->file ? d->file->sent : 0);
	done = writev_tcpu(fd_of(d), v, (int)number(d, 2));
	if (d->file && done > 0)
		d->file->sent += (uint64_t)done;
	free(v[0].iov_base);
	return done;
}

static int64_t do_readv(struct doing *d)
{
	struct iovec v[PIECES];
	int64_t done;
	int count;

	if (pieces(d, v, &count) < 0)
		return -1;
	done = readv_tcpu(fd_of(d), v, (int)number(d, 2));
	if (d->file && done > 0) {
		check_bytes(d, v[0].iov_base, done);
		d->file->taken += (uint64_t)done;
	}
	free(v[0].iov_base);
	return done;
}

/* ---- options ---- */

/* The value of a socket option, as {onoff=1, linger=0}, {tv_sec=1, tv_usec=0}, "reno" or [1]: its bytes, or -1; 0 for
 * ..., which says nothing. */
static int option_value(const struct doing *d, const struct script_value *v, uint8_t out[OPTION_MAX])
{
	int64_t a = 0, b = 0;

	if (v->kind == SCRIPT_ELLIPSIS)
		return 0;
	if (v->kind == SCRIPT_STRING) {
		memcpy(out, v->text.at, v->text.len < OPTION_MAX ? v->text.len : OPTION_MAX);
		return v->text.len < OPTION_MAX ? (int)v->text.len : -1;
	}
	if (field(d, v, "onoff")) {
		if (is_number(d, field(d, v, "onoff"), &a) && is_number(d, field(d, v, "linger"), &b))
			memcpy(out, &(struct linger){ (int)a, (int)b }, sizeof(struct linger));
		return sizeof(struct linger);
	}
	if (field(d, v, "tv_sec")) {
		if (is_number(d, field(d, v, "tv_sec"), &a) && is_number(d, field(d, v, "tv_usec"), &b))
			memcpy(out, &(struct timeval){ a, b }, sizeof(struct timeval));
		return sizeof(struct timeval);
	}
	if (!is_number(d, v->kind == SCRIPT_LIST ? value(d, v->first) : v, &a))
		return -1;
	memcpy(out, &a, sizeof a); /* as an int, its first four bytes */
	return sizeof(int);
}

static int64_t do_setsockopt(struct doing *d)
{
	uint8_t v[OPTION_MAX] = { 0 };
	int len = d->args > 3 ? option_value(d, d->arg[3], v) : -1;

	return len < 0 ? wrong(d, "a value was expected") :
		setsockopt_tcpu(fd_of(d), (int)number(d, 1), (int)number(d, 2), v, (socklen_t)in_brackets(d, 4, len));
}

static int64_t do_getsockopt(struct doing *d)
{
	uint8_t expected[OPTION_MAX] = { 0 }, v[OPTION_MAX] = { 0 };
	int len = d->args > 3 ? option_value(d, d->arg[3], expected) : -1, n = 0;
	int64_t room = in_brackets(d, 4, len ? len : OPTION_MAX);
	socklen_t got = (socklen_t)room;
	int64_t result;

	if (len < 0 || room < 0 || room > OPTION_MAX)
		return wrong(d, "a value and a length were expected");
	result = getsockopt_tcpu(fd_of(d), (int)number(d, 1), (int)number(d, 2), v, &got);
	if (result || !len)
		return result;
	memcpy(&n, v, sizeof n);
	if (d->arg[3]->kind != SCRIPT_STRING && got != (room < len ? room : len))
		world_fail(d->w, d->e, "getsockopt gave %u bytes", got);
	if (!memcmp(v, expected, (size_t)(room < len ? room : len)))
		return result;
	if (d->arg[3]->kind == SCRIPT_STRING)
		world_fail(d->w, d->e, "getsockopt gave \"%.16s\"", (char *)v);
	else
		world_fail(d->w, d->e, "getsockopt gave %d", n);
	return result;
}

static int64_t do_ioctl(struct doing *d)
{
	bool set = number(d, 1) == FIONBIO;
	int expected = (int)in_brackets(d, 2, 0), n = set ? expected : -1;
	int64_t result = ioctl_tcpu(fd_of(d), (unsigned long)number(d, 1), &n);

	if (!result && !set && d->arg[2]->kind != SCRIPT_ELLIPSIS && n != expected)
		world_fail(d->w, d->e, "ioctl gave %d", n);
	return result;
}

static int64_t do_fcntl(struct doing *d)
{
	return fcntl_tcpu(fd_of(d), (int)number(d, 1), d->args > 2 ? (int)number(d, 2) : 0);
}

/* ---- the end, and waiting ---- */

static int64_t do_shutdown(struct doing *d)
{
	return shutdown_tcpu(fd_of(d), (int)number(d, 1));
}

static int64_t do_close(struct doing *d)
{
	struct world *w = d->w;
	int fd = fd_of(d);

	if (w->info_fd == fd)
		w->info_fd = -1;
	if (d->file)
		*d->file = w->files[--w->file_count];
	d->file = NULL;
	return close_tcpu(fd);
}

static int64_t do_poll(struct doing *d)
{
	const struct script_value *at = d->arg[0]->kind == SCRIPT_LIST ? value(d, d->arg[0]->first) : NULL;
	struct pollfd fds[ARGS];
	int64_t expected[ARGS], fd, events, n = 0, result;

	for (; at && n < ARGS; at = value(d, at->next), n++) {
		const struct script_value *revents = field(d, at, "revents");
		struct file *f;

		if (!is_number(d, field(d, at, "fd"), &fd) || !is_number(d, field(d, at, "events"), &events))
			return -1;
		expected[n] = 0;
		if (revents && !is_number(d, revents, &expected[n]))
			return -1;
		f = find_file(d->w, fd);
		fds[n] = (struct pollfd){ .fd = f ? f->fd : INT_MAX, .events = (short)events };
	}
	if (n != number(d, 1))
		return wrong(d, "the second argument is the count of the first");
	result = poll_tcpu(fds, (nfds_t)n, (int)number(d, 2));
	for (int64_t i = 0; i < n && result >= 0; i++)
		if (fds[i].revents != expected[i])
			world_fail(d->w, d->e, "poll gave revents 0x%x, expected 0x%x", (unsigned)fds[i].revents,
				(unsigned)expected[i]);
	return result;
}

/* ---- all ---- */

static const struct {
	const char *name;
	int64_t (*run)(struct doing *);
	unsigned least; /* arguments */
	bool makes_fd, fd_first;
} calls[] = {
	{ "socket", do_socket, 3, true, false }, { "bind", do_bind, 2, false, true },
	{ "listen", do_listen, 2, false, true }, { "accept", do_accept, 1, true, true },
	{ "connect", do_connect, 2, false, true }, { "getsockname", do_getsockname, 2, false, true },
	{ "getpeername", do_getpeername, 2, false, true }, { "write", do_send, 3, false, true },
	{ "send", do_send, 4, false, true }, { "sendto", do_send, 4, false, true }, { "read", do_recv, 3, false, true },
	{ "recv", do_recv, 4, false, true }, { "recvfrom", do_recv, 4, false, true },
	{ "writev", do_writev, 3, false, true }, { "readv", do_readv, 3, false, true },
	{ "setsockopt", do_setsockopt, 5, false, true }, { "getsockopt", do_getsockopt, 5, false, true },
	{ "ioctl", do_ioctl, 3, false, true }, { "fcntl", do_fcntl, 2, false, true },
	{ "shutdown", do_shutdown, 2, false, true }, { "close", do_close, 1, false, true },
	{ "poll", do_poll, 3, false, false },
};

static void check_result(struct doing *d, int64_t result, int error)
{
	const struct script_call *c = &d->e->call;
	struct world *w = d->w;
	char came[80];

	if (result < 0)
		snprintf(came, sizeof came, "-1 %s (%s)", strerrorname_np(error), strerrordesc_np(error));
	else
		snprintf(came, sizeof came, "%lld", (long long)result);
	if (!c->result_any && (result != c->result || (result < 0 && error != c->error)))
		world_fail(w, d->e, "%.*s = %lld%s%s was expected, %s came at %.6f", (int)c->name.len, c->name.at,
			(long long)c->result, c->error ? " " : "", c->error ? strerrorname_np(c->error) : "", came,
			world_seconds(w, w->now_us));
	if (c->blocks && w->now_us + w->script->config.tolerance_us < w->call_end_us)
		world_fail(w, d->e, "%.*s should have returned at %.6f, and has, %s, at %.6f", (int)c->name.len, c->name.at,
			world_seconds(w, w->call_end_us), came, world_seconds(w, w->now_us));
}

/* What the script calls result is a descriptor. */
static int64_t new_file(struct doing *d, int64_t fd)
{
	struct world *w = d->w;

	if (fd < 0 || d->e->call.result_any)
		return fd;
	if (w->file_count == WORLD_FILES) {
		close_tcpu((int)fd);
		return wrong(d, "too many descriptors");
	}
	w->files[w->file_count++] = (struct file){ .script_fd = (int)d->e->call.result, .fd = (int)fd };
	return d->e->call.result;
}

void call_run(struct world *w, const struct script_event *e)
{
	struct doing d = { .w = w, .e = e };
	const struct script_value *v;
	int64_t result;
	unsigned i = 0;

	for (v = value(&d, e->call.first); v && d.args < ARGS; v = value(&d, v->next))
		d.arg[d.args++] = v;
	while (i < sizeof calls / sizeof *calls && !script_text_is(e->call.name, calls[i].name))
		i++;
	if (i == sizeof calls / sizeof *calls) {
		wrong(&d, "no call that the runner knows");
		return;
	}
	if (d.args < calls[i].least) {
		wrong(&d, "more arguments were expected");
		return;
	}
	if (calls[i].fd_first)
		d.file = find_file(w, number(&d, 0));
	errno = 0;
	result = calls[i].run(&d);
	check_result(&d, calls[i].makes_fd && result >= 0 ? new_file(&d, result) : result, errno);
}
