#!/bin/bash
# tcpu baseline: what it takes and refuses, that it leaves nobody behind, and that its clock and xfer's run alike.
#	tests/baseline.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/.." || exit
bin=$PWD/${1:-${B:-build/gcc}}/bin
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

checks=0 failures=0
check() { # what, command...: succeeds
	local what=$1
	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "FAILED: $what: $*"
	cat "$tmp/err"
}
# says STATUS PATTERN ARGUMENT...: tcpu baseline ends with that status and says one line that matches.
says() {
	local status=$1 pattern=$2 got=0
	shift 2
	timeout -k 5 20 "$bin/tcpu" baseline "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
	check "baseline $*: status $got, expected $status" [ "$got" = "$status" ]
	check "baseline $*: message /$pattern/" grep -qE "$pattern" "$tmp/out" "$tmp/err"
	check "baseline $*: one message" [ "$(cat "$tmp/out" "$tmp/err" | wc -l)" = 1 ]
}

head -c 300001 /dev/urandom >"$tmp/file"
cp "$tmp/file" "$tmp/same"
ln "$tmp/same" "$tmp/link"
mkfifo "$tmp/fifo"

# The file to send is not written to, by whatever name.
says 1 'is the file to send' "$tmp/same" "$tmp/same"
says 1 'is the file to send' "$tmp/same" "$tmp/link"
check "it is whole" cmp "$tmp/file" "$tmp/same"
# Regular files only.
says 1 'not a regular file' "$tmp/fifo" "$tmp/copy"
says 1 'not a regular file' /dev/zero "$tmp/copy"
says 1 'directory' "$tmp" "$tmp/copy"
says 1 'not a regular file' "$tmp/file" "$tmp/fifo"
says 1 'not a regular file' "$tmp/file" /dev/full
says 1 'directory' "$tmp/file" "$tmp"
says 1 'none/copy: No such file' "$tmp/file" "$tmp/none/copy"
# A chain that only sums leaves the bytes as they are.
says 0 'MB/s' -s inet_checksum "$tmp/file" "$tmp/copy"
check "a sum changes nothing" cmp "$tmp/file" "$tmp/copy"
# A copy that was longer.
head -c 400000 /dev/zero >"$tmp/copy"
says 0 'MB/s' "$tmp/file" "$tmp/copy"
check "nothing of the old copy stays" cmp "$tmp/file" "$tmp/copy"

# A sender that is killed takes its receiver along. Both stand still first, so that it is in the middle.
truncate -s 4G "$tmp/large"
if [ "$(df --output=avail -B1 "$tmp" | tail -n 1)" -gt 5000000000 ]; then
	"$bin/tcpu" baseline "$tmp/large" "$tmp/copy" 2>"$tmp/err" &
	sender=$!
	child=
	while [ -z "$child" ] && kill -0 "$sender"; do read -r child <"/proc/$sender/task/$sender/children"; done
	check "there is a receiver" [ "$child" ]
	kill -KILL "$sender"
	wait "$sender" 2>/dev/null
	for _ in $(seq 100); do
		grep -q '^State:[[:space:]]*[^Z]' "/proc/$child/status" 2>/dev/null || break
		sleep 0.05
	done
	gone() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$child/status" 2>/dev/null; }
	check "the receiver is gone, too" gone
else
	checks=$((checks + 1))
	echo "skipped, because there is no room for a file of 4 GiB"
fi
rm -f "$tmp/large" "$tmp/copy"

echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
