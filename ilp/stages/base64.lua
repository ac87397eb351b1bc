-- Base64: three bytes become four characters, and fewer at the end four with one or two '='. In, all else is refused:
-- other characters, line breaks, a last unit that is not filled up, and bits behind the data that are not 0. There are
-- no tables: what a character stands for takes the same time for all, and four at once.
local HIGH = 0x80808080

local function each(byte) return mul(byte, 0x01010101) end
-- Of bytes below 128: the highest bit of those that are not below `least`.
local function reach(bytes, least) return and_(add(bytes, each(128 - least)), HIGH) end
-- That byte wherever the highest bit is set.
local function where(bits, byte) return and_(or_(bits, sub(bits, shr(bits, 7))), each(byte)) end

-- RFC 4648 (4), table 1: A to Z, a to z, 0 to 9, + and /. What is added to a value changes where a range begins.
local function characters(v)
	local c = add(v, each(65))
	c = add(c, where(reach(v, 26), 6))
	c = sub(c, where(reach(v, 52), 75))
	c = sub(c, where(reach(v, 62), 15))
	return add(c, where(reach(v, 63), 3))
end

-- The values of four characters, and the highest bit of those that are none.
local function values(c)
	local low = and_(c, 0x7f7f7f7f)
	local v, known = low, 0
	for _, range in ipairs { { 65, 91, 65 }, { 97, 123, 71 }, { 48, 58, -4 }, { 43, 44, -19 }, { 47, 48, -16 } } do
		local here = xor(reach(low, range[1]), reach(low, range[2]))
		known = or_(known, here)
		v = range[3] > 0 and sub(v, where(here, range[3])) or add(v, where(here, -range[3]))
	end
	return v, and_(or_(c, xor(known, HIGH)), HIGH)
end

-- Three bytes, first in the highest of a word, as four values of 6 bits; and back.
local function apart(x)
	return or_(or_(shl(shr(x, 26), 24), shl(and_(shr(x, 20), 63), 16)), or_(shl(and_(shr(x, 14), 63), 8),
		and_(shr(x, 8), 63)))
end
local function together(v)
	return or_(or_(shl(shr(v, 24), 26), shl(and_(shr(v, 16), 63), 20)), or_(shl(and_(shr(v, 8), 63), 14),
		shl(and_(v, 63), 8)))
end

return stage {
	name = "base64",
	standard = "RFC 4648 (4)",
	kind = "recode",
	from = 3,
	to = 4,
	apply = function(w) return big(characters(apart(big(w)))) end,
	inverse = function(w)
		local v, bad = values(big(w))
		return { big(together(v)), bad }
	end,
	last = function(w, n)
		local c = characters(apart(big(w)))
		return big(n == 1 and or_(and_(c, 0xffff0000), 0x3d3d) or or_(and_(c, 0xffffff00), 0x3d))
	end,
	-- One or two '=' count as 'A', whose value is 0.
	unlast = function(w)
		local c = big(w)
		local one, two = choose(xor(and_(c, 0xff), 0x3d), 0, 1), choose(xor(and_(c, 0xffff), 0x3d3d), 0, 1)
		local v, bad = values(add(c, add(mul(one, 4), mul(two, 0x400))))
		local x = together(v)
		bad = or_(bad, and_(x, choose(two, 0xffff00, choose(one, 0xff00, 0))))
		return { big(x), sub(3, add(one, two)), bad }
	end,
}
