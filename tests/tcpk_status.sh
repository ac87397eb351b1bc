#!/bin/bash
# tcpu status, of a helper that answers well, badly or not at all (tests/netns/helper.c). tests/netns/confine.sh has
# it of the real one.
set -u
cd "$(dirname "$0")/.." || exit
tcpu=${B:-build/gcc}/bin/tcpu
helper=${B:-build/gcc}/tests/netns/helper
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT

checks=0 failures=0
fail() {
	failures=$((failures + 1))
	echo "$*"
	cat "$tmp/out" "$tmp/err"
}

# status STATUS WHAT OPTION...: of a helper that answers so; what is said is in $tmp/out and $tmp/err.
status() {
	local expected=$1 what=$2 got=0 ready
	shift 2
	checks=$((checks + 1))
	rm -f "$tmp/s"
	exec 3< <(exec "$helper" "$tmp/s" "$what")
	pid=$!
	read -r ready <&3
	timeout 20 "$tcpu" status --helper "$tmp/s" "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
	wait "$pid" || fail "helper $what: it was asked something else: ${ready-nothing}"
	pid=
	exec 3<&-
	[ "$got" = "$expected" ] || fail "status of $what: $got, expected $expected"
}

# says FILE PATTERN
says() {
	checks=$((checks + 1))
	grep -qE -- "$2" "$tmp/$1" || fail "expected /$2/"
}

status 0 good
says out '^helper: serves$'
says out '^10\.0\.0\.1:80  10\.0\.0\.2:40000  root +17  helper +4M +10 +1000 +1 +20 +2000$'
says out '^\*:443 +\* +4000000001 +-  helper +64K +1 +234 +0 +5 +678$'
says out '^2 claims  +11 +1234 +1 +25 +2678$'
checks=$((checks + 1))
# A table: each line is as long as the others.
[ "$(tail -n +4 "$tmp/out" | awk '{ print length }' | uniq | wc -l)" = 1 ] || fail 'lines of different lengths'
status 0 good --json
says out '"pid": 17,'
says out '"bytes_out": 2678,'
says out '"remote": null,'
says out '"port": 40000'
says out '"helper": true,'

# What is wrong is told behind what there was before it.
for case in 'short:an answer of 87 bytes: expected 88' 'long:an answer of 89 bytes' 'abi:of version 2 .*expected 1' \
	'denies:it refuses: Operation not permitted' 'ends:it has ended the connection' 'status:status -2147483648' \
	'loop:does not go on: 1 after 1' 'endless:(its list has no end|not told all)' 'silent:not told all within 5 s'; do
	status 1 "${case%%:*}"
	says err "^tcpu status: $tmp/s: .*${case#*:}"
	says out ' claims?  '
done

# No helper, and a socket that nobody serves any more: where there is no module, either, that is told.
if [ ! -e /proc/net/tcpk ]; then
	for _ in no stale; do
		checks=$((checks + 1))
		got=0
		"$tcpu" status --helper "$tmp/s2" >"$tmp/out" 2>"$tmp/err" || got=$?
		[ "$got" = 1 ] && [ ! -s "$tmp/out" ] || fail "without any TCPK: status $got, expected 1"
		says err '^no module: .*insmod'
		says err "^no helper: $tmp/s2: .*tcpkd"
		mv "$tmp/s" "$tmp/s2" 2>/dev/null
	done
fi
echo "$checks passed, $failures failed"
[ "$failures" = 0 ]
