#!/bin/bash
# TCPK by BPF: transfers between TCPU, with the host's own address, and the kernel's TCP, each as server and as
# client, both ways, over a cable that carries super-packets and over one that carries packets of 1,500 bytes, with 1
# % loss and with none, while the kernel's TCP of the same host has a transfer of its own both ways; and over all of
# these with socat, curl, a web server and iperf3 as the other end, and with TCPU at both. Then within one host, by many
# connections at once, over a narrow road, and to where none leads. SHA-256 of what was sent and of what came must
# agree; and no RST comes from the host of TCPU.
#
#	+-- near ---------------+          +-- middle -+          +-- far ----------------+
#	| TCPU and the kernel's |          | loses     |          | the kernel's TCP      |
#	| TCP: 10.99.1.2, tcpkd +-- veth --+           +-- veth --+ 10.99.2.2, tcpkd      |
#	+-----------------------+          +-----------+        ^ +-----------------------+
#	                                                     capture
#
#	[BYTES=n] tests/netns/tcpk.sh	n: of the longest transfers, those without loss, 1G say [16 MiB]
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

BYTES=$(numfmt --from=iec "${BYTES:-16M}")
some=$((BYTES / 16))
kernel=--kernel

hosts
helper near_tcpkd near --pins none
helper far_tcpkd far --pins none
tcpu="--tcpk --helper $tmp/near_tcpkd.sock"
far_tcpu="--tcpk --helper $tmp/far_tcpkd.sock"
# shellcheck source=tests/netns/tcpk_foreign.sh
. tests/netns/tcpk_foreign.sh

# capture NAME NAMESPACE DEVICE FILTER...: begins.
capture() {
	local name=$1 namespace=$2 device=$3
	shift 3
	start "$name" "$namespace" dumpcap -q -B 16 -i "$device" -w "$tmp/$name.pcap" "$@"
	await "$name" File:
}

# All that begins a connection's end: an RST after both FINs is the answer to what comes late, and hurts nobody.
ends='tcp[tcpflags] & (tcp-rst | tcp-fin) != 0'
capture far_ends far to_middle -f "$ends"
capture near_ends near lo -f "$ends"

# rsts NAME ADDRESS: how many of them have come from there, by that capture, before both ends had closed; each is
# listed in $tmp/rsts with both ends' addresses.
rsts() {
	tshark -n -r "$tmp/$1.pcap" -T fields -E separator=' ' -e ip.src -e tcp.srcport -e ip.dst -e tcp.dstport \
		-e tcp.flags.fin -e tcp.flags.reset 2>/dev/null |
		awk -v from="$2" '
			{ one = $1 ":" $2; two = $3 ":" $4 }
			$5 != "0" && $5 != "False" { fin[one, two] = 1 }
			$6 != "0" && $6 != "False" && $1 ~ from && !(fin[one, two] && fin[two, one]) { print one, two }
		' >"$tmp/rsts"
	wc -l <"$tmp/rsts"
}

# lossy PERCENT: of what goes through the middle, both ways.
lossy() {
	at middle nft flush ruleset
	[ "$1" = 0 ] || at middle nft -f - <<-END
		table ip road {
			chain forward {
				type filter hook forward priority 0;
				numgen random mod 100 < $1 drop
			}
		}
	END
}

# offloads on|off: whether packets are as large as can be, or 1,500 bytes on every cable.
offloads() {
	local side
	for side in near:to_middle middle:to_near middle:to_far far:to_middle; do
		at "${side%:*}" ethtool -K "${side#*:}" tso "$1" gso "$1" gro "$1" >>"$tmp/ethtool"
	done
}

# kernel_begins BYTES: a transfer of the kernel's TCP from near, both ways; kernel_ends WHAT: with so many
# retransmissions in $again.
kernel_begins() {
	port=$((port + 1))
	start kernel_server far "$peer" --kernel --listen $port --seed 1 --send "$1"
	await kernel_server listening
	start kernel_client near "$peer" --kernel --connect $far:$port --seed 2 --send "$1"
}
kernel_ends() {
	finish kernel_client
	finish kernel_server
	check "$1: the kernel's TCP beside it" same_bytes kernel_client kernel_server
	again=$(($(counted kernel_client retransmits) + $(counted kernel_server retransmits)))
	echo "$1: the kernel's TCP beside it: $(sed -n 's/^peer: //p' "$tmp/kernel_client"), $again retransmissions"
}

# matrix WHAT TCP: the transfers that are to work over every road, by that one at near.
matrix() {
	transfer "$1, download" far $far "$kernel --send $BYTES" near "$2 --close late"
	transfer "$1, upload" far $far "$kernel --close late" near "$2 --send $BYTES"
	transfer "$1, download, near serves" near $near "$2 --send $BYTES" far "$kernel --close late"
	transfer "$1, upload, near serves" near $near "$2 --close late" far "$kernel --send $BYTES"
}

