#!/bin/bash
# The engine makes no system call and has no mutable global: whatever core/*.o (not core/link) leaves undefined is
# defined by another of them or stands in the list below, and none of them holds writable data.
#	tests/symbols.sh [BUILD_DIR]
set -eu
cd "$(dirname "$0")/.."
dir=${1:-${B:-build/gcc}}

# What a compiler calls of its own accord, and assert. Nothing that knows the world outside belongs here.
allowed='memcpy memmove memset memcmp __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __cpu_model'

# complaint OBJECT: what is wrong with it, given the names in $defined; nothing when it is fine.
complaint() {
	local wants holds
	wants=$(nm -u "$1" | awk '{ print $2 }' | grep -vxF -f <(tr ' ' '\n' <<<"$allowed $defined") | xargs)
	# .data.rel.ro is constant once it is relocated; a name with a dot first is the section's own.
	holds=$(objdump -t "$1" | sed -nE 's/^[0-9a-f]+ .{7} (\.t?(bss|data)[^\t]*|\*COM\*)\t[0-9a-f]+ ([^.].*)$/\1 \3/p' |
		awk '$1 !~ /^\.data\.rel\.ro/ { print $2 }' | xargs)
	[ -z "$wants" ] || echo "$1 wants $wants: the engine may not; have it handed in (core/engine.h)"
	[ -z "$holds" ] || echo "$1 holds mutable $holds: put it into struct tcpu"
}

checks=0 failures=0
check() { # whether a complaint is expected, the complaint
	checks=$((checks + 1))
	if [ "$1" != "${2:+yes}" ]; then
		failures=$((failures + 1))
		echo "${2:-no complaint about $3}"
	fi
}

objects=()
for o in "$dir"/core/*.o "$dir"/ragel/core/*.o; do
	[ ! -e "$o" ] || objects+=("$o")
done
defined=$(nm --defined-only -g "${objects[@]}" | awk 'NF == 3 { print $3 }' | xargs)
if nm -u "${objects[@]}" | grep -q ' __asan_'; then
	objects=()
	checks=1
	echo "skipped, because a sanitizer's calls and data stand in these objects"
fi
for o in "${objects[@]}"; do
	check '' "$(complaint "$o")"
done

# Planted faults: the check must see each.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
plant() { # expected, C
	echo "$2" | gcc -std=gnu17 -O2 -x c -c -o "$tmp/planted.o" -
	check "$1" "$(complaint "$tmp/planted.o")" "$2"
}
plant '' 'static const char *const names[] = {"a", "b"}; const char *f(int i) { return names[i]; }'
plant '' 'void *memcpy(void *, const void *, unsigned long); void f(void *d, void *s, long n) { memcpy(d, s, n); }'
plant yes '#include <time.h>
	long f(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec; }'
plant yes '#include <stdlib.h>
	void *f(unsigned long n) { return malloc(n); }'
plant yes '#include <errno.h>
	int f(void) { return errno; }'
plant yes 'int f(void) { static int calls; return ++calls; }'
plant yes 'int shared = 7;'
plant yes 'int shared;'
plant yes 'static _Thread_local int mine; int *f(void) { return &mine; }'
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
