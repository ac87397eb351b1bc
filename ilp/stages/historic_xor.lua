-- INSECURE. The data xored with eight bytes over and over, which any two blocks tell: what the first experiments with
-- integrated layer processing had in the place of a cipher, since it costs next to nothing.
return stage {
	name = "historic_xor",
	standard = "none",
	kind = "stream",
	insecure = true,
	unit = 64,
	params = { { "key", 8 } },
	begin = function(p) return { p.key[1], p.key[2] } end,
	block = function(s)
		local out = {}
		for k = 1, 16 do out[k] = s[(k - 1) % 2 + 1] end
		return out
	end,
}
