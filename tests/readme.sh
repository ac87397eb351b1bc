#!/bin/bash
# What README.md invites to paste works: the chain is explained and generated; the program that loads it compiles
# without a warning, runs, and needs libc alone; so does the ADU program, and prints the three ADUs.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=${B:-build/gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
checks=0 failures=0
# CFLAGS: the sanitizers that the library is built with.
read -ra flags <<<"-std=gnu17 -O1 -Wall -Wextra -Werror -I. ${CFLAGS-}"

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

block() { # language, n: the nth block of README.md in it
	awk -v open="\`\`\`$1" -v n="$2" '$0 == open && !--n { on = 1; next } /^```/ { if (on) exit } on' README.md
}

# The program as a host of its own, in a network namespace; its page goes to standard output.
# shellcheck disable=SC2016 # the inner shell's variables
fetch() {
	unshare -n bash -c '"$1" & curl -sf --retry 30 --retry-all-errors http://10.99.0.2:8080/; e=$?; kill %1; exit $e' \
		fetch "$tmp/hello"
}

block lua 1 >"$tmp/mychain.lua"
mkdir "$tmp/stages"
block lua 2 >"$tmp/stages/zigzag.lua"
sed 's/mychain/mine/; s/"xdr_u32"/"zigzag"/' "$tmp/mychain.lua" >"$tmp/mine.lua"
block lua 3 >"$tmp/stages/point.lua"
sed 's/mychain/points/; s/"xdr_u32"/"point"/' "$tmp/mychain.lua" >"$tmp/points.lua"
block c 1 >"$tmp/atrun.c"
block c 2 >"$tmp/seal.c"
block c 3 >"$tmp/adu.c"
block c 4 >"$tmp/events"
awk -v events="$tmp/events" '/^static int receiver/ { while ((getline line <events) > 0) print line; off = 1 }
	!off { print } /^}/ { off = 0 } /alf\/alf.h/ { print "#include <errno.h>" }' "$tmp/adu.c" >"$tmp/events.c"
block c 5 >"$tmp/hello.c"
check 'the blocks are there' test -s "$tmp/mychain.lua" -a -s "$tmp/atrun.c" -a -s "$tmp/adu.c" -a -s "$tmp/hello.c"
check 'tcpu explain' "$dir/bin/tcpu" explain "$tmp/mychain.lua"
check 'tcpu explain of a chain with a stage of its own' "$dir/bin/tcpu" explain "$tmp/mine.lua"
cp "$tmp/log" "$tmp/log.mine"
check 'the stage is there' grep -q '^  zigzag  *map' "$tmp/log.mine"
check 'tcpu explain of a chain with a layout' "$dir/bin/tcpu" explain "$tmp/points.lua"
check 'tcpu gen of that chain' "$dir/bin/tcpu" gen -o "$tmp/out" "$tmp/mine.lua"
check 'tcpu gen' "$dir/bin/tcpu" gen -o "$tmp/out" "$tmp/mychain.lua"
# Its paths are relative to the source's top: it is run as it stands, with out/ and build/gcc/ where they are here.
awk '/^\tgcc .*out\/\*\.c/ { on = 1 } on { print } on && !/\\$/ { exit }' README.md |
	sed "s|-I\\.|& -I$tmp/out|; s|out/|$tmp/out/|g; s|build/gcc|$dir|; s|gcc -std|gcc ${CFLAGS-} -std|" >"$tmp/test.sh"
rm -rf "$tmp/out"
check 'tcpu gen alone' "$dir/bin/tcpu" gen -o "$tmp/out" "$tmp/mychain.lua"
check 'the test of its loops compiles and passes' bash -c ". '$tmp/test.sh'"
cp "$tmp/log" "$tmp/log.test"
check 'the test says so' grep -qxE '[1-9][0-9]+ passed, 0 failed' "$tmp/log.test"
check 'the program that loads compiles' gcc "${flags[@]}" "$tmp/atrun.c" "$dir/libtcpu.a" -o "$tmp/atrun"
export XDG_CACHE_HOME=$tmp/cache
for run in first second; do
	check "its $run run" env -C "$tmp" ./atrun
	cp "$tmp/log" "$tmp/log.atrun"
	check 'there' grep -q '^4000 bytes through xdr_u32 chacha20 copy inet_checksum: ' "$tmp/log.atrun"
	check 'and back' grep -qx 'and back' "$tmp/log.atrun"
done
check 'one object is kept' test "$(find "$tmp/cache/tcpu" -name '*.chain' | wc -l)" = 1
# Neither those that load chains nor the others are linked with more than libc and what it is made of.
needs() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|ld-linux.*|lib[au]b?san|libm)\.so' | xargs
}
check 'it needs libc alone' test -z "$(needs "$tmp/atrun")"
check 'the program that seals compiles' gcc "${flags[@]}" "$tmp/seal.c" "$dir/libtcpu.a" -o "$tmp/seal"
check 'it seals' "$tmp/seal"
cp "$tmp/log" "$tmp/log.seal"
check 'the tag is there' grep -qx '4016 bytes, the wire.s sum is [0-9a-f]\{4\}' "$tmp/log.seal"
check 'it opens' grep -qx '4000 bytes came back, the third word is 3' "$tmp/log.seal"
check 'what is forged is refused' grep -qx 'forged: the third word is 0' "$tmp/log.seal"
check 'the program compiles' gcc "${flags[@]}" "$tmp/adu.c" "$dir/libtcpu.a" -o "$tmp/adu"
check 'the program runs' timeout 60 "$tmp/adu"
cp "$tmp/log" "$tmp/log.adu"
for row in 1 2 3; do
	check "ADU $row arrives" grep -qx "'row$row': 4000 bytes, first word ${row}00" "$tmp/log.adu"
done
check 'the program with events compiles' gcc "${flags[@]}" "$tmp/events.c" "$dir/libtcpu.a" -o "$tmp/by_events"
check 'the program with events runs' timeout 60 "$tmp/by_events"
cp "$tmp/log" "$tmp/log.events"
for row in 1 2 3; do
	check "ADU $row lands in its row" grep -qx "'row$row': 4000 bytes, first word ${row}00" "$tmp/log.events"
done
check 'the host compiles' gcc "${flags[@]}" "$tmp/hello.c" "$dir/libtcpu.a" -o "$tmp/hello"
if why=$(unshare -n ip tuntap add dev try mode tun 2>&1); then
	check 'its page comes' test "$(fetch 2>/dev/null)" = hello
else
	checks=$((checks + 1))
	echo "skipped, because a TUN device in a network namespace needs root and more: ${why//$'\n'/; }"
fi
# An XDR file, and its program.
block xdr 1 >"$tmp/points.x"
block c 6 >"$tmp/shapes.c"
check 'tcpu xdr' "$dir/bin/tcpu" xdr -o "$tmp/points" "$tmp/points.x"
check 'the stage that README names is there' test -e "$tmp/points/stages/xdr_w1_h1_o1.lua"
check 'tcpu explain of its chain' "$dir/bin/tcpu" explain "$tmp/points/chains/xdr_w1_h1_o1.lua"
check 'the program with XDR compiles' gcc "${flags[@]}" -I"$tmp/points" "$tmp/shapes.c" "$tmp"/points/*.c \
	"$dir/libtcpu.a" -o "$tmp/shapes"
check 'it runs' "$tmp/shapes"
cp "$tmp/log" "$tmp/log.shapes"
check 'the list is printed' grep -qx 'next:' "$tmp/log.shapes"
check 'the point is printed' grep -qx '      tag: 61626364' "$tmp/log.shapes"
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
