-- CRC32C: the data as a polynomial modulo Castagnoli's, bits reflected: that of x^0 is the highest of a word. The
-- accumulator is the remainder before the last multiplication by x^32, so that a step takes one only.
local P = 0x82f63b78

local function times_x(r) return xor(shr(r, 1), and_(P, sub(0, and_(r, 1)))) end
local function by_x(r) -- the other way
	local odd = shr(r, 31)
	return or_(and_(shl(xor(r, and_(P, sub(0, odd))), 1), 0xffffffff), odd)
end
local function power(f, n, r)
	for _ = 1, n do r = f(r) end
	return r
end
local function product(a, b)
	return repeat_(32, function(t)
		return { xor(times_x(t[1]), and_(b, sub(0, and_(t[2], 1)))), shr(t[2], 1) }
	end, { 0, a })[1]
end

-- x^(32 k), k a power of 2.
local function x32(k)
	local r = power(times_x, 32, 0x80000000)
	while k > 1 do
		r = product(r, r)
		k = k / 2
	end
	return r
end
local function back(r) return product(r, power(by_x, 32, 0x80000000)) end

return stage {
	name = "crc32c",
	standard = "RFC 3720 (12.1)",
	kind = "fold",
	unit = 4,
	zero = 0,
	init = 0x641f6454, -- from which the first step makes all ones
	size = 4,
	order = "little",
	tail = "last",
	step = function(acc, w, k) return xor(product(acc, x32(k)), little32(w)) end,
	merge = function(a, b, k) return xor(product(a, x32(k)), b) end,
	finish = function(acc) return xor(product(acc, x32(1)), 0xffffffff) end,
	last = function(acc, w, n)
		local r = product(acc, x32(1))
		w = little32(w)
		for _ = 1, n do
			r = power(times_x, 8, xor(r, and_(w, 0xff)))
			w = shr(w, 8)
		end
		return back(r)
	end,
}
