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
