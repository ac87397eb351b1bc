-- As mpa_marker, but often, so that little data has many marks; and keyed.
return stage {
	name = "mark12",
	standard = "none",
	kind = "reframe",
	every = 12,
	params = { { "key", 4 } },
	begin = function(p) return { p.key[1] } end,
	mark = function(i, s) return { xor(s[1], mul(i, 0x9e3779b9)) } end,
}
