/* TCPK by BPF: what kernel/uapi/tcpk.h says of the helper's socket, from the client's side. A ring for what comes,
 * a TAP for what goes, and a socket for all that is rare. */
#include "core/link/ip.h"
#include "core/link/packet.h"
#include "core/link/tcpk_helper.h"
#include "core/link/tcpk_ways.h"
#include "kernel/uapi/tcpk.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEFORE_IP (sizeof(struct virtio_net_hdr) + ETH_HLEN)
#define BATCH_PART 8 /* of the ring, that one recv gives at most; or else one packet */
#define WORD 8

/* Linux's Documentation/bpf/ringbuf.rst: pages of one position each, then the data, twice, so that nothing wraps. */
struct ring {
	uint64_t *consumer;       /* a page of its own, ours to write */
	const uint64_t *producer; /* a page; the data behind it */
	const uint8_t *data;
	uint64_t at, freed;       /* read up to here; and what *consumer is */
	uint32_t bytes;
	int fd;
};

struct tcpk {
	struct link link;
	struct link_tcpk_stats stats;
	struct ring ring;
	struct tcpk_helper helper;
	int tap;
	bool plain;
	bool gone; /* the TAP, and all that was claimed */
};

static struct tcpk *of(const struct link *link)
{
	return (struct tcpk *)link;
}

/* ---- addresses ---- */

static int ask_about(struct tcpk *t, enum tcpkd_verb verb, const struct link_addr *local,
	const struct link_addr *remote, struct tcpkd_reply *r)
{
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = verb, .local = local->ip, .local_port = local->port };

	if (remote) {
		q.remote = remote->ip;
		q.remote_port = remote->port;
	}
	return tcpk_helper_ask(&t->helper, &q, r);
}

static int bpf_claim(struct link *link, struct link_addr *local)
{
	struct tcpkd_reply r;
	int e = ask_about(of(link), TCPKD_CLAIM, local, NULL, &r);

	if (!e)
		*local = (struct link_addr){ r.local, r.local_port };
	return e;
}

static void bpf_release(struct link *link, const struct link_addr *local)
{
	tcpk_helper_release(&of(link)->helper, local);
}

static int bpf_narrow(struct link *link, const struct link_addr *local, const struct link_addr *remote)
{
	struct tcpkd_reply r;

	return ask_about(of(link), TCPKD_NARROW, local, remote, &r);
}

/* ---- sending ---- */

static int transmit(struct tcpk *t, const struct link_out *o, unsigned run)
{
	const struct ethhdr eth = { .h_proto = htons(ETH_P_IP) };
	bool leave = !t->plain;
	struct packet p;

	packet_virtio(p.head, o, run, leave, ETH_HLEN);
	memcpy(p.head + sizeof(struct virtio_net_hdr), &eth, sizeof eth);
	ip_write(p.head + BEFORE_IP, IPPROTO_TCP, o->src.ip, o->dst.ip, packet_segment_len(o, run), o->ecn);
	packet_gather(&p, BEFORE_IP + IP_HEADER, o, run, leave);
	return writev(t->tap, p.pieces, p.count) < 0 ? -errno : 0;
}

static int bpf_send(struct link *link, const struct link_out *o, unsigned n)
{
	struct tcpk *t = of(link);
	unsigned done = 0, run;

	for (; done < n; done += run) {
		int e;

		run = t->plain ? 1 : packet_run(o + done, n - done);
		e = transmit(t, o + done, run);
		if (e == -EAGAIN)
			break;
		if (e < 0) { /* the TAP has gone, or memory is short: lost, as on a network */
			t->gone |= e == -EBADFD;
			t->stats.refused_out += run;
			continue;
		}
		t->stats.packets_out++;
		t->stats.segments_out += packet_segments(o + done, run);
	}
	return (int)done;
}

/* ---- receiving ---- */

static bool take(struct tcpk *t, const uint8_t *record, uint32_t len, struct link_in *in)
{
	struct tcpk_record r;

	if (len < sizeof r)
		return false;
	memcpy(&r, record, sizeof r);
	if (r.len > len - sizeof r)
		return false;
	switch (ip_read(record + sizeof r, r.len, 0, in)) {
	case IP_SEGMENT:
		in->vouched = r.checksum == TCPK_VOUCHED; /* what never left the host has no checksum */
		t->stats.segments_in++;
		t->stats.vouched_in += in->vouched;
		return true;
	case IP_ERROR:
		t->stats.errors_in++;
		return true;
	default:
		return false;
	}
}

/* All that was read but for its last word: the kernel wakes only whom it sees at the very end of the ring, and that
 * takes it long. */
static void free_taken(struct ring *g)
{
	if (g->at == g->freed)
		return;
	g->freed = g->at - WORD;
	__atomic_store_n(g->consumer, g->freed, __ATOMIC_RELEASE);
}

