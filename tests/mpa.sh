#!/bin/bash
# What ALF puts on the wire, in tshark's eyes: start-up frames, and FPDUs with markers and a good CRC, nothing
# malformed.
#
#	[FPDUS=n] tests/mpa.sh	[3000]; a hundred thousand take a minute or two
set -u
cd "$(dirname "$0")/.." || exit
adus=${B:-build/gcc}/tests/netns/adus
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if ! command -v tshark >/dev/null; then
	echo "skipped, because there is no tshark, which is for tests that need root"
	echo "1 passed, 0 failed"
	exit 0
fi

checks=0 failures=0
# same WHAT GOT EXPECTED
same() {
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	failures=$((failures + 1))
	echo "$1: $2, expected $3"
}

# tshark's dissector takes a segment for an FPDU, which is what alf_profile.unpacked is for; what it takes the data for,
# random as they are, by their looks, is not asked. Ports tell nothing: MPA is found by its start-up frames.
"$adus" "$tmp/wire" "${FPDUS:-3000}" 0 >"$tmp/said" || { cat "$tmp/said" && exit 1; }
fpdus=$(sed -n 's/ FPDUs$//p' "$tmp/said")
tshark -n -r "$tmp/wire" -o tcp.check_checksum:TRUE -o tcp.try_heuristic_first:TRUE -o tcp.desegment_tcp_streams:FALSE \
	--disable-protocol rpcordma --disable-protocol smb_direct -V >"$tmp/seen" 2>"$tmp/err" || cat "$tmp/err"
count() {
	grep -cE -- "$1" "$tmp/seen"
}
same "requests" "$(count '^    Request frame header')" 1
same "replies" "$(count '^    Reply frame header')" 1
same "FPDUs" "$(count '^    FPDU')" "$fpdus"
same "good CRCs" "$(count 'CRC check: .*Good CRC32')" "$fpdus"
same "other CRCs" "$(count 'CRC check: .*Bad')" 0
same "malformed" "$(count '[Mm]alformed')" 0
same "wrong checksums of TCP" "$(count 'Checksum Status: Bad')" 0
same "tagged and untagged" "$(($(count 'Tagged buffer model') + $(count 'Untagged buffer model')))" "$fpdus"
checks=$((checks + 1))
[ "$(count 'FPDU back pointer')" -gt "$fpdus" ] || { failures=$((failures + 1)) && echo "there are few markers"; }
echo "$fpdus FPDUs"
echo "$checks passed, $failures failed"
exit $failures
