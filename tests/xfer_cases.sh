#!/bin/bash
# xfer between two processes: what arrives, what is said, and which status is left, when all goes well and when the
# peer, the file, the disk or the key does not do what it should.
#	tests/xfer_cases.sh [CASE...]	runs these cases only; B=build/clang takes that build's xfer
set -u
cd "$(dirname "$0")/.." || exit 1
xfer=$PWD/${B:-build/gcc}/bin/xfer
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

# ---- what goes well

case_sizes() {
	local n
	for n in 0 1 3 4 5 4095 4096 4097 65537 1000003; do
		head -c "$n" /dev/urandom >file
		receive --once out/copy && transmit --adu 4K file "127.0.0.1:$port" && finished
		statuses 0 0
		check "$n bytes arrive" cmp file out/copy
	done
}

case_chains() {
	local chain schedule key
	head -c 300001 /dev/urandom >file
	head -c 32 /dev/urandom >key
	check "AES-256-GCM is one of them" grep -q '^aes256_gcm_copy ' <("$xfer" send --chain list)
	for chain in $("$xfer" send --chain list | awk '{ print $1 }'); do
		key=
		[[ $chain != *gcm* && $chain != *poly1305* ]] || key="--key key"
		for schedule in fused layered tiled; do
			# shellcheck disable=SC2086
			receive --once $key --chain "$chain" --schedule "$schedule" out/copy &&
				transmit $key --chain "$chain" --schedule "$schedule" file "127.0.0.1:$port" && finished
			statuses 0 0
			check "$chain, $schedule" cmp file out/copy
		done
	done
	# The two ends need not run it the same way.
	receive --once --key key --schedule layered out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 0 0
	check "layered and fused are the same" cmp file out/copy
}

case_directory() {
	head -c 10000 /dev/urandom >'a name: with spaces'
	chmod 640 'a name: with spaces'
	receive --once out && transmit 'a name: with spaces' "127.0.0.1:$port" && finished
	statuses 0 0
	check "it has its name" cmp 'a name: with spaces' 'out/a name: with spaces'
	check "and its mode" [ "$(stat -c %a 'out/a name: with spaces')" = 640 ]
	check "and nothing else is there" [ "$(find out -type f | wc -l)" = 1 ]
}

case_one_after_another() {
	local i
	receive out || return
	for i in 1 2 3; do
		head -c 50000 /dev/urandom >"file$i"
		transmit "file$i" "127.0.0.1:$port"
		check "transfer $i" [ "$sent" = 0 ]
		check "file $i" cmp "file$i" "out/file$i"
	done
	kill -INT "$(cat pid.recv)"
	finished
	check "it ends when told to" [ "$received" = 130 ]
}

case_replaces() {
	echo old >out/copy
	head -c 10000 /dev/urandom >file
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 0 0
	check "the new one has the name" cmp file out/copy
}

case_json() {
	head -c 1000000 /dev/urandom >file
	receive --once --json out/copy && transmit --json file "127.0.0.1:$port" && finished
	statuses 0 0
	for f in send.out recv.out; do
		says $f '^\{"role": .*"bytes": 1000000, "seconds": [0-9.]+, .*"retransmits": [0-9]+\}$'
		says $f '"resumed_bytes": 0, "files": 1, "adus": 4, '
	done
	check "no bar where there is no terminal" [ "$(tr -d '\n' <recv.err | tr -dc '\r\033' | wc -c)" = 0 ]
}

case_bar() {
	head -c 20000000 /dev/urandom >file
	receive --once out/copy || return
	script -qec "$xfer send file 127.0.0.1:$port" /dev/null >send.out 2>&1
	sent=$?
	finished
	statuses 0 0
	says send.out '\[#* *\] +[0-9]+%'
}

# ---- usage

case_usage() {
	transmit && :
	check "no arguments" [ "$sent" = 2 ]
	transmit --chain nonsense file 127.0.0.1:1
	check "unknown chain" [ "$sent" = 2 ]
	says send.err 'nonsense: no chain that ADUs may go through has that name'
	transmit --adu 1 file 127.0.0.1:1
	check "ADU too small" [ "$sent" = 2 ]
	transmit --chain aes256_gcm_copy file 127.0.0.1:1
	check "cipher without key" [ "$sent" = 2 ]
	says send.err 'needs a --key'
	head -c 32 /dev/urandom >key
	transmit --chain copy --key key file 127.0.0.1:1
	check "key without cipher" [ "$sent" = 2 ]
	says send.err 'does not encipher'
	transmit file 127.0.0.1:nonsense
	check "no port" [ "$sent" = 2 ]
	"$xfer" >send.out 2>send.err
	check "no verb" [ $? = 2 ]
	for verb in send recv; do
		"$xfer" $verb --help >send.out
		check "help" [ $? = 0 ]
		says send.out 'Examples:'
		says send.out 'Exit status:'
		says send.out "$verb .*\[OPTION\.\.\.\]"
	done
}

