# For the scripts of this folder that need tcpkd, which source it: it sources common.sh. All that they mount goes with
# them, since their mounts are their own.
# shellcheck shell=bash
if [ -z "${OWN_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	OWN_MOUNTS=1 exec unshare -m "$0" "$@"
fi
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"
tcpkd=$(realpath "${B:-build/gcc}")/bin/tcpkd

# What BPF needs of a host; that tcpkd starts on one is for the checks.
try_bpf() {
	[ -e /sys/kernel/btf/vmlinux ] || { echo "this kernel has no BTF" && return 1; }
	mkdir "$tmp/bpf" && mount -t bpf -o mode=0700 none "$tmp/bpf" && bpftool prog list &&
		ip netns add "tcpu-$$-try" && ip netns exec "tcpu-$$-try" tc qdisc add dev lo clsact
}
try=0
why=$(try_bpf 2>&1) || try=$?
ip netns del "tcpu-$$-try" 2>/dev/null || true
if [ $try != 0 ]; then
	checks=$((checks + 1))
	echo "skipped, because TCPK by BPF needs what this host has not: ${why//$'\n'/; }"
	exit 0
fi

# within MILLISECONDS COMMAND...: whether it succeeds by then.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		sleep 0.01
	done
}

# serves NAMESPACE SOCKET: whether somebody listens there.
serves() {
	at "$1" ss -xlH | grep -qwF "$2"
}

# hosts: near and far, whose addresses are $near and $far, and a router between them, middle.
hosts() {
	local name
	near=10.99.1.2 far=10.99.2.2
	for name in near middle far; do
		namespace $name
	done
	veth middle 10.99.1.1 near $near
	veth middle 10.99.2.1 far $far
}

# helper NAME NAMESPACE OPTIONS...: tcpkd in a namespace, at $tmp/NAME.sock.
helper() {
	local name=$1 namespace=$2
	shift 2
	start "$name" "$namespace" "$tcpkd" --socket "$tmp/$name.sock" "$@"
	if ! within 10000 serves "$namespace" "$tmp/$name.sock"; then
		echo "tcpkd does not serve, but says:"
		cat "$tmp/$name"
		exit 1
	fi
}

# taps NAMESPACE: the clients' there, by name. tcpkd has a TUN device, too.
taps() {
	at "$1" ip -o link show type tun | sed -nE 's/^[0-9]+: ([^:@]*).*/\1/p' | grep -vx tcpkd || true
}

# ended NAME SIGNAL: ends it.
ended() {
	kill "-$2" "${pids[$1]}"
	wait "${pids[$1]}" 2>/dev/null || true
	unset "pids[$1]"
}

# descriptors NAME: how many it has open.
descriptors() {
	find "/proc/${pids[$1]}/fd" -mindepth 1 | wc -l
}
