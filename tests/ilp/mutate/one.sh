#!/bin/bash
# Makes one mutant and runs the programs that are to see it.
#
#	one.sh WORK ID CHAIN
#
# WORK/ID/CHAIN.c is the mutant, WORK/CHAIN/ has what run.lua put there: compile, the command; 1.o and 2.o, the objects
# of the original by each of the commands of `compile`; killers, a line `name<tab>link command's end<tab>
# arguments<tab>seconds of processor` for each program. ID may be the chain itself, whose objects it leaves, then.
# Prints ID and what became of it: unbuilt; same; killed NAME fails|crashes|hangs; survived; and the seconds that each
# program took at most.
work=$1 id=$2 chain=$3
dir=$work/$id original=$work/$chain
mapfile -t compile <"$original/compile"
TIMEFORMAT='%U %S'

finish() {
	[ "$id" = "$chain" ] || rm -rf "$dir"
	echo "$id $*"
	exit
}

# In the mutant's directory, so that no path makes a difference.
build() { # number of the command
	(cd "$dir" && ${compile[$1 - 1]} -c "$chain.c" -o "$1.o" 2>errors) &&
		{ [ "$id" = "$chain" ] || ! cmp -s "$dir/$1.o" "$original/$1.o"; }
}

if ! build 1; then
	[ -f "$dir/1.o" ] && finish same
	finish unbuilt
fi

# What a mutant may take: it may loop, and it may ask for any amount of memory.
limited() {
	ulimit -c 0 -t "$1"
	[ "$LIMIT_MEMORY" = no ] || ulimit -v 4000000
	shift
	CK_FORK=no timeout -s KILL 600 "$@"
}

took=
while IFS=$'\t' read -r name link arguments seconds; do
	# shellcheck disable=SC2086 # words of commands
	if ! ${compile[0]} "$dir/1.o" $link -o "$dir/$name" 2>"$dir/errors"; then
		finish unbuilt
	fi
	[ "$arguments" != -- ] || arguments=
	# What the subshell is redirected to outside of its brackets, the time goes to as well.
	# shellcheck disable=SC2086 # arguments
	{ time (limited "$seconds" "$dir/$name" $arguments >/dev/null 2>&1 </dev/null); } 2>"$dir/time"
	rc=$?
	took+=" $(awk '{ print $1 + $2 }' "$dir/time")"
	case $rc in
	0) ;;
	137 | 152) finish killed "$name" hangs ;;
	1) finish killed "$name" fails ;;
	*) finish killed "$name" crashes ;;
	esac
done <"$original/killers"

# What the tests do not see may be nothing: what a compiler makes the same of when it tries harder.
for ((k = 2; k <= ${#compile[@]}; k++)); do
	build "$k" || finish same
done
finish survived "$took"
