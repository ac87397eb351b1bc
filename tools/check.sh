#!/bin/bash
# check.sh DIR [DIR | COMMAND]...: runs all test programs of each build directory (DIR/tests.list names them) and the
# other commands, scripts mostly; as many at a time as there are processors, with the first directory in $B, where the
# logs go (or with $B as it is). A line for each, the log of what failed, and at the end what they sum to: N passed,
# N failed, N skipped.
#
# A test says how it went as libcheck does, in lines like `100%: Checks: 12, Failures: 0, Errors: 0`; one that prints
# none has failed. A line `skipped, because ...` says that one of these checks looked at nothing.
set -eu

# One test: its log and, beside it, a line `passed failed skipped`.
one() {
	local n='([0-9]+)' name=$1 log=$2 rc=0 passed failed skipped from=$EPOCHREALTIME
	# shellcheck disable=SC2086 # a command and its arguments
	$3 >"$log" 2>&1 </dev/null || rc=$?
	skipped=$(grep -c '^skipped, because' "$log") || true
	read -r passed failed < <(sed -nE "s/^[0-9]+%: Checks: $n, Failures: $n, Errors: $n.*/\\1 \\2 \\3/p" "$log" |
		awk '{ f += $2 + $3; p += $1 - $2 - $3; n++ } END { print p + 0, n ? f + 0 : "none" }')
	if [ "$failed" = none ]; then
		echo "check.sh: $name printed no count of checks" >>"$log"
		failed=1
	elif [ "$rc" != 0 ] && [ "$failed" = 0 ]; then
		echo "check.sh: $name ended with status $rc" >>"$log"
		failed=1
	fi
	echo "$((passed - skipped)) $failed $skipped" >"$log.sum"
	printf '  %-6s %-44s %6d passed %3d failed %s %6.1f s\n' "$([ "$failed" = 0 ] && echo ok || echo FAILED)" "$name" \
		$((passed - skipped)) "$failed" "$([ "$skipped" = 0 ] || echo "$skipped skipped")" \
		"$(awk "BEGIN { print $EPOCHREALTIME - $from }")"
}

if [ "$1" = --one ]; then
	shift
	one "$@"
	exit
fi

export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-300}
export B=${B:-$1}
mkdir -p "$B/log"
jobs=()
logs=()
job() { # name, log, command
	jobs+=("$@")
	logs+=("$2")
}
for arg; do
	if [ ! -d "$arg" ]; then
		job "$(basename "${arg%% *}")" "$B/log/$(basename "${arg%% *}")" "$arg"
		continue
	fi
	mkdir -p "$arg/log"
	while read -r t arguments && [ -n "$t" ]; do
		job "${arg#build/} $t" "$arg/log/${t//\//.}" "$arg/tests/$t $arguments"
	done <"$arg/tests.list"
done
rm -f "${logs[@]}" "${logs[@]/%/.sum}"
printf '%s\0' "${jobs[@]}" | xargs -0 -n 3 -P "$(nproc)" "$0" --one || true

passed=0 failed=0 skipped=0
for log in "${logs[@]}"; do
	p=0 f=1 s=0
	if [ -s "$log.sum" ]; then read -r p f s <"$log.sum"; fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" != 0 ]; then
		printf '\n---- %s\n' "$log"
		tail -n 100 "$log" 2>/dev/null || echo "it did not run"
	fi
done
echo
for log in "${logs[@]}"; do
	grep -h '^skipped, because' "$log" 2>/dev/null || true
done | sort | uniq -c
if [ "$skipped" = 0 ]; then
	echo "$passed passed, $failed failed"
else
	echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" = 0 ]
