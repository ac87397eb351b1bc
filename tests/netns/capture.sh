#!/bin/bash
# What TCPU puts on the wire, in tshark's eyes: no checksum is wrong, nothing is malformed, nothing acknowledged that
# was not seen, no flag that has no business there. Once on the TUN device without offloads, where checksums are TCPU's
# own; once behind it, where the kernel has finished and cut what TCPU gave it as super-packets.
#
#	+-- near ------------------------------+           +-- far ----+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |           |           |
#	|                 ^      10.99.2.1 ----+-- veth ---+ 10.99.2.2 |
#	+-----------------|--------------------+         ^ +-----------+
#	               capture                        capture
#
#	[BYTES=n] tests/netns/capture.sh	n: of a transfer [4 MiB]
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

BYTES=${BYTES:-$((4 << 20))}
kernel=--kernel

namespace near
namespace far
veth near 10.99.2.1 far 10.99.2.2
# Checksums are summed, and segments cut, before the cable.
at near ethtool -K to_far tx off tso off gso off >"$tmp/ethtool"
at far ethtool -K to_near tx off tso off gso off gro off >>"$tmp/ethtool"
# A device that is there before TCPU is.
at near ip tuntap add dev tcpu0 mode tun vnet_hdr
at near ip addr add 10.99.1.1 peer 10.99.1.2 dev tcpu0
at near ip link set tcpu0 up
tcpu='--ip 10.99.1.2 --device tcpu0'

# capture NAMESPACE DEVICE: begins.
capture() {
	rm -f "$tmp/wire"
	start dumpcap "$1" dumpcap -q -B 64 -i "$2" -w "$tmp/wire"
	await dumpcap File:
}

# Ends, when both FINs have been written down: dumpcap is some way behind.
captured() {
	for _ in {1..60}; do
		[ "$(tshark -n -r "$tmp/wire" -Y 'tcp.flags.fin == 1' 2>/dev/null | wc -l)" -lt 2 ] || break
	done
	kill -INT "${pids[dumpcap]}"
	finish dumpcap
}

# A packet a line: source, flags, whether the checksums of IP and TCP are right (1), and what else there is to say.
view() {
	tshark -n -r "$1" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -Y tcp -T fields -E separator=, \
		-e ip.src -e tcp.flags -e ip.checksum.status -e tcp.checksum.status -e _ws.malformed \
		-e tcp.analysis.ack_lost_segment 2>/dev/null
}

# clean FILE: whether its lines are as they should be: SYN, SYN ACK; and ACK with or without PSH and FIN. A RST without
# ACK may follow both FINs: the answer to an ACK of a FIN that was sent twice, when the first one's has ended all.
# Says which are not.
clean() {
	awk -F, '
		$2 ~ /^0x001[19]$/ { fins++ }
		fins >= 2 && $2 == "0x0004" { next }
		!/^[0-9.]+,0x00(02|12|10|18|11|19),1,1,,$/ { print; bad++ }
		END { exit bad > 0 }' "$1"
}

# count FILE FLAGS: packets with these.
count() {
	grep -cE ",0x00($2)," "$1"
}

# wire WHAT: what was captured is a whole conversation, and a clean one.
wire() {
	local before=$failures
	captured
	view "$tmp/wire" >"$tmp/view"
	check "$1: all of it" [ "$(wc -l <"$tmp/view")" -gt $((BYTES / 1460)) ]
	check "$1: nothing suspicious" clean "$tmp/view"
	check "$1: one handshake" [ "$(count "$tmp/view" 02) $(count "$tmp/view" 12)" = "1 1" ]
	check "$1: both ends" [ "$(count "$tmp/view" '11|19')" -ge 2 ]
	[ $failures = "$before" ] || tshark -n -r "$tmp/wire" 2>/dev/null | head -n 20
	echo "$1: $(wc -l <"$tmp/view") packets"
	# These checks can fail: errors strewn over the same capture are seen.
	editcap --seed 1 -E 0.0001 "$tmp/wire" "$tmp/damaged" 2>/dev/null
	view "$tmp/damaged" >"$tmp/view"
	! clean "$tmp/view" >"$tmp/seen"
	check "$1, damaged: is seen" [ -s "$tmp/seen" ]
}

capture near tcpu0
transfer "download" near 10.99.1.1 "$kernel --send $BYTES" near "$tcpu --plain --close late"
wire "download"
capture near tcpu0
transfer "upload, TCPU serves" near 10.99.1.2 "$tcpu --plain --send $BYTES" near "$kernel --close late"
wire "upload, TCPU serves"
capture far to_near
transfer "both ways to far" far 10.99.2.2 "$kernel --send $BYTES" near "$tcpu --send $BYTES"
check "as super-packets" [ "$(counted client packets_out)" -lt $(($(counted client segments_out) / 2)) ]
wire "both ways to far"
capture far to_near
transfer "both ways, served to far" near 10.99.1.2 "$tcpu --send $BYTES" far "$kernel --send $BYTES"
wire "both ways, served to far"
