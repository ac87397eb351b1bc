#include "kernel/tcpkd/table.h"

#include "tcpk.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct table {
	struct tcpk *bpf;
	int claims, ports, clients, rings, made, taps, locals, shortcuts; /* maps */
	uint32_t counts[65536]; /* claims of each port, by the port as it stands in a header */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list list)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, list) : 0;
}

static void recount(struct table *t)
{
	struct table_key k;

	for (uint32_t port = 0; port < 65536; port++)
		t->counts[port] = 0;
	for (int e = table_next_claim(t, NULL, &k); !e; e = table_next_claim(t, &k, &k))
		t->counts[k.local_port]++;
	for (uint32_t port = 0; port < 65536; port++)
		bpf_map_update_elem(t->ports, &port, &t->counts[port], BPF_ANY);
}

static void no_pins(struct tcpk *bpf)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, bpf->obj)
		bpf_map__set_pin_path(map, NULL);
}

/* Clients write their reader's position: no kernel without the mend of CVE-2024-41009 is to be given to them. */
static bool is_sound(struct tcpk *bpf)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof frame, .repeat = 1);
	uint64_t *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bpf->maps.tcpk_probed), 0);
	int e = consumer == MAP_FAILED ? -errno : 0;

	if (!e) {
		*consumer = TABLE_PROBE / 4 * 3;
		e = bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.tcpk_probe), &run);
		munmap(consumer, page);
	}
	if (!e && run.retval == 1)
		return true;
	fprintf(stderr, "tcpkd: this kernel's ring buffers are not safe in the hands of programs: %s; CVE-2024-41009 is "
		"mended in 6.1.192, 6.12.95 and 6.18, say: use a newer one\n", e ? strerror(-e) : "two records in one place");
	return false;
}

/* NULL: it says why. */
static struct tcpk *load(const char *pins)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = pins ? pins : "/");
	struct tcpk *bpf = tcpk__open_opts(&options);

	if (bpf && !pins)
		no_pins(bpf);
	if (!bpf || tcpk__load(bpf) || !(bpf->links.tcpk_see = bpf_program__attach_iter(bpf->progs.tcpk_see, NULL)))
		fprintf(stderr, "tcpkd: the kernel takes the BPF programs not: %s. Needed are Linux 6.1, BTF, "
			"CONFIG_BPF_EVENTS, and CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN%s%s\n", strerror(errno),
			pins ? "; if maps of another version are pinned, remove " : "", pins ? pins : "");
	else if (is_sound(bpf))
		return bpf;
	tcpk__destroy(bpf);
	return NULL;
}

struct table *table_open(const char *pins)
{
	struct table *t = calloc(1, sizeof *t);

	libbpf_set_print(quiet);
	if (!t)
		return NULL;
	t->bpf = load(pins);
	if (!t->bpf) {
		free(t);
		return NULL;
	}
	t->claims = bpf_map__fd(t->bpf->maps.tcpk_claims);
	t->ports = bpf_map__fd(t->bpf->maps.tcpk_ports);
	t->clients = bpf_map__fd(t->bpf->maps.tcpk_clients);
	t->rings = bpf_map__fd(t->bpf->maps.tcpk_rings);
	t->made = bpf_map__fd(t->bpf->maps.tcpk_made);
	t->taps = bpf_map__fd(t->bpf->maps.tcpk_taps);
	t->locals = bpf_map__fd(t->bpf->maps.tcpk_locals);
	t->shortcuts = bpf_map__fd(t->bpf->maps.tcpk_shortcuts);
	libbpf_set_print(NULL); /* of what it attaches, it tells what is no fault */
	recount(t);
	return t;
}

void table_close(struct table *t, bool keep)
{
	if (!keep)
		bpf_object__unpin_maps(t->bpf->obj, NULL);
	tcpk__destroy(t->bpf);
	free(t);
}

int table_program(const struct table *t, enum table_program which)
{
	const struct bpf_program *p = which == TABLE_IN ? t->bpf->progs.tcpk_in :
		which == TABLE_OUT ? t->bpf->progs.tcpk_out : t->bpf->progs.tcpk_mute;

	return bpf_program__fd(p);
}

/* ---- clients ---- */

/* Before anybody has it. */
static int note_ring(struct table *t, int ring, const struct table_client *c)
{
	const struct table_ring made = { .uid = c->uid, .bytes = c->ring_bytes };
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof info;
	int e = bpf_obj_get_info_by_fd(ring, &info, &len);

	return e ? e : bpf_map_update_elem(t->made, &info.id, &made, BPF_ANY);
}

int table_add_client(struct table *t, uint32_t index, const struct table_client *c)
{
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tcpk_ring", 0, 0, c->ring_bytes, NULL), e;

	if (ring < 0)
		return ring;
	e = note_ring(t, ring, c);
	if (!e)
		e = bpf_map_update_elem(t->rings, &index, &ring, BPF_ANY);
	if (!e)
		e = bpf_map_update_elem(t->clients, &index, c, BPF_ANY);
	if (!e)
		e = bpf_map_update_elem(t->taps, &c->tap, &index, BPF_ANY);
	if (e) {
		table_remove_client(t, index);
		close(ring);
		return e;
	}
	return ring;
}

