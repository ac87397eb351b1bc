-- A map whose inverse is another function, with every operation of words and a loop whose words change places.
return stage {
	name = "mask",
	standard = "none",
	kind = "map",
	unit = 4,
	tail = "pass",
	apply = function(w)
		local t = repeat_(3, function(t) return { add(t[2], rotl(t[1], 7)), t[1] } end, { 0x12345678, 5 })
		return xor(rotl(add(w, t[1]), 16), t[2])
	end,
	inverse = function(w)
		local t = repeat_(3, function(t) return { add(t[2], rotl(t[1], 7)), t[1] } end, { 0x12345678, 5 })
		return sub(rotl(xor(w, t[2]), 16), t[1])
	end,
}