case_tcpk() {
	head -c 100 /dev/urandom >file
	if grep -qs tcpk /proc/net/protocols; then
		skip "this host has TCPK"
		return
	fi
	transmit --tcpk file 127.0.0.1:1
	check "status" [ "$sent" = 1 ]
	says send.err 'this host has no TCPK .*leave out --tcpk'
	"$xfer" recv --tcpk out/copy 2>recv.err
	check "status" [ $? = 1 ]
	says recv.err 'this host has no TCPK'
}

# ---- what goes wrong

case_peer_absent() {
	echo x >file
	transmit file 127.0.0.1:9
	check "refused" [ "$sent" = 3 ]
	says send.err '127.0.0.1:9: Connection refused: is .xfer recv. running there'
	# Somebody has the port, and does not answer.
	receive --once out/copy || return
	kill -STOP "$(cat pid.recv)"
	transmit --timeout 1 file "127.0.0.1:$port"
	kill -KILL "$(cat pid.recv)"
	finished
	check "silent" [ "$sent" = 3 ]
	says send.err 'timed out'
}

case_unreadable() {
	transmit / 127.0.0.1:9
	check "no name" [ "$sent" = 4 ]
	says send.err '/: a tree must have a name'
	transmit absent 127.0.0.1:9
	check "absent" [ "$sent" = 4 ]
	says send.err 'absent: No such file'
	mkfifo -m 600 fifo
	transmit fifo 127.0.0.1:9
	check "FIFO" [ "$sent" = 4 ]
	says send.err 'not a regular file'
	echo x >secret
	chmod 0 secret
	if [ "$(id -u)" = 0 ]; then
		chmod 755 .
		checks=$((checks + 1))
		setpriv --reuid=65534 --clear-groups "$xfer" send secret 127.0.0.1:9 2>send.err
		[ $? = 4 ] || { failures=$((failures + 1)) && echo "FAILED: secret"; }
	else
		transmit secret 127.0.0.1:9
		check "no permission" [ "$sent" = 4 ]
	fi
	says send.err 'secret: Permission denied'
	transmit --key absent file 127.0.0.1:9
	check "no key" [ "$sent" = 4 ]
	echo short >key
	transmit --key key file 127.0.0.1:9
	check "not a key" [ "$sent" = 4 ]
	says send.err 'a key is 32 bytes, or 64 hexadecimal digits'
}

case_too_large_to_write() {
	head -c 3000000 /dev/urandom >file
	wrap="prlimit --fsize=1048576"
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'the other end gives up: .*File too large'
	says recv.err 'File too large'
	no_trace
	wrap=
}

case_disk_full() {
	head -c 3000000 /dev/urandom >file
	if ! mount -t tmpfs -o size=1m none out 2>/dev/null; then
		skip "mounting a small disk is for root"
		return
	fi
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'the other end gives up: .*No space left'
	says recv.err 'No space left'
	no_trace
	umount out
}

case_unwritable() {
	head -c 3000 /dev/urandom >file
	receive --once nowhere/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'nowhere/.*No such file'
}

case_no_agreement() {
	head -c 3000 /dev/urandom >file
	head -c 32 /dev/urandom >key
	receive --once --chain xdr_copy out/copy && transmit --chain copy file "127.0.0.1:$port" && finished
	statuses 1 1
	says send.err "the other end's chain is xdr_copy, here it is copy"
	says recv.err "the other end's chain is copy, here it is xdr_copy"
	receive --once out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 1 1
	says send.err "the other end's chain is copy, here it is aes256_gcm_copy"
	receive --once --key key out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 1 1
	says recv.err "the other end's chain is copy, here it is aes256_gcm_copy"
	no_trace
}

case_wrong_key() {
	head -c 300000 /dev/urandom >file
	head -c 32 /dev/urandom >key
	head -c 32 /dev/urandom | od -An -tx1 >other # hexadecimal, with white space
	receive --once --key other out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 6 6
	says send.err 'the key is wrong'
	says recv.err 'the key is wrong'
	no_trace
	od -An -tx1 key >same
	receive --once --key same out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 0 0
	check "hexadecimal is the same key" cmp file out/copy
}

# ---- what is interrupted goes on

case_receiver_dies() {
	receive --once out/copy && transmit_for_long || return
	kill -KILL "$(cat pid.recv)"
	sender_finished
	finished
	check "sender's status" [ "$sent" = 1 ]
	says send.err 'the connection broke|the peer (has been silent|went away)'
	part_is_left
	go_on some
}

