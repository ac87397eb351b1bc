/* A tc program at ingress sees super-segments whole, as the sender made them or GRO did; without either, packets as
 * they are on a wire. */
#include "tests/platform/probe.h"

#include <take.skel.h>

#define BYTES (16 << 20)
#define MTU 1500

static struct take *t;
static uint16_t port = 4000;

/* What was seen at a device's ingress of a transfer to a port of near. */
static struct take_seen watch(const char *what, int from, int to, uint32_t ip)
{
	t->bss->ports[0] = ++port;
	t->bss->seen[0] = (struct take_seen){ 0 };
	check(stream(from, to, ip, port, BYTES), "%s: the data came", what);
	check(t->bss->seen[0].bytes >= BYTES, "%s: all of it was seen", what);
	printf("%s: %llu packets, %llu super-segments, longest %u, unsummed %llu vouched %llu whole sum %llu partial %llu\n",
		what, t->bss->seen[0].packets, t->bss->seen[0].supers, t->bss->seen[0].longest,
		t->bss->seen[0].summed[0], t->bss->seen[0].summed[1], t->bss->seen[0].summed[2], t->bss->seen[0].summed[3]);
	return t->bss->seen[0];
}

int main(void)
{
	struct take_seen s;
	int near, far;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	t = take__open_and_load();
	if (!t)
		give_up("the program");
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	attach("lo", BPF_TC_INGRESS, t->progs.take);

	s = watch("veth", far, near, NEAR);
	check(s.supers && s.longest > 4 * MTU, "veth: %u bytes were the longest", s.longest);
	s = watch("loopback", near, near, 0x7f000001);
	check(s.longest > 60000, "loopback: %u bytes were the longest", s.longest);

	enter(far);
	run("ethtool -K wire tso off gso off");
	s = watch("veth without GSO", far, near, NEAR);
	check(!s.supers && s.longest == MTU, "without GSO: %u bytes were the longest", s.longest);
	enter(near);
	run("ethtool -K wire gro on");
	s = watch("veth without GSO, with GRO", far, near, NEAR);
	check(s.supers && s.longest > MTU, "with GRO: %u bytes were the longest", s.longest);
	return conclude();
}
