# For tests/xfer_cases.sh and tests/xfer_resume.sh, which source it: a sender, a receiver, and the count of checks.
# shellcheck shell=bash
xfer=$PWD/${B:-build/gcc}/bin/xfer
# shellcheck disable=SC2034 # who sources this reads them
profiles=$PWD/alf/profiles
dir=$(mktemp -d)
checks=0 failures=0 receiver='' wrap=''
cleanup() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 1

check() { # what, command...: succeeds
	local what=$1
	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "FAILED: $case: $what: $*"
	tail -n 5 recv.err send.err 2>/dev/null
}
skip() {
	checks=$((checks + 1))
	echo "skipped, because $*"
}

# Nothing hangs for ever. pid.send and pid.recv say which process it is; $wrap starts it.
under_watch() {
	# shellcheck disable=SC2016,SC2086 # for the inner shell; words
	timeout -k 5 60 sh -c 'echo $$ >"pid.$2" && exec '"$wrap"' "$@"' sh "$xfer" "$@"
}
# receive ARGUMENT...: starts a receiver in the background; $port is where it waits.
receive() {
	: >recv.err
	under_watch recv --listen 127.0.0.1:0 --timeout 10 "$@" >recv.out 2>recv.err &
	receiver=$!
	for _ in $(seq 200); do
		port=$(sed -n 's/^xfer: listening on .*:\([0-9]*\)$/\1/p' recv.err)
		[ -z "$port" ] || return 0
		sleep 0.05
	done
	echo "the receiver does not start:"
	cat recv.err
	return 1
}
# transmit ARGUMENT...: runs a sender; $sent is its status.
transmit() {
	under_watch send --timeout 10 "$@" >send.out 2>send.err
	sent=$?
}
# transmit_for_long [TREE]: a large file, in that tree, whose sender is at it when the map of what is there has been
# written. Most of it is hole.
# shellcheck disable=SC2120 # those who source this pass some
transmit_for_long() {
	head -c 4M /dev/urandom >file
	truncate -s 384M file
	[ $# = 0 ] || mv file "$1/huge"
	under_watch send --timeout 3 "${@:-file}" "127.0.0.1:$port" >send.out 2>send.err &
	sender=$!
	for _ in $(seq 500); do
		[ -z "$(find out -name '.*.xfer-map')" ] || return 0
		sleep 0.02
	done
	check "the transfer begins" false
}
sender_finished() {
	wait "$sender" 2>/dev/null
	sent=$?
}
# The receiver has ended by itself; $received is its status.
finished() {
	wait "$receiver" 2>/dev/null
	received=$?
	receiver=
}
statuses() { # sender's, receiver's
	check "sender's status is $sent, expected $1" [ "$sent" = "$1" ]
	check "receiver's status is $received, expected $2" [ "$received" = "$2" ]
}
says() { # file, expression
	check "message" grep -qE "$2" "$1"
}
no_trace() { # nothing of a file, whole or temporary
	check "nothing is left" [ -z "$(ls -A out 2>/dev/null)" ]
}
part_is_left() { # what the next transfer can go on with
	check "what came is kept" [ "$(cd out && echo .[!.]* *)" = '.copy.xfer-map .copy.xfer-part *' ]
}
resumed() { # "some" or "none": of the file was there already, as both ends say
	local f
	for f in send.out recv.out; do
		case $1 in
		some) says $f '"resumed_bytes": [1-9]' ;;
		none) says $f '"resumed_bytes": 0,' ;;
		esac
	done
}
# go_on some|none: once more, to the end: what was there was made use of, or not.
go_on() {
	receive --once --json out/copy && transmit --json file "127.0.0.1:$port" && finished
	statuses 0 0
	resumed "$1"
	check "the file is whole" cmp file out/copy
	check "and nothing else is there" [ "$(ls -A out)" = copy ]
}
# interrupt: a transfer that has left a map and a part.
interrupt() {
	receive --once --timeout 5 out/copy && transmit_for_long || return
	kill -INT "$(cat pid.send)"
	sender_finished
	finished
	part_is_left
}

# run CASE...: or all that there are.
run() {
	local cases=${*:-$(declare -F | sed -n 's/^declare -f case_//p')}
	for case in $cases; do
		rm -rf out
		mkdir out
		"case_$case"
	done
	echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
	[ "$failures" = 0 ]
}
