#include "kernel/tcpkd/client.h"

#include "kernel/tcpkd/connection.h"
#include "kernel/tcpkd/reservation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING_DEFAULT (4U << 20)
#define TRIES 256 /* of ports that may be taken */

/* ---- their coming and going ---- */

struct client *client_new(struct clients *all, int fd, const struct policy_peer *peer)
{
	struct client *c = calloc(1, sizeof *c);
	gid_t *groups = calloc(peer->group_count + 1, sizeof *groups);

	if (!c || !groups) {
		free(c);
		free(groups);
		return NULL;
	}
	if (peer->group_count)
		memcpy(groups, peer->groups, peer->group_count * sizeof *groups);
	*c = (struct client){ .next = all->first, .fd = fd, .peer = *peer };
	c->peer.groups = groups;
	c->stranger = !clients_trust(all, peer->uid) && !policy_knows(all->policy, &c->peer);
	all->first = c;
	return c;
}

static void add_counts(struct tcpk_stats *to, const struct table_claim *c)
{
	to->in_segs += c->in_segs;
	to->in_bytes += c->in_bytes;
	to->in_dropped += c->in_dropped;
	to->out_segs += c->out_segs;
	to->out_bytes += c->out_bytes;
}

/* The kernel's TCP must not have the port before the table has let go of it. */
static void drop_claim(struct clients *all, struct client *c, unsigned i)
{
	struct claim *claim = &c->claims[i];
	struct table_claim counts;

	if (!table_claim(all->table, &claim->key, &counts))
		add_counts(&c->before, &counts);
	table_remove_claim(all->table, &claim->key);
	if (claim->reserved >= 0)
		close(claim->reserved);
	else
		all->lost--;
	*claim = c->claims[--c->claim_count];
}

static void client_free(struct client *c)
{
	free((gid_t *)c->peer.groups);
	free(c->claims);
	free(c);
}

void client_leave(struct clients *all, struct client *c)
{
	struct client **at = &all->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	while (c->claim_count)
		drop_claim(all, c, c->claim_count - 1);
	if (c->fd >= 0)
		connection_end(c->fd, c->peer.uid, all->epoll);
	if (!c->open) {
		client_free(c);
		return;
	}
	c->next = all->leaving;
	all->leaving = c;
}

bool clients_finish(struct clients *all)
{
	struct client *c = all->leaving;

	if (!c)
		return false;
	all->leaving = c->next;
	table_remove_client(all->table, c->index);
	devices_delete(all->devices, c->entry.tap);
	client_free(c);
	return all->leaving;
}

void client_end(struct clients *all, struct client *c)
{
	bool open = c->open;

	client_leave(all, c);
	if (open)
		clients_finish(all);
}

struct client_share clients_share(const struct clients *all, uid_t uid)
{
	struct client_share s = { .connections = connection_count(uid) };

	for (const struct client *c = all->first; c; c = c->next) {
		if (c->peer.uid != uid)
			continue;
		s.connections += c->fd >= 0;
		s.open += c->open;
		s.claims += c->claim_count;
	}
	return s;
}

bool clients_any(const struct clients *all)
{
	for (const struct client *c = all->first; c; c = c->next)
		if (c->open)
			return true;
	return false;
}

bool clients_trust(const struct clients *all, uid_t uid)
{
	return uid == 0 || uid == all->self;
}

/* ---- claims ---- */

static struct claim *find(const struct client *c, const struct tcpkd_request *q)
{
	for (unsigned i = 0; i < c->claim_count; i++)
		if (c->claims[i].key.local == q->local && c->claims[i].key.local_port == q->local_port)
			return &c->claims[i];
	return NULL;
}

/* Whether a claim is of that, too, and has lost its reservation: the kernel's TCP knows nothing of it then, and of two
 * that are of one packet the one with the address would have it. */
static bool is_lost(const struct clients *all, uint32_t ip, uint16_t port)
{
	for (const struct client *c = all->lost ? all->first : NULL; c; c = c->next)
		for (unsigned i = 0; i < c->claim_count; i++) {
			const struct table_key *k = &c->claims[i].key;

			if (c->claims[i].reserved < 0 && k->local_port == port && (!ip || !k->local || k->local == ip))
				return true;
		}
	return false;
}

/* The same, unless somebody has claimed it. */
static int reserve_new(const struct clients *all, uint32_t ip, uint16_t *port)
{
	int fd = reservation_make(ip, port);

	if (fd < 0 || !is_lost(all, ip, *port))
		return fd;
	close(fd);
	return -EADDRINUSE;
}

