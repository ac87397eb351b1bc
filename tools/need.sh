#!/bin/sh
# need.sh PACKAGE...: sees whether what these Debian packages hold is here, from wherever it came, and installs what is
# missing. Without the right to, it prints the command that would and stops.
set -eu
here() {
	case $1 in
	libc6-dev) echo '#include <argp.h>' | gcc -E -x c - >/dev/null 2>&1 ;;
	libluajit-5.1-dev) pkg-config --exists luajit ;;
	libjansson-dev) pkg-config --exists jansson ;;
	libssl-dev) pkg-config --exists libcrypto ;;
	libtirpc-dev) pkg-config --exists libtirpc ;;
	liborc-0.4-dev) pkg-config --exists orc-0.4 ;;
	libpng-dev) pkg-config --exists libpng ;;
	libmicrohttpd-dev) pkg-config --exists libmicrohttpd ;;
	check) pkg-config --exists check ;;
	liblwip-dev) pkg-config --exists lwip ;;
	libsodium-dev) pkg-config --exists libsodium ;;
	libusrsctp-dev) pkg-config --exists usrsctp ;;
	libbpf-dev) pkg-config --exists libbpf ;;
	bpftool) PATH=$PATH:/usr/sbin:/sbin command -v bpftool ;;
	gnuplot-nox) command -v gnuplot ;;
	lua-check) command -v luacheck ;;
	iproute2) command -v ip ;;
	llvm) command -v llvm-mca && command -v llvm-objdump ;;
	nftables) command -v nft ;;
	qemu-user) command -v qemu-aarch64 && command -v qemu-s390x ;;
	gcc-*-linux-gnu) command -v "${1#gcc-}-gcc" ;;
	libc6-dev-arm64-cross) echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E -x c - ;;
	libc6-dev-s390x-cross) echo '#include <stdio.h>' | s390x-linux-gnu-gcc -E -x c - ;;
	libelf-dev) echo '#include <libelf.h>' | gcc -E -x c - ;;
	busybox-static) command -v busybox && ! ldd "$(command -v busybox)" ;;
	qemu-system-x86) command -v qemu-system-x86_64 ;;
	xz-utils) command -v xz ;;
	linux-source-*) [ -e "/usr/src/$1.tar.xz" ] ;;
	libclang-rt-*) [ -e "$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a" ] ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}
missing=
for p in "$@"; do
	here "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "need.sh: this is not Debian: install yourself what these packages of Debian 12 hold:$missing" >&2
	exit 1
fi
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }; }; then
	sudo=sudo
else
	echo "need.sh: packages are missing. As root, run:" >&2
	echo "    apt-get update && apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi
echo "Installing$missing"
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q --no-install-recommends -y $missing