# The kernel's TCP beside TCPU must not fare worse than beside another transfer of its own; but for twice as many
# retransmissions and one packet in a hundred, which chance and a machine under load make.
for size in on off; do
	offloads $size
	for loss in 0 1; do
		what="offloads $size, loss $loss %"
		lossy $loss
		if [ $loss = 0 ]; then
			kernel_begins $((2 * BYTES))
			matrix "$what, kernel" "$kernel" >"$tmp/rates"
			kernel_ends "$what, the kernel's TCP alone"
			alone=$again
		fi
		kernel_begins $((2 * BYTES / (1 + 15 * loss)))
		matrix "$what" "$tcpu"
		kernel_ends "$what"
		[ $loss = 1 ] || check "$what: retransmissions of the kernel's TCP: $again, alone $alone" \
			[ "$again" -le $((2 * alone + 4 * BYTES / 1448 / 100)) ]
		transfer "$what, both ways" near $near "$tcpu --send $some" far "$kernel --send $some"
		# Where the last ACK was lost it must still be there that has sent it.
		transfer "$what, TCPU at both ends" far $far "$far_tcpu --msl 500 --send $some" near "$tcpu --msl 500 --send $some"
		foreign "$what" $((BYTES / (1 + 15 * loss)))
	done
done
lossy 0
offloads on

transfer "half-close by TCPU" far $far "$kernel --send $some" near "$tcpu --send 1000000"
transfer "half-close by the kernel" near $near "$tcpu --send $some" far "$kernel --send 1000000"
transfer "close without a byte" far $far "$kernel" near "$tcpu"
transfer "one byte each" near $near "$tcpu --send 1" far "$kernel --send 1"
for how in --plain --thread; do
	transfer "download, $how" far $far "$kernel --send $some" near "$tcpu $how --close late"
	transfer "upload, $how" near $near "$tcpu $how --send $some" far "$kernel --close late"
done

# Within one host. A super-packet is there as large as IP has it, and its checksum nobody's business.
for ip in $near 127.0.0.1; do
	transfer "$ip: from TCPU to the kernel" near $ip "$kernel --close late" near "$tcpu --send $BYTES"
	transfer "$ip: from the kernel to TCPU" near $ip "$kernel --send $BYTES" near "$tcpu --close late"
	transfer "$ip: from TCPU to the kernel, TCPU serves" near $ip "$tcpu --send $BYTES" near "$kernel --close late"
	transfer "$ip: from the kernel to TCPU, TCPU serves" near $ip "$tcpu --close late" near "$kernel --send $BYTES"
	transfer "$ip: TCPU at both ends" near $ip "$tcpu --send $BYTES" near "$tcpu --send $BYTES"
done

# What may come is never more than the ring holds, and nothing finds it full.
fins() {
	tshark -n -r "$tmp/window.pcap" -Y 'tcp.flags.fin == 1' 2>/dev/null | grep -q .
}
for ring in 65536 262144 1048576; do
	for size in on off; do
		what="ring of $ring, offloads $size"
		offloads $size
		capture window far to_middle -s 96 -f "src host $near or tcp[tcpflags] & tcp-syn != 0"
		transfer "$what" far $far "$kernel --send $some" near "$tcpu --ring $ring --close late"
		check "$what: nothing is dropped" [ "$(counted client dropped_in)" = 0 ]
		check "$what: the capture has it all" within 10000 fins
		ended window INT
		widest=$(tshark -n -r "$tmp/window.pcap" -Y "ip.src == $near" -T fields -e tcp.window_size 2>/dev/null |
			sort -n | tail -n 1)
		check "$what: a window of ${widest:-none}" [ $((${widest:-0} - 1)) -lt $((ring - 1)) ]
	done
done
offloads on
# Nor by blocking calls, which take what came in their own time; with the kernel's TCP and TCPU as sender.
for ring in 65536 131072 262144 1048576; do
	for sender in --kernel "--helper $tmp/far_tcpkd.sock"; do
		port=$((port + 1))
		what="ring of $ring, blocking, from pace ${sender%% *}"
		start receiver near "$bin/pace" --listen $port --helper "$tmp/near_tcpkd.sock" --ring $ring
		await receiver listening
		start sender far "$bin/pace" --connect $near:$port --bytes 100000000 $sender
		finish sender
		finish receiver
		check "$what: $(counted receiver dropped_in) dropped" [ "$(counted receiver dropped_in)" = 0 ]
	done
done