/* Any port, of those that the policy allows: mostly the kernel's choice is one. */
static int reserve_any(const struct clients *all, const struct client *c, uint32_t ip, uint16_t *port)
{
	int fd = reservation_make(ip, port);
	uint32_t number = ntohs(*port) * 40503U;

	if (fd < 0 || (policy_allows(all->policy, &c->peer, ntohs(*port)) && !is_lost(all, ip, *port)))
		return fd;
	close(fd);
	fd = -EPERM;
	for (unsigned tries = 0; tries < TRIES && (fd == -EPERM || fd == -EADDRINUSE); tries++) {
		*port = htons(policy_port(all->policy, &c->peer, number + tries));
		if (!*port)
			return -EPERM;
		fd = reserve_new(all, ip, port);
	}
	return fd;
}

static int room_for_claim(struct client *c)
{
	unsigned room = c->claim_room ? 2 * c->claim_room : 4;
	struct claim *more;

	if (c->claim_count < c->claim_room)
		return 0;
	more = reallocarray(c->claims, room, sizeof *more);
	if (!more)
		return -ENOMEM;
	c->claims = more;
	c->claim_room = room;
	return 0;
}

/* The table's word, as whoever claims has it. */
static int as_told(int e)
{
	return e == -EEXIST ? -EADDRINUSE : e == -E2BIG ? -EDQUOT : e;
}

static int claim(struct clients *all, struct client *c, const struct tcpkd_request *q, struct tcpkd_reply *r)
{
	const struct table_claim fresh = { .client = c->index };
	struct claim new = { .key = { .local = q->local, .local_port = q->local_port } };
	int e = room_for_claim(c);

	if (e)
		return e;
	if (clients_share(all, c->peer.uid).claims >= all->policy->claims)
		return -EDQUOT;
	if (q->local_port && !policy_allows(all->policy, &c->peer, ntohs(q->local_port)))
		return -EPERM;
	if (q->local && !table_is_local(all->table, q->local))
		return -EADDRNOTAVAIL;
	new.reserved = q->local_port ? reserve_new(all, q->local, &new.key.local_port) :
		reserve_any(all, c, q->local, &new.key.local_port);
	if (new.reserved < 0)
		return new.reserved;
	e = table_add_claim(all->table, &new.key, &fresh);
	if (e) {
		close(new.reserved);
		return as_told(e);
	}
	c->claims[c->claim_count++] = new;
	r->local = new.key.local;
	r->local_port = new.key.local_port;
	return 0;
}

/* The new key comes before the old one goes: no packet finds neither. A port of all addresses stays what it is: packets
 * are not looked up by their remote and no local address. */
static int narrow(struct clients *all, const struct client *c, const struct tcpkd_request *q)
{
	struct claim *at = find(c, q);
	struct table_claim counts;
	struct table_key key;
	int e;

	if (!at)
		return -ENOENT;
	if (!q->remote != !q->remote_port)
		return -EINVAL;
	if (!at->key.local)
		return 0;
	key = at->key;
	key.remote = q->remote;
	key.remote_port = q->remote_port;
	if (!memcmp(&key, &at->key, sizeof key))
		return 0;
	e = table_claim(all->table, &at->key, &counts);
	if (!e)
		e = table_add_claim(all->table, &key, &counts);
	if (e)
		return as_told(e);
	table_remove_claim(all->table, &at->key);
	at->key = key;
	return 0;
}

static int release(struct clients *all, struct client *c, const struct tcpkd_request *q)
{
	const struct claim *at = find(c, q);

	if (!at)
		return -ENOENT;
	drop_claim(all, c, (unsigned)(at - c->claims));
	return 0;
}

/* ---- opening ---- */

static int free_index(const struct clients *all, uint32_t *index)
{
	struct table_client c;

	for (*index = 0; *index < TABLE_CLIENTS; ++*index)
		if (table_client(all->table, *index, &c) == -ENOENT)
			return 0;
	return -EDQUOT;
}

static bool leaves(const struct clients *all, uid_t uid)
{
	const struct client *c = all->leaving;

	while (c && c->peer.uid != uid)
		c = c->next;
	return c;
}

/* Whether that user may have one ring more. What a client leaves behind, and some process keeps, is his as well. */
static int has_room_for(const struct clients *all, uid_t uid, uint32_t bytes)
{
	struct table_rings has;
	int e = table_rings_of(all->table, uid, &has);

	if (e)
		return e;
	if (has.count < all->policy->clients && has.bytes + bytes <= all->policy->all_ring_bytes)
		return 0;
	return leaves(all, uid) ? -EAGAIN : -EDQUOT;
}

