-- Fletcher's checksum of 16-bit words, most significant byte first, modulo 65535. An odd last byte counts as if a zero
-- followed. The value is B * 65536 + A, A the sum of the words and B that of the sums.

local function modulo(x) -- of what is below 2^48; 65535 may stand for 0
	for _ = 1, 3 do x = add(and_(x, 0xffff), shr(x, 16)) end
	return x
end
local function least(x) return choose(xor(x, 0xffff), x, 0) end

-- A word more: A grows by it, B by the new A.
local function sums(acc, words)
	local a, b = acc[1], acc[2]
	for _, w in ipairs(words) do
		a = add(a, w)
		b = add(b, a)
	end
	return { modulo(a), modulo(b) }
end

return stage {
	name = "fletcher32",
	standard = "RFC 1146 (16-bit Fletcher)",
	kind = "fold",
	unit = 4,
	zero = { 0, 0 },
	size = 4,
	order = "big",
	tail = "last",
	-- Of the two words x, y: A grows by x + y; B by the A before for each word that has come since, then 2x + y.
	step = function(acc, w, k)
		w = big32(w)
		local x, y = shr(w, 16), and_(w, 0xffff)
		return { modulo(add(acc[1], add(x, y))), modulo(add(acc[2], add(mul(acc[1], 2 * k), add(add(x, x), y)))) }
	end,
	merge = function(a, b, k)
		return { modulo(add(a[1], b[1])), modulo(add(add(a[2], mul(a[1], 2 * k)), b[2])) }
	end,
	finish = function(acc) return or_(shl(least(acc[2]), 16), least(acc[1])) end,
	last = function(acc, w, n)
		w = big32(w)
		return sums(acc, n <= 2 and { shr(w, 16) } or { shr(w, 16), and_(w, 0xffff) })
	end,
}
