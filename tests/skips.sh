#!/bin/bash
# Where even root may not have what a test needs, it says so and passes: no /dev/net/tun, one that cannot be opened,
# no right to make namespaces.
#	tests/skips.sh [TEST...]	which tests, of those that are so
set -u
cd "$(dirname "$0")/.." || exit
tests=${B:-build/gcc}/tests
checks=0 failures=0

without_node() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m sh -c 'mount -t tmpfs none /dev/net && exec "$@"' sh "$@"
}
with_dead_node() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs -o nodev none /dev/net && mknod /dev/net/tun c 10 200 && exec "$@"' sh "$@"
}
without_namespaces() {
	setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"
}

# skips MACHINE COMMAND: on such a machine it skips something for a reason, and fails nothing.
skips() {
	local said
	checks=$((checks + 1))
	said=$("$@" 2>&1) && grep -q '^skipped, because .*: .' <<<"$said" && return
	failures=$((failures + 1))
	echo "$*: expected it to skip what it cannot have; it said:"
	head -n 20 <<<"$said"
}

if ! why=$(with_dead_node true 2>&1 && without_namespaces true 2>&1); then
	echo "skipped, because mounts and capabilities need root: $why"
	echo "1 passed, 0 failed"
	exit
fi
[ $# != 0 ] || set -- tests/netns/{transfer,impair,capture,confine,tcpk,tcpk_security,tcpk_restart}.sh tests/readme.sh \
	"$tests/link_tun_device" "$tests/linux_differential"
for machine in without_node with_dead_node without_namespaces; do
	for t; do
		skips $machine "$t"
	done
done
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
