-- A fold whose join looks at three bits of where it joins: the exclusive or of words of 8 bytes, turned to the place.
local function by(place, bytes, w)
	return choose(and_(place, bytes), rotl(w, 8 * bytes), w)
end
return stage {
	name = "turned",
	standard = "none",
	kind = "fold",
	unit = 8,
	tail = "zero",
	zero = 0,
	size = 8,
	order = "little",
	step = function(acc, w) return xor(acc, little(w)) end,
	merge = function(a, b) return xor(a, b) end,
	finish = function(acc) return acc end,
	join = function(a, b, len_a) return xor(a, by(len_a, 4, by(len_a, 2, by(len_a, 1, b)))) end,
}
