#include "tests/tcpkd_fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS 128

struct fake fake;

void fake_begin(void)
{
	fake = (struct fake){ .room = FAKE_CLAIMS };
}

unsigned fake_clients(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < TABLE_CLIENTS; i++)
		n += fake.clients[i].tap > 0;
	return n;
}

int fake_connection(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -1;
	close(fds[1]);
	return fds[0];
}

unsigned fake_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	size_t n = strlen(fake.log);
	va_list list;

	va_start(list, format);
	vsnprintf(fake.log + n, sizeof fake.log - n, format, list);
	va_end(list);
}

static void note_claim(char sign, const struct table_key *k)
{
	char text[INET_ADDRSTRLEN];

	note("%cclaim %s:%u", sign, inet_ntop(AF_INET, &k->local, text, sizeof text), ntohs(k->local_port));
	if (k->remote || k->remote_port)
		note("<%s:%u", inet_ntop(AF_INET, &k->remote, text, sizeof text), ntohs(k->remote_port));
	note(" ");
}

static bool fails(const char *call)
{
	return fake.fail && !strcmp(fake.fail, call);
}

/* ---- kernel/tcpkd/table.h ---- */

int table_add_client(struct table *t, uint32_t index, const struct table_client *c)
{
	(void)t;
	if (fails(__func__))
		return fake.error;
	note("+client %u ", index);
	fake.clients[index] = *c;
	for (unsigned i = 0; i < FAKE_RINGS; i++)
		if (!fake.rings[i].ring_bytes) {
			fake.rings[i] = *c;
			break;
		}
	return eventfd(0, EFD_CLOEXEC);
}

/* The one of that client, by its TAP. */
static void lose_ring(uint32_t tap)
{
	for (unsigned i = 0; i < FAKE_RINGS && tap; i++)
		if (fake.rings[i].tap == tap)
			fake.rings[i] = (struct table_client){ 0 };
}

int table_rings_of(struct table *t, uid_t uid, struct table_rings *r)
{
	(void)t;
	*r = (struct table_rings){ 0 };
	for (unsigned i = 0; i < FAKE_RINGS; i++) {
		r->count += fake.rings[i].ring_bytes && fake.rings[i].uid == uid;
		r->bytes += fake.rings[i].uid == uid ? fake.rings[i].ring_bytes : 0;
	}
	return fails(__func__) ? fake.error : 0;
}

void table_remove_client(struct table *t, uint32_t index)
{
	(void)t;
	note("-client %u ", index);
	if (!fake.kept)
		lose_ring(fake.clients[index].tap);
	fake.clients[index] = (struct table_client){ 0 };
}

int table_client(const struct table *t, uint32_t index, struct table_client *c)
{
	(void)t;
	*c = fake.clients[index];
	return fails(__func__) ? fake.error : c->tap ? 0 : -ENOENT;
}

static struct fake_claim *find(const struct table_key *k)
{
	for (unsigned i = 0; i < fake.claim_count; i++)
		if (!memcmp(&fake.claims[i].key, k, sizeof *k))
			return &fake.claims[i];
	return NULL;
}

struct table_claim *fake_find(const struct table_key *k)
{
	struct fake_claim *c = find(k);

	return c ? &c->counts : NULL;
}

int table_add_claim(struct table *t, const struct table_key *k, const struct table_claim *c)
{
	(void)t;
	if (fails(__func__))
		return fake.error;
	if (find(k))
		return -EEXIST;
	if (fake.claim_count == fake.room)
		return -E2BIG;
	note_claim('+', k);
	fake.claims[fake.claim_count++] = (struct fake_claim){ *k, *c };
	return 0;
}

void table_remove_claim(struct table *t, const struct table_key *k)
{
	struct fake_claim *c = find(k);

	(void)t;
	if (!c)
		return;
	note_claim('-', k);
	/* The others stay in their order. */
	memmove(c, c + 1, (size_t)(fake.claims + --fake.claim_count - c) * sizeof *c);
	if (fake.removed)
		fake.removed(k);
}

int table_claim(const struct table *t, const struct table_key *k, struct table_claim *c)
{
	const struct fake_claim *at = find(k);

	(void)t;
	if (fails(__func__) || !at)
		return at ? fake.error : -ENOENT;
	*c = at->counts;
	return 0;
}

int table_next_claim(const struct table *t, const struct table_key *after, struct table_key *next)
{
	const struct fake_claim *at = after ? find(after) + 1 : fake.claims;

	(void)t;
	if (at == fake.claims + fake.claim_count)
		return -ENOENT;
	*next = at->key;
	return 0;
}

bool table_is_local(const struct table *t, uint32_t ip)
{
	(void)t;
	return ntohl(ip) >> 24 == 127;
}

/* ---- kernel/tcpkd/devices.h ---- */

int devices_make_tap(struct devices *d, uid_t owner, struct device_tap *tap)
{
	(void)d;
	(void)owner;
	if (fails(__func__))
		return fake.error;
	if (fake.last_tap + 1 == FAKE_TAPS)
		return -ENFILE;
	tap->ifindex = ++fake.last_tap;
	tap->fd = eventfd(0, EFD_CLOEXEC);
	if (tap->fd < 0)
		return -errno;
	fake.taps[tap->ifindex] = true;
	note("+tap %u ", tap->ifindex);
	return 0;
}

void devices_delete(struct devices *d, uint32_t ifindex)
{
	(void)d;
	note("-tap %u ", ifindex);
	fake.taps[ifindex] = false;
}

void devices_sweep(struct devices *d)
{
	for (unsigned tap = 1; tap <= fake.last_tap; tap++) {
		unsigned i = 0;

		while (i < TABLE_CLIENTS && fake.clients[i].tap != tap)
			i++;
		if (fake.taps[tap] && i == TABLE_CLIENTS)
			devices_delete(d, tap);
	}
}

bool devices_has_tap(struct devices *d, uint32_t ifindex)
{
	(void)d;
	return ifindex < FAKE_TAPS && fake.taps[ifindex];
}
