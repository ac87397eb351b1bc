#!/bin/bash
# tcpu xdr: what is wrong with a file is told where it stands; real files become C that two compilers take without a
# word; and values of all their types go through our C and through rpcgen's with libtirpc, byte for byte the same.
#	tests/xdr.sh [VALUES [NAME]]	how many of each type [20], of which file [all]
set -u
cd "$(dirname "$0")/.." || exit
values=${1:-20}
only=${2-}
B=${B:-build/gcc}
tcpu=$B/bin/tcpu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
read -ra flags <<<"${CFLAGS-}"
# Of a long run more is computed than compiled.
if [ "$values" -gt 1000 ]; then flags+=(-O2); else flags+=(-O0); fi

checks=0 failures=0
fail() {
	failures=$((failures + 1))
	echo "$*"
}

# ---- what is wrong with a file ----

# wrong 'LINE:COLUMN: MESSAGE' SOURCE [OPTIONS...]: the message is a pattern; \n in the source is a line's end.
wrong() {
	local expected=$1 source=$2 said status=0
	shift 2
	checks=$((checks + 1))
	printf '%b' "$source" >"$tmp/wrong.x"
	said=$("$tcpu" xdr -o "$tmp/nothing" "$@" "$tmp/wrong.x" 2>&1) || status=$?
	[ "$status" = 1 ] && grep -qE -- "^$tmp/wrong.x:$expected" <<<"$said" && [ ! -e "$tmp/nothing" ] && return
	fail "'$source': expected status 1 and $expected, nothing written; got $status: $said"
}
wrong "1:8: found '\{', expected the name of the struct" 'struct { int a; };'
wrong "1:18: found 'b', expected \[, < or ;" 'struct a { int a b; };'
wrong "1:16: found '<', expected \* or a name" 'struct a { int <>; };'
wrong "1:18: found '\(', expected \[, < or ;" 'struct a { int b (3); };'
wrong "2:7: found 'int', expected \* or a name" 'struct a {\n  int int;\n};'
wrong "1:11: found the end of the file, expected void, opaque, string or a type" 'struct a {'
wrong "1:1: found 'int', expected typedef, enum, struct, union, const or program$" 'int a;'
wrong "1:1: .*, program or namespace" 'int a;' --dialect stellar
wrong "1:1: found 'namespace'" 'namespace a { }'
wrong "1:1: '//' is nothing of RFC 4506.*--dialect stellar" '// a'
wrong "1:11: a string that does not end, expected \"" 'const a = "b'
wrong "1:16: found ';', expected >, a number or the name of a constant" 'typedef int  a<;'
wrong "1:18: found 'float', expected int, hyper, long, short, char, \* or a name" 'typedef unsigned float a;'
wrong "1:17: found '}', expected \[, < or ;" 'struct a {int c }'
wrong "1:20: found '=', expected }, void, opaque, string or a type" 'struct a { int c;  = }'
wrong "1:13: found '::', expected \* or a name" 'struct a { b::c d; };'
wrong "1:11: found ';', expected a string, a number or the name" 'const a = ;'
wrong "2:3: '\\\\\$' is nothing of the language|2:3: '.' is nothing" 'const a = 1;\n  $'
wrong "1:1: '%' is nothing|2:2: '%' is nothing of the language" '\n %x'
wrong "2:5: a comment that does not end, expected \*/; close it" '\n    /* a\n\n'
wrong "1:12: 'b' is not defined, expected a type" 'struct a { b c; };'
wrong "1:11: 'b' is no constant, expected one" 'const a = b;'
wrong "1:11: 'a' is no constant" 'const a = a;'
wrong "1:26: 'n' is not defined, expected a constant.*before it is used" 'struct a { opaque bytes [n]; };'
wrong "1:33: 'a' is a type, expected a constant" 'typedef int a; typedef opaque b[a];'
wrong "1:20: an array of 0, expected 1 to 4294967295" 'typedef int a[     0];'
wrong "1:15: an array of -1" 'typedef int a[-1];'
wrong "1:15: a limit of 4294967296, expected 0 to 4294967295" 'typedef int a<4294967296>;'
wrong "1:11: '08' is no number, expected decimal, 0x" 'const a = 08;'
wrong "1:11: '1x' is no number" 'const a = 1x;'
wrong "1:11: 0x10000000000000000 has more than 64 bits" 'const a = 0x10000000000000000;'
wrong "1:11: -9223372036854775809 has more than 64 bits" 'const a = -9223372036854775809;'
wrong "1:14: 2147483648 does not fit, expected -2147483648 to 2147483647" 'enum a { b = 2147483648 };'
wrong "1:30: 'c' would be 2147483648" 'enum a { b = 2147483647,     c };'
wrong "1:13: found ';', expected =, a comma or }" 'enum a { b  ; };'
wrong "1:12: found '}', expected the name of a member" 'enum a { b,}'
wrong "1:25: 'b' is defined a second time, .* the first is at .*wrong.x:1:10" 'enum a { b }; enum c {  b };'
wrong "1:34: 'a' is defined a second time" 'const a = 1;  typedef a a; const a = 2;'
wrong "1:27: a second field 'b', .* line 1" 'struct a { int b; string  b<>; };'
wrong "1:12: void in a struct" 'struct a { void; };'
wrong "1:9: typedef void" 'typedef void;'
wrong "1:17: found '\[', expected <" 'typedef string a[3];'
wrong "1:17: found ';', expected \[ or <" 'typedef opaque a;'
union='union a switch (int b) {'
wrong "1:26: found '\}', expected case" "$union }"
wrong "1:55: found 'case', expected \}" "$union case 1: void; default: void; case 2: int c; };"
wrong "1:45: case 1 is 1, as the one at line 1" "$union case 1: void; case 1: int c; };"
wrong "1:53: a second arm 'c'" "$union case 1: int c; case 2: int c; };"
wrong "1:22: 'b' chooses an arm, expected an int" 'union a switch(hyper b) { case 1: void; };'
wrong "1:47: case 3 is no value of the discriminant" 'enum e { f = 1 }; union a switch (e b) { case 3: void; };'
wrong "1:32: case 2 is no value" 'union a switch (bool b) { case 2: void; };'
wrong "1:36: case -1 does not fit" 'union a switch (unsigned b) { case -1: void; };'
wrong "1:8: 'a' contains itself, expected an optional or a list" 'struct a { int b; a c; };'
wrong "1:[0-9]+: '[ab]' contains itself" 'struct a { b c[2]; }; union b switch (int d) { case 1: a e; };'
wrong "1:[0-9]+: a name for a name for .*circle" 'typedef a b; typedef b a;'
wrong "1:[0-9]+: '[ab]' would have more than 1073741824 bytes" 'typedef int a[65536]; struct b { a c[65536]; };'
wrong "1:[0-9]+: 'b' would be 'a_encode' in C, as what is defined at .*|1:[0-9]+: 'a_encode' would be" \
	'struct a { int c; }; struct a_encode { int d; };'
