#!/bin/bash
# check.sh PROGRAMS: the module on the kernels that can be had. Each is built for, with the kernel's own warnings and
# sparse, which must have nothing to say, and booted under qemu's emulation; the tests run there. PROGRAMS is the folder
# of the guest's programs. FILE.log of each guest is in build/kernel.
set -eu
cd "$(dirname "$0")/../.."
programs=$1
# shellcheck source=tests/kernel/common.sh
. tests/kernel/common.sh
needs qemu-system-x86_64 busybox cpio ip nft modinfo sparse apt-get dpkg-deb
mkdir -p "$K" "$PACKAGES"
TESTS=(calls chains packets icmp races track link storm transfer)
passed=0 failed=0 kernels=0

count() { # PASSED FAILED
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# build RELEASE: the module; its checks are that it builds and that neither gcc nor sparse has a word to say.
build() {
	local log=$K/build-$1.log
	rm -rf "${K:?}/$1"
	# W=1: warnings that the kernel itself does not ask for. C=2: sparse, whose own prototypes know all builtins.
	module=$(tools/module.sh "$K/root/usr/src/linux-headers-$1" W=1 C=2 CF=-D__CHECK_ENDIAN__ 2>"$log") || {
		echo "not ok - tcpk.ko does not build for $1: $log"
		tail -20 "$log"
		count 0 1
		return 1
	}
	if grep -E 'warning:|error:' "$log"; then
		echo "not ok - the compiler or sparse complains: $log"
		count 0 1
	else
		count 2 0
	fi
}

guest() { # RELEASE
	local release=$1 log=$K/guest-$1.log sums
	make_guest "$K/guest-$release" "$release" "$module" "$programs" "${TESTS[@]}"
	boot "$K/root/boot/vmlinuz-$release" "$K/guest-$release.gz" "$log" 600 512 \
		"tests=$(IFS=,; echo "${TESTS[*]}")" patience=250 || true
	sums=$(sum "$log")
	# shellcheck disable=SC2086 # two numbers
	count $sums
	echo "Linux $release: ${sums% *} passed, ${sums#* } failed"
	grep -E '^not ok|^# .*(: [0-9.]+ s;|not so|the )' "$log" || true
	[ "${sums#* }" = 0 ] || grep -E "$TROUBLE" -A30 "$log" | head -60 || true
}

for suite in '' "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports"; do
	if release=$(kernel_of "$suite" 2>"$K/why"); then
		kernels=$((kernels + 1))
		build "$release" && guest "$release"
	else
		echo "# no kernel of ${suite:-this system}: $(cat "$K/why")"
	fi
done
if [ "$kernels" = 0 ]; then
	echo "skipped, because no kernel can be fetched from Debian's packages"
	passed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
