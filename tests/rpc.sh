#!/bin/bash
# adu-examples/rpc's client with its server, over UDP datagrams of this machine: verbs, exit statuses, bounds. With
# other people's, tests/netns/rpc.sh has them.
set -eu
cd "$(dirname "$0")/.."
rpc=${B:-build/gcc}/bin/rpc
tmp=$(mktemp -d)
checks=0 failures=0
"$rpc" serve --listen 127.0.0.1:0 2>"$tmp/server" &
server=$!
trap 'kill $server; rm -rf "$tmp"' EXIT
grep -qm1 listening <(tail -n +1 -f --pid=$server "$tmp/server" 2>/dev/null)
at=$(sed -n 's/^rpc: listening on //p' "$tmp/server")

# Whether it has said what the pattern wants; without one, nothing.
said() {
	if [ "$1" ]; then grep -qzE -- "$1" "$tmp/said"; else [ ! -s "$tmp/said" ]; fi
}
# calls WHAT STATUS SAYS VERB...
calls() {
	local what=$1 status=$2 pattern=$3 got=0
	shift 3
	timeout 60 "$rpc" "$@" >"$tmp/said" 2>&1 </dev/null || got=$?
	checks=$((checks + 1))
	if [ "$got" != "$status" ] || ! said "$pattern"; then
		failures=$((failures + 1))
		echo "$what: status $got, expected $status and '$pattern'; it said:"
		head -c 500 "$tmp/said"
	fi
}
calls "null" 0 '' null "$at"
calls "none yet" 4 '^rpc: a: there is none' get "$at" a
calls "put" 0 '' put "$at" a 'a value'
calls "get" 0 '^a value$' get "$at" a
calls "an empty key, and value" 0 '' put "$at" '' ''
calls "which are there" 0 '' get "$at" ''
calls "list" 0 '^a..$' list "$at"
calls "another value" 0 '' put "$at" a 'another'
calls "is there instead" 0 '^another$' get "$at" a
calls "remove" 0 '' remove "$at" a
calls "removed" 4 'there is none' remove "$at" a
calls "the longest key" 0 '' put "$at" "$(printf '%0255d' 0)" x
calls "a longer one" 1 'longer than' put "$at" "$(printf '%0256d' 0)" x
calls "a version that is not there" 1 'versions 1 to 1 of the program' list --vers 2 "$at"
calls "a program that is not there" 1 'does not have the program' list --program 1 "$at"
calls "nobody there" 3 '^rpc: 127.0.0.1:1: Connection refused: is .rpc serve. running there' \
	null 127.0.0.1:1 --timeout 1
calls "no verb" 2 'Usage' "$at"
calls "no key" 2 'Usage' get "$at"
calls "no address" 2 'expected ADDR:PORT' get 127.0.0.1:none key
calls "no number" 2 'expected a whole number from 1 to 86400' null "$at" --timeout 0

# As much as there may be, and no more.
for i in $(seq 62); do
	head -c 1048576 /dev/zero | "$rpc" put "$at" "$i" || break
done
checks=$((checks + 1))
n=$("$rpc" list "$at" | wc -l)
[ "$n" = 64 ] || { failures=$((failures + 1)) && echo "62 values of a mebibyte and 2 before: $n keys"; }
head -c 1048576 /dev/zero >"$tmp/mebibyte"
got=0
for i in a b c; do
	"$rpc" put "$at" "$i" <"$tmp/mebibyte" 2>"$tmp/said" || got=$?
done
checks=$((checks + 1))
[ "$got" = 5 ] && grep -q 'takes no more' "$tmp/said" || { failures=$((failures + 1)) && echo "full: status $got"; }
# By profiles, at either end.
"$rpc" serve --listen 127.0.0.1:0 --profile alf/profiles/rpc.lua 2>"$tmp/bounded" &
bounded=$!
trap 'kill $server $bounded; rm -rf "$tmp"' EXIT
grep -qm1 listening <(tail -n +1 -f --pid=$bounded "$tmp/bounded" 2>/dev/null)
small=$(sed -n 's/^rpc: listening on //p' "$tmp/bounded")
calls "by a profile" 0 '' put "$small" a 'a value'
calls "by the same" 0 '^a value$' get "$small" a --profile alf/profiles/rpc.lua
checks=$((checks + 1))
got=0
"$rpc" put "$small" b <"$tmp/mebibyte" 2>"$tmp/said" || got=$?
[ "$got" = 1 ] || { failures=$((failures + 1)) && echo "more than its profile lets come: status $got"; }
calls "nothing of it" 4 'b: there is none' get "$small" b
# refused PATTERN TEXT
refused() {
	echo "$2" >"$tmp/p.lua"
	calls "$2" 2 "^rpc: .*/p.lua$1" null "$at" --profile "$tmp/p.lua"
	calls "$2" 2 "^rpc: .*/p.lua$1" serve --listen 127.0.0.1:0 --profile "$tmp/p.lua"
}
refused ':2: acks is 1, expected' $'return profile {\n\tacks = 1 }'
refused ':2: framer: expected "record", on which rpc relies' $'return profile {\n framer = "mpa", chain = "copy" }'
refused ':1: chain: expected copy_sum' 'return profile { chain = "xdr_copy_sum" }'
refused ':1: recovery: expected "keep"' 'return profile { recovery = "tolerate" }'
refused ':1: limits.adu: expected 1049887 bytes or less' \
	'return profile { limits = { adu = 2 * MiB, credit = 4 * MiB } }'
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
