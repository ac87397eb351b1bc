-- Words of 16 bits, whose products are beyond an int: each half by the square of the other.
return stage {
	name = "square",
	standard = "none",
	kind = "map",
	unit = 4,
	word = 16,
	tail = "pass",
	apply = function(w)
		local a = xor(w[1], mul(w[2], w[2]))
		return { a, xor(w[2], mul(a, a)) }
	end,
	inverse = function(w)
		local b = xor(w[2], mul(w[1], w[1]))
		return { xor(w[1], mul(b, b)), b }
	end,
}
