/* Two reservations in one ring, neither given back before the other: of three quarters of it each. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#define RING 65536

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING);
} ring SEC(".maps");

__u64 first, second; /* how often each was had */

SEC("tc")
int overlap(struct __sk_buff *skb)
{
	void *a = bpf_ringbuf_reserve(&ring, RING / 4 * 3, 0), *b;

	(void)skb;
	if (!a)
		return TC_ACT_SHOT;
	__sync_fetch_and_add(&first, 1);
	b = bpf_ringbuf_reserve(&ring, RING / 4 * 3, 0);
	if (b) {
		__sync_fetch_and_add(&second, 1);
		bpf_ringbuf_discard(b, BPF_RB_NO_WAKEUP);
	}
	bpf_ringbuf_discard(a, BPF_RB_NO_WAKEUP);
	return TC_ACT_SHOT;
}
