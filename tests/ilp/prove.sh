#!/bin/bash
# The proof of the chains that are compiled in: every loop against its description, the whole of it (compare.h, --full).
# `make prove` builds what it runs, and calls it; usage() says the rest.
#
# A unit of work is a chain, an instruction set and a compiler: the program build/CC/tests/CHAIN_test run over
# build/prove/CHAIN.vec. What a unit came to is a file there, with a key: the hash of the objects that the proof is of
# (the chain's loops, compare.c, vec.c, ilp.c: in them are the compiler and its flags, too) and of the vectors. A unit
# whose key is the same is not run again: a run that was stopped goes on where it was. What failed is run again.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
	cat <<'EOF'
usage: tests/ilp/prove.sh [--cc LIST] [--isa LIST] [--jobs N] [--json FILE] [--fresh] [--quick] [CHAIN...]

Proves the chains of ilp/chains (or those named), as `make prove` does: all loops of both directions and each
instruction set.

  --cc LIST    compilers whose loops are proved [gcc,clang]
  --isa LIST   instruction sets [all that this kind of machine has]
  --jobs N     units at a time [as many as there are processors]
  --json FILE  the units and what they came to, as JSON; - is standard output, and the rest goes to standard error
  --fresh      runs again what was proved before
  --quick      the sampled extent that `make check` runs, to try this script
  --help       this

It goes on where it was stopped. Exit status: 0, all is proved; 1, something failed; 2, usage, or something is missing.

  make prove                                         # all of it
  tests/ilp/prove.sh --isa avx2,avx512 copy_sum      # a part, of what make prove has built
  tests/ilp/prove.sh --json - >proof.json
EOF
}
bad() {
	echo "prove.sh: $*" >&2
	exit 2
}

dir=${PROVE_DIR:-build/prove}
ccs=gcc,clang isas='' jobs=$(nproc) json='' fresh='' quick='' chains=()
case $(uname -m) in
x86_64) isas=scalar,sse2,ssse3,avx2,avx512 ;;
aarch64) isas=scalar,neon ;;
*) isas=scalar ;;
esac
while [ $# -gt 0 ]; do
	case $1 in
	--cc | --isa | --jobs | --json)
		[ $# -ge 2 ] || bad "$1 needs a value; see --help"
		declare "$(sed 's/--cc/ccs/; s/--isa/isas/; s/--//' <<<"$1")=$2"
		shift
		;;
	--fresh) fresh=1 ;;
	--quick) quick=1 ;;
	-h | --help)
		usage
		exit
		;;
	-*) bad "no such option: $1; see --help" ;;
	*) chains+=("$1") ;;
	esac
	shift