/* By which its client is known again; 0 is none's. */
static uint64_t new_token(void)
{
	uint64_t token = 0;

	while (!token)
		if (getrandom(&token, sizeof token, 0) != (ssize_t)sizeof token)
			token = 0;
	return token;
}

static int open_new(struct clients *all, struct client *c, const struct tcpkd_request *q, struct client_answer *a)
{
	uint32_t most = all->policy->ring_bytes;
	uint32_t bytes = q->ring_bytes ? q->ring_bytes : most < RING_DEFAULT ? most : RING_DEFAULT;
	struct device_tap tap;
	int e, ring;

	if (!policy_knows(all->policy, &c->peer))
		return -EPERM;
	if (bytes & (bytes - 1) || bytes < (uint32_t)sysconf(_SC_PAGESIZE) || bytes > most)
		return -EINVAL;
	e = has_room_for(all, c->peer.uid, bytes);
	if (e)
		return e;
	/* What follows, and undoing it, takes a hundred times as long as anything else, and more with large rings. */
	if (!clients_trust(all, c->peer.uid) &&
		!bucket_take(&all->opens, c->peer.uid, 1 + (bytes - 1) / RING_DEFAULT, all->now_us))
		return -EAGAIN;
	e = free_index(all, &c->index);
	if (!e)
		e = devices_make_tap(all->devices, c->peer.uid, &tap);
	if (!e && reservation_is_kept_back(tap.fd)) {
		close(tap.fd);
		e = -EDQUOT;
	}
	if (e)
		return e;
	c->entry = (struct table_client){ .tap = tap.ifindex, .uid = c->peer.uid, .ring_bytes = bytes,
		.pid = (uint32_t)c->peer.pid, .token = new_token() };
	ring = table_add_client(all->table, c->index, &c->entry);
	if (ring < 0) {
		close(tap.fd);
		c->entry = (struct table_client){ 0 };
		return as_told(ring);
	}
	c->open = true;
	*a = (struct client_answer){ .reply = { .ring_bytes = bytes, .cursor = c->entry.token },
		.fds = { ring, tap.fd }, .fd_count = 2 };
	return 0;
}

/* The connection becomes that of an adopted client, whose token is known to that alone. */
static int resume(struct clients *all, struct client **who, uint64_t token, struct tcpkd_reply *r)
{
	struct client *old = all->first;

	while (old && !(token && old->open && old->fd < 0 && old->entry.token == token &&
			old->entry.uid == (*who)->peer.uid))
		old = old->next;
	if (!old)
		return -EINVAL;
	free((gid_t *)old->peer.groups);
	old->peer = (*who)->peer;
	old->stranger = (*who)->stranger;
	old->entry.pid = (uint32_t)old->peer.pid;
	old->fd = (*who)->fd;
	(*who)->peer.groups = NULL;
	(*who)->fd = -1;
	client_end(all, *who);
	*who = old;
	r->ring_bytes = old->entry.ring_bytes;
	return 0;
}

/* ---- telling ---- */

static void tell_counts(const struct clients *all, const struct client *c, struct tcpk_stats *s)
{
	struct table_claim counts;
	struct table_client entry;

	*s = c->before;
	for (unsigned i = 0; i < c->claim_count; i++)
		if (!table_claim(all->table, &c->claims[i].key, &counts))
			add_counts(s, &counts);
	if (!table_client(all->table, c->index, &entry))
		s->out_refused = entry.out_refused;
}

/* cursor: how many claims, of all that there are, have been told or are not to be. */
static int tell_next(const struct clients *all, const struct client *who, uint64_t cursor, struct tcpkd_reply *r)
{
	bool all_of_them = clients_trust(all, who->peer.uid);
	uint64_t before = 0;

	for (const struct client *c = all->first; c; c = c->next) {
		if (!all_of_them && c->peer.uid != who->peer.uid)
			continue;
		if (cursor < before + c->claim_count) {
			const struct table_key *k = &c->claims[cursor - before].key;
			struct table_claim counts = { 0 };

			table_claim(all->table, k, &counts);
			*r = (struct tcpkd_reply){ .local = k->local, .remote = k->remote, .local_port = k->local_port,
				.remote_port = k->remote_port, .ring_bytes = c->entry.ring_bytes, .cursor = cursor + 1,
				.uid = c->entry.uid, .pid = c->fd < 0 ? 0 : c->entry.pid };
			add_counts(&r->stats, &counts);
			return 0;
		}
		before += c->claim_count;
	}
	return -ENOENT;
}