wrong "1:22: 'uint32_t' would be another type than C's" 'typedef      hyper   uint32_t;'
wrong "1:10: found '=', expected version|1:13: found '\}', expected version" 'program a { } = 1;'
wrong "1:[0-9]+: found ';', expected =" 'program a { version b { void c(void); } = 1; } = 2;'
procedures='program a { version b { void c(void) = 1;'
wrong "1:[0-9]+: a second procedure 'c', .* line 1" "$procedures void c(void) = 2; } = 1; } = 2;"
wrong "1:[0-9]+: 'c' is defined a second time" "const c = 9; $procedures } = 1; } = 2;"
wrong "12:8: found '\{'" '# 12 "'"$tmp"'/wrong.x"\nstruct { };'
# Nothing recurses as deep as a file may like, and what is long is not slow.
deep() { # how deep: bodies in bodies
	printf 'struct a { '
	printf 'struct { %.0s' $(seq "$1")
	printf 'int x;'
	printf ' } b;%.0s' $(seq "$1")
	printf ' };'
}
wrong "1:[0-9]+: struct in more than 32 others" "$(deep 100)"
chained() { # a format of two numbers
	echo 'struct s2001 { int x; };'
	# shellcheck disable=SC2059 # a format
	for i in $(seq 2000); do printf "$1" "$i" $((i + 1)); done
}
wrong "[0-9]+:[0-9]+: .* more than 500" "$(chained 'struct s%d { s%d x; }; ')"
wrong "[0-9]+:[0-9]+: .* more than 500 times" "struct s1 { int y; }; $(for i in $(seq 600); do
	printf 'typedef t%d t%d; ' $((i + 1)) "$i"; done) typedef s1 t601;"

