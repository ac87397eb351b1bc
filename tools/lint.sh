#!/bin/bash
# lint.sh 'COMPILER FLAGS': what CONTRIBUTING.md asks for and a machine can see. `make lint` calls it.
set -u
cd "$(dirname "$0")/.." || exit
bad=0
say() {
	echo "$*"
	bad=1
}
heading() { echo "  ${1}"; }

mapfile -t c < <(find core ilp alf adu-examples tools tests kernel -name '*.[ch]' | sort)
mapfile -t lua < <(find ilp alf tools tests -name '*.lua' | sort)
mapfile -t sh < <(find tools tests .ci -name '*.sh' | sort; echo .ci/run)
mapfile -t all < <(
	find . \( -path ./.git -o -path ./build -o -path ./tests/fuzz/corpus \) -prune -o -type f -print | sort)

heading "clang-tidy"
# What the kernel runs has checks of its own: its build's warnings, the verifier, sparse.
printf '%s\n' "${c[@]}" | grep '\.c$' | grep -vE '^kernel/mod/|\.bpf\.c$' | xargs -P "$(nproc)" -I {} sh -c "
	out=\$(clang-tidy --quiet {} -- $1 2>&1) || { echo \"\$out\" | grep -E '(error|warning): '; exit 1; }" || bad=1

heading "shellcheck"
shellcheck -S warning "${sh[@]}" || bad=1

heading "luacheck"
[ ${#lua[@]} = 0 ] || luacheck --quiet --no-color "${lua[@]}" || bad=1

heading "lengths"
# Files that may be longer than 600 lines, functions that may be longer than 60, and why:
long_files=''
long_functions=''
for f in "${c[@]}" "${lua[@]}" "${sh[@]}"; do
	n=$(wc -l <"$f")
	[ "$n" -le 600 ] || [[ " $long_files " == *" $f "* ]] || say "$f: $n lines: no file is longer than 600"
done
while read -r f line name n; do
	[[ " $long_functions " == *" $f:$name "* ]] || say "$f:$line: $name has $n lines: no function is longer than 60"
done < <(awk '
	FNR == 1 { head = ""; lang = FILENAME ~ /\.lua$/ ? "lua" : "c" }
	lang == "c" && /^[a-zA-Z_].*[(]/ { match($0, /[a-zA-Z_0-9]+[(]/); head = substr($0, RSTART, RLENGTH - 1) }
	lang == "c" && /^{/ { from = FNR; inside = 1 }
	lang == "c" && /;$/ && !inside { head = "" } # a declaration
	lang == "c" && /^}/ { inside = 0 }
	lang == "c" && /^}/ && head != "" && FNR - from - 1 > 60 { print FILENAME, from, head, FNR - from - 1 }
	lang == "c" && /^}/ { head = "" }
	lang == "lua" && /^(local )?function / {
		from = FNR
		head = $0
		gsub(/^(local )?function |[(].*/, "", head)
	}
	lang == "lua" && /^end/ && head != "" && FNR - from - 1 > 60 { print FILENAME, from, head, FNR - from - 1 }
	lang == "lua" && /^end/ { head = "" }
	' "${c[@]}" "${lua[@]}")

heading "text"
text() { # a pattern that may not be, why not
	while IFS= read -r hit; do
		say "$hit: $2"
	done < <(grep -nHIE "$1" "${all[@]}" | cut -c -160)
}
text '[[:space:]]$' 'white space at the end'
text '\b(TO''DO|FIX''ME|XX''X)\b' 'finish it, or make it an issue'
text '(/ho''me/|/work/''(main|shared)|/us''r/lo''cal/[a-z]+/)' 'a path of one machine'
while IFS= read -r hit; do
	say "$hit: more than 120 characters"
done < <(awk 'length > 120 { print FILENAME ":" FNR }' "${c[@]}" "${lua[@]}" "${sh[@]}" build.mk)
exit $bad
