-- CRC32C: the data as a polynomial modulo Castagnoli's, bits reflected: the lowest bit of a word of 128 is that of
-- x^127. The accumulator is 128 bits that leave the same remainder as the data; products without carries come out one
-- bit too low, as if multiplied by x. before: the CRC, as it is sent, of bytes that stand before the data; zeros, which
-- is that of none.
local P = 0x82f63b78

-- The remainders of x^n, that of x^0 being the highest of 32 bits; n is -33 or more.
local REMAINDERS = { [0] = 0x80000000 }
for n = 0, -32, -1 do
	local r = REMAINDERS[n]
	REMAINDERS[n - 1] = r < 2^31 and r * 2 or bit.bxor(r, P) % 2^31 * 2 + 1
end
local function remainder(n)
	for k = #REMAINDERS + 1, n do
		local r = REMAINDERS[k - 1]
		REMAINDERS[k] = r % 2 == 0 and r / 2 or bit.bxor((r - 1) / 2, P) % 2^32
	end
	return REMAINDERS[n] * 0x100000000ULL -- of 64 bits
end

-- acc times x^n, in fewer than 128 bits.
local function times(acc, n) return xor(clmul(acc, 0, remainder(n + 63), 0), clmul(acc, 1, remainder(n - 1), 0)) end

return stage {
	name = "crc32c",
	standard = "RFC 3720 (12.1)",
	kind = "fold",
	unit = 16,
	word = 128,
	params = { { "before", 4 } },
	public = true,
	-- From that, the first 128 bits make the remainder so far of the first 32, which is sent inverted.
	begin = function(p) return { clmul(shl(xor(little(p.before[1]), 0xffffffff), 32), 0, remainder(-33), 0) } end,
	init = function(s) return s[1] end,
	zero = 0,
	size = 4,
	order = "little",
	tail = "any",
	step = function(acc, w, k) return xor(times(acc, 128 * k), little(w)) end,
	merge = function(a, b, k) return xor(times(a, 128 * k), b) end,
	last = function(acc, w, n) return xor(times(acc, 8 * n), shl(little(w), 128 - 8 * n)) end,
	-- The remainder of the data times x^32: 128 bits, 95, 63; then Barrett's way.
	finish = function(acc)
		local r = times(acc, 32)
		r = shr(xor(clmul(r, 0, remainder(63), 0), r), 64)
		local q = clmul(and_(r, 0xffffffff), 0, 0xdea713f1, 0)
		r = xor(r, clmul(and_(q, 0xffffffff), 0, 0x105ec76f1, 0))
		return xor(and_(shr(r, 32), 0xffffffff), 0xffffffff)
	end,
}
