-- A fold that is no sum: the exclusive or of bytes in the four places of a word, rotated to the place of a join.
return stage {
	name = "parity",
	standard = "none",
	kind = "fold",
	unit = 4,
	tail = "zero",
	zero = 0,
	size = 2,
	order = "little",
	step = function(acc, w) return xor(acc, w) end,
	merge = function(a, b) return xor(a, b) end,
	finish = function(acc)
		acc = xor(rotl(acc, 0), rotl(acc, 48)) -- the upper half of a lane is 0
		return and_(xor(acc, shr(acc, 8)), 0xff)
	end,
	join = function(a, b, len_a) return xor(a, b) end,
}
