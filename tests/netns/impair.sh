#!/bin/bash
# Transfers between TCPU and the kernel's TCP over roads that lose, reorder, duplicate and damage packets: a relay in
# user space (relay.c) on one, the kernel's packet filter on the other, which can also mark them (ECN). And, since the
# relay can be halted, FINs that cross.
#
#	+-- near ------------------------------+           +-- far ----+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |           |           |
#	|                        10.99.2.1 ----+-- veth ---+ 10.99.2.2 |
#	|                        10.99.3.1 ====+== relay ==+ 10.99.3.2 |
#	+--------------------------------------+           +-----------+
#
#	[BYTES=n] tests/netns/impair.sh		n: of a transfer at 1 % loss [16 MiB]; a quarter of it at 5 %. What is too
#						short to be sure of a loss is not asked for one
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

BYTES=${BYTES:-$((16 << 20))}
tcpu='--ip 10.99.1.2 --host 10.99.1.1'
kernel=--kernel

namespace near
namespace far
veth near 10.99.2.1 far 10.99.2.2

# sure BYTES PERCENT: whether that share of a transfer's packets is some of them: else once in a million times.
sure() {
	[ $(($1 / 1460 * $2)) -ge 1400 ]
}

# rough BYTES OPTIONS...: both ways, over such a road.
rough() {
	local bytes=$1 what share
	shift
	road "$@"
	transfer "download, $*" far 10.99.3.2 "$kernel --send $bytes" near "$tcpu --close late"
	transfer "upload, $*" near 10.99.1.2 "$tcpu --send $bytes" far "$kernel --close late"
	road_ends
	while read -r what share; do
		sure "$bytes" "$share" || continue
		check "$*: there was $what" [ "$(counted relay "$what")" -gt 0 ]
		[ "$what" != loss ] || check "$*: something was sent again" [ "$(counted server retransmits)" -gt 0 ]
	done < <(grep -oE '(loss|duplicate|reorder|corrupt) [0-9]+' <<<"$*")
}

rough "$BYTES" --loss 1
rough "$BYTES" --loss 1 --reorder 5 --duplicate 2 --corrupt 1
rough $((BYTES / 4)) --loss 5
rough $((BYTES / 4)) --loss 5 --reorder 10 --duplicate 5 --corrupt 2
rough $((BYTES / 16)) --loss 2 --delay 10000 --reorder 5 --by 30000

# Both close before either knows of the other: RFC 9293 3.6, case 3. The road is long, so that FIN comes well before the
# ACK of the other FIN, and CLOSING is to be seen.
road --delay 100000
stdin=$tmp/tell
mkfifo "$stdin"
exec {tell}<>"$stdin"
start server far "$peer" --kernel --listen 6000 --send 9999 --seed 1 --close told
await server listening
start client near "$peer" $tcpu --connect 10.99.3.2:6000 --send 10000 --seed 2 --close told
await server connected
await client connected
kill -STOP "${pids[relay]}"
echo close >&"$tell"
await server closed
await client closed
kill -CONT "${pids[relay]}"
finish client
finish server
stdin=/dev/null
check "simultaneous close: bytes" same_bytes client server
check "simultaneous close: CLOSING" grep -q CLOSING "$tmp/client"
road_ends

# The packet filter sees what is forwarded, super-packets whole.
rule() {
	at near nft flush ruleset
	at near nft -f - <<END
	table ip road {
		chain forward {
			type filter hook forward priority 0;
			$1
		}
	}
END
}

if ! why=$(rule 'numgen random mod 100 < 1 ip ecn set ce' 2>&1); then
	checks=$((checks + 1))
	echo "skipped, because this kernel's packet filter cannot do it: ${why//$'\n'/; }"
	exit
fi
at far ip route replace default via 10.99.2.1
for how in '' --plain; do
	rule 'numgen random mod 100 < 1 drop'
	transfer "download, filtered $how" far 10.99.2.2 "$kernel --send $BYTES" near "$tcpu $how --close late"
	transfer "upload, filtered $how" near 10.99.1.2 "$tcpu $how --send $BYTES" far "$kernel --close late"
done

# RFC 3168: marks instead of losses. Nothing is sent again, and both sides slow down. Every tenth, since super-packets
# are few.
rule 'ip ecn { ect0, ect1 } numgen inc mod 10 9 ip ecn set ce'
transfer "download, marked" far 10.99.2.2 "$kernel --send $BYTES" near "$tcpu --ecn --close late"
few=$((10 * 65536))
[ "$BYTES" -lt $few ] || check "marks came" [ "$(counted client ecn_marks_in)" -gt 0 ]
transfer "upload, marked" far 10.99.2.2 "$kernel --close late" near "$tcpu --ecn --send $BYTES"
[ "$BYTES" -lt $few ] || check "marks were heeded" [ "$(counted client ecn_reductions)" -gt 0 ]
