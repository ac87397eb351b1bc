-- A parameter that only the way back looks at.
return stage {
	name = "idle",
	standard = "none",
	kind = "map",
	unit = 4,
	word = 32,
	tail = "pass",
	params = { { "key", 4 } },
	begin = function(p) return { and_(p.key[1], 0) } end,
	apply = function(w) return xor(w, 0x5a5a5a5a) end,
	inverse = function(w, i, s) return xor(xor(w, s[1]), 0x5a5a5a5a) end,
}
