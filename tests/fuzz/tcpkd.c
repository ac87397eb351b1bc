/* What clients of tcpkd may send it, several at a time, that come, go and come back, over tests/tcpkd_fake.h and a
 * kernel's TCP of its own: each claim is in the table and reserved there, nobody has what another has, quotas hold, and
 * no descriptor is left. */
#include "kernel/tcpkd/client.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tcpkd_fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8
#define KEPT 8

/* ---- the kernel's TCP ---- */

#define SOCKETS 128

static struct sockaddr_in bound[SOCKETS]; /* by descriptor; port 0: nothing */
static struct clients all;

int __real_close(int fd);
int __wrap_bind(int fd, const struct sockaddr *a, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *a, socklen_t *len);
int __wrap_close(int fd);

static bool is_bound(uint32_t ip, uint16_t port)
{
	for (int i = 0; i < SOCKETS; i++)
		if (bound[i].sin_port == port && (!ip || !bound[i].sin_addr.s_addr || bound[i].sin_addr.s_addr == ip))
			return true;
	return false;
}

int __wrap_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	struct sockaddr_in want;

	must(fd >= 0 && fd < SOCKETS && len == sizeof want && !bound[fd].sin_port);
	memcpy(&want, a, sizeof want);
	for (unsigned port = 40000; !want.sin_port; port++)
		if (!is_bound(want.sin_addr.s_addr, htons((uint16_t)port)))
			want.sin_port = htons((uint16_t)port);
	if (is_bound(want.sin_addr.s_addr, want.sin_port)) {
		errno = EADDRINUSE;
		return -1;
	}
	bound[fd] = want;
	return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *a, socklen_t *len)
{
	must(*len == sizeof bound[fd]);
	memcpy(a, &bound[fd], sizeof bound[fd]);
	return 0;
}

/* What the kernel's TCP has back, nobody claims. */
int __wrap_close(int fd)
{
	if (fd >= 0 && fd < SOCKETS && bound[fd].sin_port) {
		for (unsigned i = 0; i < fake.claim_count; i++)
			must(fake.claims[i].key.local_port != bound[fd].sin_port ||
				fake.claims[i].key.local != bound[fd].sin_addr.s_addr);
		bound[fd].sin_port = 0;
	}
	return __real_close(fd);
}

/* ---- clients ---- */

static struct policy policy;
static struct client *connections[CLIENTS];
static uint64_t kept[KEPT]; /* tokens, of clients that may be no more */
static unsigned keep_at;

static uint64_t ring_bytes_of(uid_t uid)
{
	uint64_t n = 0;

	for (const struct client *c = all.first; c; c = c->next)
		n += c->open && c->peer.uid == uid ? c->entry.ring_bytes : 0;
	return n;
}

static void check(void)
{
	unsigned claims = 0, open = 0;

	for (const struct client *c = all.first; c; c = c->next) {
		must(c->open || (!c->claim_count && c->fd >= 0));
		must(clients_share(&all, c->peer.uid).open <= policy.clients);
		must(clients_share(&all, c->peer.uid).claims <= policy.claims);
		must(ring_bytes_of(c->peer.uid) <= policy.all_ring_bytes);
		open += c->open;
		claims += c->claim_count;
		must(!c->open || fake.clients[c->index].tap == c->entry.tap);
		for (unsigned i = 0; i < c->claim_count; i++) {
			const struct claim *at = &c->claims[i];
			const struct table_claim *t = fake_find(&at->key);

			must(t && t->client == c->index);
			must(at->reserved >= 0 && bound[at->reserved].sin_port == at->key.local_port &&
				bound[at->reserved].sin_addr.s_addr == at->key.local);
		}
	}
	for (const struct client *c = all.leaving; c; c = c->next)
		open++;
	must(claims == fake.claim_count && open == fake_clients());
}

static uint32_t address(uint32_t what)
{
	return what & 3 ? htonl(0x7f000000 + (what & 3)) : 0;
}

static void take_fds(struct client_answer *a)
{
	must(a->fd_count == 0 || (a->fd_count == 2 && !a->reply.status && a->reply.cursor));
	if (!a->fd_count)
		return;
	close(a->fds[0]);
	close(a->fds[1]);
	kept[keep_at] = a->reply.cursor;
	keep_at = (keep_at + 1) % KEPT;
}

