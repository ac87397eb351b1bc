-- As mpa_marker, but often, so that little data has many marks; the first one behind up to 12 bytes, as the key says;
-- and other bits of them are compared.
return stage {
	name = "phase16",
	standard = "none",
	kind = "reframe",
	every = 16,
	align = 4,
	heed = { 0xff, 0, 0x0f, 0xff },
	params = { { "key", 4 } },
	public = true,
	begin = function(p) return { little(p.key[1]) } end,
	first = function(s) return and_(s[1], 12) end,
	mark = function(i, s) return { xor(s[1], mul(i, 0x9e3779b9)) } end,
}
