-- A second stream. Not a cipher.
return stage {
	name = "weave",
	standard = "none",
	kind = "stream",
	unit = 64,
	params = { { "seed", 8 } },
	begin = function(p) return { p.seed[1], xor(p.seed[2], 0x9e3779b9) } end,
	block = function(s, i)
		local out = {}
		for k = 1, 16 do
			local w = add(rotl(add(s[1], i), k), shl(s[2], k % 5))
			out[k] = little(xor(w, or_(shr(w, 9), and_(s[2], 0xff0000))))
		end
		return out
	end,
}