static void message(struct input *in, struct client **who)
{
	uint32_t what = take8(in), ports = take8(in), addresses = take8(in);
	struct tcpkd_request q[2] = { { .abi = what & 64 && take8(in) == 1 ? 7 : TCPK_ABI, .verb = what & 7,
		.local = address(addresses), .remote = address(addresses >> 2), .local_port = htons((uint16_t)(ports & 15)),
		.remote_port = htons((uint16_t)(ports >> 4)), .cursor = take8(in),
		.ring_bytes = what & 32 ? 1U << (take8(in) & 31) : 0 } };
	/* The exact bytes: nothing is read behind them. */
	size_t len = what & 128 ? take8(in) % (sizeof q + 1) : sizeof *q;
	uint8_t *exact = malloc(len + !len);
	struct client_answer a;
	bool good;

	if (what & 16)
		q->cursor = kept[take8(in) % KEPT];
	if (addresses & 128)
		q->local_port = htons((uint16_t)(40000 + (ports & 15)));
	memcpy(exact, q, len);
	good = client_request(&all, who, exact, len, &a);
	free(exact);
	must(good == (a.reply.status != -EPROTO) && a.reply.abi == TCPK_ABI && a.reply.status <= 0);
	must(good || len != sizeof *q || q->abi != TCPK_ABI || q->verb < TCPKD_OPEN || q->verb > TCPKD_RESUME);
	take_fds(&a);
	if (!good) {
		client_end(&all, *who);
		*who = NULL;
	}
}

static void come(struct client **who, uint32_t what)
{
	const gid_t group = what >> 2 & 1;
	const struct policy_peer peer = { .uid = what & 3, .groups = &group, .group_count = 1, .pid = 1 };

	*who = client_new(&all, fake_connection(), &peer);
	must(*who);
}

/* Another tcpkd takes over: connections and reservations have gone, the table stays. */
static void restart(void)
{
	for (struct client *c = all.first, *next; c; c = next) {
		next = c->next;
		if (c->fd >= 0)
			__real_close(c->fd);
		for (unsigned i = 0; i < c->claim_count; i++) {
			bound[c->claims[i].reserved].sin_port = 0;
			__real_close(c->claims[i].reserved);
		}
		free((gid_t *)c->peer.groups);
		free(c->claims);
		free(c);
	}
	all.first = NULL;
	for (struct client *c = all.leaving, *next; c; c = next) {
		next = c->next;
		free((gid_t *)c->peer.groups);
		free(c->claims);
		free(c);
	}
	all.leaving = NULL;
	memset(connections, 0, sizeof connections);
	clients_adopt(&all);
}

/* A process ends, or a device is deleted: one that a client has. */
static void lose(uint32_t what)
{
	struct client *c = all.first;
	uint32_t tap;

	for (what &= 15; c && what; what--)
		c = c->next;
	if (!c || !c->open)
		return;
	tap = c->entry.tap;
	fake.taps[tap] = false;
	if (c->fd < 0) {
		clients_sweep(&all);
		return;
	}
	for (int i = 0; i < CLIENTS; i++)
		if (connections[i] == c)
			connections[i] = NULL;
	clients_lose(&all, tap);
}

static void step(struct input *in)
{
	static const char *const calls[] = { NULL, "devices_make_tap", "table_add_client", "table_add_claim" };
	static const int errors[] = { -ENOMEM, -EEXIST, -E2BIG, -EPERM };
	uint32_t what = take8(in);
	struct client **who = &connections[what & (CLIENTS - 1)];

	if (what < 192) {
		if (!*who)
			come(who, what >> 3);
		message(in, who);
	} else if (what < 224 && *who) {
		client_end(&all, *who);
		*who = NULL;
	} else if (what < 240) {
		lose(what);
	} else if (what < 248) {
		restart();
	} else {
		fake.fail = calls[what & 3];
		fake.error = errors[take8(in) & 3];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char text[] = "allow user 1 ports 1-12,40000-40008\nallow group 1 ports 3-40004\nallow user 2 ports 9\n"
		"clients 2\nclaims 5\nring 1M\nrings 1500K\n";
	struct input in = { data, data + len };
	const unsigned descriptors = fake_descriptors();
	char said[256];

	if (len > 2048)
		return 0;
	fake_begin();
	fake.room = 12;
	policy_default(&policy, 0);
	must(!policy_read(&policy, "p", text, sizeof text - 1, said, sizeof said));
	all = (struct clients){ .policy = &policy };
	memset(connections, 0, sizeof connections);
	while (in.at < in.end) {
		step(&in);
		check();
		clients_finish(&all);
	}
	while (clients_finish(&all))
		;
	while (all.first)
		client_end(&all, all.first);
	bucket_free(&all.opens);
	check();
	memset(kept, 0, sizeof kept);
	must(fake_descriptors() == descriptors);
	return 0;
}
