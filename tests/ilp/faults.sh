#!/bin/bash
# Plants faults in generated loops, one at a time, and checks that the chain's test sees each.
#
#	tests/ilp/faults.sh DIR [CC]
#
# DIR holds what `luajit ilp/gen/main.lua --out DIR --tests DIR ilp/chains/*.lua` wrote. Run from the top of the source.
# Its last line is `N passed, N failed`: the faults that were seen, and those that were not.
dir=${1:?usage: tests/ilp/faults.sh DIR [CC]}
cc=${2:-cc}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
seen=0 missed=0

flags=(-std=gnu17 -D_GNU_SOURCE -O1 -w -I. "-I$dir")
read -ra libs < <(pkg-config --libs check)
read -ra crypto < <(pkg-config --libs libcrypto)
for file in ilp/ilp.c tests/ilp/vec.c tests/ilp/compare.c; do
	$cc "${flags[@]}" -c $file -o "$work/$(basename $file .c).o" || exit 2
done
echo '#include "ilp/ilp.h"
const struct ilp_chain *const ilp_chains[] = { 0 };' >"$work/chains.c"

# Some of the faults are in loops that only such a processor runs.
echo '#include "ilp/ilp.h"
int main(void) { return !ilp_isa_here(ILP_AVX512); }' >"$work/here.c"
$cc "${flags[@]}" "$work/here.c" "$work/chains.c" "$work/ilp.o" -o "$work/here" || exit 2
if ! "$work/here"; then
	echo "skipped, because this processor has no AVX-512"
	echo "1 passed, 0 failed"
	exit
fi

miss() {
	echo "$*"
	missed=$((missed + 1))
}
# plant NAME FUNCTION COMMANDS: writes $chain's C with these sed commands done to that function, or to any line if it is
# `anywhere`.
plant() {
	local name="$chain: $1" script="/^[A-Z0-9]* *static.* $2(/,/^}/ { $3 }"
	[ "$2" != anywhere ] || script=$3
	sed "$script" "$dir/$chain.c" >"$work/$chain.c" || exit 2
	cmp -s "$dir/$chain.c" "$work/$chain.c" || return 0
	miss "fault changes nothing: $name"
	return 1
}
# fault NAME FUNCTION COMMANDS: the test of $chain must fail then.
fault() {
	plant "$@" || return
	$cc "${flags[@]}" "$work/$chain.c" "$work/chains.c" "$dir/${chain}_test.c" "$work"/{ilp,vec,compare}.o \
		-o "$work/test" "${libs[@]}" || exit 2
	if CK_DEFAULT_TIMEOUT=20 timeout 120 "$work/test" "$dir/$chain.vec" >"$work/log" 2>&1; then
		miss "not seen: $chain: $1"
	else
		seen=$((seen + 1))
	fi
}
# The same for tests/ilp_vectors.c, which sees places that a .vec file does not reach.
vector_fault() {
	plant "$@" || return
	local c others=()
	for c in chacha20_copy_sum copy_sum xdr_chacha20_copy_sum xdr_copy_sum; do
		[ $c = "$chain" ] || others+=("$dir/$c.c")
	done
	$cc "${flags[@]}" "$work/$chain.c" "${others[@]}" "$dir/chains.c" tests/ilp_vectors.c "$work/ilp.o" \
		-o "$work/test" "${libs[@]}" "${crypto[@]}" || exit 2
	if timeout 120 "$work/test" >"$work/log" 2>&1; then
		miss "not seen by ilp_vectors: $chain: $1"
	else
		seen=$((seen + 1))
	fi
}

