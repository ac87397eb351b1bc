#!/bin/bash
# The driver of the proof (tests/ilp/prove.sh) over one chain, sampled: it proves, keeps what it proved, sees what is
# wrong, and refuses what it does not know. $B is the build directory [build/gcc].
cd "$(dirname "$0")/.." || exit 2
cc=${B:-build/gcc}
cc=${cc#build/}
PROVE_DIR=$(mktemp -d)
export PROVE_DIR
trap 'rm -r "$PROVE_DIR"' EXIT
passed=0 failed=0
prove() { tests/ilp/prove.sh --quick --cc "$cc" --isa scalar "$@" >"$PROVE_DIR/out" 2>&1; }
expect() { # what, command...
	local what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		echo "not so: $what"
		cat "$PROVE_DIR/out"
		failed=$((failed + 1))
	fi
}
says() { grep -q -- "$1" "$PROVE_DIR/out"; }
ends() { # status, command...
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ $rc = "$want" ]
}

expect "copy_sum is proved" ends 0 prove --json "$PROVE_DIR/json" copy_sum
expect "nothing was proved before" says "1 units, of which 0 "
expect "it counts" says "^[1-9][0-9]* passed, 0 failed$"
expect "JSON counts the same" grep -q '"chain":"copy_sum",.*"isa":"scalar",.*"passed":[1-9][0-9]*,"failed":0,' \
	"$PROVE_DIR/json"
expect "again" ends 0 prove copy_sum
expect "it is kept" says "1 units, of which 1 "
expect "afresh" ends 0 prove --fresh copy_sum
expect "it is not kept" says "1 units, of which 0 "
# The last value of the vectors is another one: what was proved with the old ones is not kept, and the loops are not so.
printf '\377' | dd of="$PROVE_DIR/copy_sum.vec" bs=1 seek=20000 conv=notrunc 2>/dev/null
expect "other vectors are seen to be wrong" ends 1 prove copy_sum
expect "it says what failed" says "FAILED copy_sum"
expect "and counts it" says "passed, [1-9][0-9]* failed$"
expect "what failed is not kept" ends 1 prove copy_sum
expect "an unknown chain" ends 2 prove no_such_chain
expect "an unknown instruction set" ends 2 prove --isa vax copy_sum
expect "an unknown option" ends 2 prove --nothing
echo "$passed passed, $failed failed"
[ $failed = 0 ]
