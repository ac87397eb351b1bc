#!/bin/bash
# The drivers of the long runs, tests/ilp/prove.sh and tests/ilp/survey.sh, stopped: they end at once and say one line,
# nothing that they have started stays, what was done is kept, and what was half done is not. They run in a tree of
# links here, where a chain's program, the generator and the compiler stand still when they are told to.
set -u
cd "$(dirname "$0")/.." || exit 2
top=$PWD
tmp=$(mktemp -d)
# All that is started from here on bears this in its environment, and is known by it.
export STOP_TEST=$tmp
trap 'end_left; rm -rf "$tmp"' EXIT
mkdir -p "$tmp/bin" "$tmp/tree/build/gcc/tests/ilp" "$tmp/tree/build/gcc/gen" "$tmp/tree/build/gcc/ilp"
ln -s "$top"/{core,ilp,tests} "$tmp/tree"

checks=0 failures=0
expect() { # what, command...
	local what=$1
	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "not so: $what: $*"
	cat "$tmp/out"
}
says() { grep -q -- "$1" "$tmp/out"; }
left() { # what has been started and is there, but zombies
	env -u STOP_TEST grep -lsF "STOP_TEST=$tmp" /proc/[0-9]*/environ
}
end_left() {
	# shellcheck disable=SC2046 # numbers
	kill -KILL $(left | tr -dc '0-9\n') 2>/dev/null
}
# A program that stands still where its arguments are those that $tmp/at tells, and says so by a file.
program() { # path, what it does otherwise, what it does before it stands still
	cat >"$1" <<-END
		#!/bin/sh
		if echo "\$*" | grep -qs -- "\$(cat "$tmp/at")"; then
			${3:-:}
			: >"$tmp/stands"
			exec sleep 1000
		fi
		$2
	END
	chmod 755 "$1"
}
runs() { "$@" >"$tmp/out" 2>&1; }
# Begins, and is stopped when the program whose arguments match the pattern stands still.
stopped() { # signal, pattern, command...
	local signal=$1 what="$3 by $1 at '$2'" status=0 pid
	echo "$2" >"$tmp/at"
	rm -f "$tmp/stands"
	shift 2
	set -m # what is started in the background ignores SIGINT otherwise
	"$@" >"$tmp/out" 2>&1 &
	pid=$!
	set +m
	while [ ! -e "$tmp/stands" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	kill "-$signal" "$pid"
	wait "$pid" 2>/dev/null || status=$?
	expect "$what: it ends so" [ "$status" = 130 ]
	expect "$what: it says so" says 'sh: stopped; what is done stays, run it again to go on'
	expect "$what: and nothing else" [ "$(grep -vc '^  ' "$tmp/out")" = 1 ]
	expect "$what: nothing that it has started is left" [ -z "$(left)" ]
	echo none >"$tmp/at"
	end_left
}

# The proof: two chains, of which the first is done when the second stands still.
cd "$tmp/tree" || exit 2
for chain in copy_sum xdr_copy_sum; do
	program "build/gcc/tests/${chain}_test" 'printf "scalar: 5 comparisons\n1 passed, 0 failed\n"'
	echo "$chain" >"build/gcc/gen/$chain.o"
done
touch build/gcc/tests/ilp/{compare,memory,vec}.o build/gcc/ilp/ilp.o
luajit=$(command -v luajit)
program "$tmp/bin/luajit" "exec $luajit \"\$@\""
export PATH="$tmp/bin:$PATH" PROVE_DIR="$tmp/proof" SURVEY_DIR="$tmp/survey"
prove=(tests/ilp/prove.sh --cc gcc --isa scalar --jobs 1)
for signal in TERM INT HUP; do
	rm -rf "$PROVE_DIR"
	stopped $signal '--tests.*extent' "${prove[@]}" copy_sum xdr_copy_sum
	stopped $signal 'proof/copy_sum' "${prove[@]}" copy_sum xdr_copy_sum
	expect "$signal: the first was done" says '^  proved xdr_copy_sum .* 1 of 2'
	expect "$signal: it goes on" runs "${prove[@]}" --json "$tmp/json" copy_sum xdr_copy_sum
	expect "$signal: both are proved" [ "$(grep -c '"passed":1,"failed":0,' "$tmp/json")" = 2 ]
done
runs "${prove[@]}" copy_sum xdr_copy_sum
expect "what is done is kept" says '2 units, of which 2 '
# Vectors of another extent that were begun are not those that were made before.
was=$(sha256sum <"$PROVE_DIR/copy_sum.vec")
program "$tmp/bin/luajit" "exec $luajit \"\$@\"" "echo half >$PROVE_DIR/copy_sum.vec"
stopped TERM '--tests.*extent' "${prove[@]}" --quick copy_sum
runs "${prove[@]}" copy_sum
expect "vectors that were half made are made anew" [ "$(sha256sum <"$PROVE_DIR/copy_sum.vec")" = "$was" ]

# The survey: a unit stands still in the compiler.
program "$tmp/bin/slow" 'exec gcc "$@"'
survey=(tests/ilp/survey.sh --cc slow --isa scalar --jobs 1)
for signal in TERM INT HUP; do
	stopped $signal 'survey_0[0-9]*.c' "${survey[@]}"
	expect "$signal: no folder of work is left" [ -z "$(compgen -G "$SURVEY_DIR/work.*")" ]
	expect "$signal: no unit was done" [ -z "$(compgen -G "$SURVEY_DIR/slow*/chains*[0-9]")" ]
done
cd "$top" || exit 2
echo "$((checks - failures)) passed, $failures failed"
[ "$failures" = 0 ]