static int serve(struct clients *all, struct client **who, const struct tcpkd_request *q, struct client_answer *a)
{
	struct client *c = *who;

	if (q->verb == TCPKD_LIST)
		return tell_next(all, c, q->cursor, &a->reply);
	if (q->verb == TCPKD_OPEN)
		return c->open ? -EISCONN : open_new(all, c, q, a);
	if (q->verb == TCPKD_RESUME)
		return c->open ? -EISCONN : resume(all, who, q->cursor, &a->reply);
	if (!c->open)
		return -ENOTCONN;
	switch (q->verb) {
	case TCPKD_CLAIM:
		return claim(all, c, q, &a->reply);
	case TCPKD_NARROW:
		return narrow(all, c, q);
	case TCPKD_RELEASE:
		return release(all, c, q);
	}
	tell_counts(all, c, &a->reply.stats);
	return 0;
}

bool client_request(struct clients *all, struct client **who, const void *message, size_t len, struct client_answer *a)
{
	struct tcpkd_request q;
	int e;

	*a = (struct client_answer){ .fd_count = 0 };
	memcpy(&q, message, len < sizeof q ? len : sizeof q);
	if (len != sizeof q || q.abi != TCPK_ABI || q.verb < TCPKD_OPEN || q.verb > TCPKD_RESUME) {
		a->reply = (struct tcpkd_reply){ .abi = TCPK_ABI, .status = -EPROTO };
		return false;
	}
	e = serve(all, who, &q, a);
	if (q.verb >= TCPKD_CLAIM && q.verb <= TCPKD_COUNT)
		a->reply.cursor = q.cursor;
	a->reply.abi = TCPK_ABI;
	a->reply.status = e;
	return true;
}

/* ---- from before ---- */

static void tell(const struct claim *c)
{
	char text[INET_ADDRSTRLEN];

	fprintf(stderr, "tcpkd: port %u of %s is a client's and %s%s\n", ntohs(c->key.local_port),
		inet_ntop(AF_INET, &c->key.local, text, sizeof text), c->reserved >= 0 ? "reserved again" :
		"could not be reserved again, which is tried until it can: ", c->reserved >= 0 ? "" : strerror(-c->reserved));
}

static void adopt_claim(struct clients *all, const struct table_key *k, uint32_t index)
{
	struct claim found = { .key = *k };
	struct client *c = all->first;

	while (c && c->index != index)
		c = c->next;
	if (!c || room_for_claim(c)) {
		table_remove_claim(all->table, k);
		return;
	}
	found.reserved = reservation_make(k->local, &found.key.local_port);
	if (found.reserved < 0) {
		all->lost++;
		tell(&found);
	}
	c->claims[c->claim_count++] = found;
}

void clients_adopt(struct clients *all)
{
	struct table_key k, next;
	struct table_claim counts;

	for (uint32_t i = 0; i < TABLE_CLIENTS; i++) {
		struct table_client entry;
		struct client *c;

		if (table_client(all->table, i, &entry))
			continue;
		c = devices_has_tap(all->devices, entry.tap) ?
			client_new(all, -1, &(struct policy_peer){ .uid = entry.uid }) : NULL;
		if (!c) {
			table_remove_client(all->table, i);
			continue;
		}
		c->open = true;
		c->index = i;
		c->entry = entry;
	}
	for (int e = table_next_claim(all->table, NULL, &k); !e; k = next) {
		e = table_next_claim(all->table, &k, &next);
		if (!table_claim(all->table, &k, &counts))
			adopt_claim(all, &k, counts.client);
	}
	devices_sweep(all->devices);
}

void clients_lose(struct clients *all, uint32_t ifindex)
{
	struct client *c = all->first;

	while (c && !(c->open && c->entry.tap == ifindex))
		c = c->next;
	if (c)
		client_leave(all, c);
}

static void reserve_lost(struct clients *all)
{
	for (struct client *c = all->lost ? all->first : NULL; c; c = c->next)
		for (unsigned i = 0; i < c->claim_count; i++) {
			struct claim *claim = &c->claims[i];

			if (claim->reserved >= 0)
				continue;
			claim->reserved = reservation_make(claim->key.local, &claim->key.local_port);
			if (claim->reserved < 0)
				continue;
			all->lost--;
			tell(claim);
		}
}

unsigned clients_sweep(struct clients *all)
{
	unsigned left = 0;

	for (struct client *c = all->first, *next; c; c = next) {
		next = c->next;
		if (c->fd >= 0)
			continue;
		if (devices_has_tap(all->devices, c->entry.tap))
			left++;
		else
			client_leave(all, c);
	}
	reserve_lost(all);
	return left + all->lost;
}
