-- The Internet checksum: the ones'-complement sum of 16-bit words, not inverted. The sum does not depend on the
-- byte order if it is stored as it was computed (RFC 1071 (2)(B)): words are taken as memory holds them.

-- Adds the carries out of 16 bits back in; right for sums below 2^32 in two turns.
local function fold16(x)
	x = add(and_(x, 0xffff), shr(x, 16))
	return add(and_(x, 0xffff), shr(x, 16))
end

return stage {
	name = "inet_checksum",
	standard = "RFC 1071",
	kind = "fold",
	unit = 4,      -- bytes of w; RFC 1071 (2)(C): wider words, carries later
	tail = "zero", -- an incomplete last word counts as if zeros followed
	zero = 0,
	size = 2,
	order = "memory",
	step = function(acc, w) return add(acc, w) end,
	merge = function(a, b) return add(a, b) end,
	finish = function(acc)
		acc = add(and_(acc, 0xffffffff), shr(acc, 32)) -- below 2^33
		acc = add(and_(acc, 0xffff), shr(acc, 16))     -- below 2^18
		return fold16(acc)
	end,
	-- RFC 1071 (2)(B): what begins at an odd place has its bytes swapped.
	join = function(a, b, len_a)
		local swapped = or_(and_(shl(b, 8), 0xff00), shr(b, 8))
		return fold16(add(a, choose(and_(len_a, 1), swapped, b)))
	end,
}
