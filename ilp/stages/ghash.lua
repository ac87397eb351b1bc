-- GHASH, and a mask that hides the value: the data in blocks of 16 bytes, a polynomial at the key modulo x^128 + x^7 +
-- x^2 + x + 1. An incomplete last block is filled up with zeros. A mask is for one ADU only. The first bit of a block
-- is that of x^0, so that products without carries come out one bit too low, as if multiplied by x: powers of the key
-- are kept divided by it. The accumulator is the value before the last multiplication, so that a step takes one only.
local R = 0xc200000000000000ULL -- x^-1 is x^127 + x^6 + x + 1: this, and 1

-- From the lower end, 64 bits at a time: what stands there is 128 places on the same, times R, and itself.
local function reduced(low, high)
	for _ = 1, 2 do low = xor(or_(shr(low, 64), shl(low, 64)), clmul(low, 0, R, 0)) end
	return xor(low, high)
end

local function product(a, b)
	local middle = xor(clmul(a, 0, b, 1), clmul(a, 1, b, 0))
	return reduced(xor(clmul(a, 0, b, 0), shl(middle, 64)), xor(clmul(a, 1, b, 1), shr(middle, 64)))
end

local function divided(h) -- by x: one place up
	local over = clmul(h, 1, 2, 0)
	local carry = shr(over, 64)
	return xor(xor(clmul(h, 0, 2, 0), shl(over, 64)), xor(shl(clmul(carry, 0, R, 0), 64), carry))
end

-- The state: powers 1, 2, 4, … of the key, then the mask.
local function power(s, k)
	local at = 1
	while k > 1 do at, k = at + 1, k / 2 end
	return s[at]
end

return stage {
	name = "ghash",
	standard = "NIST SP 800-38D (6.4)",
	kind = "fold",
	unit = 16,
	word = 128,
	params = { { "key", 16 }, { "mask", 16 } },
	expand = function(p)
		local h = divided(big(p.key[1]))
		local s = { h }
		for k = 2, 6 do
			h = product(h, h)
			s[k] = h
		end
		return s
	end,
	begin = function(p) return { big(p.mask[1]) } end,
	zero = 0,
	size = 16,
	order = "big",
	tail = "last",
	step = function(acc, w, k, s) return xor(product(acc, power(s, k)), big(w)) end,
	merge = function(a, b, k, s) return xor(product(a, power(s, k)), b) end,
	finish = function(acc, s) return xor(product(acc, power(s, 1)), s[7]) end,
	last = function(acc, w, n, s) return xor(product(acc, power(s, 1)), big(w)) end,
}
