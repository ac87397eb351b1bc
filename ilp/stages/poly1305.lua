-- Poly1305: the data in blocks of 16 bytes, each with a bit behind it, as a polynomial at r modulo 2^130 - 5, plus s. A
-- key is for one ADU only. Numbers are five limbs of 26 bits; the accumulator is the value before the last
-- multiplication by r, so that a step takes one only.

local MASK = 0x3ffffff
local function five(f) return { f(1), f(2), f(3), f(4), f(5) } end

-- RFC 8439 (2.5.1): a number of 128 bits, and one bit more.
local function limbs(low, high, bit)
	return { and_(low, MASK), and_(shr(low, 26), MASK), and_(or_(shr(low, 52), shl(high, 12)), MASK),
		and_(shr(high, 14), MASK), or_(shr(high, 40), bit) }
end

-- Carries from limb to limb, c into the first; and what comes out of the last.
local function carried(h, c)
	local out = {}
	for i = 1, 5 do
		local x = add(h[i], c)
		out[i], c = and_(x, MASK), shr(x, 26)
	end
	return out, c
end

local function carry(h)
	local out, c = carried(h, 0)
	out[1] = add(out[1], mul32(c, 5)) -- 2^130 is 5
	out[2] = add(out[2], shr(out[1], 26))
	out[1] = and_(out[1], MASK)
	return out
end

local function sum(a, b) return five(function(i) return add(a[i], b[i]) end) end

local function product(a, r)
	return carry(five(function(i)
		local x = 0
		for j = 1, 5 do x = add(x, mul32(a[j], j <= i and r[i - j + 1] or mul32(r[i - j + 6], 5))) end
		return x
	end))
end

-- The state: s, then r, r^2, r^4, …, five words each.
local function power(s, k)
	local at = 3
	while k > 1 do at, k = at + 5, k / 2 end
	return { unpack(s, at, at + 4) }
end

local function step(acc, w, k, s)
	return sum(product(acc, power(s, k)), limbs(little(w[1]), little(w[2]), 0x1000000))
end

return stage {
	name = "poly1305",
	standard = "RFC 8439 (2.5)",
	kind = "fold",
	unit = 16,
	params = { { "key", 32 } },
	begin = function(p)
		local s = { little(p.key[3]), little(p.key[4]) }
		local r = limbs(and_(little(p.key[1]), 0x0ffffffc0fffffffULL), and_(little(p.key[2]), 0x0ffffffc0ffffffcULL), 0)
		for _ = 0, 4 do
			for i = 1, 5 do s[#s + 1] = r[i] end
			r = product(r, r)
		end
		return s
	end,
	zero = { 0, 0, 0, 0, 0 },
	size = 16,
	order = "little",
	tail = "last",
	step = step,
	merge = function(a, b, k, s) return sum(product(a, power(s, k)), b) end,
	finish = function(acc, s, w)
		if w then acc = step(acc, w, 1, s) end
		local h = carry(carry(product(acc, power(s, 1))))
		-- Where h is not less than 2^130 - 5, 5 more make a carry out of 130 bits; without that, they are 2^130 - 5 less.
		local _, c = carried(h, 5)
		h = carried(sum(h, limbs(s[1], s[2], 0)), mul32(c, 5))
		return { or_(or_(h[1], shl(h[2], 26)), shl(h[3], 52)), or_(or_(shr(h[3], 12), shl(h[4], 14)), shl(h[5], 40)) }
	end,
	last = function(acc, w, n, s)
		local low, high = little(w[1]), little(w[2])
		if n < 8 then low = or_(low, shl(1, 8 * n)) else high = or_(high, shl(1, 8 * n - 64)) end
		return sum(product(acc, power(s, 1)), limbs(low, high, 0))
	end,
}
