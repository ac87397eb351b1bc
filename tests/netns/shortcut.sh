#!/bin/bash
# tcpkd's --shortcut: what leaves by a veth is at its other end at once, as if it had come by it. Transfers through a
# router that is the other end, with the kernel's TCP behind it; by how many packets the veth itself has sent is seen
# which way they went. Without TSO, or checksums, packets go the way that all go.
#
#	near, tcpkd -- veth -- middle, a router -- veth -- far
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

BYTES=$(numfmt --from=iec "${BYTES:-16M}")

hosts
at near ip link add here type veth peer name there
helper tcpkd near --pins none --shortcut to_middle --shortcut lo --shortcut here
tcpu="--tcpk --helper $tmp/tcpkd.sock"
kernel=--kernel

out() { # packets that the veth has sent
	at near cat /sys/class/net/to_middle/statistics/tx_packets
}

# way WHAT short|long COMMAND...: by which way its packets leave.
way() {
	local what=$1 which=$2 before packets
	shift 2
	before=$(out)
	"$@"
	packets=$(($(out) - before))
	# On the short way one packet a second goes the long one, and those that the neighbour is asked with.
	[ "$which" = short ] || check "$what: the long way, $packets packets" [ $packets -gt 100 ]
	[ "$which" = long ] || check "$what: the short way, but for $packets packets" [ $packets -lt 40 ]
}

both_ways() {
	transfer "$1, upload" far $far "$kernel --close late" near "$tcpu --send $BYTES"
	transfer "$1, download" far $far "$kernel --send $BYTES" near "$tcpu --close late"
	transfer "$1, near serves" near $near "$tcpu --send $BYTES" far "$kernel --send $BYTES"
}

start capture middle dumpcap -q -B 16 -i to_near -s 66 -w "$tmp/capture.pcap" -f "tcp and src host $near"
await capture File:
way "by itself" short both_ways "by itself"
seen() {
	tshark -n -r "$tmp/capture.pcap" -Y 'tcp.flags.fin == 1' 2>/dev/null | wc -l
}
all_seen() {
	[ "$(seen)" -ge 3 ]
}
check "the other end sees what comes" within 10000 all_seen
ended capture INT
mac() { # NAMESPACE DEVICE
	at "$1" cat "/sys/class/net/$2/address"
}
strange=$(tshark -n -r "$tmp/capture.pcap" -Y "eth.dst != $(mac middle to_near) or eth.src != $(mac near to_middle)" \
	2>/dev/null | wc -l)
check "as frames between the two: $strange are not" [ "$strange" = 0 ]

by_packet() {
	transfer "packet by packet" far $far "$kernel --close late" near "$tcpu --plain --send 1000000"
}
way "packet by packet" short by_packet

# told DEVICE WORDS: tcpkd's last word of it is that.
told() {
	sed -n "s/^tcpkd: $1: //p" "$tmp/tcpkd" | tail -n 1 | grep -q "^$2"
}
check "lo is none" told lo 'no shortcut'
check "nor is a veth that leads nowhere else" told here 'no shortcut'
check "to_middle is one" told to_middle 'a shortcut'
for feature in tso tx; do
	at near ethtool -K to_middle $feature off >>"$tmp/ethtool"
	check "without $feature: tcpkd says so" within 10000 told to_middle 'no shortcut'
	way "without $feature" long both_ways "without $feature"
	at near ethtool -K to_middle tx on tso on >>"$tmp/ethtool"
	check "with $feature again: tcpkd says so" within 10000 told to_middle 'a shortcut'
	way "with $feature again" short both_ways "with $feature again"
done

# Each neighbour is kept known, however busy another one is.
at middle ip addr add 10.99.1.3/24 dev to_near
port=$((port + 1))
start busy_server far "$peer" --kernel --listen $port --seed 1 --send $((64 * BYTES))
await busy_server listening
start busy_client near "$peer" $tcpu --connect $far:$port --seed 2 --close late
await busy_client connected
at near ip neigh replace 10.99.1.3 lladdr "$(mac middle to_near)" nud stale dev to_middle
transfer "a second neighbour" middle 10.99.1.3 "$kernel --close late" near "$tcpu --send 1000000"
known() {
	! at near ip neigh show 10.99.1.3 | grep -q STALE
}
check "the second neighbour: $(at near ip neigh show 10.99.1.3)" known
finish busy_client
finish busy_server

# A neighbour that has gone is asked for anew; one that nobody knows is, too.
at near ip neigh flush dev to_middle
transfer "the neighbour forgotten" far $far "$kernel --close late" near "$tcpu --send 1000000"
at middle ip link set to_near address 02:00:00:00:00:77
at near ip neigh flush dev to_middle
transfer "another in its place" far $far "$kernel --close late" near "$tcpu --send 1000000"

! "$tcpkd" --shortcut a_name_that_no_device_can_have 2>"$tmp/refused" || false
check "a name too long" grep -q 'no name of a device' "$tmp/refused"

# RFC 8950: an IPv4 route whose next hop has an IPv6 address. Its neighbour is asked for by that, on the long way.
for side in near:to_middle:2 middle:to_near:1; do
	IFS=: read -r namespace device number <<<"$side"
	at "$namespace" sysctl -qw "net.ipv6.conf.$device.disable_ipv6=0"
	at "$namespace" ip -6 addr add fe80::$number/64 dev "$device" nodad
done
at near ip route add $far via inet6 fe80::1 dev to_middle
way "by an IPv6 next hop" long both_ways "by an IPv6 next hop"
