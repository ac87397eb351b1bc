-- A value that is shorter than the fold's unit: behind it units are not whole, and what it is taken off is cut.
return stage {
	name = "sum16",
	standard = "none",
	kind = "fold",
	unit = 4,
	zero = 0,
	size = 2,
	order = "big",
	tail = "last",
	step = function(acc, w) return xor(acc, big32(w)) end,
	merge = function(a, b) return xor(a, b) end,
	finish = function(acc) return and_(xor(acc, shr(acc, 16)), 0xffff) end,
	last = function(acc, w) return xor(acc, big32(w)) end,
}
