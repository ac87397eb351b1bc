-- MPA's markers: 4 bytes at every 512 of TCP's stream, that tell how far back the FPDU begins, from its ULPDU_Length.
-- place: where in the stream the data's first byte stands, marks counted, which is a multiple of 4; only what it leaves
-- divided by 512 matters. base: how far it is from ULPDU_Length. Both have their least significant byte first; zeros are
-- those of data that begins with a mark, and marks that point to that. What follows the data's last byte is no mark of
-- this stage's.
return stage {
	name = "mpa_marker",
	standard = "RFC 5044 (4.3)",
	kind = "reframe",
	every = 508,
	align = 4,
	params = { { "place", 4 }, { "base", 4 } },
	public = true,
	begin = function(p)
		local first = and_(sub(0, little(p.place[1])), 0x1fc)
		return { first, add(little(p.base[1]), first) }
	end,
	first = function(s) return s[1] end,
	mark = function(i, s) return { big(and_(add(s[2], shl(i, 9)), 0xffff)) } end,
}
