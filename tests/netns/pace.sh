#!/bin/bash
# How fast TCPU by TCPK is beside the kernel's TCP (CUBIC, blocking calls of 128 KiB): both in turn, by pace.c, between
# two namespaces over veth. `make pace` calls it; it is no test, and asserts nothing but that every byte came.
#
#	[ROUNDS=n] [BYTES=n] [BALLS=n] tests/netns/pace.sh
#
# For each arrangement a line: the kernel's GB/s (or microseconds of a round trip), and TCPU's in units of it, median
# [least .. most]: both ends, only the receiving end, only the sending end; and the same by processor time, of both ends
# together. Which cores the ends have is in the name; packets are cut late (GSO), or are real ones of 1,500 bytes; and
# go by the veth as all do, or by tcpkd's shortcut to its other end.
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

ROUNDS=${ROUNDS:-7} BYTES=${BYTES:-1000000000} BALLS=${BALLS:-20000}
pace=$bin/pace
port=6000
small=524288 # a ring that stays in the cache

namespace a
namespace b
veth a 10.99.1.1 b 10.99.1.2

# helpers OPTIONS...: others, in both namespaces.
helpers() {
	for side in a b; do
		[ -z "${pids[$side]-}" ] || ended $side TERM
		helper $side $side --pins none "$@"
	done
}

# once RECEIVER SENDER OPTIONS...: seconds and processor seconds, the receiver in b, on the cores of $cores.
once() {
	local receiver=$1 sender=$2
	shift 2
	port=$((port + 1))
	start receiver b taskset -c "${cores#*,}" "$pace" --listen $port $receiver "$@"
	await receiver listening
	start sender a taskset -c "${cores%,*}" "$pace" --connect 10.99.1.2:$port $sender "$@"
	finish sender
	finish receiver
	! grep -h '^count dropped_in [1-9]' "$tmp/sender" "$tmp/receiver" >&2 || exit 1
	awk '$1 == "seconds" { if (FILENAME ~ /sender$/) s = $2; p += $4 } END { print s, p }' "$tmp/sender" "$tmp/receiver"
}

# arrangement NAME FACTOR UNIT CORES TCPU-OPTIONS OPTIONS...
arrangement() {
	local name=$1 factor=$2 unit=$3 cores=$4 mine=$5 round k t r s
	shift 5
	: >"$tmp/rounds"
	for ((round = 0; round < ROUNDS; round++)); do
		k=$(once --kernel --kernel "$@")
		t=$(once "$mine --helper $tmp/b.sock" "$mine --helper $tmp/a.sock" "$@")
		r=$(once "$mine --helper $tmp/b.sock" --kernel "$@")
		s=$(once --kernel "$mine --helper $tmp/a.sock" "$@")
		echo "$k $t $r $s" >>"$tmp/rounds"
	done
	echo "$name"
	echo "  kernel:          $(awk "{ print $factor }" "$tmp/rounds" | median) $unit"
	echo "  TCPU : kernel    $(awk '{ print $1 / $3 }' "$tmp/rounds" | median)   by processor time $(
		awk '{ print $2 / $4 }' "$tmp/rounds" | median)"
	echo "    receiver only  $(awk '{ print $1 / $5 }' "$tmp/rounds" | median)   by processor time $(
		awk '{ print $2 / $6 }' "$tmp/rounds" | median)"
	echo "    sender only    $(awk '{ print $1 / $7 }' "$tmp/rounds" | median)   by processor time $(
		awk '{ print $2 / $8 }' "$tmp/rounds" | median)"
}

stream="$BYTES / \$1 / 1e9"
ball="\$1 / $BALLS * 1e6"
for how in '' ', shortcut'; do
	# shellcheck disable=SC2046 # two words
	helpers $([ -z "$how" ] || echo --shortcut to_a --shortcut to_b)
	arrangement "stream, GSO, two cores$how" "$stream" GB/s 0,1 '' --bytes "$BYTES"
	arrangement "stream, GSO, two cores, by the seam$how" "$stream" GB/s 0,1 --seam --bytes "$BYTES"
	arrangement "stream, GSO, one core$how" "$stream" GB/s 0,0 '' --bytes "$BYTES"
	arrangement "stream, GSO, one core, by the seam$how" "$stream" GB/s 0,0 --seam --bytes "$BYTES"
	arrangement "stream, GSO, one core, ring of 512 KiB$how" "$stream" GB/s 0,0 "--ring $small" --bytes "$BYTES"
	arrangement "stream, GSO, one core, by the seam, ring of 512 KiB$how" "$stream" GB/s 0,0 "--seam --ring $small" \
		--bytes "$BYTES"
	arrangement "64 bytes there and back, spinning$how" "$ball" us 0,1 '' --ball 64 --spin --bytes "$BALLS"
done
helpers
at a ethtool -K to_b tso off gso off gro on >/dev/null
at b ethtool -K to_a tso off gso off gro on >/dev/null
arrangement "stream, packets of 1,500 bytes, GRO, two cores" "$stream" GB/s 0,1 '' --bytes "$BYTES"
check "done" true
