#!/bin/bash
# Every legal chain of the survey (survey.lua), generated, compiled and run: its loops against its description, at the
# extent SURVEY (ilp/gen/test.lua). And the planner's verdicts against those found by trying. usage() says how to call
# it.
#
# A unit of work is a row of chains of which one program is made, or a part of the verdicts. What a unit came to is a
# file in build/survey, with a key: the hash of all that it is made from. One whose key is the same is not run again.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
	cat <<'EOF'
usage: tests/ilp/survey.sh [--all] [--cc CC] [--isa LIST] [--ways N] [--flags FLAGS] [--jobs N] [--json FILE] [--fresh]

Generates, compiles and runs legal chains of one to four of eleven stages, and of one to three of ten others: a fixed
sample of them, every 60th.

  --all          every one of them, and the planner's verdicts on all (`make survey`)
  --cc CC        the compiler [gcc]
  --isa LIST     instruction sets, scalar among them [scalar, and those that loops take here]
  --ways N       so many schedules, the first of layered, tiled, fused, streaming, partitions [3]
  --flags FLAGS  how to compile [-O0, and CFLAGS of the environment]
  --jobs N       units at a time [as many as there are processors]
  --json FILE    what the units came to, as JSON
  --fresh        runs again what was run before
  --help         this

It goes on where it was stopped. Exit status: 0, all is well; 1, something failed; 2, usage.

  tests/ilp/survey.sh --all --cc clang --isa scalar,sse2,avx2
EOF
}
bad() {
	echo "survey.sh: $*" >&2
	exit 2
}

row=20 every=60 parts=0 cc=gcc isa='' ways=3 flags="-O0 ${CFLAGS:-}" jobs=$(nproc) json='' fresh=''
while [ $# -gt 0 ]; do
	case $1 in
	--cc | --isa | --ways | --flags | --jobs | --json)
		[ $# -ge 2 ] || bad "$1 needs a value; see --help"
		declare "${1#--}=$2"
		shift
		;;
	--all) every=1 parts=8 ;;
	--fresh) fresh=1 ;;
	-h | --help)
		usage
		exit
		;;
	*) bad "no such option: $1; see --help" ;;
	esac
	shift
done
[[ $jobs =~ ^[1-9][0-9]{0,3}$ ]] || bad "--jobs $jobs: expected a number from 1"
[[ $ways =~ ^[3-9]$|^[1-9][0-9]$ ]] || bad "--ways $ways: expected a number from 3 to 99"
command -v "$cc" >/dev/null || bad "--cc $cc: there is no such compiler"
[ $every = 1 ] || row=5
read -ra flags <<<"-std=gnu17 -D_GNU_SOURCE -w -I. $flags"

# shellcheck source=tests/ilp/units.sh
. tests/ilp/units.sh
[ -n "$isa" ] || isa=scalar,$(isas '[*]')
trap 'end_all; rm -rf "$dir"/work.*' EXIT

