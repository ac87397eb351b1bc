/* The kernel's TCP answers nothing for a port whose packets are taken at ingress; without the program it does, by RST:
 * the port is bound, but nobody listens. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 5000
#define RING (1 << 20)

static struct take *t;
static struct ring ring;
static int near, far, raw;

/* What comes to far's raw socket from the port: flags of the last, and how many. */
static int answers(uint8_t *flags)
{
	uint8_t packet[128];
	int n = 0;

	while (recv(raw, packet, sizeof packet, 0) >= 40)
		if (packet[20] << 8 == (PORT & 0xff00) && packet[21] == (PORT & 0xff)) {
			*flags = packet[33];
			n++;
		}
	return n;
}

static void taken(const char *what, uint32_t ip)
{
	const struct take_record *r;
	uint8_t flags = 0;
	size_t len;

	enter(far);
	check(connect_to(ip, PORT) < 0 && errno == EINPROGRESS, "%s, taken: it hears nothing: %s", what, strerror(errno));
	check(answers(&flags) == 0, "%s, taken: it got %#x", what, flags);
	enter(near);
	r = ring_next(&ring, &len);
	check(r && r->len >= 40, "%s, taken: the SYN is in the ring", what);
	while (ring_next(&ring, &len))
		ring_done(&ring);
}

static void reset(const char *what)
{
	uint8_t flags = 0;

	enter(far);
	check(connect_to(NEAR, PORT) < 0 && errno == ECONNREFUSED, "%s: it is refused: %s", what, strerror(errno));
	check(answers(&flags) == 1 && flags == 0x14, "%s: by RST: %#x", what, flags);
	enter(near);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(NEAR), .sin_port = htons(PORT) };
	uint32_t slot = 0;
	int fd, bound;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	enter(far);
	raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	enter(near);
	bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (raw < 0 || bind(bound, (struct sockaddr *)&a, sizeof a))
		give_up("sockets");
	fd = make_ring(RING);
	t = take__open_and_load();
	if (!t || !map_ring(&ring, fd, RING) ||
		bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
		give_up("the program with its ring");
	t->bss->ports[0] = PORT;
	t->bss->verdict = 2;

	reset("before");
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	taken("bound", NEAR);
	close(bound);
	taken("not even bound", NEAR);
	detach("wire", BPF_TC_INGRESS);
	reset("afterwards");
	return conclude();
}
