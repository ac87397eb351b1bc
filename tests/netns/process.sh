#!/bin/bash
# socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK), with tcpkd where it is by default: programs that say nothing else of
# TCPK, of a user without privilege. tests/netns/process.c; and xfer between two hosts.
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"
here=10.99.1.1
there=10.99.1.2
default=/run/tcpkd.sock
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
xfer=$(realpath "${B:-build/gcc}")/bin/xfer

namespace a
namespace b
veth a $here b $there
echo 'allow user 65534 ports 1024-65535' >"$tmp/policy"
for side in a b; do
	helper "tcpkd_$side" $side --pins none --policy "$tmp/policy"
done
# What stands at the default path is seen there by whom this script starts, and nobody else.
[ -e $default ] || { touch $default && made=yes; }
leave() { # STATUS
	umount -q $default
	[ -z "${made-}" ] || rm -f $default
	(exit "$1")
	end
}
trap 'set +e; leave $?' EXIT
by_default() { # SIDE
	mount --bind "$tmp/tcpkd_$1.sock" $default
}
chmod 755 "$tmp"
cp "$bin/process" "$tmp/run_process"
cp "$xfer" "$tmp/run_xfer"

by_default a
mkfifo "$tmp/tell"
exec {tell}<>"$tmp/tell"
stdin=$tmp/tell
start process a $nobody "$tmp/run_process" $here 7000
stdin=/dev/null
await process waiting
# Somebody takes its TAP away, and with it all that tcpkd knows of it.
at a ip link del "$(taps a)"
echo >&$tell
finish process
for what in 'sockets of a process share a stack' 'and reach each other' 'both ways' "the kernel's TCP reaches them" \
	'a child has a stack of its own' 'which reaches its parent' 'and ends well' \
	'what is lost is told' 'and the next socket has all anew' 'and bytes pass'; do
	check "$what: $(grep "^bad $what" "$tmp/process" || true)" grep -qx "ok $what" "$tmp/process"
done

head -c 3000000 /dev/urandom >"$tmp/file"
install -d -o 65534 -g 65534 "$tmp/out"
start recv a $nobody "$tmp/run_xfer" recv --tcpk --once --listen $here:7010 "$tmp/out/copy"
await recv 7010
umount $default
by_default b
start "send" b $nobody "$tmp/run_xfer" send --tcpk "$tmp/file" $here:7010
finish "send"
finish recv
check "xfer by TCPK" cmp "$tmp/file" "$tmp/out/copy"
umount $default
