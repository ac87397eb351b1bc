#!/bin/bash
# ONC RPC over TCPU (adu-examples/rpc) with other people's clients and servers on the kernel's TCP: rpcinfo, libtirpc,
# and bytes by hand; and what tshark takes them for.
#
#	+-- near ------------------------------+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |
#	|                 ^  rpcinfo, libtirpc |
#	+-----------------|--------------------+
#	               capture
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

rpc=$(realpath "${B:-build/gcc}")/bin/rpc
tirpc=$bin/tirpc
program=536880720

namespace near
at near ip addr add 10.99.2.1/32 dev lo
start server near "$rpc" serve --ip 10.99.1.2 --host 10.99.1.1 --listen 10.99.1.2:2650 --timeout 20
await server 'listening on 10.99.1.2:2650'
start dumpcap near dumpcap -q -B 64 -i tcpu0 -w "$tmp/wire"
await dumpcap File:

# says WHAT PATTERN COMMAND...: in the namespace; what it says has the pattern.
says() {
	local what=$1 pattern=$2
	shift 2
	at near timeout 60 "$@" >"$tmp/said" 2>&1 || true
	check "$what" grep -qE -- "$pattern" "$tmp/said"
	grep -qE -- "$pattern" "$tmp/said" || sed 's/^/	/' "$tmp/said"
}

# ---- our server ----
at_server=10.99.1.2.10.90 # a universal address

says "rpcinfo" "program $program version 1 ready and waiting" rpcinfo -a $at_server -T tcp $program 1
says "rpcinfo, all versions" "version 1 ready and waiting" rpcinfo -a $at_server -T tcp $program
says "rpcinfo, a version that is not there" 'low version = 1, high version = 1' rpcinfo -a $at_server -T tcp $program 2
says "rpcinfo, another program" 'Program unavailable' rpcinfo -a $at_server -T tcp 100003 3

theirs="10.99.1.2 2650"
says "put" '^status 0$' "$tirpc" put $theirs small 5
says "put, in many fragments" '^status 0$' "$tirpc" put $theirs large 1048576
says "put, of nothing" '^status 0$' "$tirpc" put $theirs empty 0
says "get" '^status 0, 5 bytes, ' "$tirpc" get $theirs small
at near "$tirpc" get $theirs large >"$tmp/large_ours"
check "get, a mebibyte" grep -q '^status 0, 1048576 bytes, ' "$tmp/large_ours"
says "get, none" '^status 1, 0 bytes' "$tirpc" get $theirs nobody
at near "$tirpc" list $theirs | sort | paste -s >"$tmp/said"
check "list" grep -q "^empty	large	small$" "$tmp/said"
says "remove" '^status 0$' "$tirpc" remove $theirs small
says "removed" '^status 1, ' "$tirpc" get $theirs small
says "a value of other bytes" '^status 0$' "$tirpc" put $theirs large 1000
says "which is there" '^status 0, 1000 bytes' "$tirpc" get $theirs large

says "AUTH_NONE" '^done$' "$tirpc" none $theirs
says "AUTH_SYS" '^done$' "$tirpc" sys $theirs
says "PROC_UNAVAIL" 'Procedure unavailable' "$tirpc" proc $theirs
says "PROG_MISMATCH" 'Program/version mismatch' "$tirpc" version $theirs
says "PROG_UNAVAIL" 'Program unavailable' "$tirpc" program $theirs
says "GARBAGE_ARGS" "Server can't decode arguments" "$tirpc" garbage $theirs

# ---- what was on the wire: dumpcap is some way behind ----
view() {
	tshark -n -r "$tmp/wire" -d tcp.port==2650,rpc -o rpc.dissect_unknown_programs:TRUE "$@" 2>/dev/null
}
for _ in {1..60}; do
	[ -z "$(view -Y 'rpc.state_accept == 4')" ] || break
done
kill -INT "${pids[dumpcap]}"
finish dumpcap
calls=$(view -Y 'rpc.msgtyp == 0' | wc -l)
replies=$(view -Y 'rpc.msgtyp == 1' | wc -l)
check "tshark sees $calls calls and $replies replies" [ "$calls" -ge 20 -a "$calls" = "$replies" ]
check "tshark finds nothing malformed" [ -z "$(view -Y '_ws.malformed || _ws.expert.severity == error')" ]
check "tshark knows each reply's call" [ -z "$(view -Y 'rpc.msgtyp == 1 && !rpc.repframe && !rpc.time')" ]

