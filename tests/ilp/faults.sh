#!/bin/bash
# Plants faults in generated loops, one at a time, and checks that the chain's test sees each.
#
#	tests/ilp/faults.sh DIR [CC]
#
# DIR holds what `luajit ilp/gen/main.lua --out DIR --tests DIR ilp/chains/*.lua` wrote. Run from the top of the source,
# on a machine with AVX-512.
dir=${1:?usage: tests/ilp/faults.sh DIR [CC]}
cc=${2:-cc}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
seen=0 missed=0

flags="-std=gnu17 -D_GNU_SOURCE -O1 -w -I. -I$dir"
for file in ilp/ilp.c tests/ilp/vec.c tests/ilp/compare.c; do
	$cc $flags -c $file -o "$work/$(basename $file .c).o" || exit 2
done
echo '#include "ilp/ilp.h"
const struct ilp_chain *const ilp_chains[] = { 0 };' > "$work/chains.c"

# fault CHAIN NAME SCRIPT: the test of the chain must fail when sed SCRIPT has changed its loops.
fault() {
	local chain=$1 name=$2 script=$3
	sed "$script" "$dir/$chain.c" > "$work/$chain.c"
	if cmp -s "$dir/$chain.c" "$work/$chain.c"; then
		echo "fault changes nothing: $chain: $name"
		missed=$((missed + 1))
		return
	fi
	$cc $flags "$work/$chain.c" "$work/chains.c" "$dir/${chain}_test.c" "$work"/*.o -o "$work/test" \
		$(pkg-config --libs check) || exit 2
	if CK_DEFAULT_TIMEOUT=20 timeout 120 "$work/test" "$dir/$chain.vec" > "$work/log" 2>&1; then
		echo "not seen: $chain: $name"
		missed=$((missed + 1))
	else
		seen=$((seen + 1))
	fi
}
# within FUNCTION SUBSTITUTION: a sed script for one function only.
within() { echo "/^[A-Z0-9]* *static.* $1(/,/^}/ { $2 }"; }

fused=xdr_u32_copy_inet_checksum back=inet_checksum_copy_xdr_u32
fault xdr_copy_sum "stride too short" "$(within ${fused}_avx2 's/i += 128/i += 96/')"
fault xdr_copy_sum "stride too long" "$(within ${fused}_avx512 's/i += 256/i += 320/')"
fault xdr_copy_sum "last bytes dropped" "$(within ${fused}_scalar 's/if (i < n) {/if (0) {/')"
fault xdr_copy_sum "a vector too many" "$(within ${fused}_avx2 's/n - i >= 16; i += 16/n - i >= 12 \&\& n - i < 32; i += 16/')"
fault xdr_copy_sum "store beyond the end" "$(within ${back}_scalar 's/store_last(dst + i, x, n - i)/store_last(dst + i, x, 3)/')"
fault xdr_copy_sum "load beyond the end" "$(within ${fused}_avx512 's/size_t i = 0;/size_t i = 0; (void)*(volatile const uint8_t *)(src + n);/')"
fault xdr_copy_sum "scratch overrun" "$(within xdr_u32_avx2 's/size_t i = 0;/size_t i = 0; if (dst != src) dst[n < 64 ? 64 : n] = 1;/')"
fault xdr_copy_sum "source changed" "$(within send_layered_avx2 's/xdr_u32_avx2(tmp, src/((uint8_t *)src)[0] ^= 1; xdr_u32_avx2(tmp, src/')"
fault xdr_copy_sum "parity missed" "$(within inet_checksum_join 's/(len_a & 1ull)/0/')"
fault xdr_copy_sum "length of a piece not counted" "$(within inet_checksum_count 's/f->len += n/f->len += n \& 6/')"
fault xdr_copy_sum "wrong unit held" "$(within recv 's/n % 4/n % 2/')"
fault xdr_copy_sum "held bytes counted twice" "$(within recv 's/^.*s->inet_checksum = inet_checksum;//')"
fault xdr_copy_sum "held bytes not counted" "$(within recv 's/^.*inet_checksum_scalar(s, src + whole, rest);//')"
fault xdr_copy_sum "place not advanced" "$(within send 's/s->ilp.pos += n;//')"
fault xdr_copy_sum "a vector not converted" "$(within ${back}_avx512 's/x3 = BIG(v512, x3);//')"
fault xdr_copy_sum "an accumulator lost" "$(within ${back}_avx512 's/inet_checksum_0 = inet_checksum_0 + inet_checksum_1;//')"
fault xdr_copy_sum "carries lost" "$(within ${fused}_avx2 's/ + inet_checksum_upper_1 - (inet_checksum_upper_1 << 32)//; s/inet_checksum_1 += inet_checksum_upper_1 - .*;//')"
fault xdr_copy_sum "sum does not restart" "$(within sum 's/s->inet_checksum = .*//')"
fault xdr_copy_sum "begin keeps what was held" "$(within begin 's/s->ilp.held_len = 0;//')"
fault xdr_copy_sum "end keeps what was held" "$(within send_end 's/s->ilp.held_len = 0;//')"
fault copy_sum "one byte not copied" "$(within copy_inet_checksum_avx2 's/STORE(dst + i + 32, x1);/x1[7] ^= 1u << 31; STORE(dst + i + 32, x1);/; s/const v256 x1/v256 x1/')"
fault copy_sum "last bytes dropped" "$(within copy_inet_checksum_avx512 's/if (i < n) {/if (0) {/')"
fault copy_sum "two vectors exchanged" "$(within copy_inet_checksum_avx512 's/STORE(dst + i + 64, x1)/STORE(dst + i + 64, x2)/')"
fault copy_sum "one load at another place" "$(within inet_checksum_copy_avx512 's/src + i + 192/src + i + 128/')"

fused=xdr_u32_chacha20_copy_inet_checksum back=inet_checksum_copy_chacha20_xdr_u32
fault xdr_chacha20_copy_sum "wrong counter" "$(within ${fused}_avx512_wide 's/(at + i) \/ 64/(at + i) \/ 128/')"
fault xdr_chacha20_copy_sum "counter not advanced" "$(within ${back}_avx2_wide 's/(at + i) \/ 64/at \/ 64/')"
fault xdr_chacha20_copy_sum "counters of two lanes exchanged" 's/0, 1, 2, 3, 4, 5, 6, 7 })/0, 1, 2, 3, 4, 5, 7, 6 })/'
fault xdr_chacha20_copy_sum "keystream from the block's start" "$(within ${fused}_avx512 's/ks + skip/ks/')"
fault xdr_chacha20_copy_sum "place not advanced" "$(within ${back}_avx2 's/at += m, //')"
fault xdr_chacha20_copy_sum "a round too few" "$(within chacha20_kernel256_avx512 's/turn < 10/turn < 9/')"
fault xdr_chacha20_copy_sum "a wrong rotation" "$(within chacha20_kernel512_avx512 's/, 12)/, 11)/')"
fault xdr_chacha20_copy_sum "a wrong shuffle" 's/\(define HI64_v512.*(a, b, \)2, 3,/\13, 2,/'
fault xdr_chacha20_copy_sum "a vector in clear" "$(within ${fused}_avx512_wide 's/x15 ^= .*//')"
fault xdr_chacha20_copy_sum "last bytes in clear" "$(within ${fused}_scalar_near 's/x ^= load_last(ks + i, n - i);//')"
fault xdr_chacha20_copy_sum "more keystream claimed than made" "$(within chacha20_ahead_avx512 's/want <= 512/want <= 700/; s/return 512;/return 1024;/')"
fault xdr_chacha20_copy_sum "tiles all at the first place" "$(within send_tiled_avx512 's/at + i/at/')"
fault xdr_chacha20_copy_sum "end at another place" "$(within send_end 's/s->ilp.pos - n/s->ilp.pos/')"
fault xdr_chacha20_copy_sum "wrong place after held bytes" "$(within send 's/at += 4, //')"
fault xdr_chacha20_copy_sum "order of stages" "$(within ${fused}_avx2_wide 's/x4 = BIG(v256, x4);//; s/x4 ^= \(.*\);/x4 ^= \1; x4 = BIG(v256, x4);/')"

echo "planted faults: $seen seen, $missed missed"
[ $missed = 0 ]
