#!/bin/bash
# What README.md invites to paste works: the chain is explained, generated and its own test passes; the ADU program
# compiles without a warning, runs, and prints the three ADUs.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=${B:-build/gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
checks=0 failures=0

check() { # what, command...
	local what=$1
	shift
	checks=$((checks + 1))
	if ! "$@" >"$tmp/log" 2>&1; then
		failures=$((failures + 1))
		echo "tests/readme.sh: $what failed:"
		cat "$tmp/log"
	fi
}

block() { # language: the first block of README.md in it
	awk -v open="\`\`\`$1" '$0 == open { on = 1; next } /^```/ { if (on) exit } on' README.md
}

block lua >"$tmp/mychain.lua"
block c >"$tmp/adu.c"
check 'the blocks are there' test -s "$tmp/mychain.lua" -a -s "$tmp/adu.c"
check 'tcpu explain' "$dir/bin/tcpu" explain "$tmp/mychain.lua"
check 'tcpu gen' "$dir/bin/tcpu" gen -o "$tmp/out" "$tmp/mychain.lua"
check 'the program compiles' gcc -std=gnu17 -O1 -Wall -Wextra -Werror -I. "$tmp/adu.c" "$dir/libtcpu.a" -o "$tmp/adu"
check 'the program runs' timeout 60 "$tmp/adu"
cp "$tmp/log" "$tmp/log.adu"
for row in 1 2 3; do
	check "ADU $row arrives" grep -qx "ADU $row 'row$row': 4000 bytes, first word ${row}00" "$tmp/log.adu"
done
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
