#!/bin/bash
# fuzz.sh SECONDS: runs each fuzz target of build/clang-fuzz/fuzz that long, as many at a time as there are processors.
# It begins with the corpus of tests/fuzz and with what earlier runs have left in build/fuzz. `make fuzz` calls it.
set -eu
cd "$(dirname "$0")/.."

# The last number behind a word in libFuzzer's log.
number() { grep -oE "$1 *[0-9]+" "$2" | tail -1 | grep -oE '[0-9]+$' || echo 0; }

one() {
	local name=$1 seconds=$2 log=build/fuzz/$1.log found=build/fuzz/$1 rc=0 crash
	mkdir -p "$found"
	"build/clang-fuzz/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -use_value_profile=1 \
		-print_final_stats=1 -artifact_prefix="build/fuzz/$name-" "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1 || rc=$?
	printf '  %-9s %9d executions, %6d edges of code, %5d inputs in build/fuzz/%s\n' "$name" \
		"$(number number_of_executed_units: "$log")" "$(number cov: "$log")" "$(find "$found" -type f | wc -l)" "$name"
	[ "$rc" != 0 ] || return 0
	crash=$(sed -nE 's/.*Test unit written to (.*)/\1/p' "$log" | tail -1)
	grep -E -m 12 'not so|ERROR|error:|^ +#[0-9]+ .* in .* [^ ]*(core|tests)/' "$log"
	echo "fuzz.sh: $name broke; the whole log is $log. Run the input again with"
	echo "    build/clang-fuzz/fuzz/$name $crash"
	echo "and keep it, once it is mended, in tests/fuzz/corpus/$name"
	return 1
}

if [ "$1" = --one ]; then
	one "$3" "$2"
	exit
fi
case $1 in
'' | *[!0-9]*)
	echo "fuzz.sh: SECONDS=$1: expected a number of seconds" >&2
	exit 2
	;;
esac
find build/clang-fuzz/fuzz -type f -printf '%f\n' | sort | xargs -n 1 -P "$(nproc)" "$0" --one "$1"