case_sender_dies() {
	local signal
	for signal in KILL INT; do
		rm -rf out && mkdir out
		receive --once --timeout 2 out/copy && transmit_for_long || return
		kill -$signal "$(cat pid.send)"
		sender_finished
		finished
		[ $signal = KILL ] || check "interrupted" [ "$sent" = 130 ]
		check "receiver's status $received" [ "$received" = 1 ]
		says recv.err 'the peer (has been silent|went away)|the other end gives up|the connection broke'
		says recv.err 'what has come is kept'
		part_is_left
		go_on some
	done
}

case_receiver_interrupted() {
	receive --once out/copy && transmit_for_long || return
	kill -INT "$(cat pid.recv)"
	sender_finished
	finished
	statuses 1 130
	says send.err 'the other end gives up: interrupted'
	part_is_left
	go_on some
}

# Of a file that has come already nothing is sent but the question.
case_is_there() {
	head -c 1000000 /dev/urandom >file
	go_on none
	go_on some
	says send.out '"resumed_bytes": 1000000, .*"adus": 0,'
	# As long and as old, and other bytes.
	printf x | dd of=out/copy conv=notrunc status=none
	touch -r file out/copy
	go_on none
}

case_other_pieces() {
	interrupt || return
	receive --once --json out/copy && transmit --json --adu 1M file "127.0.0.1:$port" && finished
	statuses 0 0
	resumed none
	check "the file is whole" cmp file out/copy
}

# Another file, and one that only looks like the same.
case_changed_between() {
	interrupt || return
	printf x | dd of=file bs=1 seek=300000000 conv=notrunc status=none
	go_on none
	rm -rf out && mkdir out
	interrupt || return
	touch -r file stamp
	printf x | dd of=file conv=notrunc status=none
	touch -r stamp file
	go_on none
}

case_part_is_damaged() {
	interrupt || return
	printf x | dd of=out/.copy.xfer-part conv=notrunc status=none
	go_on none
	rm -rf out && mkdir out
	interrupt || return
	truncate -s 100 out/.copy.xfer-part
	go_on none
}

# What stands in place of the map and of the part may be anything, and anybody's.
case_hostile_map() {
	local how
	for how in 'head -c 10' 'head -c -1' 'head -c 1M /dev/zero' 'tr \000 \001' 'sed s/TCPUxmap/TCPUxmop/'; do
		rm -rf out && mkdir out
		interrupt || return
		mv out/.copy.xfer-map map
		$how <map >out/.copy.xfer-map
		go_on none
	done
	for how in mkfifo 'ln -s ../map' 'truncate -s 1T'; do
		rm -rf out && mkdir out
		interrupt || return
		mv out/.copy.xfer-map map
		$how out/.copy.xfer-map
		go_on none
	done
}

case_hostile_part() {
	local how
	echo mine >victim
	head -c 100000 /dev/urandom >file
	for how in 'ln -s ../victim' 'ln victim' 'mkfifo'; do
		rm -rf out && mkdir out
		$how out/.copy.xfer-part
		go_on none
		check "$how: another's file is as it was" [ "$(cat victim)" = mine ]
	done
	rm -rf out
	mkdir -p out/.copy.xfer-part
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says recv.err 'Is a directory'
}

case_two_at_once() {
	receive --once out/copy && transmit_for_long || return
	local first first_receiver=$receiver
	first=$(cat pid.send)
	kill -STOP "$first"
	head -c 1000 /dev/urandom >small
	receive --once out/copy && transmit small "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'another transfer writes it'
	kill -CONT "$first"
	receiver=$first_receiver
	sender_finished
	finished
	statuses 0 0
	check "the first is whole" cmp file out/copy
}

case_too_many_pieces() {
	truncate -s 1T file
	receive --once out/copy && transmit --adu 4K file "127.0.0.1:$port" && finished
	statuses 4 1
	says send.err 'file: too many pieces: take a larger --adu'
	no_trace
}

case_file_shrinks() {
	receive --once out/copy && transmit_for_long || return
	truncate -s 10 file
	sender_finished
	finished
	statuses 4 1
	says send.err 'became shorter while it was sent'
	says recv.err 'the other end gives up: became shorter'
	go_on none
}

case_file_changes() {
	receive --once out/copy && transmit_for_long || return
	printf x | dd of=file conv=notrunc status=none
	sender_finished
	finished
	statuses 4 1
	says send.err 'file: changed while it was sent'
	says recv.err 'the other end gives up: changed'
	check "no file has the name" [ ! -e out/copy ]
	go_on none
}

# ---- trees

