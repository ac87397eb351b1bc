# For the scripts of this folder, which source it: namespaces, processes, and the count of checks. Namespaces bear the
# number of the script's process, so that runs do not meet; what was started is ended, and what was made goes, by trap.
# shellcheck shell=bash
cd "$(dirname "$0")/../.." || exit
bin=$(realpath "${B:-build/gcc}")/tests/netns
peer=$bin/peer

# A namespace may have the congestion controls only that anybody may ask for: where the machine's own is another one,
# CUBIC, which it has all the same, is put among them.
allow_cubic() {
	local list=/proc/sys/net/ipv4/tcp_allowed_congestion_control
	grep -qw cubic $list || echo "$(cat $list) cubic" >$list
}

# What every script needs, tried out: root may lack it, too, in a container for one.
try() {
	[ "$(id -u)" = 0 ] || { echo "this is not root" && return 1; }
	allow_cubic
	ip netns add "tcpu-$$-try" && ip netns exec "tcpu-$$-try" sh -c '
		echo cubic >/proc/sys/net/ipv4/tcp_congestion_control &&
		ip link add try0 type veth peer name try1 &&
		ip tuntap add dev try2 mode tun vnet_hdr'
}
try=0
why=$(try 2>&1) || try=$?
ip netns del "tcpu-$$-try" 2>/dev/null || true
if [ $try != 0 ]; then
	echo "skipped, because network namespaces with a TUN device need root and more: ${why//$'\n'/; }"
	echo "1 passed, 0 failed"
	exit 0
fi

tmp=$(mktemp -d)
declare -A pids=()
namespaces=()
checks=0 failures=0

end() {
	local status=$? pid
	set +e # what fails here must not keep the rest from going
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null && kill -CONT "$pid" && wait "$pid" 2>/dev/null
	done
	for name in "${namespaces[@]}"; do
		ip netns del "$name"
	done
	umount "$tmp/bpf" 2>/dev/null
	rm -rf "$tmp"
	[ $status = 0 ] || failures=$((failures + 1))
	echo "$checks passed, $failures failed"
	[ $failures = 0 ]
}
trap end EXIT
trap 'exit 1' INT TERM

# namespace NAME: makes one, with loopback up and a congestion control that does not depend on the machine.
namespace() {
	ip netns add "tcpu-$$-$1"
	namespaces+=("tcpu-$$-$1")
	at "$1" ip link set lo up
	at "$1" sh -c 'cd /proc/sys/net/ipv4 && echo cubic >tcp_congestion_control && echo 1 >ip_forward'
}

# at NAMESPACE COMMAND...
at() {
	local name=tcpu-$$-$1
	shift
	ip netns exec "$name" "$@"
}

# veth NAMESPACE IP NAMESPACE IP: a cable between two; the second one's way to everywhere.
veth() {
	ip -n "tcpu-$$-$1" link add "to_$3" type veth peer name "to_$1" netns "tcpu-$$-$3"
	ip -n "tcpu-$$-$1" addr add "$2/24" dev "to_$3"
	ip -n "tcpu-$$-$1" link set "to_$3" up
	ip -n "tcpu-$$-$3" addr add "$4/24" dev "to_$1"
	ip -n "tcpu-$$-$3" link set "to_$1" up
	ip -n "tcpu-$$-$3" route add default via "$2"
}

# start NAME NAMESPACE COMMAND...: in the background; what it says is in $tmp/NAME, what it reads in $stdin.
stdin=/dev/null
start() {
	local name=$1 namespace=tcpu-$$-$2
	shift 2
	: >"$tmp/$name"
	ip netns exec "$namespace" "$@" <"$stdin" >"$tmp/$name" 2>&1 &
	pids[$name]=$!
}

# await NAME PATTERN: until it has said so. A program that ends first has failed.
await() {
	if ! grep -qm1 -E -- "$2" <(tail -n +1 -f --pid="${pids[$1]}" "$tmp/$1"); then
		echo "$1 did not say '$2' but:"
		cat "$tmp/$1"
		exit 1
	fi
}

# finish NAME: waits for it to end well.
finish() {
	local pid=${pids[$1]}
	unset "pids[$1]"
	if ! wait "$pid"; then
		echo "$1 failed:"
		cat "$tmp/$1"
		exit 1
	fi
}

# check WHAT COMMAND...: whether the command succeeds.
check() {
	local what=$1
	shift
	if "$@"; then
		checks=$((checks + 1))
	else
		failures=$((failures + 1))
		echo "FAILED: $what"
	fi
}

# said NAME WORD: the rest of the line that begins with that word.
said() {
	sed -n "s/^$2 //p" "$tmp/$1"
}

# counted NAME COUNT: what a peer over TCPU has counted.
counted() {
	sed -n "s/^count $2 //p" "$tmp/$1"
}

# median: of a column of numbers, with the extremes.
median() {
	sort -g | awk '{ v[NR] = $1 } END { printf "%.2f [%.2f .. %.2f]", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

# Whether what left one end came to the other, both ways: the two processes of a transfer.
same_bytes() {
	[ -n "$(said "$1" sent)" ] && [ "$(said "$1" sent)" = "$(said "$2" received)" ] &&
		[ -n "$(said "$2" sent)" ] && [ "$(said "$2" sent)" = "$(said "$1" received)" ]
}

# same_file NAME WORD FILE: whether the file is what it said that it has sent, or received.
same_file() {
	[ "$(said "$1" "$2")" = "$(stat -c %s "$3") $(sha256sum <"$3" | cut -d ' ' -f 1)" ]
}

# transfer WHAT NAMESPACE IP SERVER NAMESPACE CLIENT: two peers, each with its options in one word of this list, the
# first of which listens on IP.
port=5000
transfer() {
	local what=$1 ns_server=$2 ip=$3 server=$4 ns_client=$5 client=$6
	port=$((port + 1))
	start server "$ns_server" "$peer" --listen $port --seed $port $server
	await server listening
	start client "$ns_client" "$peer" --connect "$ip:$port" --seed $((port + 1000)) $client
	finish client
	finish server
	check "$what: what was sent and what was received" same_bytes server client
	echo "$what: $(sed -n 's/^peer: //p' "$tmp/client")"
}

# road OPTIONS...: the relay anew, from near (10.99.3.1) to far (10.99.3.2); what goes back from far takes it as well.
road() {
	start relay near "$bin/relay" --here road --there road --namespace "tcpu-$$-far" --seed 7 "$@"
	await relay ready
	for side in near:10.99.3.1 far:10.99.3.2; do
		at "${side%:*}" ip addr add "${side#*:}/24" dev road
		at "${side%:*}" ip link set road up
	done
	at far ip route replace default via 10.99.3.1
}

# road_ends: and did what?
road_ends() {
	kill "${pids[relay]}"
	finish relay
	sed -n 's/^count /    /p' "$tmp/relay" | paste -s
}
