#!/bin/bash
# Chains that nobody would think of (random.lua), generated, compiled and run: their loops against their descriptions,
# at the extent SURVEY (ilp/gen/test.lua), for every instruction set that is here; with clang's sanitizer of undefined
# behaviour; and, where there are secrets, what is left of them. usage() says how to call it.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Seeds that found something: as --seed takes them, the checksum of what they make, and what was wrong.
kept() {
	cat <<'EOF'
5:3 3576740340 a fold in order of which the merge does not use the key did not compile
1:4 545527497 nor one whose key only some of its functions use
46:2,3 573027820 nor a map that does not use its key
27:1,2 181865709 an ADU too short for the value before it was taken for whole
74:3 2526939293 big32 of what has an upper half, in last
85:1,3 1510742227 the same, of eight accumulators
57:2 143688193 the same, in vectors of a map
41 72068185 the same, in plain C
139:2,3 3184092885 the sum of what waits, with another value beside it
251 566093240 the product of two words of 16 bits, as int
61 1351277250 scratch memory that is none, and a place in it
11:2 3475410531 a product that chooses: gcc warns of it
53 1099496060 the same, behind other folds
20:5 2584333259 words of repeat_ that nothing uses: gcc warns of them
114:3 3719538019 the same, of one turn
40:2,3 3496208855 secrets deeper on the stack than is cleared: a loop
115 107304008 the same, of many folds
116 3322083605 the same, by the stores that go by the caches
124 2126825689 the same, five folds
134 3195682062 the same, where data ends: pads and marks
164 2104996768 the same, sums without keys
202 2908017788 the same, three MACs behind one another
248:2,3,4 582244841 the same, where data ends: three values before it
404 3697467156 steps that want more vectors than a block of the keystream has, between its rounds
312 48411262 the same secrets, of pieces of eight words
503 587726308 bytes of a word beyond it, gcc said
325 771627219 what goes from turn to turn is none of the words that a turn makes
1082 2522257865 more bytes that wait for a zero than there can be, gcc said
2009 3372914144 secrets of many vectors at once, of an ADU too short for a main loop
2034 1718706816 bytes between the fields of a state
2076 3865790600 a loop's turns within another's: gcc warns of them
2088 1719513673 what stages have at their end, where there may be none, gcc said
2101 2573799407 a vector on 4 bytes of marks, gcc said
2304 2236553397 the same, of a value that is taken off
2111 3899599203 vectors of a structure's holes behind a map that fills them
2198 4242316963 the wire's sum before another loop, where bytes wait
2344 3960729265 secrets of several keys that begin makes
2193 1786601494 the same, of the last bytes of several streams
EOF
}
FEW='1 6' LATER='1001 1006' LATEST='2001 2006' ZEROS='3015 3019' NOW='4001 4004' CUT='5001 5006' # and these

usage() {
	cat <<'EOF'
usage: tests/ilp/random.sh [--jobs N] [FROM TO | --seed SEED[:STAGES]]

Makes chains of stages by random numbers, and compares their loops with their descriptions. A chain that is illegal is
counted and left out, and so are sums with keys; another complaint about a stage is a failure, since all of them are
right. Without seeds: those that failed once, and a few more.

  FROM TO              these seeds and all between
  --seed SEED          this one alone; what is made of it stays in build/random
  --seed SEED:STAGES   the same, but only these stages of its chain: 17:1,3
  --jobs N             units at a time [as many as there are processors]
  --help               this

Exit status: 0, all is well; 1, something failed; 2, usage.
EOF
}
bad() {
	echo "random.sh: $*" >&2
	exit 2
}

jobs=$(nproc) range=() alone=''
while [ $# -gt 0 ]; do
	case $1 in
	--jobs | --seed)
		[ $# -ge 2 ] || bad "$1 needs a value; see --help"
		if [ "$1" = --jobs ]; then jobs=$2; else alone=$2; fi
		shift
		;;
	-h | --help)
		usage
		exit
		;;
	-*) bad "no such option: $1; see --help" ;;
	*) range+=("$1") ;;
	esac
	shift
