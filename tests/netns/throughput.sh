#!/bin/bash
# How fast ADUs of 8 KiB go beside the plain stream of the same TCP where nothing is lost: all ways in turn, by
# throughput.c, over three roads, ROUNDS times. `make throughput` calls it; with few bytes, as a test, it sees that all
# of them come.
#
#	relay: the emulated path of delay.sh, TUN devices with a process between, packets of 1,500 bytes
#	veth:  TCPU in UDP over veth; the kernel carries 64 segments as one packet
#	tcpk:  TCPU by TCPK over veth, packets of 1,500 bytes
#
#	[ROUNDS=n [BYTES=n] [DEPTH=n] [JSON=file]] tests/netns/throughput.sh
#
# DEPTH ADUs are queued at most; 1: each call waits, as send() does with 8 KiB. For each road and way a line: MB/s, and
# in units of the stream of the same round, median [least .. most]; likewise by processor time, of both ends together.
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

program=$bin/throughput tcpkd=${bin%/tests/netns}/bin/tcpkd
ways=(stream adu crc markers)
port=7500
rounds=${ROUNDS:-1} bytes=${BYTES:-${ROUNDS:+268435456}} depth=${DEPTH:-16}
bytes=${bytes:-4194304}

namespace near
namespace far
namespace a
namespace b
veth a 10.99.1.1 b 10.99.1.2
road --loss 0 --delay 0

for side in a b; do
	start "helper_$side" $side "$tcpkd" --socket "$tmp/$side.sock" --pins none
done
for side in a b; do
	until [ -S "$tmp/$side.sock" ] && kill -0 "${pids[helper_$side]}"; do sleep 0.02; done
done

# once ROAD WAY: MB/s, processor seconds of both ends, segments and FPDUs of an ADU.
once() {
	local from=a to=b ip=10.99.1.2 mine='' other=''
	port=$((port + 1))
	case $1 in
	relay) from=near to=far ip=10.99.3.2 ;;
	tcpk) mine="--helper $tmp/a.sock" other="--helper $tmp/b.sock" ;;
	esac
	# shellcheck disable=SC2086 # two words
	start receiver $to "$program" --listen "$ip:$port" --way "$2" $other
	await receiver listening
	# shellcheck disable=SC2086
	start sender $from "$program" --connect "$ip:$port" --way "$2" --bytes "$bytes" --depth "$depth" $mine
	finish sender
	finish receiver
	awk -v all="$bytes" '$1 == "bytes" { got = $2; s = $4; p += $6 } $1 == "processor" { p += $2 }
		$1 == "segments" { n = $2; f = $4 }
		END { print all / s / 1e6, p, n + 0, f + 0; exit got != all }' "$tmp/sender" "$tmp/receiver"
}

# median: of a column of numbers, with the extremes.
median() {
	sort -g | awk '{ v[NR] = $1 } END { printf "%.2f [%.2f .. %.2f]", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

for road in relay veth tcpk; do
	at a ethtool -K to_b tso $([ $road = tcpk ] && echo off || echo on) gso $([ $road = tcpk ] && echo off || echo on) >/dev/null
	at b ethtool -K to_a tso $([ $road = tcpk ] && echo off || echo on) gso $([ $road = tcpk ] && echo off || echo on) >/dev/null
	for ((round = 1; round <= rounds; round++)); do
		for way in "${ways[@]}"; do
			once $road "$way" >"$tmp/once" || { cat "$tmp/once" && exit 1; }
			read -r speed busy segments fpdus <"$tmp/once"
			echo "$road $way $speed $busy $segments $fpdus" >>"$tmp/rounds"
			check "$road, $way: all bytes came" [ -n "$fpdus" ]
			if [ "$way" = stream ]; then
				stream=$speed stream_busy=$busy
			fi
			awk "BEGIN { print $speed / $stream, $stream_busy / $busy }" >>"$tmp/$road.$way"
		done
	done
	[ -n "${ROUNDS-}" ] || continue
	for way in "${ways[@]}"; do
		printf '%-6s %-8s %s MB/s' $road "$way" "$(awk "/^$road $way /"' { print $3 }' "$tmp/rounds" | median)"
		printf '   of the stream %s' "$(cut -d ' ' -f 1 "$tmp/$road.$way" | median)"
		printf '   by processor time %s' "$(cut -d ' ' -f 2 "$tmp/$road.$way" | median)"
		awk "/^$road $way /"' { s = $5; f = $6 } END { if (f) printf "   an ADU: %s segments, %s FPDUs", s, f }' "$tmp/rounds"
		echo
	done
done