wrong "1:[0-9]+: 'x{200}\.\.\.' is not defined" "struct a { $(printf 'x%.0s' $(seq 5000)) b; };"
wrong "1:[0-9]+: a name in more than 32 namespaces" \
	"struct a { a$(printf '::b%.0s' $(seq 3000)) b; };" --dialect stellar

# ---- what it does ----

# expect STATUS PATTERN COMMAND...
expect() {
	local status=$1 pattern=$2 got=0
	shift 2
	checks=$((checks + 1))
	"$@" >"$tmp/said" 2>&1 || got=$?
	[ "$got" = "$status" ] && { cat "$tmp/said"; echo; } | grep -qE -- "$pattern" && return
	fail "$*: status $got, expected $status and /$pattern/; it said: $(head -n 20 "$tmp/said")"
}
expect 2 'which file' "$tcpu" xdr
: >"$tmp/empty.x"
expect 0 '^0 types' "$tcpu" xdr --types "$tmp/empty.x"
# A type of the file's own that rpcgen has a word for.
expect 0 '^of_long +struct +12 or more' "$tcpu" xdr --types tests/xdr/grammar.x
expect 2 'expected rfc or stellar' "$tcpu" xdr --dialect sun tests/xdr/ledger.x
expect 2 "-n 'a/b': expected letters" "$tcpu" xdr -n a/b tests/xdr/ledger.x
expect 1 'nothing.x: No such file' "$tcpu" xdr "$tmp/nothing.x"
expect 1 'Is a directory' "$tcpu" xdr "$tmp"
expect 1 'ledger.x:1:1: .//. is nothing' "$tcpu" xdr -o "$tmp/nothing" tests/xdr/ledger.x
expect 0 '^five +struct +24 bytes +standard.x:[0-9]+$' "$tcpu" xdr --types tests/xdr/standard.x
expect 0 '"name": "xdr_w2_h1_w2"' "$tcpu" xdr --json tests/xdr/standard.x
expect 0 '' "$tcpu" xdr -o "$tmp/a/b" -n it -p my_ tests/xdr/standard.x
expect 0 'int my_five_encode\(const my_five \*, struct ilp_xdr_out \*\);' cat "$tmp/a/b/it.h"
expect 0 'stages/xdr_w1_h1.lua' find "$tmp/a/b"
# Its stages are any others' equals: fused with a checksum and a cipher.
printf 'return chain { name = "sealed", stages = { "xdr_w2_h1_w2", "chacha20", "copy", "inet_checksum" } }\n' \
	>"$tmp/a/b/chains/sealed.lua"
expect 0 'sealed: one loop' "$tcpu" explain "$tmp/a/b/chains/sealed.lua"
expect 1 'choose a name with -n' "$tcpu" xdr -o "$tmp/a/c" -n xdr_w1_h1 tests/xdr/standard.x
expect 0 'zeros = 3' cat "$tmp/a/b/stages/xdr_w1_o1_a1_h1.lua"
# And what such a loop sends is what T_encode does, and its sum; padding is zero, whatever memory has there.
mkdir -p "$tmp/fuse/loops"
expect 0 '' "$tcpu" xdr -o "$tmp/fuse" tests/xdr/standard.x
for chain in whole:xdr_w2_h1_w2 gaps:xdr_w1_o1_a1_h1; do
	lua=$tmp/fuse/chains/${chain%:*}.lua
	printf 'return chain { name = "%s", stages = { "%s", "copy", "inet_checksum" } }\n' "${chain%:*}" "${chain#*:}" >"$lua"
	expect 0 '' "$tcpu" gen -o "$tmp/fuse/loops/${chain%:*}" "$lua"