done
number='(0|[1-9][0-9]{0,8})'
[[ $jobs =~ ^[1-9][0-9]{0,3}$ ]] || bad "--jobs $jobs: expected a number from 1"
[[ $alone =~ ^($number(:[0-9,]+)?)?$ ]] || bad "--seed $alone: expected SEED, or SEED:STAGES"
[ ${#range[@]} = 0 ] || [[ ${range[*]} =~ ^$number\ $number$ ]] || bad "'${range[*]}': expected FROM and TO"
[ ${#range[@]} = 0 ] || [ -z "$alone" ] || bad "seeds and --seed: expected one of both"

# The configurations: name, compiler, instruction sets, schedules, flags. To compile is what takes time; what is left of
# secrets depends on how loops are compiled, though (build.mk).
# shellcheck source=tests/ilp/units.sh
. tests/ilp/units.sh
every=$(isas .)
widest=scalar,$(isas '[*]')
warn='-Wall -Wextra -Wconversion -Wshadow -Werror'
configurations=(
	"gcc gcc $every 5 -O0 $warn ${CFLAGS:-}"
	"secret gcc $widest 4 $(sed -n 's/^LOOP_CFLAGS := //p' build.mk) $warn"
)
skipped=0
if command -v clang >/dev/null; then
	configurations+=("undefined clang $widest 4 -O0 -w -fsanitize=undefined -fno-sanitize-recover=all")
else
	echo "skipped, because there is no clang: undefined behaviour of random chains"
	skipped=1
fi
common=(-std=gnu17 -D_GNU_SOURCE -I.)

mkdir -p build/random
dir=$(mktemp -d build/random/work.XXXXXX)
trap 'end_all; rm -rf "$dir"' EXIT
trap 'echo "random.sh: stopped" >&2; exit 130' HUP INT TERM
cat >"$dir/main.c" <<'EOF'
#include "tests/ilp/compare.h"
int main(int argc, char **argv)
{
	return argc > 1 && ilp_find(argv[1]) ? compare_main(ilp_find(argv[1]), argc - 1, argv + 1) : 2;
}
EOF
for c in "${configurations[@]}"; do
	read -r name cc _ <<<"$c"
	mkdir "$dir/$name"
	for f in ilp/ilp.c core/cksum.c tests/ilp/{vec,memory,compare,secrets}.c "$dir/main.c"; do
		"$cc" "${common[@]}" -O1 -c "$f" -o "$dir/$name/$(basename "$f" .c).o"
	done
done

# A unit: seeds of which one program is made for each configuration. It says lines: what became of it (passed, illegal,
# FAILED), the seed, and what there is to say. -----------------------------------------------------------------------
chain_of() { echo "random_${1//[:,]/_}"; }
describe() { # seed, folder: writes its description, says the checksum of that
	local stages=()
	[[ $1 != *:* ]] || stages=("${1#*:}")
	luajit tests/ilp/random.lua "${1%:*}" "$2" "${stages[@]}" &&
		find "$2" -name '*.lua' | LC_ALL=C sort | xargs cat | cksum | cut -d ' ' -f 1
}
described() { # work, seed: whether there are loops to be made of it
	local to=$1/$2 sum want complaint
	sum=$(describe "$2" "$to") || { echo "FAILED $2 random.lua does not describe it" && return 1; }
	want=$(kept | sed -n "s/^$2 \([0-9]*\) .*/\1/p")
	[ "${want:-$sum}" = "$sum" ] ||
		{ echo "FAILED $2 is kept for what it made, and makes something else: find a seed that shows the same" && return 1; }
	complaint=$(timeout --foreground -k 10 120 luajit ilp/gen/main.lua --tests "$1" --extent survey --explain \
		"$to/$(chain_of "$2").lua" 2>&1 >/dev/null) && return 0
	if [[ $complaint == "$to/$(chain_of "$2").lua:"[0-9]*": "*"; "* ]]; then
		echo "illegal $2 ${complaint#*: }"
	# Values are joined without keys: that such a fold is refused is what we want.
	elif [[ $complaint == "$to/stages/"*": params with tail \"zero\", expected none: "* ]]; then
		echo "illegal $2 ${complaint#*: }"
	elif [[ $complaint == "$to/stages/"*.lua:[0-9]*": "*"; "* ]]; then
		echo "FAILED $2 a complaint: ${complaint#"$to/"}"
	else
		echo "FAILED $2 the generator: $complaint"
	fi
	return 1
}
compile() { # work, configuration, seeds: says which of them can be run
	local work=$1 name cc isa ways flags seed c top=$PWD todo=() files=()
	read -r name cc isa ways flags <<<"$2"
	shift 2
	mkdir -p "$work/$name"
	read -ra flags <<<"${common[*]} $flags"
	for seed; do
		timeout --foreground -k 10 120 luajit ilp/gen/main.lua --out "$work/$name" --isa "$isa" --ways "$ways" \
			"$work/$seed/$(chain_of "$seed").lua" >"$work/log" 2>&1 ||
			{ echo "FAILED $seed the generator: $(head -n 3 "$work/log")" >>"$work/result" && continue; }
		if [ "$name" = secret ] && ! grep -q '\.keyed = true' "$work/$name/$(chain_of "$seed").c"; then continue; fi
		todo+=("$seed") files+=("$(chain_of "$seed").c")
	done
	# One run for all, and another for each that it left.
	(cd "$work/$name" && "$cc" "${flags[@]/#-I./-I$top}" -c "${files[@]}") >/dev/null 2>&1 || true
	for seed in "${todo[@]}"; do
		c=$work/$name/$(chain_of "$seed")
		[ -f "$c.o" ] || "$cc" "${flags[@]}" -c "$c.c" -o "$c.o" >"$work/log" 2>&1 ||
			{ echo "FAILED $seed $name: $(grep -m 1 -E 'error|warning' "$work/log")" >>"$work/result" && continue; }
		echo "$seed"
	done
}
run() { # work, configuration's name, seed, program, its arguments: says what it came to
	local log=$1/$2/$3.$4.log seed=$3 what="$2, $4" rc=0
	timeout --foreground -k 10 600 "$1/$2/$4" "${@:5}" >"$log" 2>&1 || rc=$?
	if [ $rc = 0 ] && [[ $(tail -n 1 "$log") =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]]; then
		echo "passed $seed $what"
	else
		echo "FAILED $seed $what: $(grep -m 1 'runtime error' "$log" || head -n 1 "$log"), status $rc"
	fi
}
unit() { # name, seeds
	local work=$dir/$1 c name cc flags seed legal=() good
	shift
	mkdir -p "$work"
	for seed; do
		if described "$work" "$seed"; then legal+=("$seed"); fi >>"$work/result"
	done
	for c in "${configurations[@]}"; do
		[ ${#legal[@]} -gt 0 ] || break
		mapfile -t good < <(compile "$work" "$c" "${legal[@]}")
		[ ${#good[@]} -gt 0 ] || continue
		read -r name cc _ _ flags <<<"$c"
		{
			echo '#include "ilp/ilp.h"'
			for seed in "${good[@]}"; do echo "extern const struct ilp_chain ilp_chain_$(chain_of "$seed");"; done
			echo 'const struct ilp_chain *const ilp_chains[] = {'
			for seed in "${good[@]}"; do echo "&ilp_chain_$(chain_of "$seed"),"; done
			echo '0 };'
		} >"$work/$name/list.c"
		mapfile -t objects < <(for seed in "${good[@]}"; do echo "$work/$name/$(chain_of "$seed").o"; done)
		# shellcheck disable=SC2086 # flags
		"$cc" "${common[@]}" $flags "$dir/$name"/{main,compare,memory,vec,ilp,cksum}.o "$work/$name/list.c" "${objects[@]}" \
			-o "$work/$name/compare"
		# shellcheck disable=SC2086 # flags
		[ "$name" != secret ] || "$cc" "${common[@]}" $flags "$dir/$name"/{secrets,ilp}.o "$work/$name/list.c" \
			"${objects[@]}" -o "$work/$name/secrets"
		for seed in "${good[@]}"; do
			run "$work" "$name" "$seed" compare "$(chain_of "$seed")" "$work/$(chain_of "$seed").vec"
			[ "$name" != secret ] || run "$work" "$name" "$seed" secrets "$(chain_of "$seed")"
		done >>"$work/result"
	done
	mv "$work/result" "$dir/$(basename "$work").done"
}

if [ -n "$alone" ]; then
	seeds=("$alone")
elif [ ${#range[@]} != 0 ]; then
	mapfile -t seeds < <(seq "${range[@]}")
else
	# shellcheck disable=SC2086 # two numbers each
	mapfile -t seeds < <(kept | cut -d ' ' -f 1 && seq $FEW && seq $LATER && seq $LATEST && seq $ZEROS && seq $NOW &&
		seq $CUT)
fi
[ ${#seeds[@]} -gt 0 ] || bad "'${range[*]}': expected FROM no larger than TO"
mapfile -t units < <(printf '%s\n' "${seeds[@]}" | xargs -n 16)

tell() { # a unit that is done: what was found
	[ -f "$dir/$1.done" ] || { echo "FAILED ${units[$1]} the unit ended without a result" >"$dir/$1.done"; }
	grep '^FAILED' "$dir/$1.done" | sed 's/^FAILED \([^ ]*\) .*/&\n    alone: tests\/ilp\/random.sh --seed \1/' || true
	[ -n "$alone" ] || rm -rf "${dir:?}/$1"
}
declare -A pids=()
next=0
while [ $next -lt ${#units[@]} ] || [ ${#pids[@]} -gt 0 ]; do
	if [ $next -lt ${#units[@]} ] && [ ${#pids[@]} -lt "$jobs" ]; then
		# shellcheck disable=SC2086 # seeds
		unit $next ${units[$next]} >"$dir/$next.log" 2>&1 &
		pids[$!]=$next
		next=$((next + 1))
		continue
	fi
	wait -n -p pid "${!pids[@]}" || true
	tell "${pids[$pid]}"
	unset "pids[$pid]"
done
if [ -n "$alone" ]; then
	rm -rf "build/random/${alone/:/.}"
	mv "$dir/0" "build/random/${alone/:/.}"
	echo "  what was made of it is in build/random/${alone/:/.}"
fi
cat "$dir"/*.done | awk -v skipped=$skipped '
	{ n[$1]++ }
	END {
		printf "%d illegal chains\n", n["illegal"]
		printf "%d passed, %d failed\n", n["passed"] + skipped, n["FAILED"]
		exit n["FAILED"] > 0
	}'