# Nor by many connections that share it, of which the first had it for itself, and which are read late, or slowly.
mkfifo "$tmp/tell"
exec {tell}<>"$tmp/tell"
# many WHAT CONNECTIONS RING late|slow
many() {
	local what=$1
	port=$((port + 1))
	stdin=$tmp/tell
	start receiver near "$bin/many" --listen $port --helper "$tmp/near_tcpkd.sock" --connections "$2" --ring "$3" "--$4"
	stdin=/dev/null
	await receiver listening
	start sender far "$bin/many" --connect $near:$port --connections "$2" --bytes $((16777216 / $2))
	await receiver 'all here'
	await sender stalled
	[ "$4" = slow ] || echo >&"$tell"
	finish sender
	finish receiver
	check "$what: all has come" [ "$(said sender sent)" = "$(said receiver received)" ]
	# Each is promised TCPU_RCVBUF_SHARE_MIN in any case: so many may be too many for the ring, and TCP repairs it.
	[ $(($2 * 8192)) -gt "$3" ] ||
		check "$what: $(counted receiver dropped_in) dropped" [ "$(counted receiver dropped_in)" = 0 ]
}
for size in on off; do
	offloads $size
	for ring in 4194304 1048576; do
		for connections in 2 50 300; do
			for how in late slow; do
				many "ring of $ring, offloads $size, $connections connections, read $how" $connections $ring $how
			done
		done
	done
done
offloads on

# RFC 1191: a cable that is narrower than what leads to it, and a kernel in the middle that tells.
at middle ip link set to_far mtu 1000
transfer "upload over a narrow road" far $far "$kernel --close late" near "$tcpu --send $some"
check "path MTU" [ "$(counted client path_mtu)" = 1000 ]
transfer "upload over a narrow road, TCPU serves" near $near "$tcpu --send $some" far "$kernel --close late"
check "path MTU, TCPU serves" [ "$(counted server path_mtu)" = 1000 ]
at middle ip link set to_far mtu 1500

# fails WHAT IP:PORT MESSAGE: connecting there. What may pass is the reason once patience ends (RFC 9293 3.9.2.2).
fails() {
	! at near "$peer" $tcpu --patience 500 --connect "$2" >"$tmp/failed" 2>&1 || echo "it connected" >"$tmp/failed"
	check "$1: $(head -n 1 "$tmp/failed")" grep -q "^peer: connect: $3" "$tmp/failed"
}
fails "a port that nobody has" $far:9 'Connection refused'
fails "one of this host" $near:9 'Connection refused'
fails "a network that nobody knows" 10.77.0.1:9 'Network is unreachable'
at middle sysctl -qw net.ipv4.icmp_ratelimit=0
at middle ip route add unreachable 10.77.0.0/24
fails "a host that cannot be reached" 10.77.0.1:9 'No route to host'
at middle ip route replace prohibit 10.77.0.0/24
fails "one that may not be" 10.77.0.1:9 'No route to host'
at middle nft 'add table ip road; add chain ip road forward { type filter hook forward priority 0; };
	add rule ip road forward tcp dport 9 reject with icmp type port-unreachable'
fails "a port that is said to be nobody's" $far:9 'Connection refused'
lossy 0

# A file of the web server, which the kernel sends right from where it is.
"$numbers" $some >"$tmp/www/file"
start client near "$peer" $tcpu --connect $far:$web --say 'GET /file HTTP/1.0\r\n\r\n' --close late --to "$tmp/fetched"
finish client
check "a file from a web server" cmp <(tail -c $some "$tmp/fetched") "$tmp/www/file"
check "whose answer begins as it should" grep -aqm1 '^HTTP/1.[01] 200 OK' "$tmp/fetched"

# One RST proves that captures see them: a SYN to a port that nobody has claimed. Those that count came before.
! at far socat -u OPEN:/dev/null TCP:$near:9 2>>"$tmp/refused" || false
! at near socat -u OPEN:/dev/null TCP:127.0.0.1:9 2>>"$tmp/refused" || false
seen() {
	[ "$(rsts far_ends "^$near\$")" -gt 0 ]
}
seen_here() {
	[ "$(rsts near_ends '.')" -gt 0 ]
}
check "the captures see RSTs" within 10000 seen
check "the captures see RSTs of one host" within 10000 seen_here
rsts far_ends "^$near\$" >"$tmp/count"
check "no RST came from near but the one that was asked for: $(paste -sd ' ' "$tmp/rsts")" \
	[ "$(grep -vc "^$near:9 " "$tmp/rsts")" = 0 ]
rsts near_ends . >"$tmp/count"
check "none within near: $(paste -sd ' ' "$tmp/rsts")" [ "$(grep -vcE "^(127.0.0.1|$near):9 " "$tmp/rsts")" = 0 ]
