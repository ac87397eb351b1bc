#!/bin/bash
# debug.sh PROGRAMS: the guest's tests on a kernel that watches itself, and with bugs planted in the module, each of
# which must be noticed. The kernel is built once, from Debian's linux-source, in build/kernel-debug; the module with
# delays wherever somebody else may come between (delay_us; for races.c at one place, delay_at, until somebody has).
# PLANTS=name... plants only these.
set -eu
cd "$(dirname "$0")/../.."
programs=$1
# shellcheck source=tests/kernel/common.sh
. tests/kernel/common.sh
needs qemu-system-x86_64 busybox cpio ip nft flex bison bc
D=$PWD/build/kernel-debug
DELAY=20 # microseconds
mkdir -p "$K" "$D"
# slub_debug=-: what it sees KASAN sees, too.
BOOT=(slub_debug=- no_debug_objects BRIEF=1 ROUNDS=30 patience=900)
passed=0 failed=0

check() { # WHETHER TEXT
	if [ "$1" = yes ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'not '
	fi
	echo "ok $((passed + failed)) - $2"
}

build_kernel() {
	local archive stamp
	archive=$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' | sort -V | tail -1)
	[ -n "$archive" ] || needs "Debian's linux-source"
	stamp=$(stat -c '%n %s %Y' "$archive" && cat tests/kernel/debug.config)
	src=$D/$(basename "$archive" .tar.xz)
	[ "$stamp" != "$(cat "$D/stamp" 2>/dev/null)" ] || return 0
	echo "# building a kernel that watches itself: ten minutes, once"
	[ -e "$src/Makefile" ] || tar -xJf "$archive" -C "$D"
	(
		cd "$src"
		make -s tinyconfig
		scripts/kconfig/merge_config.sh -m .config "$OLDPWD/tests/kernel/debug.config"
		make olddefconfig
		nice -n 10 make "-j$(nproc)" bzImage modules
	) >"$D/build.log" 2>&1 || { tail -20 "$D/build.log"; return 1; }
	echo "$stamp" >"$D/stamp"
}

# guest NAME SOURCE TESTS: a boot with the module of these sources; the log in build/kernel-debug/NAME.log
guest() {
	local name=$1 module
	module=$(TCPK_SOURCE=$2 TCPK_OUT=$D/module-$name tools/module.sh "$src" KCFLAGS=-DTCPK_DELAY 2>"$D/$name-build.log") ||
		{ tail -20 "$D/$name-build.log"; return 2; }
	# shellcheck disable=SC2086 # a list
	make_guest "$D/guest-$name" '' "$module" "$programs" ${3//,/ }
	boot "$src/arch/x86/boot/bzImage" "$D/guest-$name.gz" "$D/$name.log" 2400 1024 "tests=$3" "${BOOT[@]}" \
		"TCPK_ARGUMENTS=delay_us=$DELAY" "tcpk_delay=$DELAY"
}

build_kernel
if guest good "$PWD" calls,chains,packets,icmp,races,track,link,storm,transfer; then rc=yes; else rc=no; fi
echo "# unharmed: $(sum "$D/good.log" | sed 's/ / passed, /') failed"
check $rc "the tests pass and the kernel has nothing to complain of"
[ $rc = yes ] || grep -E "^not ok|^# the|$TROUBLE" -A12 "$D/good.log" | head -80 || true

for patch in tests/kernel/plants/*.patch; do
	name=$(basename "$patch" .patch)
	[[ -z ${PLANTS-} || " $PLANTS " == *" $name "* ]] || continue
	rm -rf "$D/plant-$name"
	mkdir -p "$D/plant-$name"
	cp -r kernel "$D/plant-$name/"
	if ! patch -s -p1 -d "$D/plant-$name" <"$patch"; then
		check no "$name: the patch applies"
		continue
	fi
	expected=$(sed -n 's/^Expect: //p' "$patch")
	EARLY=yes guest "$name" "$D/plant-$name" "$(sed -n 's/^Tests: //p' "$patch")" && rc=0 || rc=$?
	if [ "$rc" = 1 ] && grep -qE "$expected" "$D/$name.log"; then
		check yes "$name: caught: $(grep -m1 -oE "$expected.*" "$D/$name.log" | cut -c1-80)"
	else
		check no "$name: caught (status $rc; expected: $expected; see $D/$name.log)"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
