-- A second map with temporaries of its own.
return stage {
	name = "spread",
	standard = "none",
	kind = "map",
	unit = 4,
	tail = "pass",
	apply = function(w)
		local t = xor(w, shr(w, 16))
		return xor(t, 0x5bd1e995)
	end,
	inverse = function(w)
		local t = xor(w, 0x5bd1e995)
		return xor(t, shr(t, 16))
	end,
}
