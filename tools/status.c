/* tcpu status: the verb. What TCPK there is on this host, and who has which ports by it: the module's sockets, by
 * /proc, and the helper's claims, by its own word, which is taken as anybody's. */
#include "tools/tcpu.h"

#include "core/link/tcpk.h"
#include "kernel/uapi/tcpk.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS "/proc/net/tcpk"
#define ANSWER_MS 5000  /* the helper has so long for all of its list */
#define CLAIMS_MAX 65536
#define ERRNO_MAX 4095
#define WHY 256

struct row {
	bool module;
	struct tcpkd_reply of;
};

struct status {
	bool module, helper;
	char wrong[WHY]; /* with what the helper says */
	struct row *rows;
	size_t count;
};

static bool add(struct status *s, bool module, const struct tcpkd_reply *r)
{
	struct row *more = s->count & (s->count + 1) ? s->rows : reallocarray(s->rows, 2 * s->count + 2, sizeof *more);

	if (!more)
		return false;
	s->rows = more;
	s->rows[s->count++] = (struct row){ module, *r };
	return true;
}

/* ---- the module ---- */

/* In the columns of /proc/net/udp, of which these are words; of counts it has only what was dropped. */
enum { LINE, LOCAL_IP, LOCAL_PORT, REMOTE_IP, REMOTE_PORT, UID = 11, DROPS = 16, WORDS };

static bool read_socket(char *line, struct tcpkd_reply *r)
{
	char *word[WORDS], *one;
	int n = 0;

	while (n < WORDS && (one = strsep(&line, " :\n")))
		if (*one)
			word[n++] = one;
	if (n < WORDS || *word[LINE] < '0' || *word[LINE] > '9') /* the heading */
		return false;
	*r = (struct tcpkd_reply){ .local = (uint32_t)strtoul(word[LOCAL_IP], NULL, 16),
		.remote = (uint32_t)strtoul(word[REMOTE_IP], NULL, 16),
		.local_port = htons((uint16_t)strtoul(word[LOCAL_PORT], NULL, 16)),
		.remote_port = htons((uint16_t)strtoul(word[REMOTE_PORT], NULL, 16)),
		.uid = (uint32_t)strtoul(word[UID], NULL, 10), .stats.in_dropped = strtoull(word[DROPS], NULL, 10) };
	return true;
}

static void read_module(struct status *s)
{
	FILE *f = fopen(SOCKETS, "re");
	struct tcpkd_reply r;
	char line[512];

	s->module = f;
	while (f && fgets(line, sizeof line, f))
		if (read_socket(line, &r) && !add(s, true, &r))
			break;
	if (f)
		fclose(f);
}

/* ---- the helper ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -ECONNREFUSED, -ENOENT: there is none. */
static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const struct timeval most = { .tv_sec = ANSWER_MS / 1000 };
	int fd, e;

	if (strlen(path) >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) && !connect(fd, (struct sockaddr *)&a, sizeof a))
		return fd;
	e = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	return e;
}

/* 1: one more; 0: there is none any more; -1: wrong has what is. */
static int ask(int fd, uint64_t cursor, int64_t until_ms, struct tcpkd_reply *r, char wrong[WHY])
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST, .cursor = cursor };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left_ms = until_ms - now_ms();
	ssize_t n;

	if (send(fd, &q, sizeof q, MSG_NOSIGNAL) != sizeof q) {
		snprintf(wrong, WHY, "it has ended the connection");
		return -1;
	}
	if (left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0) {
		snprintf(wrong, WHY, "it has not told all within %d s", ANSWER_MS / 1000);
		return -1;
	}
	n = recv(fd, r, sizeof *r, MSG_DONTWAIT | MSG_TRUNC);
	if (n != (ssize_t)sizeof *r)
		snprintf(wrong, WHY, n > 0 ? "an answer of %zd bytes: expected %zu; is it another version?" :
			"it has ended the connection", n, sizeof *r);
	else if (r->abi != TCPK_ABI)
		snprintf(wrong, WHY, "it is of version %u of TCPK's ABI: expected %d", r->abi, TCPK_ABI);
	else if (r->status == -ENOENT)
		return 0;
	else if (r->status < -ERRNO_MAX || r->status > 0)
		snprintf(wrong, WHY, "an answer with status %d, which is none", r->status);
	else if (r->status)
		snprintf(wrong, WHY, "it refuses: %s", strerror(-r->status));
	else if (r->cursor <= cursor)
		snprintf(wrong, WHY, "its list does not go on: %" PRIu64 " after %" PRIu64, (uint64_t)r->cursor, cursor);
	else
		return 1;
	return -1;
}

