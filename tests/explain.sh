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

# Planted faults: a generator whose loops do something else than it says.
planted() { # what, chain, script for sed, file of ilp/gen/
	checks=$((checks + 1))
	rm -rf "$tmp/share"
	mkdir "$tmp/share"
	cp -r ilp "$tmp/share"
	sed -i "$3" "$tmp/share/ilp/gen/$4"
	! cmp -s "ilp/gen/$4" "$tmp/share/ilp/gen/$4" || fail "$1: nothing is planted: does the script still fit $4?"
	if TCPU_SHARE="$tmp/share" "$tcpu" explain --isa avx2 --count "$2" >"$tmp/out" 2>&1; then
		fail "$1: is not seen"
	fi
	grep -q 'not each loads and stores' "$tmp/out" || fail "$1: $(tail -n 5 "$tmp/out")"
}
if "$tcpu" isa | grep -q 'avx2 .*has it '; then
	planted 'every vector is stored twice' copy_sum 's/\(t:line("%s(dst + %s, x%d)\(;\)", \(.*\)) end/\1; \3) end/' none 2>/dev/null || :
fi
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
