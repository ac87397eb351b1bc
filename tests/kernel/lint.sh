#!/bin/bash
# lint.sh: kernel/mod under sparse, with checks of byte order, and under the kernel's checkpatch --strict, of which an
# error fails and the rest is shown. checkpatch comes with the kernel's source.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kernel/common.sh
. tests/kernel/common.sh
mkdir -p "$K/checkpatch" "$PACKAGES"
failed=0
release=$(kernel_of '') || exit 1
log=$K/sparse.log
rm -rf "${K:?}/$release/kernel"
tools/module.sh "$K/root/usr/src/linux-headers-$release" W=1 C=2 CF=-D__CHECK_ENDIAN__ >/dev/null 2>"$log" || failed=1
! grep -E 'warning:|error:' "$log" || failed=1

source=$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' | sort -V | tail -1)
if [ ! -e "$K/checkpatch/scripts/checkpatch.pl" ]; then
	tar -xJf "$source" -C "$K/checkpatch" --strip-components=1 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch'
fi
# Long lines are this project's 120; a file's comment is its head's, and a macro of a version's is in compat.h.
perl "$K/checkpatch/scripts/checkpatch.pl" --strict --no-tree --terse --show-types --max-line-length=120 \
	--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG,LINUX_VERSION_CODE,NEW_TYPEDEFS,CONSTANT_COMPARISON \
	-f kernel/mod/*.[ch] >"$K/checkpatch.log" || true
grep -vE '^total: 0 errors' "$K/checkpatch.log" || true
! grep -q 'ERROR' "$K/checkpatch.log" || failed=1
echo "lint-kernel: $([ "$failed" = 0 ] && echo clean || echo failed)"
exit "$failed"
