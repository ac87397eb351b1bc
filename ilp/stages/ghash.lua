-- GHASH, and a mask that hides the value: the data in blocks of 16 bytes, a polynomial at the key modulo x^128 + x^7 +
-- x^2 + x + 1. An incomplete last block is filled up with zeros. A mask is for one ADU only. The first bit of a block
-- is that of x^0, so that products without carries come out one bit too low, as if multiplied by x: powers of the key
-- are kept divided by it. The accumulator is the value before the last multiplication, so that a step takes one only.
local R = 0xc200000000000000ULL -- x^-1 is x^127 + x^6 + x + 1: this, and 1

-- From the lower end, 64 bits at a time: what stands there is 128 places on the same, times R, and itself.
local function reduced(low, high)
	for _ = 1, 2 do low = xor(rotl(low, 64), clmul(low, 0, R, 0)) end
	return xor(low, high)
end

-- The sum of products of a[j] and b[j], reduced once (Karatsuba): of b, the sum of its halves is kept, too.
local function products(a, b)
	local low, middle, high = 0, 0, 0
	for j, x in ipairs(a) do
		low, high = xor(low, clmul(x, 0, b[j][1], 0)), xor(high, clmul(x, 1, b[j][1], 1))
		middle = xor(middle, clmul(xor(x, rotl(x, 64)), 0, b[j][2], 0))
	end
	middle = xor(middle, xor(low, high))
	return reduced(xor(low, shl(middle, 64)), xor(high, shr(middle, 64)))
end

local function with_sum(h) return { h, xor(h, rotl(h, 64)) } end

local function divided(h) -- by x: one place up
	local over = clmul(h, 1, 2, 0)
	local carry = shr(over, 64)
	return xor(xor(clmul(h, 0, 2, 0), shl(over, 64)), xor(shl(clmul(carry, 0, R, 0), 64), carry))
end

-- The powers of the key that the state holds, two words of each, before the mask.
local POWERS = { 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32 }
local function power(s, k)
	for at, p in ipairs(POWERS) do
		if p == k then return { s[2 * at - 1], s[2 * at] } end
	end
end

-- acc, and units w that stand k units behind each other.
local function steps(acc, w, k, s)
	local a, b = { acc }, {}
	for j = 1, #w do
		b[j] = power(s, (#w + 1 - j) * k)
		a[j + 1] = big(w[j])
	end
	local last = table.remove(a)
	return xor(products(a, b), last)
end

return stage {
	name = "ghash",
	standard = "NIST SP 800-38D (6.4)",
	kind = "fold",
	unit = 16,
	word = 128,
	params = { { "key", 16 }, { "mask", 16 } },
	expand = function(p)
		local s, known = {}, { with_sum(divided(big(p.key[1]))) }
		for _, n in ipairs(POWERS) do
			local half = math.floor((n + 1) / 2)
			known[n] = known[n] or with_sum(products({ known[half][1] }, { known[n - half] }))
			s[#s + 1], s[#s + 2] = known[n][1], known[n][2]
		end
		return s
	end,
	begin = function(p) return { big(p.mask[1]) } end,
	zero = 0,
	size = 16,
	order = "big",
	tail = "last",
	step = function(acc, w, k, s) return steps(acc, { w }, k, s) end,
	steps = steps,
	merge = function(a, b, k, s) return xor(products({ a }, { power(s, k) }), b) end,
	finish = function(acc, s, w)
		local a, b = { acc }, { power(s, 1) }
		if w then a, b = { acc, big(w) }, { power(s, 2), power(s, 1) } end
		return xor(products(a, b), s[#s])
	end,
	last = function(acc, w, n, s) return steps(acc, { w }, 1, s) end,
}
