#!/bin/bash
# The scripts of tools/: what they refuse, and what they must not.
set -u
cd "$(dirname "$0")/.." || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
checks=0 failures=0
check() { # what, command...: succeeds
	checks=$((checks + 1))
	"${@:2}" && return
	failures=$((failures + 1))
	echo "FAILED: $*"
}

# Where there is neither dpkg nor apt-get, what is there is enough, and what is not is named.
mkdir "$tmp/bin"
for command in sh bash; do ln -s "$(command -v $command)" "$tmp/bin/"; done
ln -s "$(type -P true)" "$tmp/bin/ragel"
ln -s "$(type -P true)" "$tmp/bin/pkg-config"
check "all is there" env PATH="$tmp/bin" tools/need.sh ragel pkg-config libjansson-dev
env PATH="$tmp/bin" tools/need.sh ragel luajit 2>"$tmp/err"
check "a missing command is named" grep -q 'hold: luajit$' "$tmp/err"

# Where neither qemu nor an installer is, the tests of other machines are skipped; a build that fails is no reason to.
mkdir -p "$tmp/tree/tools" "$tmp/all"
cp tools/{check,cross,need}.sh "$tmp/tree/tools/"
ln -s /usr/bin/* "$tmp/all/"
rm -f "$tmp/all/"{qemu-*,apt-get}
check "other machines are skipped" sh -c 'PATH="$1" "$2" false >"$3" 2>&1' \
	sh "$tmp/all" "$tmp/tree/tools/cross.sh" "$tmp/out"
check "for a reason" grep -q 'skipped, because qemu-user and a compiler for s390x could not' "$tmp/out"
check "and counted" grep -qx '0 passed, 0 failed, 2 skipped' "$tmp/out"
for command in qemu-{aarch64,s390x} {aarch64,s390x}-linux-gnu-gcc; do
	ln -sf "$(type -P true)" "$tmp/all/$command"
done
check "a build fails" sh -c '! PATH="$1" "$2" false >"$3" 2>&1' sh "$tmp/all" "$tmp/tree/tools/cross.sh" "$tmp/out"

# The demo looks at FILE first, and takes its name as it stands.
for file in "$tmp/no\$such" "$tmp" /dev/null; do
	check "$file is refused" sh -c '! tools/demo.sh build/none "$1" >"$2" 2>&1' sh "$file" "$tmp/err"
	check "with its name" grep -qF "FILE='$file'" "$tmp/err"
done
# shellcheck disable=SC2016 # a name, no substitution
name='/a$b`c"d.bin'
printf 'name:\n\t@printf "%%s" "$$FILE"\n' >"$tmp/name.mk"
check "make hands a name over as it is" [ "$(make -f build.mk -f "$tmp/name.mk" name FILE="$name")" = "$name" ]

echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
