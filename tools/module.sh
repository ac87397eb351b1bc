#!/bin/bash
# module.sh [HEADERS [MAKE-ARGUMENT...]]: builds tcpk.ko for the kernel whose headers these are, and prints where it is,
# in build/kernel/RELEASE. HEADERS: a folder as /lib/modules/RELEASE/build is; without one, the running kernel's, or
# $KDIR.
set -eu
cd "$(dirname "$0")/.."
headers=${1:-${KDIR:-/lib/modules/$(uname -r)/build}}
shift $(($# > 0))

if [ ! -e "$headers/Makefile" ]; then
	{
		echo "module.sh: no kernel headers in $headers: they are needed to build tcpk.ko for that kernel."
		echo "    On Debian: apt-get install linux-headers-$(uname -r) (or linux-headers-cloud-amd64 and the like)"
		echo "    For another kernel than the running one: make module KDIR=DIR, where DIR is one of"
		find /lib/modules/*/build/Makefile /usr/src/linux-headers-*/Makefile 2>/dev/null | grep -v common |
			sed 's|/Makefile$||; s|^|        |' || true
	} >&2
	exit 1
fi
if ! command -v make >/dev/null || ! command -v "${CC:-gcc}" >/dev/null; then
	echo "module.sh: make and ${CC:-gcc} are needed" >&2
	exit 1
fi
# As uname -r has it; Debian's kernelrelease is something else.
release=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$headers/include/generated/utsrelease.h")
dir=${TCPK_OUT:-$PWD/build/kernel/$release}
# The kernel's make writes beside the sources: so it gets its own. The test of planted bugs has sources elsewhere.
for from in kernel/mod kernel/uapi; do
	mkdir -p "$dir/$from"
	(
		cd "${TCPK_SOURCE:-.}"
		for file in "$from"/*; do
			cmp -s "$file" "$dir/$file" || cp "$file" "$dir/$file"
		done
	)
done
# Types for debuggers: what makes them, newer headers of Debian want, and nothing else does.
command -v pahole >/dev/null || set -- "$@" CONFIG_DEBUG_INFO_BTF_MODULES=
make -C "$headers" M="$dir/kernel/mod" "$@" modules >&2
cp "$dir/kernel/mod/tcpk.ko" "$dir/tcpk.ko"
echo "$dir/tcpk.ko"