void table_remove_client(struct table *t, uint32_t index)
{
	static const struct table_client none;
	struct table_client c;

	if (!table_client(t, index, &c))
		bpf_map_delete_elem(t->taps, &c.tap);
	bpf_map_update_elem(t->clients, &index, &none, BPF_ANY);
	bpf_map_delete_elem(t->rings, &index);
}

int table_client(const struct table *t, uint32_t index, struct table_client *c)
{
	int e = bpf_map_lookup_elem(t->clients, &index, c);

	return e ? e : c->tap ? 0 : -ENOENT;
}

bool table_has_tap(const struct table *t, uint32_t ifindex)
{
	uint32_t index;

	return !bpf_map_lookup_elem(t->taps, &ifindex, &index);
}

/* tcpk_see sees all that are there. */
static int see_rings(struct table *t)
{
	int fd = bpf_iter_create(bpf_link__fd(t->bpf->links.tcpk_see)), e = fd < 0 ? fd : -EAGAIN;
	char none;

	while (e == -EAGAIN)
		e = read(fd, &none, sizeof none) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return e;
}

int table_rings_of(struct table *t, uid_t uid, struct table_rings *rings)
{
	struct table_ring ring;
	uint32_t id, next;
	int e = see_rings(t);

	*rings = (struct table_rings){ 0 };
	if (e)
		return e;
	for (e = bpf_map_get_next_key(t->made, NULL, &id); !e; id = next) {
		e = bpf_map_get_next_key(t->made, &id, &next);
		if (bpf_map_lookup_elem(t->made, &id, &ring))
			continue;
		if (!ring.seen) {
			bpf_map_delete_elem(t->made, &id);
			continue;
		}
		ring.seen = 0; /* until the next look */
		bpf_map_update_elem(t->made, &id, &ring, BPF_EXIST);
		if (ring.uid == uid) {
			rings->count++;
			rings->bytes += ring.bytes;
		}
	}
	return 0;
}

/* ---- claims ---- */

static void count(struct table *t, uint16_t port_as_it_stands, int by)
{
	uint32_t port = port_as_it_stands;

	t->counts[port] += (uint32_t)by;
	bpf_map_update_elem(t->ports, &port, &t->counts[port], BPF_ANY);
}

int table_add_claim(struct table *t, const struct table_key *k, const struct table_claim *c)
{
	int e = bpf_map_update_elem(t->claims, k, c, BPF_NOEXIST);

	if (!e)
		count(t, k->local_port, 1);
	return e;
}

void table_remove_claim(struct table *t, const struct table_key *k)
{
	if (!bpf_map_delete_elem(t->claims, k))
		count(t, k->local_port, -1);
}

int table_claim(const struct table *t, const struct table_key *k, struct table_claim *c)
{
	return bpf_map_lookup_elem(t->claims, k, c);
}

int table_next_claim(const struct table *t, const struct table_key *after, struct table_key *next)
{
	return bpf_map_get_next_key(t->claims, after, next);
}

int table_set_shortcut(struct table *t, uint32_t ifindex, bool on)
{
	static const uint32_t yes = 1;

	return on ? bpf_map_update_elem(t->shortcuts, &ifindex, &yes, BPF_ANY) : bpf_map_delete_elem(t->shortcuts, &ifindex);
}

/* ---- addresses ---- */

static const uint32_t sure = 1, in_doubt = 0; /* the programs look at neither */

int table_add_local(struct table *t, uint32_t ip)
{
	return bpf_map_update_elem(t->locals, &ip, &sure, BPF_ANY);
}

/* All addresses, or those that are in doubt. Returns how many. */
static unsigned list_locals(const struct table *t, bool doubtful, uint32_t list[TABLE_LOCALS])
{
	uint32_t ip, value;
	unsigned n = 0;

	for (int e = bpf_map_get_next_key(t->locals, NULL, &ip); !e && n < TABLE_LOCALS;
		e = bpf_map_get_next_key(t->locals, &ip, &ip))
		if (!bpf_map_lookup_elem(t->locals, &ip, &value) && (!doubtful || value == in_doubt))
			list[n++] = ip;
	return n;
}

void table_doubt_locals(struct table *t)
{
	static uint32_t list[TABLE_LOCALS];

	for (unsigned n = list_locals(t, false, list); n; n--)
		bpf_map_update_elem(t->locals, &list[n - 1], &in_doubt, BPF_EXIST);
}

void table_settle_locals(struct table *t)
{
	static uint32_t list[TABLE_LOCALS];

	for (unsigned n = list_locals(t, true, list); n; n--)
		bpf_map_delete_elem(t->locals, &list[n - 1]);
}

bool table_is_local(const struct table *t, uint32_t ip)
{
	uint32_t yes;

	return ntohl(ip) >> 24 == 127 || !bpf_map_lookup_elem(t->locals, &ip, &yes);
}