# What programs have in common. -------------------------------------------------------------------------------------
dir=${SURVEY_DIR:-build/survey}
with=$dir/$cc${CFLAGS:+-flags}
[ -z "$fresh" ] || rm -f "$with/key"
mkdir -p "$with"
key=$(cat ilp/gen/*.lua ilp/stages/*.lua tests/ilp/stages/*.lua tests/ilp/survey.lua tests/ilp/{compare,vec}.[ch] \
	tests/ilp/memory.[ch] ilp/{ilp.c,ilp.h,run.h,quad.h} core/cksum.[ch] <($cc --version) \
	<(echo "${flags[*]} $isa $ways") | sha256sum | cut -c -64)
if [ "$(cat "$with/key" 2>/dev/null)" != "$key" ]; then
	rm -f "$with/key"
	# The header of the vectors' instructions takes as long to read as a chain, and few use it: streaming loops, products.
	mkdir -p "$with/headers"
	if [ "$ways" -le 3 ]; then : >"$with/headers/immintrin.h"; else rm -f "$with/headers/immintrin.h"; fi
	cat >"$with/main.c" <<'EOF'
#include "tests/ilp/compare.h"
int main(int argc, char **argv)
{
	return argc > 1 && ilp_find(argv[1]) ? compare_main(ilp_find(argv[1]), argc - 1, argv + 1) : 2;
}
EOF
	for c in ilp/ilp.c tests/ilp/vec.c tests/ilp/memory.c tests/ilp/compare.c core/cksum.c "$with/main.c"; do
		"$cc" "${flags[@]}" -O2 -c "$c" -o "$with/$(basename "$c" .c).o"
	done
	echo "$key" >"$with/key"
fi

# Units. A result is a line: key passed failed comparisons, then seconds: to generate, to compile, to run. ------------
since() { awk "BEGIN { print $EPOCHREALTIME - $1 }"; }
counts() { sed -n '$ s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$1"; }
chains_of() { # work, log, numbers: generates, compiles and runs these chains; says their result
	local work=$1 log=$2 passed=0 failed=0 compared=0 from=$EPOCHREALTIME generated compiled n name p f number
	shift 2
	luajit tests/ilp/survey.lua --write "$work" "$isa" "$ways" "$@" >"$log" 2>&1 || { echo "0 $# 0 0 0 0" && return; }
	generated=$(since "$from") from=$EPOCHREALTIME
	for number; do
		name=survey_$(printf %04d "$number")
		local without=(-I"$with/headers")
		! grep -qE '"ilp/quad.h"|MUL32_d(256|512)\(x' "$work/$name.c" || without=()
		"$cc" "${flags[@]}" "${without[@]}" -I"$work" -c "$work/$name.c" -o "$work/$name.o" >>"$log" 2>&1 ||
			{ echo "$name: it does not compile" >>"$log" && echo "0 $# 0 0 0 0" && return; }
	done
	"$cc" "${flags[@]}" "$with"/{main,compare,memory,vec,ilp,cksum}.o "$work/chains.c" "$work"/survey_*.o -o "$work/run" \
		>>"$log" 2>&1 ||
		{ echo "0 $# 0 0 0 0" && return; }
	compiled=$(since "$from") from=$EPOCHREALTIME
	for number; do
		name=survey_$(printf %04d "$number")
		timeout --foreground -k 10 600 "$work/run" "$name" "$work/$name.vec" >"$work/log" 2>&1 || true
		# A chain passes, or it does not; what its program says is a count of its checks.
		read -r p f < <(counts "$work/log") || { p=0 f=1 && echo "$name: ended without a count" >>"$work/log"; }
		n=$(sed -n 's/^[^ ]*: \([0-9]*\) comparisons$/\1/p' "$work/log")
		compared=$((compared + ${n:-0}))
		if [ "$f" = 0 ] && [ "$p" -gt 0 ]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "$(sed -n "s/^$number /$name: /p" "$dir/legal")" >>"$log"
			head -n 12 "$work/log" >>"$log"
		fi
	done
	echo "$passed $failed $compared $generated $compiled $(since "$from")"
}
unit() { # name, numbers
	local file=$with/$1 name=$1 work result
	shift
	if [[ $name == verdicts.* ]]; then
		local from=$EPOCHREALTIME
		luajit tests/ilp/survey.lua "$@" >"$file.log" 2>&1 || true
		result="$(counts "$file.log")"
		result="${result:-0 1} 0 0 0 $(since "$from")"
	else
		work=$(mktemp -d "$dir/work.XXXXXX")
		result=$(chains_of "$work" "$file.log" "$@")
		rm -r "$work"
	fi
	echo "$key $result" >"$file.new" && mv "$file.new" "$file"
}

luajit tests/ilp/survey.lua --legal >"$dir/legal"
todo=() units=() kept=0
want() { # name, numbers
	local was='' failed=''
	units+=("$1")
	read -r was _ failed _ 2>/dev/null <"$with/$1" || true
	if [ -z "$fresh" ] && [ "$was" = "$key" ] && [ "$failed" = 0 ]; then
		kept=$((kept + 1))
	else
		todo+=("$*")
	fi
}
# Chains that something was found with are always there: 9894, a pair, padding and words of two, that the generator
# could not make.
mapfile -t rows < <(awk -v every=$every 'NR % every == 0 || $1 == 9894 { print $1 }' "$dir/legal" | xargs -n $row)
for numbers in "${rows[@]}"; do
	# shellcheck disable=SC2086 # numbers
	want "chains.${every}.${numbers%% *}" $numbers
done
for ((k = 0; k < parts; k++)); do want "verdicts.$k" $k $parts; done
echo "  $(wc -l <"$dir/legal") legal chains, ${#units[@]} units, of which $kept were run before; $cc ${flags[*]}; $isa"

declare -A pids=()
begun=$EPOCHREALTIME done=0 next=0
while [ $next -lt ${#todo[@]} ] || [ ${#pids[@]} -gt 0 ]; do
	if [ $next -lt ${#todo[@]} ] && [ ${#pids[@]} -lt "$jobs" ]; then
		# shellcheck disable=SC2086 # a name and numbers
		unit ${todo[$next]} &
		pids[$!]=${todo[$next]%% *}
		next=$((next + 1))
		continue
	fi
	wait -n -p pid "${!pids[@]}" || true
	name=${pids[$pid]}
	unset "pids[$pid]"
	read -r _ passed failed _ <"$with/$name"
	done=$((done + 1))
	if [ "$failed" != 0 ]; then
		echo "  FAILED $name: $failed of $((passed + failed))"
		head -n 40 "$with/$name.log"
	fi
	if [ $((done % 10)) = 0 ] || [ $done = ${#todo[@]} ]; then
		awk -v done=$done -v all=${#todo[@]} -v took="$(since "$begun")" 'BEGIN {
			printf "  %d of %d units, %.0f s, %.0f s left\n", done, all, took, took * (all - done) / done }'
	fi
done

# What they come to. --------------------------------------------------------------------------------------------------
results() { for u in "${units[@]}"; do echo "$u $(cat "$with/$u")"; done; }
[ -z "$json" ] || results | awk -v cc="$cc" -v isa="$isa" 'BEGIN { printf "[" }
	{
		printf "%s\n{\"unit\":\"%s\",\"cc\":\"%s\",\"isa\":\"%s\",\"key\":\"%s\",", (NR > 1 ? "," : ""), $1, cc, isa, $2
		printf "\"passed\":%d,\"failed\":%d,\"comparisons\":%.0f,", $3, $4, $5
		printf "\"seconds\":{\"generate\":%s,\"compile\":%s,\"run\":%s}}", $6, $7, $8
	}
	END { print "\n]" }' >"$json"
results | awk '
	/^verdicts/ { verdicts += $3; bad += $4 }
	/^chains/ { chains += $3; failed += $4; compared += $5; g += $6; c += $7; r += $8 }
	END {
		if (verdicts + bad) printf "%d verdicts agree with what trying says, %d do not\n", verdicts, bad
		n = chains + failed
		printf "%d chains generated, compiled and run, %d of them wrong: %.0f comparisons\n", n, failed, compared
		if (n) printf "a chain: %.2f s to generate, %.2f to compile, %.2f to run\n", g / n, c / n, r / n
		printf "%d passed, %d failed\n", verdicts + chains, bad + failed
		exit bad + failed > 0
	}'
