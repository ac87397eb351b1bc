#!/bin/bash
# tcpkd as systemd starts it: with a socket of systemd's, as a user with few capabilities, and none of them after its
# start that it does not need. TCPU serves and connects over it all the same, and tcpu status shows that.
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

tcpkd=$(realpath "${B:-build/gcc}")/bin/tcpkd
tcpu=$(realpath "${B:-build/gcc}")/bin/tcpu
nobody=65534

# field NAME PROCESS: of its status.
field() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/${pids[$2]}/status"
}

# is_confined PROCESS CAPABILITIES BOUNDS
is_confined() {
	[ "$(field CapEff "$1")" = "$2" ] && [ "$(field CapPrm "$1")" = "$2" ] && [ "$(field CapBnd "$1")" = "$3" ] &&
		[ "$(field CapAmb "$1")$(field CapInh "$1")" = 00000000000000000000000000000000 ] &&
		[ "$(field NoNewPrivs "$1")" = 1 ] && [ "$(field Seccomp "$1")" = 2 ]
}

# status OPTION...: of the helper in near.
status() {
	at near "$tcpu" status --helper "$tmp/s" "$@" >"$tmp/status" 2>&1
}

# serves PROCESS: until it serves, or has ended.
serves() {
	until status; do
		kill -0 "${pids[$1]}" || { cat "$tmp/$1" && exit 1; }
	done
}

namespace near
namespace far
veth near 10.99.5.1 far 10.99.5.2
chmod 711 "$tmp"

# As root, by hand.
start root near "$tcpkd" --socket "$tmp/s" --pins none
serves root
check "root's capabilities: CAP_BPF, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE" \
	is_confined root 0000008000001400 0000000000000000
over="--tcpk --helper $tmp/s --send 3000000"
transfer "a server by TCPK" near 10.99.5.1 "$over" far "--kernel --send 3000000"
transfer "a client by TCPK" far 10.99.5.2 "--kernel --send 3000000" near "$over"
status
check "nothing is claimed" grep -qE '^0 claims  ' "$tmp/status"

# A connection that stands, and what is told of it.
port=$((port + 1))
start server near "$peer" --listen $port --tcpk --helper "$tmp/s" --send 1000 --close late
await server listening
status
check "a listener" grep -qE "^(\*|10\.99\.5\.1):$port  +\* +root +${pids[server]}  helper  " "$tmp/status"
check "one claim" grep -qE '^1 claim  ' "$tmp/status"
mkfifo "$tmp/stop"
exec 7<>"$tmp/stop"
stdin=$tmp/stop
start client far "$peer" --connect 10.99.5.1:$port --kernel --send 5000 --close told
stdin=/dev/null
until status --json && grep -qE '"bytes_in": [5-9][0-9]{3}' "$tmp/status"; do
	kill -0 "${pids[client]}"
done
check "what has come and gone" grep -qE '"segments_out": [1-9]' "$tmp/status"
echo >&7
finish client
finish server
check "both ends of it" same_bytes server client
kill "${pids[root]}"
finish root

# As a user with what the unit gives, and a policy without ports below 1024; the socket is systemd's.
if ! command -v systemd-socket-activate >/dev/null; then
	echo "skipped, because a socket is handed in by systemd-socket-activate: there is none"
	exit 0
fi
caps=+bpf,+perfmon,+net_admin,+net_bind_service
as_service=(setpriv --reuid "$nobody" --regid "$nobody" --clear-groups --inh-caps "$caps" --ambient-caps "$caps"
	--bounding-set "-all,$caps" --no-new-privs)
rm -f "$tmp/s"
printf 'allow user root ports 1024-65535\n' >"$tmp/policy"
# Whoever is no root finds a TUN device that is open to all, as udev makes it.
# shellcheck disable=SC2016 # the inner shell's
start service near unshare -m sh -c 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"' \
	sh systemd-socket-activate --seqpacket --listen="$tmp/s" "${as_service[@]}" "$tcpkd" --pins none --policy "$tmp/policy"
await service 'Listening on'
status
check "a client starts it, and the next one is served" status
check "it is nobody's" [ "$(field Uid service | cut -f 1)" = $nobody ]
# Its bounds are not its own to lower: nothing is to be had by them.
check "a service's capabilities: CAP_BPF, CAP_NET_ADMIN" is_confined service 0000008000001000 000000c000001400
transfer "a server by the service" near 10.99.5.1 "$over" far "--kernel --send 3000000"
transfer "a client by the service" far 10.99.5.2 "--kernel --send 3000000" near "$over"
kill "${pids[service]}"
finish service

# What is no such socket is refused.
start wrong near systemd-socket-activate --listen="$tmp/stream" "$tcpkd" --pins none
await wrong 'Listening on'
socat -u OPEN:/dev/null "UNIX-CONNECT:$tmp/stream" || true
await wrong 'expected a Unix socket .*ListenSequentialPacket='
if wait "${pids[wrong]}"; then failures=$((failures + 1)); fi
unset "pids[wrong]"
checks=$((checks + 1))
