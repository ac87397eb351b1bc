#!/bin/bash
# TCPK by BPF goes on while tcpkd does not: transfers both ways, over tcpkds that are ended and others that come;
# what clients had then, and what they leave. What tcpkd follows of devices and addresses, and that it can take
# everything down.
#
#	+-- near ----------+          +-- far ----------------------+
#	| TCPU, tcpkd      |          |                             |
#	| 10.99.2.1        +-- veth --+ 10.99.2.2, the kernel's TCP |
#	+------------------+          +-----------------------------+
#
#	[BYTES=n] tests/netns/tcpk_restart.sh	n: of a transfer [128 MiB]
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

BYTES=$(numfmt --from=iec "${BYTES:-128M}")
here=10.99.2.1
far=10.99.2.2
namespace near
namespace far
veth far $far near $here
# Small packets, that it may take a while.
at near ethtool -K to_far tso off gso off gro off >"$tmp/ethtool"
at far ethtool -K to_near tso off gso off gro off >>"$tmp/ethtool"
# So many addresses before its own, that a tcpkd that forgot them first would be caught without it.
for i in {0..7}; do
	printf "addr add 10.98.$i.%d/32 dev lo\n" {1..250}
done >"$tmp/addresses"
at near ip -batch "$tmp/addresses"
pins=$tmp/bpf/tcpkd
tcpu="--tcpk --helper $tmp/tcpkd.sock"
mkfifo "$tmp/tell"
exec {tell}<>"$tmp/tell"

again() { # SIGNAL: ends tcpkd, and starts another
	ended tcpkd "$1"
	helper tcpkd near --pins "$pins"
}
helper tcpkd near --pins "$pins"
start rsts far dumpcap -q -i to_near -w "$tmp/rsts.pcap" -f "src host $here and tcp[tcpflags] & tcp-rst != 0"
await rsts File:

lives() { # NAME: whether it runs
	kill -0 "${pids[$1]}" 2>/dev/null && [ "$(cut -d ' ' -f 3 "/proc/${pids[$1]}/stat" 2>/dev/null)" != Z ]
}

# survives WHAT SIGNAL SERVER CLIENT: a transfer from far's client to near's server, both with options, goes on over
# ends of tcpkd by that signal.
port=5000
survives() {
	local times=0
	port=$((port + 1))
	start server near "$peer" $tcpu --listen $port --seed 1 $3
	await server listening
	start client far "$peer" --kernel --connect $here:$port --seed 2 $4
	await client connected
	while lives client; do
		again "$2"
		times=$((times + 1))
	done
	finish client
	finish server
	check "$1: what was sent and what was received" same_bytes server client
	check "$1: another tcpkd" [ "$times" -gt 0 ]
	echo "$1: $(sed -n 's/^peer: //p' "$tmp/server"), $times times"
}
for signal in TERM KILL; do
	survives "download over SIG$signal" $signal "--send $BYTES" '--close late'
	survives "upload over SIG$signal" $signal '--close late' "--send $BYTES"
	survives "both ways over SIG$signal" $signal "--send $((BYTES / 2))" "--send $((BYTES / 2))"
done