static void read_helper(struct status *s, const char *path)
{
	const int64_t until_ms = now_ms() + ANSWER_MS;
	struct tcpkd_reply r = { 0 };
	size_t n = 0;
	int fd = dial(path);

	s->helper = fd >= 0;
	if (fd == -ETIMEDOUT) {
		s->helper = true;
		snprintf(s->wrong, WHY, "it has taken no connection within %d s", ANSWER_MS / 1000);
	}
	while (fd >= 0 && ask(fd, r.cursor, until_ms, &r, s->wrong) > 0) {
		if (++n > CLAIMS_MAX || !add(s, false, &r)) {
			snprintf(s->wrong, WHY, n > CLAIMS_MAX ? "its list has no end" : "no memory for its list");
			break;
		}
	}
	if (fd >= 0)
		close(fd);
}

/* ---- telling ---- */

enum { LOCAL, REMOTE, USER, PID, BY, RING, IN_SEGS, IN_BYTES, DROPPED, OUT_SEGS, OUT_BYTES, COLUMNS };

static const char *const heads[COLUMNS] = { "local", "remote", "user", "pid", "by", "ring", "segments in", "bytes in",
	"dropped", "segments out", "bytes out" };

struct line {
	char cell[COLUMNS][32];
};

static void put_address(char cell[32], uint32_t ip, uint16_t port)
{
	char text[INET_ADDRSTRLEN];

	if (!port)
		strcpy(cell, "*");
	else
		snprintf(cell, 32, "%s:%u", ip ? inet_ntop(AF_INET, &ip, text, sizeof text) : "*", ntohs(port));
}

static void put_user(char cell[32], uint32_t uid)
{
	const struct passwd *u = getpwuid(uid);

	if (u)
		snprintf(cell, 32, "%s", u->pw_name);
	else
		snprintf(cell, 32, "%u", uid);
}

/* The module tells no pids, and counts by socket: TCPK_STATS. */
static void fill(struct line *l, const struct row *r)
{
	const struct tcpkd_reply *of = &r->of;
	const struct tcpk_stats *s = &of->stats;
	const struct { int column; uint64_t n; } counts[] = { { IN_SEGS, s->in_segs }, { IN_BYTES, s->in_bytes },
		{ DROPPED, s->in_dropped }, { OUT_SEGS, s->out_segs }, { OUT_BYTES, s->out_bytes } };
	char bytes[24];

	put_address(l->cell[LOCAL], of->local, of->local_port);
	put_address(l->cell[REMOTE], of->remote, of->remote_port);
	put_user(l->cell[USER], of->uid);
	snprintf(l->cell[PID], 32, of->pid ? "%u" : "-", of->pid);
	strcpy(l->cell[BY], r->module ? "module" : "helper");
	snprintf(l->cell[RING], 32, "%s", of->ring_bytes ? size_format(of->ring_bytes, bytes) : "-");
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		snprintf(l->cell[counts[i].column], 32, r->module && counts[i].column != DROPPED ? "-" : "%" PRIu64,
			counts[i].n);
}

static struct row total(const struct status *s)
{
	struct row t = { 0 };

	for (size_t i = 0; i < s->count; i++) {
		const struct tcpk_stats *one = &s->rows[i].of.stats;

		t.of.stats.in_segs += one->in_segs;
		t.of.stats.in_bytes += one->in_bytes;
		t.of.stats.in_dropped += one->in_dropped;
		t.of.stats.out_segs += one->out_segs;
		t.of.stats.out_bytes += one->out_bytes;
	}
	return t;
}

