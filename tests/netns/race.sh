#!/bin/bash
# Linux's TCP and TCPU take turns as senders to Linux over the same bad roads. Not a test: seconds, and their ratio.
#
#	+-- near ------------------------------+           +-- far ----+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |           |           |
#	|                        10.99.3.1 ====+== relay ==+ 10.99.3.2 |
#	+--------------------------------------+           +-----------+
#
#	[BYTES=n] [ROUNDS=n] [ROADS='relay options;...'] tests/netns/race.sh
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

BYTES=${BYTES:-$((8 << 20))}
ROUNDS=${ROUNDS:-5}
ROADS=${ROADS:---loss 1;--loss 5;--loss 0.5 --delay 5000;--loss 2 --delay 5000;--delay 5000 --reorder 5}

namespace near
namespace far

# seconds WHO: of a transfer by that sender.
seconds() {
	local from=10.99.3.1 sender=--kernel
	[ "$1" = kernel ] || { from=10.99.1.2 && sender='--ip 10.99.1.2 --host 10.99.1.1'; }
	transfer "$1" near $from "$sender --send $BYTES" far "--kernel --close late" >"$tmp/said"
	grep -oE '[0-9.]+ s' "$tmp/said" | tee -a "$tmp/$1" | grep -oE '[0-9.]+'
}

median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

echo "$((BYTES >> 10)) KiB to Linux, medians of $ROUNDS turns each; congestion control: cubic"
printf '%-36s %10s %10s %16s\n' 'the road' 'Linux, s' 'TCPU, s' 'TCPU : Linux'
IFS=';' read -ra roads <<<"$ROADS"
for options in "${roads[@]}"; do
	read -ra words <<<"$options"
	road "${words[@]}"
	rm -f "$tmp/kernel" "$tmp/tcpu"
	for ((i = 0; i < ROUNDS; i++)); do
		for who in kernel tcpu; do
			seconds $who >/dev/null
		done
	done
	road_ends >/dev/null
	linux=$(median "$tmp/kernel") tcpu=$(median "$tmp/tcpu")
	printf '%-36s %10s %10s %16s\n' "$options" "$linux" "$tcpu" "$(awk "BEGIN { printf \"%.2f\", $tcpu / $linux }")"
done
