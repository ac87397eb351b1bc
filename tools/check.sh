#!/bin/bash
# check.sh LIST | COMMAND...: runs tests, as many at a time as there are processors. A LIST, build/gcc/tests.list say,
# names programs of build/gcc/tests and their arguments; what stands in build/gcc/under, if there is one, runs them. A
# COMMAND is a script mostly, and finds the build directory of the first list in $B. A line for each, the log of what
# failed, and at the end what they sum to: N passed, N failed, N skipped.
#
# A test says how it went as libcheck does, in lines like `100%: Checks: 12, Failures: 0, Errors: 0`, or with a last
# line `12 passed, 0 failed`; one that says nothing has failed. A line `skipped, because ...` says that one of these
# checks looked at nothing.
set -eu

# One test: its log and, beside it, a line `passed failed skipped`.
one() {
	local name=$1 log=$2 rc=0 passed failed skipped from=$EPOCHREALTIME
	# Whoever takes half an hour hangs.
	# shellcheck disable=SC2086 # a command and its arguments
	timeout --foreground -k 10 1800 $3 >"$log" 2>&1 </dev/null || rc=$?
	skipped=$(grep -c '^skipped, because' "$log") || true
	read -r passed failed < <(awk '
		/^[0-9]+%: Checks: / { gsub(/[^0-9 ]/, ""); f += $3 + $4; p += $2 - $3 - $4; n++ }
		{ last = $0 }
		END {
			if (!n && match(last, /[0-9]+ passed, [0-9]+ failed/)) {
				split(substr(last, RSTART), word, " ")
				p = word[1]; f = word[3]; n++
			}
			print p + 0, n ? f + 0 : "none"
		}' "$log")
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
export B=${1%/*}
mkdir -p "$B/log"
jobs=()
logs=()
job() { # name, log, command
	jobs+=("$@")
	logs+=("$2")
}
for arg; do
	if [[ $arg != *.list ]]; then
		job "${arg##*/}" "$B/log/${arg##*/}" "$arg"
		continue
	fi
	dir=${arg%/*}
	mkdir -p "$dir/log"
	under=$(cat "$dir/under" 2>/dev/null || true)
	while read -r t arguments && [ -n "$t" ]; do
		job "${dir#build/} $t" "$dir/log/${t//\//.}" "${under:+$under }$dir/tests/$t $arguments"
	done <"$arg"
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