done
[[ $jobs =~ ^[1-9][0-9]{0,3}$ ]] || bad "--jobs $jobs: expected a number from 1"
[ ${#chains[@]} -gt 0 ] || mapfile -t chains < <(basename -s .lua ilp/chains/*.lua)
IFS=, read -ra ccs <<<"$ccs"
IFS=, read -ra isas <<<"$isas"
out=1
[ "$json" != - ] || out=2

known=" $(sed -n 's/.*{ name = "\([a-z0-9]*\)", widths.*/\1/p' ilp/gen/isa.lua | tr '\n' ' ')"
for isa in "${isas[@]}"; do
	[[ $known == *" $isa "* ]] || bad "--isa: '$isa', expected of$known"
done
for chain in "${chains[@]}"; do
	[ -f "ilp/chains/$chain.lua" ] || bad "chain $chain: there is no ilp/chains/$chain.lua"
	for cc in "${ccs[@]}"; do
		[ -x "build/$cc/tests/${chain}_test" ] || bad "build/$cc/tests/${chain}_test is missing; run make prove"
	done
done

# shellcheck source=tests/ilp/units.sh
. tests/ilp/units.sh

# Vectors, unless they were made by the same generator. --------------------------------------------------------------
extent=full
[ -z "$quick" ] || extent=sample
mkdir -p "$dir"
made=$(cat ilp/gen/*.lua ilp/stages/*.lua | sha256sum | cut -c -64)
vectors() { # chain
	local key
	key="$made $extent $(sha256sum <"ilp/chains/$1.lua")"
	[ "$(cat "$dir/$1.vec.key" 2>/dev/null)" != "$key" ] || return 0
	rm -f "$dir/$1.vec.key" # it would be of others when this is stopped
	luajit ilp/gen/main.lua --tests "$dir" --extent $extent "$1" && echo "$key" >"$dir/$1.vec.key"
}
echo "  vectors of ${#chains[@]} chains" >&$out
running=0
for chain in "${chains[@]}"; do
	if [ $running -ge "$jobs" ]; then
		wait -n || bad "vectors cannot be made"
		running=$((running - 1))
	fi
	vectors "$chain" &
	running=$((running + 1))
done
while [ $running -gt 0 ]; do
	wait -n || bad "vectors cannot be made"
	running=$((running - 1))
done

# Units. A result is a line: key passed failed skipped comparisons seconds. ------------------------------------------
key_of() { # chain, cc
	cat "build/$2/gen/$1.o" "build/$2"/tests/ilp/{compare,memory,vec}.o "build/$2/ilp/ilp.o" \
		"$dir/$1.vec" | sha256sum | cut -c -64
}
unit() { # chain, cc, isa, key
	local file=$dir/$1.$2.$3 full=(--full) passed=0 failed=0 skipped=0 compared=0 rc=0 from=$EPOCHREALTIME
	[ -z "$quick" ] || full=()
	# Whoever takes so long hangs.
	timeout --foreground -k 10 7200 "build/$2/tests/$1_test" "$dir/$1.vec" "${full[@]}" --isa "$3" \
		>"$file.log" 2>&1 </dev/null || rc=$?
	compared=$(sed -n 's/^[^ ]*: \([0-9]*\) comparisons$/\1/p' "$file.log")
	read -r passed failed < <(sed -n '$ s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$file.log") || true
	skipped=$(grep -c '^skipped, because' "$file.log" || true)
	if [ $rc != 0 ] && [ "${failed:-0}" = 0 ]; then
		echo "prove.sh: ended with status $rc" >>"$file.log"
		failed=1
	fi
	# Nothing tried is nothing proved.
	[ "${passed:-0}${failed:-0}$skipped" != 000 ] || failed=1
	echo "$4 ${passed:-0} ${failed:-0} $skipped ${compared:-0}" \
		"$(awk "BEGIN { print $EPOCHREALTIME - $from }")" >"$file.new"
	mv "$file.new" "$file"
}

todo=() units=() kept=0
for cc in "${ccs[@]}"; do
	for chain in "${chains[@]}"; do
		key=$(key_of "$chain" "$cc")
		for isa in "${isas[@]}"; do
			units+=("$chain.$cc.$isa")
			was='' failed='' skipped='' seconds=''
			read -r was _ failed skipped _ seconds 2>/dev/null <"$dir/$chain.$cc.$isa" || true
			if [ -z "$fresh" ] && [ "$was" = "$key" ] && [ "$failed" = 0 ] && [ "$skipped" = 0 ]; then
				kept=$((kept + 1))
			else
				todo+=("${seconds:-10} $chain $cc $isa $key")
			fi
		done
	done
done
echo "  ${#units[@]} units, of which $kept were proved before" >&$out
# Those that took longest go first, so that the last ones are short.
[ ${#todo[@]} = 0 ] || mapfile -t todo < <(printf '%s\n' "${todo[@]}" | sort -k 1,1 -rn)

declare -A pids=()
begun=$EPOCHREALTIME done=0 next=0
finished() { # waits for a unit, and says how far it is
	local pid chain cc isa key passed failed skipped compared seconds
	wait -n -p pid "${!pids[@]}" || true
	read -r _ chain cc isa key <<<"${pids[$pid]}"
	unset "pids[$pid]"
	read -r _ passed failed skipped compared seconds <"$dir/$chain.$cc.$isa"
	done=$((done + 1))
	printf '  %-6s %-26s %-5s %-6s %12d comparisons %7.1f s   %d of %d, %s left\n' \
		"$([ "$failed" != 0 ] && echo FAILED || { [ "$skipped" = 0 ] && echo proved || echo none; })" "$chain" "$cc" "$isa" \
		"$compared" "$seconds" "$done" "${#todo[@]}" "$(printf '%s\n' "${todo[@]}" |
			awk -v done="$done" -v took="$(awk "BEGIN { print $EPOCHREALTIME - $begun }")" '
				{ all += $1; if (NR <= done) part += $1 }
				END {
					s = part ? took * (all - part) / part : 0
					if (s < 120) printf "%.0f s", s; else printf "%.0f min", s / 60
				}')" >&$out
	if [ "$failed" != 0 ]; then tail -n 20 "$dir/$chain.$cc.$isa.log" >&$out; fi
}
while [ $next -lt ${#todo[@]} ] || [ ${#pids[@]} -gt 0 ]; do
	if [ $next -lt ${#todo[@]} ] && [ ${#pids[@]} -lt "$jobs" ]; then
		read -r _ chain cc isa key <<<"${todo[$next]}"
		unit "$chain" "$cc" "$isa" "$key" &
		pids[$!]=${todo[$next]}
		next=$((next + 1))
	else
		finished
	fi
done

# What they come to. -------------------------------------------------------------------------------------------------
results() { for u in "${units[@]}"; do echo "${u//./ } $(cat "$dir/$u")"; done; }
results | awk -v isas="${isas[*]}" -v extent=$extent '
	function grouped(n, s) {
		s = sprintf("%.0f", n)
		while (match(s, /[0-9][0-9][0-9][0-9]($|,)/)) s = substr(s, 1, RSTART) "," substr(s, RSTART + 1)
		return s
	}
	{
		if (!($1 in seen)) { seen[$1] = 1; chain[++chains] = $1 }
		cell[$1, $3] += $8; row[$1] += $8; column[$3] += $8; all += $8; took += $9
		passed += $5; failed += $6; skipped += $7
	}
	END {
		n = split(isas, isa, " ")
		printf "\n%-24s", "comparisons (" extent ")"
		for (k = 1; k <= n; k++) printf " %15s", isa[k]
		printf " %16s\n", "all"
		for (c = 1; c <= chains; c++) {
			printf "%-24s", chain[c]
			for (k = 1; k <= n; k++) printf " %15s", grouped(cell[chain[c], isa[k]])
			printf " %16s\n", grouped(row[chain[c]])
		}
		printf "%-24s", "all"
		for (k = 1; k <= n; k++) printf " %15s", grouped(column[isa[k]])
		printf " %16s\n\n", grouped(all)
		printf "%.0f s of processors; checks of a loop, a kind of trial and a compiler each:\n", took
		printf "%d passed, %d failed", passed, failed
		if (skipped) printf ", %d skipped", skipped
		print ""
	}' >&$out
if [ -n "$json" ]; then
	results | awk -v extent=$extent 'BEGIN { printf "[" }
		{
			printf "%s\n{\"chain\":\"%s\",\"cc\":\"%s\",\"isa\":\"%s\",\"extent\":\"%s\",\"key\":\"%s\",", (NR > 1 ? "," : ""),
				$1, $2, $3, extent, $4
			printf "\"passed\":%d,\"failed\":%d,\"skipped\":%d,\"comparisons\":%.0f,\"seconds\":%s}", $5, $6, $7, $8, $9
		}
		END { print "\n]" }' >"$([ "$json" = - ] && echo /dev/stdout || echo "$json")"
fi
! results | awk '$6 > 0 { bad = 1 } END { exit !bad }'