# What a client has, another tcpkd keeps for it.
kernel_gets() { # IP PORT: whether the kernel's TCP can have it
	at near timeout 5 socat -u OPEN:/dev/null "TCP:127.0.0.1:1,bind=$1:$2" 2>&1 | grep -q 'Connection refused'
}
kernel_gets_not() {
	at near timeout 5 socat -u OPEN:/dev/null "TCP:127.0.0.1:1,bind=$1:$2" 2>&1 | grep -q 'Address already in use'
}
device() { # how many TAPs there are
	taps near | wc -l
}
no_device() {
	[ "$(device)" = 0 ]
}
stdin=$tmp/tell
start claimant near "$bin/claimant" "$tmp/tcpkd.sock"
stdin=/dev/null
await claimant open
say() {
	echo "$*" >&"$tell"
}
say claim $here 6001
say claim 0.0.0.0 6002
say claim $here 6003
await claimant "claimed $here 6003"
for signal in TERM KILL; do
	again $signal
	check "SIG$signal: its ports are still reserved" kernel_gets_not $here 6001
	check "SIG$signal: its ports of all addresses, too" kernel_gets_not 127.0.0.1 6002
	say claim $here 61$((${#signal} + 10)) # another number for each
	await claimant "claimed $here 61$((${#signal} + 10))"
done
ended tcpkd KILL
say release $here 6003
await claimant "released $here 6003"
say claim $here 6004
check "without tcpkd: a claim is denied" within 5000 grep -q "denied $here 6004 Network is down" "$tmp/claimant"
helper tcpkd near --pins "$pins"
say claim $here 6005
await claimant "claimed $here 6005"
check "what was released meanwhile is free" within 1000 kernel_gets $here 6003
check "what was not, is not" kernel_gets_not $here 6001

# Devices and addresses that come, and go.
at near ip link add late0 type veth peer name late1
at near ip link set late1 up
at near ip link set late0 up
filtered() {
	at near tc filter show dev "$1" ingress | grep -q tcpk_in
}
check "a device that comes later is served" within 1000 filtered late0
claimable() {
	port=$((port + 1))
	say claim "$1" $port
	within 5000 grep -qE "(claimed|denied) $1 $port" "$tmp/claimant" && grep -q "claimed $1 $port" "$tmp/claimant"
}
claimable_not() {
	! claimable "$1"
}
check "an address that is not there" claimable_not 10.99.9.1
at near ip addr add 10.99.9.1/24 dev late0
check "an address that comes" within 1000 claimable 10.99.9.1
at near ip addr add 10.99.9.1/32 dev lo
at near ip addr del 10.99.9.1/24 dev late0
at near ip addr add 10.99.9.2/24 dev late0
check "another, and so tcpkd has heard of what was before" within 1000 claimable 10.99.9.2
check "an address that stays on another device" claimable 10.99.9.1
at near ip addr del 10.99.9.1/32 dev lo
check "an address that goes" within 1000 claimable_not 10.99.9.1
at near ip link del late0
check "addresses go with a device" within 1000 claimable_not 10.99.9.2

# Death, seen by whoever is there, or comes.
check "there is a TAP" [ "$(device)" = 1 ]
ended claimant KILL
check "a client dies: its ports are free within a second" within 1000 kernel_gets $here 6001
check "a client dies: its TAP is gone within a second" within 1000 no_device
stdin=$tmp/tell
start claimant near "$bin/claimant" "$tmp/tcpkd.sock"
stdin=/dev/null
say claim $here 6011
await claimant "claimed $here 6011"
again KILL
ended claimant KILL
check "one of the tcpkd before dies: its ports are free within a second" within 1000 kernel_gets $here 6011
check "one of the tcpkd before dies: its TAP is gone within a second" within 1000 no_device
stdin=$tmp/tell
start claimant near "$bin/claimant" "$tmp/tcpkd.sock"
stdin=/dev/null
say claim $here 6012
await claimant "claimed $here 6012"
ended tcpkd KILL
ended claimant KILL
helper tcpkd near --pins "$pins"
check "one dies without tcpkd: its ports are free" kernel_gets $here 6012
check "one dies without tcpkd: its TAP is gone" no_device

# The end: nothing is left, neither when the last client is gone nor when it is to be so.
left() {
	at near tc filter show dev to_far ingress
	at near tc filter show dev lo ingress
	ls "$pins"
	taps near
}
nothing_left() {
	[ -z "$(left)" ]
}
check "tcpkd serves: there is something to be left" [ -n "$(left)" ]
ended tcpkd TERM
check "SIGTERM without clients: nothing is left: $(left)" nothing_left
helper tcpkd near --pins "$pins"
stdin=$tmp/tell
start claimant near "$bin/claimant" "$tmp/tcpkd.sock"
stdin=/dev/null
say claim $here 6013
await claimant "claimed $here 6013"
refused() { # ARGUMENT...: a tcpkd with the same pins does nothing
	! at near "$tcpkd" --pins "$pins" "$@" >"$tmp/refused" 2>&1 &&
		grep -q 'another tcpkd has its maps there' "$tmp/refused"
}
cannot_serve() {
	! at near "$tcpkd" --pins "$pins" --socket "$tmp/none/sock" 2>"$tmp/refused"
}
check "tcpkd --remove while one serves" refused --remove
check "a second one" refused --socket "$tmp/second.sock"
check "and nothing has changed" [ -n "$(left)" ]
ended tcpkd KILL
check "a tcpkd that cannot serve fails" cannot_serve
helper tcpkd near --pins "$pins"
check "and has left clients what they have" kernel_gets_not $here 6013
check "and their TAPs" [ "$(device)" = 1 ]
ended tcpkd KILL
check "kill: all is left" [ -n "$(left)" ]
check "tcpkd --remove" at near "$tcpkd" --pins "$pins" --remove
check "tcpkd --remove: nothing is left: $(left)" nothing_left

# Pins are root's alone: in a BPF file system that is open to all, somebody may have made the folder before.
chmod 1777 "$tmp/bpf"
chmod 711 "$tmp"
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
denies() { # PINS
	! at near timeout 5 "$tcpkd" --pins "$1" --socket "$tmp/denied.sock" >"$tmp/denied" 2>&1 &&
		grep -qE 'must be a folder of this user alone|is no folder of' "$tmp/denied"
}
$nobody mkdir "$tmp/bpf/foreign"
start locker near $nobody flock -x "$tmp/bpf/foreign" sleep 300
check "pins in another user's folder" denies "$tmp/bpf/foreign"
$nobody ln -s "$pins" "$tmp/bpf/link"
check "pins by another user's link" denies "$tmp/bpf/link"
for mode in 720 702 750 705; do
	mkdir -m "$mode" "$tmp/bpf/mode$mode"
	check "pins in a folder of mode $mode" denies "$tmp/bpf/mode$mode"
done
helper tcpkd near --pins "$pins"
cannot() {
	! $nobody "$@" 2>>"$tmp/refused"
}
check "pins in a folder of its own: nobody else removes them" cannot rm -f "$pins/tcpk_claims"
check "pins in a folder of its own: nobody else locks it" cannot flock -n "$pins" true
ended tcpkd KILL
chown 65534 "$pins"
check "tcpkd --remove by root, of what another user's tcpkd has left" at near "$tcpkd" --pins "$pins" --remove
check "and nothing is left: $(left)" nothing_left

# A SYN for a port of nobody's proves that the capture sees an RST.
! at far socat -u OPEN:/dev/null TCP:$here:9 2>>"$tmp/refused" || false
ports() {
	tshark -n -r "$tmp/rsts.pcap" -T fields -e tcp.srcport 2>/dev/null
}
seen() {
	ports | grep -qx 9
}
check "the capture sees RSTs" within 10000 seen
check "no RST but that: $(ports | grep -vx 9 | sort | uniq -c | paste -sd ' ')" [ -z "$(ports | grep -vx 9)" ]
