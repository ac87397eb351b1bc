#!/bin/bash
# What TCPU puts on the wire, in tshark's eyes: no checksum is wrong, nothing is malformed, nothing acknowledged that
# was not seen, no flag that has no business there. Once on the TUN device without offloads, where checksums are TCPU's
# own; once behind it, where the kernel has finished and cut what TCPU gave it as super-packets; and once more on the
# device, when the road behind it loses, reorders and duplicates.
#
#	+-- near ------------------------------+           +-- far ----+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |           |           |
#	|                 ^      10.99.2.1 ----+-- veth ---+ 10.99.2.2 |
#	|                 |      10.99.3.1 ====+== relay ==+ 10.99.3.2 |
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

# capture NAMESPACE DEVICE: begins, with room for several times what a transfer of 4 MiB can be.
capture() {
	rm -f "$tmp/wire"
	start dumpcap "$1" dumpcap -q -B 64 -i "$2" -w "$tmp/wire"
	await dumpcap File:
}

# Ends, when the FINs of both have been written down: dumpcap is some way behind. $missed: packets that went by and that
# it had no room for.
captured() {
	for _ in {1..60}; do
		[ "$(tshark -n -r "$tmp/wire" -Y 'tcp.flags.fin == 1' -T fields -e ip.src 2>/dev/null | sort -u | wc -l)" -lt 2 ] ||
			break
	done
	kill -INT "${pids[dumpcap]}"
	finish dumpcap
	missed=$(sed -nE 's/^Packets received\/dropped on interface .*: [0-9]+\/([0-9]+) .*/\1/p' "$tmp/dumpcap")
}

# A packet a line: source, flags, whether the checksums of IP and TCP are right (1), whether it is malformed, whether it
# acknowledges what was not seen (1), its sequence number, and whether its checksum is 0xffff for 0.
# Our data is random: no dissector of what stands above TCP is to find, by its port or a guess, that it is malformed.
# tshark takes a sum of 0xffff for wrong where 0 is meant, as Linux writes it (skb_checksum_help): it is the same number
# (RFC 1624), and right, if it is not TCPU that says so.
view() {
	tshark -n -r "$1" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -d tcp.port==1-65535,data -Y tcp -T fields \
		-E separator=, -e ip.src -e tcp.flags -e ip.checksum.status -e tcp.checksum.status -e _ws.malformed \
		-e tcp.analysis.ack_lost_segment -e tcp.seq_raw -e tcp.checksum.ffff 2>/dev/null |
		sed -E '/^10\.99\.1\.2,/!s/^(([^,]*,){3})0,(.*),[^,]+$/\11,\3,/'
}

# clean FILE: whether its lines are as they should be: SYN, SYN ACK; and ACK with or without PSH and FIN. A RST without
# ACK may follow both FINs: the answer to an ACK of a FIN that was sent twice, when the first one's has ended all.
# Says which are not.
clean() {
	awk -F, '
		$2 ~ /^0x001[19]$/ && !($1 in fin) { fin[$1]; fins++ }
		fins >= 2 && $2 == "0x0004" { next }
		!/^[0-9.]+,0x00(02|12|10|18|11|19),1,1,,,[0-9]+,$/ { print; bad++ }
		END { exit bad > 0 }' "$1"
}

# unseen FILE: the acknowledgments in a capture of what had not come by then. tshark's own account of that goes astray
# where what was lost is sent again in other pieces.
unseen() {
	tshark -n -r "$1" -Y tcp -T fields -E separator=, -e ip.src -e tcp.seq -e tcp.len -e tcp.flags.syn -e tcp.flags.fin \
		-e tcp.flags.ack -e tcp.ack 2>/dev/null |
		awk -F, '
			function came(who, from, to,   i, more) {
				if (from > upto[who]) {
					early[who, n[who]++] = from " " to
					return
				}
				if (to > upto[who])
					upto[who] = to
				do {
					more = 0
					for (i = 0; i < n[who]; i++) {
						split(early[who, i], e, " ")
						if (e[1] + 0 > upto[who])
							continue
						if (e[2] + 0 > upto[who])
							upto[who] = e[2] + 0
						early[who, i] = early[who, --n[who]]
						more = 1
					}
				} while (more)
			}
			{
				one = one == "" ? $1 : one
				two = $1 != one ? $1 : two
				if ($6 + 0 && $7 + 0 > upto[$1 == one ? two : one] + 0)
					print
				came($1, $2 + 0, $2 + $3 + $4 + $5)
			}'
}

# senders FLAGS FIELDS: of packets with these, how many differ in the fields.
senders() {
	awk -F, -v OFS=, "\$2 ~ /^0x00($1)\$/ { print $2 }" "$tmp/view" | sort -u | wc -l
}

# wire WHAT: what was captured is a whole conversation, and a clean one.
wire() {
	local before=$failures
	captured
	view "$tmp/wire" >"$tmp/view"
	if [ "$missed" = 0 ]; then
		check "$1: all of it" [ "$(wc -l <"$tmp/view")" -gt $((BYTES / 1460)) ]
		# A SYN may come twice, and is the same then.
		check "$1: one handshake" [ "$(senders 02 '$1, $7') $(senders 12 '$1, $7')" = "1 1" ]
		check "$1: both ends" [ "$(senders '11|19' '$1')" = 2 ]
	else
		# What is gone may be what an ACK is for.
		checks=$((checks + 1))
		echo "skipped, because the capture lost $missed packets: whether it is whole, and all that it acknowledges was sent"
		sed -i -E 's/^(([^,]*,){5})1,/\1,/' "$tmp/view"
	fi
	if [ "$missed" = 0 ]; then
		unseen "$tmp/wire" >"$tmp/unseen"
		check "$1: what is acknowledged was seen" [ ! -s "$tmp/unseen" ]
		[ -z "${road:-}" ] || sed -i -E 's/^(([^,]*,){5})1,/\1,/' "$tmp/view"
	fi
	check "$1: nothing suspicious" clean "$tmp/view"
	[ $failures = "$before" ] || tshark -n -r "$tmp/wire" 2>/dev/null | head -n 20
	echo "$1: $(wc -l <"$tmp/view") packets"
	# These checks can fail: errors strewn over the same capture are seen.
	editcap --seed 1 -E 0.0001 "$tmp/wire" "$tmp/damaged" 2>/dev/null
	view "$tmp/damaged" >"$tmp/view"
	! clean "$tmp/view" >"$tmp/seen"
	check "$1, damaged: is seen" [ -s "$tmp/seen" ]
	editcap "$tmp/wire" "$tmp/damaged" 100-200 2>/dev/null
	unseen "$tmp/damaged" >"$tmp/seen"
	check "$1, with a hole: is seen" [ -s "$tmp/seen" ]
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

# What the road loses, TCPU has sent; what came in another order, or twice, it has seen.
road=bad
road --loss 2 --reorder 5 --duplicate 5
capture near tcpu0
transfer "both ways on a bad road" far 10.99.3.2 "$kernel --send $BYTES" near "$tcpu --plain --send $BYTES"
wire "both ways on a bad road"
check "something was sent again" [ "$(counted client retransmits)" -gt 0 ]
road_ends
for evil in loss reorder duplicate; do
	check "there was $evil" [ "$(counted relay $evil)" -gt 0 ]
done
