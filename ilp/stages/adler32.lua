-- Adler-32: A is 1 more than the sum of the bytes, B the sum of the As, both modulo 65521; the value is B * 65536 + A.
-- Four bytes a step: A grows by their sum; B by the A before for each byte since, then 4, 3, 2, 1 times a byte.

local function modulo(x) -- 2^16 is 15; what was below 2^48 is below 2^17 then
	for _ = 1, 3 do x = add(and_(x, 0xffff), mul(shr(x, 16), 15)) end
	return x
end
local function least(x)
	for _ = 1, 2 do x = choose(shr(add(x, 15), 16), sub(x, 65521), x) end
	return x
end

local function bytes(w)
	w = big32(w)
	return { shr(w, 24), and_(shr(w, 16), 0xff), and_(shr(w, 8), 0xff), and_(w, 0xff) }
end

-- The first n bytes of w, n since the last one.
local function sums(acc, w, n, since)
	local a, b = acc[1], add(acc[2], mul(acc[1], since))
	for k, byte in ipairs { unpack(bytes(w), 1, n) } do
		a = add(a, byte)
		b = add(b, mul(byte, n + 1 - k))
	end
	return { modulo(a), modulo(b) }
end

return stage {
	name = "adler32",
	standard = "RFC 1950 (8.2)",
	kind = "fold",
	unit = 4,
	zero = { 0, 0 },
	init = { 1, 0 },
	size = 4,
	order = "big",
	tail = "last",
	step = function(acc, w, k) return sums(acc, w, 4, 4 * k) end,
	merge = function(a, b, k)
		return { modulo(add(a[1], b[1])), modulo(add(add(a[2], mul(a[1], 4 * k)), b[2])) }
	end,
	finish = function(acc) return or_(shl(least(acc[2]), 16), least(acc[1])) end,
	last = function(acc, w, n) return sums(acc, w, n, n) end,
}