chain=xdr_copy_sum
fused=xdr_u32_copy_inet_checksum
back=inet_checksum_copy_xdr_u32
fault "stride too short" ${fused}_avx2 's/i += 128/i += 96/'
fault "stride too long" ${fused}_avx512 's/i += 256/i += 320/'
fault "last bytes dropped" ${fused}_scalar 's/if (i < n) {/if (0) {/'
fault "a vector too many" ${fused}_avx2 's/n - i >= 16; i += 16/n - i >= 12 \&\& n - i < 32; i += 16/'
fault "store beyond the end" ${back}_scalar 's/store_last(dst + i, x, n - i)/store_last(dst + i, x, 3)/'
fault "load beyond the end" ${fused}_avx512 's/size_t i = 0;/size_t i = 0; (void)*(volatile const uint8_t *)(src + n);/'
fault "scratch overrun" xdr_u32_avx2 's/size_t i = 0;/size_t i = 0; if (dst != src) dst[n < 64 ? 64 : n] = 1;/'
fault "source changed" send_layered_avx2 's/xdr_u32_avx2(tmp, src/((uint8_t *)src)[0] ^= 1; xdr_u32_avx2(tmp, src/'
fault "parity missed" inet_checksum_join 's/(len_a & 1ull)/0/'
fault "length of a piece not counted" inet_checksum_count 's/f->len += n/f->len += n \& 6/'
fault "wrong unit held" recv 's/n % 4/n % 2/'
fault "held bytes counted twice" recv 's/^.*s->inet_checksum = inet_checksum;//'
fault "held bytes not counted" recv 's/^.*inet_checksum_scalar(s, src + whole, rest);//'
fault "place not advanced" send 's/s->ilp.pos += n;//'
fault "a vector not converted" ${back}_avx512 's/x3 = BIG(v512, x3);//'
fault "an accumulator lost" ${back}_avx512 's/inet_checksum_0 = inet_checksum_0 + inet_checksum_1;//'
fault "carries lost" ${fused}_avx2 '
	s/ + inet_checksum_upper_1 - (inet_checksum_upper_1 << 32)//
	s/inet_checksum_1 += inet_checksum_upper_1 - .*;//'
fault "sum does not restart" sum 's/s->inet_checksum = .*//'
fault "begin keeps what was held" begin 's/s->ilp.held_len = 0;//'
fault "end keeps what was held" send_end 's/s->ilp.held_len = 0;//'

chain=copy_sum
fault "one byte not copied" copy_inet_checksum_avx2 '
	s/const v256 x1/v256 x1/
	s/STORE_DATA(dst + i + 32, x1);/x1[7] ^= 1u << 31; STORE_DATA(dst + i + 32, x1);/'
fault "last bytes dropped" copy_inet_checksum_avx512 's/if (i < n) {/if (0) {/'
fault "two vectors exchanged" copy_inet_checksum_avx512 's/STORE_DATA(dst + i + 64, x1)/STORE_DATA(dst + i + 64, x2)/'
fault "one load at another place" inet_checksum_copy_avx512 's/src + i + 192/src + i + 128/'

chain=xdr_chacha20_copy_sum
fused=xdr_u32_chacha20_copy_inet_checksum
back=inet_checksum_copy_chacha20_xdr_u32
fault "wrong counter" ${fused}_avx512_wide 's/(at + i) \/ 64/(at + i) \/ 128/'
fault "counter not advanced" ${back}_avx2_wide 's/(at + i) \/ 64/at \/ 64/'
fault "counters of two lanes exchanged" anywhere 's/0, 1, 2, 3, 4, 5, 6, 7 })/0, 1, 2, 3, 4, 5, 7, 6 })/'
fault "keystream from the block's start" ${fused}_avx512 's/ks + skip/ks/'
fault "place not advanced" ${back}_avx2 's/at += m, //'
fault "a round too few" chacha20_kernel256_avx512 's/turn < 10/turn < 9/'
fault "a wrong rotation" chacha20_kernel512_avx512 's/, 12)/, 11)/'
fault "a wrong shuffle" anywhere 's/\(define HI64_v512.*(a, b, \)2, 3,/\13, 2,/'
fault "a vector in clear" ${fused}_avx512_wide 's/x15 ^= .*//'
fault "last bytes in clear" ${fused}_scalar_near 's/x ^= load_last(ks + i, n - i);//'
fault "more keystream claimed than made" chacha20_ahead_avx512 's/want <= 512/want <= 700/; s/return 512;/return 1024;/'
fault "tiles all at the first place" send_tiled_avx512 's/at + i/at/'
fault "end at another place" send_end 's/s->ilp.pos - n/s->ilp.pos/'
fault "wrong place after held bytes" send 's/at += 4, //'
fault "order of stages" ${fused}_avx2_wide 's/x4 = BIG(v256, x4);//; s/x4 ^= \(.*\);/x4 ^= \1; x4 = BIG(v256, x4);/'
vector_fault "place in 32 bits, wide" ${fused}_avx512_wide 's/(uint32_t)((at + i) \/ 64)/(uint32_t)(at + i) \/ 64/'
vector_fault "place in 32 bits, near" ${fused}_scalar 's/(uint32_t)(at \/ 64)/(uint32_t)at \/ 64/'

echo "$seen passed, $missed failed"
[ $missed = 0 ]
