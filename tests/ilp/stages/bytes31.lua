-- A polynomial of the data's bytes, which may be cut anywhere, and begins with what a key says.
local function power(n)
	local r = 1ULL
	for _ = 1, n do r = r * 31 end
	return r
end

-- acc, and the first n bytes of w behind it, which zeros follow.
local function bytes(acc, w, n)
	acc = mul(acc, power(n))
	for i = 1, 8 do acc = add(acc, mul(and_(shr(little(w), 8 * (i - 1)), 255), power(n - i))) end
	return acc
end

return stage {
	name = "bytes31",
	standard = "none",
	kind = "fold",
	unit = 8,
	params = { { "key", 8 } },
	begin = function(p) return { little(p.key[1]) } end,
	init = function(s) return rotl(s[1], 7) end,
	zero = 0,
	size = 8,
	order = "big",
	tail = "any",
	step = function(acc, w, k) return add(mul(acc, power(8 * k)), bytes(0, w, 8)) end,
	merge = function(a, b, k) return add(mul(a, power(8 * k)), b) end,
	last = bytes,
	finish = function(acc, s) return xor(acc, s[1]) end,
}
