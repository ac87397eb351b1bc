#!/bin/sh
# gen.sh OUT CHAIN.lua...: runs the generator into OUT and writes OUT/gen.mk, the list of the C files that it wrote.
# Files whose text is what it was keep their time, so only what changed is compiled again; files of chains that are
# no more are removed.
set -eu
out=$1
shift
new=$out.$$
rm -rf "$new"
mkdir -p "$out" "$new"
luajit ilp/gen/main.lua --out "$new" "$@"
kept=
for f in "$new"/*; do
	kept="$kept ${f##*/}"
	cmp -s "$f" "$out/${f##*/}" || mv "$f" "$out/"
done
for f in "$out"/*; do
	case " $kept " in *" ${f##*/} "*) ;; *) rm -f "$f" ;; esac
done
echo "GEN_C := $(cd "$out" && printf "$out/%s " *.c)" >"$out/gen.mk"
rm -rf "$new"
