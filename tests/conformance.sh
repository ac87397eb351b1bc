#!/bin/bash
# core/conformance.tsv against the sources: each rule names functions that exist and tests that are run, or a reason;
# RFC 9293's are all there, by its own numbers.
#	tests/conformance.sh
set -eu
cd "$(dirname "$0")/.."
table=core/conformance.tsv

checks=0 failures=0
fail() {
	failures=$((failures + 1))
	echo "$*"
}

# file:name of what is defined (functions, macros, a grammar's parts), and of the tests that Check is given.
declare -A defined registered
while read -r name; do
	defined[$name]=1
done < <(awk '
	/^#define / { sub(/\(.*/, "", $2); print FILENAME ":" $2 }
	/^[A-Za-z_].*\(/ && !/;$/ && match($0, /[A-Za-z_0-9]+\(/) { print FILENAME ":" substr($0, RSTART, RLENGTH - 1) }
	FILENAME ~ /\.rl$/ && $2 ~ /^:?=$/ { print FILENAME ":" $1 }
	FILENAME ~ /\.rl$/ && $1 == "action" { print FILENAME ":" $2 }
	' core/*.[ch] core/*.rl core/link/*.[ch])
while read -r name; do
	registered[$name]=1
done < <(awk '
	FNR == 1 { main = 0 }
	match($0, /^START_TEST\([a-z_0-9]+/) { begun[FILENAME ":" substr($0, 12, RLENGTH - 11)] = 1 }
	/^(int )?main\(/ { main = 1 }
	main { # which hands them over, one by one or in a table
		n = split($0, word, /[^a-z_0-9]+/)
		for (i = 1; i <= n; i++)
			if (FILENAME ":" word[i] in begun)
				print FILENAME ":" word[i]
	}' tests/*.c tests/*/*.c)

# places TEXT: each file:name of a list, on a line of its own.
places() {
	local IFS=','
	# shellcheck disable=SC2086 # cut at commas, which is meant
	printf '%s\n' $1 | sed 's/^ //'
}

# complaint RFC ID SECTION RULE WHERE TEST: what is wrong with a row; nothing when it is fine.
complaint() {
	local rfc=$1 id=$2 section=$3 rule=$4 where=$5 test=$6 place kinds='MUST|SHLD|MAY' prefix="$1-"
	[ "$rfc" != 9293 ] || { kinds+='|REC' prefix=''; }
	[[ $id =~ ^$prefix($kinds)-[1-9][0-9]*$ ]] || echo "'$id' is no id of RFC $rfc"
	[[ $section =~ ^[1-9][0-9]*(\.[0-9]+)*$ ]] || echo "'$section' is no section"
	[ ${#rule} -ge 10 ] || echo "'$rule' says too little"
	if [ "$where" != - ]; then
		while read -r place; do
			[ -n "${defined[$place]-}" ] || echo "$place: there is no such function"
		done < <(places "$where")
	fi
	case $test in
	omitted*)
		[[ $test =~ ^'omitted, because '.{10} ]] || echo "'$test' gives no reason"
		return ;;
	esac
	[ "$where" != - ] || echo "where is it?"
	while read -r place; do
		case $place in
		*.c:*) [ -n "${registered[$place]-}" ] || echo "$place: there is no such test, or nobody runs it" ;;
		tests/*.pkt | tests/*.sh) [ -f "$place" ] || echo "$place: there is no such file" ;;
		*) echo "'$place' is no test" ;;
		esac
	done < <(places "$test")
}

# gaps FILE RFC KIND LAST: what is missing, or twice, of the numbers from 1 to LAST (or to the highest).
gaps() {
	awk -F '\t' -v prefix="$2$3-" -v last="$4" '
		index($1, prefix) == 1 {
			n = substr($1, length(prefix) + 1)
			if (++seen[n] == 2)
				print $1 " is there twice"
			if (n + 0 > highest)
				highest = n + 0
		}
		END {
			if (last && highest > last)
				print prefix highest " is beyond the last, " last
			for (n = 1; n <= (last ? last : highest); n++)
				if (!(n in seen))
					print prefix n " is missing"
		}' "$1"
}

rfc='' number=0
declare -A rfcs
while IFS= read -r line; do
	number=$((number + 1))
	case $line in
	'# RFC '*)
		rfc=${line#\# RFC } rfc=${rfc%%:*}
		[ -z "${rfcs[$rfc]-}" ] || fail "$table:$number: RFC $rfc again"
		rfcs[$rfc]=1
		continue ;;
	$'id\tsection\trule\twhere\ttest') [ $number != 1 ] || continue ;;
	esac
	checks=$((checks + 1))
	IFS=$'\t' read -r id section rule where test more <<<"$line"
	if [ -z "$test" ] || [ -n "$more" ]; then
		fail "$table:$number: expected five columns, apart by tabs"
		continue
	fi
	while read -r what; do
		fail "$table:$number: $id: $what"
	done < <(complaint "$rfc" "$id" "$section" "$rule" "$where" "$test")
done <$table

# RFC 9293 appendix B: so many of each.
for kind in 'MUST 69' 'SHLD 31' 'MAY 18' 'REC 1'; do
	checks=$((checks + 1))
	while read -r what; do
		fail "$table: RFC 9293: $what"
	done < <(gaps $table '' "${kind% *}" "${kind#* }")
done
for rfc in "${!rfcs[@]}"; do
	for kind in MUST SHLD MAY; do
		checks=$((checks + 1))
		while read -r what; do
			fail "$table: $what"
		done < <(gaps $table "$rfc-" $kind '')
	done
done

# Planted faults: the checks must tell these apart.
planted() { # yes or no, the row's fields
	local good=$1 got=yes
	shift
	checks=$((checks + 1))
	[ -z "$(complaint "$@")" ] || got=no
	[ "$got" = "$good" ] || fail "row '$*': good: $got, expected $good"
}
a=core/ack.c:ack_input b=tests/core_guard.c:ack_of_nothing
planted yes 9293 MUST-1 3.1 'a rule of some length' $a $b
planted yes 9293 REC-1 3 'a rule of some length' "$a, core/option.rl:skip" "$b, tests/arrows.sh"
planted yes 2018 2018-MAY-2 3.10.7 'a rule of some length' - 'omitted, because there is a reason'
planted yes 2018 2018-MAY-2 3.10.7 'a rule of some length' core/tcb.h:MSS_MIN $b
planted no 9293 MUST-01 3.1 'a rule of some length' $a $b
planted no 9293 WILL-1 3.1 'a rule of some length' $a $b
planted no 9293 9293-MUST-1 3.1 'a rule of some length' $a $b
planted no 2018 MUST-1 3.1 'a rule of some length' $a $b
planted no 2018 2018-REC-1 3.1 'a rule of some length' $a $b
planted no 9293 MUST-1 '' 'a rule of some length' $a $b
planted no 9293 MUST-1 3.1. 'a rule of some length' $a $b
planted no 9293 MUST-1 3.1 'short' $a $b
planted no 9293 MUST-1 3.1 'a rule of some length' core/ack.c $b
planted no 9293 MUST-1 3.1 'a rule of some length' core/ack.c:ack_inpu $b
planted no 9293 MUST-1 3.1 'a rule of some length' core/acknowledge.c:ack_input $b
planted no 9293 MUST-1 3.1 'a rule of some length' core/ack.c:seq_gt $b
planted no 9293 MUST-1 3.1 'a rule of some length' "$a, core/ack.c:nothing" $b
planted no 9293 MUST-1 3.1 'a rule of some length' core/ack.c:nothing 'omitted, because there is a reason'
planted no 9293 MUST-1 3.1 'a rule of some length' - $b
planted no 9293 MUST-1 3.1 'a rule of some length' $a tests/core_guard.c:ack_of_something
planted no 9293 MUST-1 3.1 'a rule of some length' $a tests/core_guard.c
planted no 9293 MUST-1 3.1 'a rule of some length' $a tests/core_guard.c:main
planted no 9293 MUST-1 3.1 'a rule of some length' $a "$b, tests/scripts/nothing.pkt"
planted no 9293 MUST-1 3.1 'a rule of some length' $a ack_of_nothing
planted no 9293 MUST-1 3.1 'a rule of some length' $a 'omitted'
planted no 9293 MUST-1 3.1 'a rule of some length' $a 'omitted, because'
planted no 9293 MUST-1 3.1 'a rule of some length' $a 'omitted, because no'
planted no 9293 MUST-1 3.1 'a rule of some length' $a pending

tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
planted_numbers() { # how many complaints, ids
	checks=$((checks + 1))
	printf '%s\tx\n' "${@:2}" >"$tmp"
	[ "$(gaps "$tmp" '' MUST 3 | wc -l)" = "$1" ] ||
		fail "numbers ${*:2}: $(gaps "$tmp" '' MUST 3), expected $1 complaints"
}
planted_numbers 0 MUST-1 MUST-2 MUST-3 MAY-7
planted_numbers 1 MUST-1 MUST-3
planted_numbers 1 MUST-1 MUST-2 MUST-3 MUST-2
planted_numbers 1 MUST-1 MUST-2 MUST-3 MUST-4
planted_numbers 2 MUST-2

awk -F '\t' 'NF == 5 && NR > 1 { n[$5 ~ /^omitted/]++ }
	END { printf "%d rules met, %d omitted for a reason\n", n[0], n[1] }' $table
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
