#!/bin/bash
# tcpu explain --count: what the loops of every chain load and store, counted as they run, is what the planner says, for
# every schedule, direction and instruction set; and the counting can tell.
#	tests/explain.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/.." || exit
tcpu=$(realpath "${1:-${B:-build/gcc}}/bin/tcpu")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

checks=0 failures=0
fail() {
	failures=$((failures + 1))
	echo "$*"
}

# What is counted is the same however the loops are compiled: the quick way.
printf '#!/bin/sh\nexec cc "$@" -O0\n' >"$tmp/quick"
chmod 755 "$tmp/quick"
export ILP_CC="$tmp/quick" XDG_CACHE_HOME="$tmp/cache"

for file in ilp/chains/*.lua tests/ilp/chains/*.lua; do
	checks=$((checks + 1))
	"$tcpu" explain --count "$file" >"$tmp/out" 2>&1 || fail "$file: $(tail -n 12 "$tmp/out")"
	grep -q 'counted: [1-9][0-9]* loops have run, and each ' "$tmp/out" || fail "$file: nothing is counted"
done

# That of loops without AES, which stands first.
isa=$("$tcpu" isa | sed -n 's/^\* *\([a-z0-9]*\) .*/\1/p' | head -n 1)
# Planted faults: a generator whose loops do something else than it says.
planted() { # what, chain, file of ilp/gen/, script for sed
	checks=$((checks + 1))
	rm -rf "$tmp/share"
	mkdir "$tmp/share"
	cp -r ilp "$tmp/share"
	sed -i "$4" "$tmp/share/ilp/gen/$3"
	! cmp -s "ilp/gen/$3" "$tmp/share/ilp/gen/$3" || fail "$1: nothing is planted: does the script still fit $3?"
	if TCPU_SHARE="$tmp/share" "$tcpu" explain --isa "$isa" --count "$2" >"$tmp/out" 2>&1; then
		fail "$1: is not seen"
	fi
	grep -q 'not each loads and stores' "$tmp/out" || fail "$1: $(tail -n 5 "$tmp/out")"
}
planted 'a store more' copy_sum loop.lua \
	's/t:line("%s(dst + %s, x%d);", store/t:line("%s(dst + %s, x%d);", "STORE_DATA", place(j, width), j) &/'
planted 'a copy beside the loop' copy_sum loop.lua \
	's/^\tt:line("size_t i = 0;")$/&\n\tif loop.writes then t:line("copy_bytes(dst, src, n);") end/'
planted 'marks that are not stored' xdr_marker_copy_sum frame.lua \
	's/counted(t, 0, stage.size, /counted(t, 0, 0, /; s/counted(t, 0, put, /counted(t, 0, 0, /'
planted 'marks that are stored twice' xdr_marker_copy_sum frame.lua \
	's/counted(t, 0, put, call)/counted(t, 0, 2 * put, call)/'
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
