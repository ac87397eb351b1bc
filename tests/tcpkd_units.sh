#!/bin/bash
# The systemd units of tcpkd parse, and name what there is. tests/netns/confine.sh has a socket handed in.
set -u
cd "$(dirname "$0")/.." || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

checks=0 failures=0
# verifies EXPECTED: the units in $tmp, whether systemd has nothing to say of them.
verifies() {
	local got=yes
	checks=$((checks + 1))
	systemd-analyze verify --man=no "$tmp/tcpkd.service" "$tmp/tcpkd.socket" >"$tmp/said" 2>&1 && [ ! -s "$tmp/said" ] ||
		got=no
	[ "$got" = "$1" ] && return
	failures=$((failures + 1))
	echo "systemd-analyze verify: $got, expected $1; it said:"
	cat "$tmp/said"
}

if ! command -v systemd-analyze >/dev/null; then
	echo "skipped, because units are systemd's to read: there is no systemd-analyze"
	echo "1 passed, 0 failed"
	exit
fi
cp kernel/tcpkd/tcpkd.socket "$tmp"
# Where the build has it.
tcpkd=$(realpath "${B:-build/gcc}/bin/tcpkd")
sed "s|^ExecStart=[^ ]*|ExecStart=$tcpkd|" kernel/tcpkd/tcpkd.service >"$tmp/tcpkd.service"
verifies yes
echo 'ProtectEverything=yes' >>"$tmp/tcpkd.service" # a planted fault
verifies no
checks=$((checks + 1))
listen=$(sed -n 's/^#define TCPKD_PATH "\(.*\)"$/\1/p' kernel/uapi/tcpk.h)
if ! grep -qx "ListenSequentialPacket=$listen" kernel/tcpkd/tcpkd.socket; then
	failures=$((failures + 1))
	echo "tcpkd.socket: expected ListenSequentialPacket=$listen, as kernel/uapi/tcpk.h says"
fi
echo "$checks passed, $failures failed"
[ "$failures" = 0 ]