/* Columns as wide as what stands in them; numbers to the right. */
static int tell(const struct status *s)
{
	struct line *lines = calloc(s->count + 2, sizeof *lines);
	const struct row sum = total(s);
	int width[COLUMNS] = { 0 };

	if (!lines)
		return -ENOMEM;
	for (int c = 0; c < COLUMNS; c++)
		strcpy(lines[0].cell[c], heads[c]);
	for (size_t i = 0; i < s->count; i++)
		fill(&lines[i + 1], &s->rows[i]);
	fill(&lines[s->count + 1], &sum);
	snprintf(lines[s->count + 1].cell[LOCAL], 32, "%zu claim%s", s->count, s->count == 1 ? "" : "s");
	for (int c = REMOTE; c <= RING; c++)
		strcpy(lines[s->count + 1].cell[c], "");
	for (size_t i = 0; i < s->count + 2; i++)
		for (int c = 0; c < COLUMNS; c++)
			width[c] = (int)strlen(lines[i].cell[c]) > width[c] ? (int)strlen(lines[i].cell[c]) : width[c];
	printf("module: %s\nhelper: %s\n\n", s->module ? "loaded" : "not there", s->helper ? "serves" : "not there");
	for (size_t i = 0; i < s->count + 2; i++)
		for (int c = 0; c < COLUMNS; c++)
			printf("%*s%s", c == LOCAL || c == REMOTE || c == USER || c == BY ? -width[c] : width[c],
				lines[i].cell[c], c == COLUMNS - 1 ? "\n" : "  ");
	free(lines);
	return 0;
}

static json_t *address(uint32_t ip, uint16_t port)
{
	char text[INET_ADDRSTRLEN];

	return port ? json_pack("{s:s, s:i}", "ip", inet_ntop(AF_INET, &ip, text, sizeof text), "port", ntohs(port)) :
		json_null();
}

static json_t *counts(const struct tcpk_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "segments_in", (json_int_t)s->in_segs, "bytes_in",
		(json_int_t)s->in_bytes, "dropped", (json_int_t)s->in_dropped, "segments_out", (json_int_t)s->out_segs,
		"bytes_out", (json_int_t)s->out_bytes);
}

static int tell_json(const struct status *s)
{
	const struct row sum = total(s);
	json_t *claims = json_array();
	json_t *all;
	int e;

	for (size_t i = 0; i < s->count; i++) {
		const struct tcpkd_reply *r = &s->rows[i].of;
		char user[32];

		put_user(user, r->uid);
		json_array_append_new(claims, json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:o}", "by",
			s->rows[i].module ? "module" : "helper", "local", address(r->local, r->local_port), "remote",
			address(r->remote, r->remote_port), "user", user, "uid", (json_int_t)r->uid, "pid", (json_int_t)r->pid,
			"ring_bytes", (json_int_t)r->ring_bytes, "counts", counts(&r->stats)));
	}
	all = json_pack("{s:b, s:b, s:o, s:o}", "module", s->module, "helper", s->helper, "claims", claims, "totals",
		counts(&sum.of.stats));
	e = json_dumpf(all, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(all);
	return e;
}

/* ---- the verb ---- */

struct arguments {
	const char *helper;
	bool json;
};

enum { OPT_JSON = 0x100, OPT_HELPER };

static const struct argp_option options[] = {
	{ "helper", OPT_HELPER, "PATH", 0, "tcpkd's socket [" TCPKD_PATH "]", 0 },
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == OPT_HELPER)
		a->helper = arg;
	else if (key == OPT_JSON)
		a->json = true;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

int verb_status(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"What TCPK there is on this host, the kernel's module and the helper tcpkd, and which addresses and ports "
		"programs have by it: local, remote (* is any), whose, and what has come and gone. Root, and the user that runs "
		"tcpkd, see the claims of all users, others their own.\v"
		"A pid of - is not known: the module tells none, and tcpkd none of programs from before it. Counts are of what "
		"the claim has now; those of the module's sockets are the programs' own to ask for.\n"
		"Exit status: 0; 1: there is no TCPK, and what is missing was said, or the helper answers wrongly; 2: the "
		"arguments were wrong.\n\n"
		"Example: tcpu status",
		NULL, NULL, NULL
	};
	struct arguments a = { .helper = TCPKD_PATH };
	struct status s = { 0 };
	char missing[512];
	int e;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	read_module(&s);
	read_helper(&s, a.helper);
	if (!s.module && !s.helper && !link_tcpk_missing(a.helper, missing, sizeof missing)) {
		fprintf(stderr, "tcpu status: there is no TCPK:\n%s", missing);
		return TCPU_FAILED;
	}
	e = a.json ? tell_json(&s) : tell(&s);
	if (e)
		fprintf(stderr, "tcpu status: no memory\n");
	if (*s.wrong)
		fprintf(stderr, "tcpu status: %s: %s\n", a.helper, s.wrong);
	free(s.rows);
	return e || *s.wrong ? TCPU_FAILED : TCPU_OK;
}