done
expect 0 '' gcc -std=gnu17 -I. -I"$tmp/fuse" -I"$tmp/fuse/loops/whole" -I"$tmp/fuse/loops/gaps" tests/xdr/fused.c \
	"$tmp"/fuse/*.c "$tmp"/fuse/loops/{whole/whole,gaps/gaps}.c "$B/libtcpu.a" -o "$tmp/fuse/run"
expect 0 'Checks: 600, Failures: 0' "$tmp/fuse/run"
# A program may have libtirpc and rpcgen's C as well: nothing of ours, of the library or of a file's C, has a name of
# theirs.
globals() { # options of nm
	nm -P --defined-only "$@" 2>/dev/null | awk 'NF > 2 && $2 ~ /[A-Z]/ { sub(/@.*/, "", $1); print $1 }' | sort -u
}
(cd "$tmp/fuse" && gcc -std=gnu17 -I"$OLDPWD" -c ./*.c) || fail 'standard.c does not compile'
globals "$B/libtcpu.a" "$tmp"/fuse/*.o >"$tmp/ours"
for name in ilp_xdr_get_string ilp_xdr_run fives_encode ilp_chain_xdr_w1_h1; do
	expect 0 '' grep -x "$name" "$tmp/ours"
done
expect 1 '' grep '^xdr' "$tmp/ours"
tirpc=$(gcc -print-file-name=libtirpc.so)
if [ -e "$tirpc" ]; then
	globals -D "$tirpc" >"$tmp/theirs"
	expect 0 '' grep -x 'xdr_string' "$tmp/theirs"
	expect 1 '' grep -xFf "$tmp/ours" "$tmp/theirs"
else
	echo "skipped, because there is no libtirpc: install libtirpc-dev"
fi
# Two files of two folders, which have the same loops, in one program.
for x in left right; do
	echo "struct ${x}_one { int a; hyper b; }; typedef ${x}_one ${x}_all<>;" >"$tmp/$x.x"
	expect 0 '' "$tcpu" xdr -o "$tmp/$x" "$tmp/$x.x"
done
expect 0 '' gcc -std=gnu17 -shared -fPIC -I. "$tmp"/{left,right}/*.c -o "$tmp/both.so"
# All of the files or none.
mkdir -p "$tmp/whole/standard.h"
expect 1 'standard.h: Is a directory' "$tcpu" xdr -o "$tmp/whole" tests/xdr/standard.x
expect 1 '' grep -vx 'standard.h' <(ls -A "$tmp/whole")
# The preprocessor's files and lines.
printf '#ifdef RPC_HDR\n%%#define LEFT 3\n#endif\n#include "in.x"\n#if B\ntypedef a c[LEFT];\n#endif\n' >"$tmp/pre.x"
printf 'struct a {\n\tint b;\n};\n' >"$tmp/in.x"
expect 0 '^c +array +12 bytes' "$tcpu" xdr --types -D B=1 "$tmp/pre.x"
expect 1 '' grep '^c ' <("$tcpu" xdr --types "$tmp/pre.x")
echo 'typedef int c[LEN];' >"$tmp/len.x" # with no line of the preprocessor's
expect 0 '^c +array +12 bytes' "$tcpu" xdr --types -DLEN=3 "$tmp/len.x"
printf '  # define LEN 4\n\ttypedef int c[LEN];\n \t' >"$tmp/len.x"
expect 0 '^c +array +16 bytes' "$tcpu" xdr --types "$tmp/len.x"
printf 'struct a {\n\tnone b;\n};\n' >"$tmp/in.x"
expect 1 '/in.x:2:2: .none. is not defined' "$tcpu" xdr --types "$tmp/pre.x"
# TRUE and FALSE may be a file's own; versions may number their procedures otherwise.
cat >"$tmp/own.x" <<'end'
enum e { TRUE = 5, FALSE = 6 };
union u switch (e f) { case TRUE: int a; case FALSE: void; };
program p { version V1 { void READ(void) = 1; void NULLP(void) = 0; } = 1;
	version V2 { void READ(void) = 2; void NULLP(void) = 0; } = 2; } = 9;
end
expect 0 '' "$tcpu" xdr -o "$tmp/own" "$tmp/own.x"
expect 0 '#define V2_READ 2' cat "$tmp/own/own.h"
expect 0 '#define READ 1' cat "$tmp/own/own.h"
# What grew with the square of the types, or of constants, would take minutes.
for i in $(seq 0 100000); do echo "const c$i = c$((i + 1));"; done >"$tmp/chain.x"
expect 1 "100001. is no constant" timeout 60 "$tcpu" xdr --types "$tmp/chain.x"
echo 'const c100001 = 7;' >>"$tmp/chain.x"
expect 0 '100002 constants' timeout 60 "$tcpu" xdr --types "$tmp/chain.x"
many() {
	for i in $(seq "$1"); do echo "struct s$i { int a; hyper b; string c<>; s$((i > 1 ? i - 1 : 1)) *d; };"; done
}
many 3000 >"$tmp/many.x"
expect 0 '3000 types' timeout 60 "$tcpu" xdr --types "$tmp/many.x"
truncate -s 5M "$tmp/large.x"
expect 1 'large.x: more than 4 MiB' "$tcpu" xdr --types "$tmp/large.x"

# ---- names ----

warnings=(-Wall -Wextra -Wconversion -Werror -Wno-unknown-pragmas)
# named WHAT FILE [OPTIONS...]: C that compilers take, with what else glibc has and without. (gcc takes long for the
# functions of a thousand types.)
named() {
	local what=$1 file=$2
	shift 2
	expect 0 '' "$tcpu" xdr -s --random -n named -o "$tmp/named" "$@" "$file"
	[ -e "$tmp/named/named.c" ] || echo "names as $what"
	expect 0 '' gcc -std=gnu17 "${warnings[@]}" -fsyntax-only -I. -x c "$tmp/named/named.h"
	expect 0 '' gcc -std=gnu17 -D_GNU_SOURCE "${warnings[@]}" -fsyntax-only -I. -x c "$tmp/named/named.h"
	expect 0 '' clang -std=gnu17 -D_GNU_SOURCE "${warnings[@]}" -fsyntax-only -I. -I"$tmp/named" "$tmp"/named/named*.c
	rm -rf "$tmp/named"
}
# All that C's headers have, as the compilers say, that ours have, and that the C of a file has but its public names.
words() { # of files
	cat "$@" | grep -oE '\b[A-Za-z_][A-Za-z_0-9]*' | sort -u
}
printf '#include <errno.h>\n#include "ilp/xdr/code.h"\n' >"$tmp/all.h"
for c in gcc clang; do
	$c -std=gnu17 -D_GNU_SOURCE -I. -E -P "$tmp/all.h"
	$c -std=gnu17 -D_GNU_SOURCE -I. -E -dM "$tmp/all.h" | sed -E 's/^#define ([A-Za-z_0-9]+).*/\1/'
done >"$tmp/all"
"$tcpu" xdr --random -o "$tmp/all.d" tests/xdr/standard.x
tr -s ' ' '\n' <<<'void opaque string unsigned struct union enum const typedef switch case default float double
quadruple bool int hyper long short char program version TRUE FALSE' >"$tmp/reserved"
words "$tmp/all" "$tmp"/all.d/standard{,_random}.c ilp/xdr/code.h | grep -vxFf "$tmp/reserved" |
	grep -vE '_(encode|decode|wire_size|free|print|)$|^_|^nested_|^v_from' >"$tmp/words"
# rpcgen's names for C's types, which typedef may not make others.
sed -n '/^M.BUILTIN = /,/^} do/p' ilp/xdr/parse.lua >"$tmp/builtin"
expect 0 '^[6-9][0-9]{2}|^[0-9]{4}' wc -l <"$tmp/words"
sed 's/.*/struct & { int a; & *next; opaque c<>; };/' "$tmp/words" >"$tmp/as.x"
named structs "$tmp/as.x"
grep -vxFf <(words "$tmp/builtin") "$tmp/words" | sed 's/.*/typedef int &<>;/' >"$tmp/as.x"
named lists "$tmp/as.x"
{ echo 'struct all {'; sed 's/.*/int &;/' "$tmp/words"; echo '};'; } >"$tmp/as.x"
named fields "$tmp/as.x"
for x in standard ledger; do
	grep -vxFf <(words tests/xdr/$x.x) "$tmp/words" >"$tmp/others"
	{ sed 's/.*/const & = 3;/' "$tmp/others"; cat tests/xdr/$x.x; } >"$tmp/as.x"
	named constants "$tmp/as.x" --dialect stellar
	{ echo 'enum members {'; sed 's/$/ = 3,/' "$tmp/others"; echo 'last_one = 4 };'; cat tests/xdr/$x.x; } >"$tmp/as.x"
	named members "$tmp/as.x" --dialect stellar
done
cat >"$tmp/as.x" <<'end'
enum color { red = 1, blue = 4 };
typedef opaque color_name[4];
struct color_listed { color a; };
struct X { int a; X *b; color c; string d<>; };
typedef X args;
end
for s in measure put get drop show name listed fill args; do
	for word in ${s}_X ${s}_args X_$s ilp_xdr_X_$s ilp_xdr_${s}_X any_${s}_X X_any$s; do
		echo "struct $word { X a; color b<>; };"
	done
done >>"$tmp/as.x"
named functions "$tmp/as.x"

# ---- real files ----

# rpcgen's C of a file, as $dir/theirs.o and $dir/rpc.o; quiet, and an error where it makes none.
rpcgen_of() { # name
	local dir=$tmp/$1 name=$1
	rm -f "$dir/rpc.h" "$dir/rpc.c"
	(cd "$dir" && rpcgen -h -o rpc.h rpc.x && rpcgen -c -o rpc.c rpc.x) 2>"$dir/rpcgen.log" || return
	sed -i 's/struct struct {/struct {/' "$dir/rpc.h" # what rpcgen makes of a list in a union
	# What rpcgen makes of this one is libtirpc's own header.
	[ "$name" != rpcb_prot ] || printf '#include <rpc/rpc.h>\n#include <rpc/rpcb_prot.h>\n' >"$dir/rpc.h"
	{
		printf '#include "rpc.h"\n#include "tests/xdr/theirs.h"\nconst struct their_type theirs[] = {\n'
		awk '$4 ~ /:[0-9]+$/ || $5 ~ /:[0-9]+$/ || $6 ~ /:[0-9]+$/ { print $1 }' "$dir/types" | grep -v '\.' |
			sed "s/.*/{ \"${2-}&\", (bool_t (*)(XDR *, void *))xdr_&, sizeof(&) },/"
		printf '{ 0 } };\n'
	} >"$dir/theirs.c"
	for c in rpc theirs; do
		gcc "${flags[@]}" -w -I. -I"$dir" -Itests/xdr -I/usr/include/tirpc "-D__FBSDID(x)=" -Dxdr_rpcprog_t=xdr_u_int \
			-Dxdr_rpcvers_t=xdr_u_int -Dxdr_rpcproc_t=xdr_u_int -c "$dir/$c.c" -o "$dir/$c.o" 2>>"$dir/rpcgen.log" || return
	done
}

# file NAME TYPES PREFIX FILE...: what it has, that two compilers take its C, and values of its types.
file() {
	local name=$1 count=$2 prefix=$3 dir=$tmp/$1 theirs=() objects=() said options=()
	shift 3
	[ "${only:-$name}" = "$name" ] || return 0
	mkdir -p "$dir"
	[ "$name" != ledger ] || options=(--dialect stellar)
	"$tcpu" xdr "${options[@]}" --types "$@" >"$dir/types" 2>&1
	checks=$((checks + 1))
	tail -n 1 "$dir/types" | grep -q "^$count types" || fail "$name: expected $count types: $(tail -n 1 "$dir/types")"
	# Lines with % are of C for libtirpc.
	expect 0 '' "$tcpu" xdr "${options[@]}" -s --random -n "$name" -o "$dir" "$@"
	expect 0 '' clang -std=gnu17 "${warnings[@]}" -fsyntax-only -I. -I"$dir" "$dir/$name.c" "$dir/${name}_random.c"
	if [ "$rpcgen" ] && { [ -e "$dir/rpc.x" ] || cp "${@: -1}" "$dir/rpc.x"; } && rpcgen_of "$name" "$prefix"; then
		theirs=(-DTHEIRS=theirs)
		objects=("$dir/rpc.o" "$dir/theirs.o")
	elif [ "$rpcgen" ] && [[ $name != @(standard|grammar) ]]; then # which have what rpcgen does not know
		fail "$name: rpcgen: $(head -n 3 "$dir/rpcgen.log")"
	fi
	sources=("$dir/$name.c" "$dir/${name}_random.c")
	for c in "$dir"/xdr_*.c; do [ ! -e "$c" ] || sources+=("$c"); done
	expect 0 '' gcc -std=gnu17 "${flags[@]}" "${warnings[@]}" "${theirs[@]}" "-DOURS=${name}_types" -I. -I"$dir" \
		-isystem /usr/include/tirpc "${sources[@]}" tests/xdr/differential.c "${objects[@]}" "$B/libtcpu.a" -ltirpc \
		-Wl,--wrap=malloc,--wrap=calloc,--wrap=free -o "$dir/differential"
	said=$("$dir/differential" "$values" "${SEED:-1}")
	printf '%-15s %s\n' "$name" "$said"
	# All that rpcgen has a type for: of mount one is a list in its C, and no type. (standard and grammar have what it
	# does not know.)
	local compared=$count
	case $name in standard | grammar) compared=0 ;; mount) compared=$((count - 1)) ;; esac
	if [ "$rpcgen" ]; then
		checks=$((checks + 1))
		grep -q " $compared of them compared" <<<"$said" || fail "$name: expected $compared types compared with libtirpc"
	fi
	read -r passed failed < <(awk '/^100%: Checks: / { gsub(/[^0-9 ]/, ""); print $2, $3 }' <<<"$said")
	checks=$((checks + ${passed:-1})) failures=$((failures + ${failed:-1}))
	rm -rf "$dir"
}