static int bpf_recv(struct link *link, struct link_in *in, unsigned max)
{
	struct tcpk *t = of(link);
	struct ring *g = &t->ring;
	uint64_t from = g->at;
	int n = 0;

	if (t->gone || t->helper.gone)
		return -ENETDOWN;
	free_taken(g);
	while ((unsigned)n < max && g->at < __atomic_load_n(g->producer, __ATOMIC_ACQUIRE)) {
		const uint8_t *head = g->data + (g->at & (g->bytes - 1));
		uint32_t word = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
		uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT || (n && g->at + len - from > g->bytes / BATCH_PART))
			break;
		g->at += (len + BPF_RINGBUF_HDR_SZ + 7) & ~7U;
		if (word & BPF_RINGBUF_DISCARD_BIT)
			continue;
		if (take(t, head + BPF_RINGBUF_HDR_SZ, len, &in[n]))
			n++;
		else
			t->stats.malformed++;
	}
	return n;
}

/* What comes after the store wakes; what came before it is seen. */
static bool bpf_rest(struct link *link)
{
	struct ring *g = &of(link)->ring;

	g->freed = g->at;
	__atomic_store_n(g->consumer, g->at, __ATOMIC_SEQ_CST);
	return g->at >= __atomic_load_n(g->producer, __ATOMIC_SEQ_CST);
}

/* ---- opening ---- */

static int bpf_fd(const struct link *link)
{
	return of(link)->ring.fd;
}

static void unmap(const struct ring *g)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (g->consumer)
		munmap(g->consumer, page);
	if (g->producer)
		munmap((void *)g->producer, page + 2 * (size_t)g->bytes);
}

static int map(struct ring *g)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	void *producer = mmap(NULL, page + 2 * (size_t)g->bytes, PROT_READ, MAP_SHARED, g->fd, (off_t)page);

	g->consumer = consumer == MAP_FAILED ? NULL : consumer;
	g->producer = producer == MAP_FAILED ? NULL : producer;
	if (!g->consumer || !g->producer)
		return -ENOMEM;
	g->data = (const uint8_t *)producer + page;
	g->at = g->freed = *g->consumer;
	return 0;
}

static void bpf_close(struct link *link)
{
	struct tcpk *t = of(link);

	/* The helper first: it lets go of what is claimed while the ring still takes it. */
	tcpk_helper_close(&t->helper);
	close(t->tap);
	unmap(&t->ring);
	close(t->ring.fd);
	free(t);
}

const struct link_ops tcpk_bpf_ops = {
	.claim = bpf_claim, .release = bpf_release, .narrow = bpf_narrow, .route = tcpk_route, .mtu = tcpk_mtu,
	.send = bpf_send, .recv = bpf_recv, .rest = bpf_rest, .fd = bpf_fd, .close = bpf_close,
};

/* The helper's word for what it denies, as the one that opens has it. */
static int as_opening(int e)
{
	return e == -EPERM ? -EACCES : e == -EDQUOT || e == -EAGAIN ? -EMFILE : e;
}

static int open_client(struct tcpk *t, const char *path, uint32_t ring_bytes)
{
	struct tcpkd_reply r;
	int fds[2], e = tcpk_helper_open(&t->helper, path, ring_bytes, &r, fds);

	t->ring.fd = fds[0];
	t->tap = fds[1];
	if (!e) {
		t->ring.bytes = r.ring_bytes;
		e = map(&t->ring);
		/* Headers and what stands around them count as well: 252 bytes of data fill their part with them. And a batch is
		 * still there while what was in it is acknowledged. */
		t->link.window_max = (r.ring_bytes - r.ring_bytes / BATCH_PART) / 4 * 3;
	}
	return as_opening(e);
}

int tcpk_bpf_open(const struct link_tcpk_config *config, struct link **out)
{
	struct tcpk *t = calloc(1, sizeof *t);
	int e;

	if (!t)
		return -ENOMEM;
	t->plain = config->plain;
	t->link = (struct link){ .ops = &tcpk_bpf_ops, .segment_max = IP_PACKET_MAX - IP_HEADER,
		.train_max = config->plain ? 0 : IP_PACKET_MAX - IP_HEADER,
		.exclusive = true, .joins = true };
	e = open_client(t, config->path ? config->path : TCPKD_PATH, config->ring_bytes);
	if (e) {
		bpf_close(&t->link);
		return e;
	}
	*out = &t->link;
	return 0;
}

struct link_tcpk_stats tcpk_bpf_stats(struct link *link)
{
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_COUNT };
	struct tcpk *t = of(link);
	struct tcpkd_reply r;

	if (!tcpk_helper_ask(&t->helper, &q, &r)) {
		t->stats.dropped_in = r.stats.in_dropped;
		t->stats.refused_out = r.stats.out_refused; /* whatever the TAP takes, it is looked at behind it */
	}
	return t->stats;
}
