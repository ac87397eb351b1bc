#!/bin/bash
# xfer where packets are lost: what is lost is read from the file again, and a file that is another one by then is not
# sent as if it were the same.
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"
xfer=$(realpath "${B:-build/gcc}")/bin/xfer
port=2650
namespace a

# lose RULE: of what goes to the receiver.
lose() {
	echo "table inet loss { chain in { type filter hook input priority 0; udp dport $port $*; }; }" | at a nft -f -
}
lose_no_more() {
	at a nft delete table inet loss
}
if ! lose numgen random mod 10000 '<' 1 drop 2>/dev/null; then
	echo "skipped, because nft and its random numbers are needed to lose packets"
	exit 0
fi
lose_no_more

# until_it FILE COMMAND...: it succeeds; the sender may end before only if it has.
until_it() {
	until "$@"; do
		kill -0 "${pids[send]}" || { cat "$tmp/send" && exit 1; }
		sleep 0.02
	done
}

# over_losses PERCENT: the file goes to the folder out while so many packets are lost.
over_losses() {
	lose numgen random mod 100 '<' "$1" drop
	start recv a "$xfer" recv --once --json --listen 127.0.0.1:$port "$tmp/out"
	await recv "listening"
	start "send" a "$xfer" send --json "$tmp/file" 127.0.0.1:$port
	finish "send"
	finish recv
	lose_no_more
}

mkdir "$tmp/out"
head -c 64M /dev/urandom >"$tmp/file"
over_losses 2
check "the file is whole" cmp "$tmp/file" "$tmp/out/file"
check "what was lost was read again" grep -qE '"regenerated": [1-9]' "$tmp/send"

# What the sender has of a gigabyte is a piece, and what is under way; neither TCP nor anybody else keeps the rest for
# what may be lost. Nor does the receiver, whose file is mapped. (A sanitizer keeps memory of its own.)
most=$((16 << 20))
number() {
	sed -nE "s/.*\"$2\": ([0-9]+).*/\1/p" "$tmp/$1"
}
rm -rf "$tmp/out" && mkdir "$tmp/out"
truncate -s 0 "$tmp/file" && truncate -s 1G "$tmp/file"
over_losses 1
check "the gigabyte is whole" cmp "$tmp/file" "$tmp/out/file"
check "some of it was read again" [ "$(number "send" regenerated)" -gt 0 ]
for end in "send" recv; do
	check "$end: TCP's buffer to send from" [ "$(number $end sndbuf_bytes)" -lt $most ]
	case $xfer in
	*asan*) ;;
	*) check "$end: memory that is no file's" [ "$(number $end rss_anon_peak_bytes)" -lt $most ] ;;
	esac
	echo "$end: $(number $end sndbuf_bytes) bytes to send from, $(number $end rss_anon_peak_bytes) of no file"
done

# Nothing arrives any more; the file is overwritten, as long and as old as before, while the sender stands; then all
# goes on.
rm -rf "$tmp/out" && mkdir "$tmp/out"
truncate -s 1G "$tmp/file"
start recv a "$xfer" recv --once --listen 127.0.0.1:$port --timeout 15 "$tmp/out"
await recv "listening"
start "send" a "$xfer" send "$tmp/file" 127.0.0.1:$port
until_it test -e "$tmp/out/.file.xfer-map"
lose counter drop
lost() {
	at a nft list table inet loss | grep -q 'packets [1-9]'
}
until_it lost
kill -STOP "${pids[send]}"
touch -r "$tmp/file" "$tmp/old"
tr '\0' '\1' </dev/zero | head -c 1G | dd of="$tmp/file" conv=notrunc bs=1M iflag=fullblock status=none
touch -r "$tmp/old" "$tmp/file"
lose_no_more
kill -CONT "${pids[send]}"
wait "${pids[send]}" && sent=0 || sent=$?
wait "${pids[recv]}" && received=0 || received=$?
unset 'pids[send]' 'pids[recv]'
check "the sender's status is $sent, expected 4" [ $sent = 4 ]
check "it says why" grep -q 'a file changed while it was sent: what was lost cannot be read again' "$tmp/send"
check "the receiver's status is $received, expected 1" [ $received = 1 ]
check "no file has the name" [ ! -e "$tmp/out/file" ]

# Each end is a host of its own, by a TUN device, and the kernel forwards.
rm -rf "$tmp/out" && mkdir "$tmp/out"
head -c 3M /dev/urandom >"$tmp/file"
at a sysctl -qw net.ipv4.ip_forward=1
start recv a "$xfer" recv --once --ip 10.99.1.2 --host 10.99.1.1 --listen 10.99.1.2:$port "$tmp/out"
await recv "listening on 10.99.1.2"
start "send" a "$xfer" send --ip 10.99.2.2 --host 10.99.2.1 "$tmp/file" 10.99.1.2:$port
finish "send"
finish recv
check "the file is whole, over TUN devices" cmp "$tmp/file" "$tmp/out/file"