if rpcgen=$(command -v rpcgen); then :; else
	echo "skipped, because there is no rpcgen: install rpcsvc-proto"
	rpcgen=
fi
mkdir -p "$tmp/ledger" "$tmp/nis" "$tmp/nis_callback"
file standard 39 '' tests/xdr/standard.x
file grammar 73 '' tests/xdr/grammar.x
file plain 33 '' tests/xdr/plain.x
# Without what is of the dialect, and with a name in C for rpcgen's list of what it is in.
sed -e '1i %typedef struct Tree Tree;' -e 's|//.*||; s/notes:://; /^namespace/ { N; d }; /^}$/ d' \
	tests/xdr/ledger.x >"$tmp/ledger/rpc.x"
file ledger 19 notes_ tests/xdr/ledger.x
real=/usr/include/rpcsvc
if [ ! -e $real/nis.x ] || [ ! -e /usr/include/tirpc/rpcsvc/crypt.x ]; then
	echo "skipped, because Debian's files are not there: install rpcsvc-proto, libtirpc-dev and libnsl-dev"
else
	while read -r name count; do
		[ ! -e $real/$name.x ] || file "$name" "$count" '' $real/$name.x
	done <<-'end'
		bootparam_prot 9
		key_prot 10
		klm_prot 8
		mount 10
		nfs_prot 29
		nis_object 17
		nlm_prot 17
		rex 8
		rquota 4
		rstat 4
		rusers 2
		sm_inter 8
		spray 3
		yp 25
		yppasswd 2
	end
	# rpcgen does not know that a line goes on, nor of files that need others.
	sed -e ':a' -e '/^%.*\\$/ { N; s/\\\n//; ta' -e '}' $real/nis.x >"$tmp/nis/rpc.x"
	cp $real/nis_object.x "$tmp/nis/"
	file nis 34 '' $real/nis.x
	sed -e ':a' -e '/^%.*\\$/ { N; s/\\\n//; ta' -e '}' $real/nis.x >"$tmp/nis_callback/rpc.x"
	cp $real/nis_object.x "$tmp/nis_callback/"
	grep -v '^%#' $real/nis_callback.x >>"$tmp/nis_callback/rpc.x"
	file nis_callback 36 '' $real/nis.x $real/nis_callback.x
	file crypt 4 '' /usr/include/tirpc/rpcsvc/crypt.x
	file rpcb_prot 15 '' /usr/include/tirpc/rpc/rpcb_prot.x
fi
if [ -e ../shared/x/nfs42.x ]; then
	file nfs4 229 '' ../shared/x/nfs4.x
	file nfs42 470 '' ../shared/x/nfs42.x
else
	echo "skipped, because there is no ../shared/x/nfs4.x, nfs42.x (RFC 7531, RFC 7863)"
fi
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