# A tree with names of all kinds, modes and times.
plant() {
	rm -rf tree
	mkdir -p tree/empty "tree/$(printf '\xff\n\033[31m -x')" tree/closed tree/deep/deeper/deepest
	: >tree/zero
	head -c 300001 /dev/urandom >tree/large
	printf a >"tree/$(printf '\xff\n\033[31m -x')/$(printf '* \t')"
	printf b >"tree/$(printf 'n%.0s' $(seq 255))"
	printf b >"tree/$(printf 'n%.0s' $(seq 254))m"
	printf c >tree/closed/inside
	printf d >tree/deep/deeper/deepest/...
	chmod 640 tree/zero
	chmod 700 tree/empty
	chmod 555 tree/closed
	touch -d 1999-12-31T23:59:59.123456789Z tree/zero tree/empty
}
# The same names, types, modes, times and bytes.
same_tree() { # one, other
	[ "$(listing "$1")" = "$(listing "$2")" ] && diff -r "$1" "$2"
}
listing() {
	(cd "$1" && find . -printf '%y %m %T@ %p\0' | sort -z | od -c)
}

case_tree() {
	local i
	plant
	for ((i = 0; i < 200; i++)); do
		printf %d $i >"tree/deep/$i"
	done
	receive --once --json out && transmit --json tree "127.0.0.1:$port" && finished
	statuses 0 0
	check "the tree is the same" same_tree tree out/tree
	check "and nothing else is there" [ "$(ls -A out)" = tree ]
	says recv.out '"files": 207,'
	# Once more: all is there, and what has changed comes.
	printf other >tree/zero
	receive --once --json out && transmit --json tree/. "127.0.0.1:$port" && finished
	statuses 0 0
	check "the tree is the same" same_tree tree out/tree
	resumed some
	says send.out '"adus": 1,'
	chmod 755 tree/closed out/tree/closed
}

# Files that came are not sent again, and of the one that was on its way what is missing.
case_tree_goes_on() {
	plant
	receive --once out && transmit_for_long tree || return
	kill -KILL "$(cat pid.recv)"
	sender_finished
	finished
	receive --once --json out && transmit --json tree "127.0.0.1:$port" && finished
	statuses 0 0
	resumed some
	check "the tree is the same" same_tree tree out/tree
	chmod 755 tree/closed out/tree/closed
}

case_tree_leaves_out() {
	plant
	ln -s /etc/passwd tree/link
	mkfifo tree/fifo
	: >tree/.x.xfer-part
	receive --once out && transmit tree "127.0.0.1:$port" && finished
	statuses 4 0
	says send.err 'tree/link: a symbolic link: left out'
	says send.err 'tree/fifo: not a regular file: left out'
	says send.err 'tree/.x.xfer-part: a transfer has left it: left out'
	rm -f tree/link tree/fifo tree/.x.xfer-part
	check "all else comes" diff -r tree out/tree
	chmod 755 tree/closed out/tree/closed
}

# What is there already may lead elsewhere.
case_tree_stays_inside() {
	local where
	plant
	for where in tree tree/deep tree/deep/deeper; do
		rm -rf out elsewhere && mkdir out elsewhere
		mkdir -p "out/$(dirname $where)"
		ln -s "$dir/elsewhere" "out/$where"
		receive --once out && transmit tree "127.0.0.1:$port" && finished
		statuses 5 5
		says recv.err 'Not a directory'
		check "$where: nothing comes there" [ -z "$(ls -A elsewhere)" ]
	done
	# The name of a file: the link is replaced, not what it names.
	rm -rf out && mkdir -p out/tree
	echo mine >victim
	ln -s ../../victim out/tree/large
	receive --once out && transmit tree "127.0.0.1:$port" && finished
	statuses 0 0
	check "another's file is as it was" [ "$(cat victim)" = mine ]
	check "the tree is the same" same_tree tree out/tree
	chmod 755 tree/closed out/tree/closed
}

case_tree_has_no_place() {
	plant
	receive --once out/new && transmit tree "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'a tree needs a directory to be in'
	mkdir -p out/tree/zero
	receive --once out && transmit tree "127.0.0.1:$port" && finished
	statuses 5 5
	says recv.err 'tree/zero: Is a directory'
	rm -rf out && mkdir -p out/tree
	: >out/tree/deep
	receive --once out && transmit tree "127.0.0.1:$port" && finished
	statuses 5 5
	says recv.err 'tree/deep: Not a directory'
	chmod 755 tree/closed
}

# Not even TCP: datagrams of all kinds do not disturb it.
case_garbage() {
	local i
	receive --once out/copy || return
	for ((i = 0; i < 200; i++)); do
		head -c $i /dev/urandom >"/dev/udp/127.0.0.1/$port"
	done
	head -c 100000 /dev/urandom >file
	transmit file "127.0.0.1:$port"
	finished
	statuses 0 0
	check "it arrives" cmp file out/copy
}

cases=${*:-$(declare -F | sed -n 's/^declare -f case_//p')}
for case in $cases; do
	rm -rf out
	mkdir out
	"case_$case"
done
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
