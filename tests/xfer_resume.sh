#!/bin/bash
# xfer between two processes, of which one dies, and what the next transfer makes of what it left; and trees.
#	tests/xfer_resume.sh [CASE...]	runs these cases only; B=build/clang takes that build's xfer
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/xfer/common.sh
. tests/xfer/common.sh

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

run "$@"
