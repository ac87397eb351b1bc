#!/bin/bash
# Transfers between TCPU and the kernel's TCP, each as server and as client, both ways, over a device with and without
# offloads, near and routed; then with socat and curl as the other end. SHA-256 of what was sent and of what came must
# agree.
#
#	+-- near ------------------------------+          +-- far ----+
#	| TCPU 10.99.1.2 ==tun== 10.99.1.1     |          |           |
#	|                        10.99.2.1 ----+-- veth --+ 10.99.2.2 |
#	+--------------------------------------+          +-----------+
#
#	[BYTES=n] tests/netns/transfer.sh	n: of the longest transfers [1 GiB]
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

BYTES=${BYTES:-$((1 << 30))}
some=$((BYTES / 16))
tcpu='--ip 10.99.1.2 --host 10.99.1.1'
kernel=--kernel

namespace near
namespace far
veth near 10.99.2.1 far 10.99.2.2

transfer "download" near 10.99.1.1 "$kernel --send $BYTES" near "$tcpu --close late"
transfer "upload" near 10.99.1.1 "$kernel --close late" near "$tcpu --send $BYTES"
transfer "download, TCPU serves" near 10.99.1.2 "$tcpu --send $BYTES" near "$kernel --close late"
transfer "upload, TCPU serves" near 10.99.1.2 "$tcpu --close late" near "$kernel --send $BYTES"
transfer "both ways at once" near 10.99.1.1 "$kernel --send $((4 * some))" near "$tcpu --send $((4 * some))"

transfer "half-close by TCPU" near 10.99.1.1 "$kernel --send $some" near "$tcpu --send 1000000"
transfer "half-close by the kernel" near 10.99.1.2 "$tcpu --send $some" near "$kernel --send 1000000"
transfer "close without a byte" near 10.99.1.1 "$kernel" near "$tcpu"
transfer "one byte each" near 10.99.1.2 "$tcpu --send 1" near "$kernel --send 1"

for how in '--plain' '--thread' '--mtu 576' '--mtu 9000' '--mtu 65535' '--mtu 9001 --plain'; do
	transfer "download, $how" near 10.99.1.1 "$kernel --send $some" near "$tcpu $how --close late"
	transfer "upload, $how" near 10.99.1.2 "$tcpu $how --send $some" near "$kernel --close late"
done
transfer "download from far" far 10.99.2.2 "$kernel --send $some" near "$tcpu --close late"
transfer "upload to far" far 10.99.2.2 "$kernel --close late" near "$tcpu --send $some"
transfer "both ways, served to far" near 10.99.1.2 "$tcpu --send $some" far "$kernel --send $some"

# RFC 1191: a cable that is narrower than its ends say, and a kernel that tells.
at near ip link set to_far mtu 1000
transfer "upload over a narrow road" far 10.99.2.2 "$kernel --close late" near "$tcpu --send $some"
check "path MTU" [ "$(counted client path_mtu)" = 1000 ]
at near ip link set to_far mtu 1500

# fails WHAT IP:PORT MESSAGE: connecting there. What may pass is the reason once patience ends (RFC 9293 3.9.2.2).
fails() {
	! at near "$peer" $tcpu --patience 500 --connect "$2" >"$tmp/failed" 2>&1 || echo "it connected" >"$tmp/failed"
	check "$1" grep -q "^peer: connect: $3" "$tmp/failed"
}
fails "a port that nobody has" 10.99.1.1:9 'Connection refused'
fails "a far one" 10.99.2.2:9 'Connection refused'
fails "a network that nobody knows" 10.77.0.1:9 'Network is unreachable'
at near ip route add unreachable 10.77.0.0/24
fails "a host that cannot be reached" 10.77.0.1:9 'No route to host'
at near ip route replace prohibit 10.77.0.0/24
fails "one that may not be" 10.77.0.1:9 'No route to host'

# socat takes, and socat gives.
start sink far timeout 300 socat -d -d -u TCP-LISTEN:6001 "CREATE:$tmp/taken"
await sink 'listening on'
start source near "$peer" $tcpu --connect 10.99.2.2:6001 --send "$some"
finish source
finish sink
check "to socat" same_file source sent "$tmp/taken"

start sink near "$peer" $tcpu --listen 6002 --close late
await sink listening
start source far timeout 300 socat -u "OPEN:$tmp/taken" TCP:10.99.1.2:6002
finish source
finish sink
check "from socat" same_file sink received "$tmp/taken"

# curl fetches from TCPU, and TCPU from an HTTP server.
start web near "$peer" $tcpu --listen 6003 --say "HTTP/1.0 200 OK\\r\\nContent-Length: $some\\r\\n\\r\\n" --send "$some"
await web listening
start curl far curl -sS --max-time 300 --include -o "$tmp/fetched" http://10.99.1.2:6003/
finish curl
finish web
check "curl" same_file web sent "$tmp/fetched"

cat >"$tmp/answer" <<END
read -r request && [ "\$request" ] && printf 'HTTP/1.0 200 OK\r\n\r\n' && cat "$tmp/taken"
END
start web far timeout 300 socat -d -d TCP-LISTEN:6004 "EXEC:sh $tmp/answer"
await web 'listening on'
start client near "$peer" $tcpu --connect 10.99.2.2:6004 --say 'GET / HTTP/1.0\r\n\r\n' --close late --to "$tmp/fetched"
finish client
finish web
check "HTTP client" cmp <(printf 'HTTP/1.0 200 OK\r\n\r\n' && cat "$tmp/taken") "$tmp/fetched"
