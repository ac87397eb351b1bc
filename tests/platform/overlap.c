/* A reader that claims to have read what has not been written yet gets no two records into the same place of its ring:
 * else what comes in a packet would stand where the kernel keeps a record's header (CVE-2024-41009, mended in 2024). */
#include "tests/platform/probe.h"

#include <overlap.skel.h>

#define RING 65536

int main(void)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = 9 };
	struct overlap *o;
	struct ring ring;
	int device;

	need_platform();
	space();
	device = tap("tap0");
	o = overlap__open_and_load();
	if (!o || !map_ring(&ring, bpf_map__fd(o->maps.ring), RING))
		give_up("the program with its ring");
	attach("tap0", BPF_TC_INGRESS, o->progs.overlap);
	send_frame(device, &s);
	check(o->bss->first == 1 && o->bss->second == 0, "an honest reader's ring has room for one");
	*ring.consumed = *ring.produced + RING / 4 * 3;
	send_frame(device, &s);
	check(o->bss->first == 2 && o->bss->second == 0, "a liar's ring, too: %llu, %llu",
		(unsigned long long)o->bss->first, (unsigned long long)o->bss->second);
	return conclude();
}