# ---- by hand: what goes, in hexadecimal, and what comes of it ----
by_hand() { # WHAT BYTES REPLY
	local said
	said=$(printf '%b' "$(tr -d ' \n\t' <<<"$2" | sed 's/../\\x&/g')" |
		at near timeout 20 socat -t 5 - TCP:10.99.1.2:2650 | od -An -v -tx1 | tr -d ' \n')
	check "$1: $said" [ "$said" = "${3// /}" ]
}
none='00000000 00000000'
store='20002650 00000001'
head="00000007 00000000 00000002 $store 00000000" # of a call of NULL
accepted="80000018 00000007 00000001 00000000 $none"
denied='80000014 00000007 00000001 00000001 00000001'
by_hand "NULL" "80000028 $head $none $none" "$accepted 00000000"
by_hand "two at once" "80000028 $head $none $none 80000028 $head $none $none" \
	"$accepted 00000000 $accepted 00000000"
null=$head$none$none
null=${null// /}
by_hand "in fragments, of nothing as well" "00000000 00000001 ${null::2} 00000000 80000027 ${null:2}" \
	"$accepted 00000000"
by_hand "RPC_MISMATCH" "8000000c 00000007 00000000 00000003" \
	"80000018 00000007 00000001 00000001 00000000 00000002 00000002"
by_hand "AUTH_SYS that is none" "8000002c $head 00000001 00000004 00000000 $none" "$denied 00000001"
by_hand "AUTH_SYS, and more" "80000040 $head 00000001 00000018 $none $none $none $none" "$denied 00000001"
by_hand "more than 400 bytes of authentication" \
	"800001bc $head 00000001 00000194 $(printf '%0808d' 0) $none" "$denied 00000001"
by_hand "a flavor of others" "80000028 $head 00000006 00000000 $none" "$denied 00000002"
by_hand "arguments where there are none" "8000002c $head $none $none 00000000" "$accepted 00000004"
by_hand "a reply" "$accepted 00000000" ""
by_hand "a header cut off" "80000010 ${null::32}" ""
by_hand "two gibibytes" "ffffffff $head" ""
by_hand "and still there" "80000028 $head $none $none" "$accepted 00000000"
kill "${pids[server]}"
unset "pids[server]"

# ---- our client ----
start tirpc near "$tirpc" serve 10.99.2.1 2651
await tirpc listening
# calls WHAT STATUS PATTERN VERB [OPTION...] [KEY [VALUE]]: how it ends, and what it says.
calls() {
	local what=$1 status=$2 pattern=$3 verb=$4 got=0
	shift 4
	at near timeout 60 "$rpc" --ip 10.99.1.2 --host 10.99.1.1 "$verb" 10.99.2.1:2651 "$@" \
		>"$tmp/said" 2>&1 <"$stdin" || got=$?
	check "$what: status $got" [ "$got" = "$status" ]
	if [ "$pattern" ]; then
		check "$what: $(head -c 200 "$tmp/said")" grep -qzE -- "$pattern" "$tmp/said"
	else
		check "$what: $(head -c 200 "$tmp/said")" [ ! -s "$tmp/said" ]
	fi
}
calls "null, to libtirpc" 0 '' null
calls "put" 0 '' put answer 42
calls "get" 0 '^42$' get answer
head -c 1048576 /dev/urandom >"$tmp/random"
stdin=$tmp/random calls "put, a mebibyte" 0 '' put large
at near "$rpc" --ip 10.99.1.2 --host 10.99.1.1 get 10.99.2.1:2651 large >"$tmp/said" || true
check "get, a mebibyte" cmp "$tmp/random" "$tmp/said"
calls "list" 0 '^answer.large.$' list
calls "remove" 0 '' remove answer
calls "get, none" 4 'answer: there is none' get answer
calls "a version that is not there" 1 'versions 1 to 1 of the program' null --vers 9
calls "another program" 1 'does not have the program' null --program 100003
kill "${pids[tirpc]}"
unset "pids[tirpc]"
calls "nobody" 3 '10.99.*: Connection refused: is .rpc serve. running there' null
