# For the drivers of long runs (prove.sh, survey.sh), which source it when their arguments are right: whatever ends
# them, a signal or a mistake, what they have started is ended with them, and a signal is answered with one line.
# shellcheck shell=bash

# Instruction sets that this CPU has, between commas, of a pattern of their marks in `tcpu isa`: '.', all; '[*]', those
# that loops take.
isas() {
	local tcpu=${B:-build/gcc}/bin/tcpu
	[ -x "$tcpu" ] || bad "no $tcpu, which knows what this CPU has: run \`make tests\`"
	ILP_ISA='' "$tcpu" isa | sed -n "s/^$1 \([a-z0-9_]*\) .* has it  .*/\1/p" | paste -sd,
}

# Each job is a process group: a unit with all that it has started.
set -m

end_all() {
	local groups group there
	trap '' HUP INT TERM
	# bash would tell of each how it ended.
	exec 2>/dev/null
	groups=$(jobs -p)
	for group in $groups; do kill -- "-$group" || true; done
	wait
	# What they had started in turn has a moment to tidy up. A zombie counts: it may be there as long as init likes.
	for _ in 1 2 3 4 5 6; do
		there=
		for group in $groups; do kill -0 -- "-$group" && there=1; done
		[ -n "$there" ] || return 0
		sleep 0.05
	done
	for group in $groups; do kill -KILL -- "-$group" || true; done
}
trap 'echo "${0##*/}: stopped; what is done stays, run it again to go on" >&2; exit 130' HUP INT TERM
trap end_all EXIT
