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
# In JSON: an object a line.
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

program=$bin/throughput
ways=(stream adu crc markers)
port=7500
rounds=${ROUNDS:-1} bytes=${BYTES:-${ROUNDS:+268435456}} depth=${DEPTH:-16}
bytes=$((${bytes:-4194304} / 8192 * 8192)) # whole ADUs

namespace near
namespace far
namespace a
namespace b
veth a 10.99.1.1 b 10.99.1.2
road --loss 0 --delay 0

helper a a --pins none
helper b b --pins none

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

# column ROAD WAY N: that one of the rounds' lines.
column() {
	awk -v road="$1" -v way="$2" -v n="$3" '$1 == road && $2 == way { print $n }' "$tmp/rounds"
}

# told ROAD: what came out.
told() {
	local way mb_s ratio busy segments fpdus
	for way in "${ways[@]}"; do
		mb_s=$(column "$1" "$way" 3 | median) ratio=$(column "$1" "$way" 4 | median) busy=$(column "$1" "$way" 5 | median)
		segments=$(column "$1" "$way" 6 | tail -1) fpdus=$(column "$1" "$way" 7 | tail -1)
		printf '%-6s %-8s %s MB/s, of the stream %s, by processor time %s' "$1" "$way" "$mb_s" "$ratio" "$busy"
		[ "$way" = stream ] || printf '; an ADU: %s segments, %s FPDUs' "$segments" "$fpdus"
		echo
		[ -z "${JSON-}" ] || printf '{"road": "%s", "way": "%s", "rounds": %s, "bytes": %s, "depth": %s, "mb_s": %s, %s}\n' \
			"$1" "$way" "$rounds" "$bytes" "$depth" "${mb_s%% *}" \
			"\"of_stream\": ${ratio%% *}, \"of_stream_by_processor_time\": ${busy%% *}" >>"$JSON"
	done
}

[ -z "${JSON-}" ] || : >"$JSON"
for road in relay veth tcpk; do
	if [ $road = tcpk ]; then
		at a ethtool -K to_b tso off gso off >/dev/null
		at b ethtool -K to_a tso off gso off >/dev/null
	fi
	for ((round = 1; round <= rounds; round++)); do
		for way in "${ways[@]}"; do
			once $road "$way" >"$tmp/once" || { cat "$tmp/once" && exit 1; }
			read -r speed busy segments fpdus <"$tmp/once"
			check "$road, $way: all bytes came" [ -n "$fpdus" ]
			if [ "$way" = stream ]; then
				stream=$speed stream_busy=$busy
			fi
			awk -v r="$road $way $speed" -v n="$segments $fpdus" \
				"BEGIN { print r, $speed / $stream, $stream_busy / $busy, n }" >>"$tmp/rounds"
		done
	done
	[ -z "${ROUNDS-}" ] || told $road
done
