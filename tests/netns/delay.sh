#!/bin/bash
# How long ADUs of 8 KiB wait for holes that are not theirs, over a road that loses: each way of carrying them in turn,
# over the same road with the same losses. One end sends an ADU every so often, whatever comes of it; the relay knows
# which ADUs it hit, and when all of one had come (delay.h, relay.c); delay.lua makes JSON and a table of that.
# `make delay` calls it with many ADUs; with few, as a test, it sees that nothing waits where nothing is lost, and that
# what need not be in order comes past holes.
#
#	+-- near ----------+           +-- far ----+
#	| sender 10.99.3.1 +== relay ==+ 10.99.3.2 |
#	+------------------+           +-----------+
#
#	[ADUS=n [ROUNDS=n] [EVERY=us] [LOSS=percent] [DELAY=us]] tests/netns/delay.sh
#
# Without ADUS it is the test. DELAY is one way's. EVERY=0 means as fast as it goes, which usrsctp's UDP sockets do not
# hold: they lose.
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

port=7000
runs=()

# Ways: a name, whether ADUs overtake each other (yes, no, or may), a program (delay.h), and its options.
ways=(
	'kernel TCP, record marking:no:delay_tcp:'
	'TCPU, in order:no:delay_tcpu:--ordered'
	'TCPU, over holes:yes:delay_tcpu:'
	'SCTP, one stream:no:delay_sctp:--ordered'
	'SCTP, unordered:may:delay_sctp:'
	'SCTP, unordered, 64 streams:yes:delay_sctp:--streams 64'
)

namespace near
namespace far

# once WAY SEED ADUS EVERY LOSS DELAY: what all three said of it, in a file of $runs.
once() {
	local name program options run=$tmp/run.${#runs[@]}
	IFS=: read -r name _ program options <<<"$1"
	port=$((port + 1))
	road --adus --seed "$2" --loss "$5" --delay "$6"
	at near ip link set road txqueuelen 100000 # the road alone loses
	start receiver far "$bin/$program" --listen "10.99.3.2:$port" $options
	await receiver listening
	start sender near "$bin/$program" --connect "10.99.3.2:$port" $options --adus "$3" --every "$4"
	finish sender
	finish receiver
	road_ends >"$tmp/counts"
	(echo "way $name" && cat "$tmp/sender" "$tmp/receiver" "$tmp/relay") >"$run"
	runs+=("$run")
}

if [ -n "${ADUS-}" ]; then
	EVERY=${EVERY:-40000} LOSS=${LOSS:-1} DELAY=${DELAY:-25000} ROUNDS=${ROUNDS:-1}
	for ((round = 1; round <= ROUNDS; round++)); do
		for way in "${ways[@]}"; do
			once "$way" $round "$ADUS" "$EVERY" "$LOSS" "$DELAY"
		done
	done
	echo "$ADUS ADUs of 8 KiB, one every $EVERY us; loss $LOSS %, $DELAY us each way; rounds: $ROUNDS"
	check "all came" luajit tests/netns/delay.lua "${runs[@]}"
	exit
fi

for way in "${ways[@]}"; do
	once "$way" 1 50 2000 0 5000
done
check "without losses nothing waits" luajit tests/netns/delay.lua "${runs[@]}"
runs=()
for way in "${ways[@]}"; do
	once "$way" 1 100 2000 3 5000
done
check "with losses all came" luajit tests/netns/delay.lua "${runs[@]}" >"$tmp/judged"
cat "$tmp/judged"

# number WAY FIELD: of what delay.lua said of it.
number() {
	sed -nE "s/.*\"way\": \"$1\".*\"$2\": ([0-9.]+).*/\1/p" "$tmp/judged"
}
for way in "${ways[@]}"; do
	IFS=: read -r name overtakes _ <<<"$way"
	check "$name: some were hit" [ "$(number "$name" hit)" -gt 0 ]
	case $overtakes in
	no) check "$name: in order" [ "$(number "$name" overtook)" = 0 ] ;;
	yes) check "$name: past holes" [ "$(number "$name" overtook)" -gt 0 ] ;;
	esac
done
# Of ADUs that were not hit themselves, and of those that were.
for field in held hit_held; do
	check "TCPU, over holes: $field" [ "$(number "TCPU, over holes" $field)" = 0 ]
done
