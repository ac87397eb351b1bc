-- MPA's markers: 4 bytes at every 512 of TCP's stream, that tell how far back the FPDU's ULPDU_Length is.
-- place: where in the stream the data begins, marks counted, a multiple of 4, of which only what it leaves divided by
-- 512 matters; a mark due there comes before the data. base: how far that is from ULPDU_Length. Both have their least
-- significant byte first; zeros are those of data that begins with a mark which others point to. A mark due behind the
-- data's last byte is not put. Who receives ignores reserved bits and the pointer's lowest two.
return stage {
	name = "mpa_marker",
	standard = "RFC 5044 (4.3)",
	kind = "reframe",
	every = 508,
	align = 4,
	heed = { 0, 0, 0xff, 0xfc },
	params = { { "place", 4 }, { "base", 4 } },
	public = true,
	begin = function(p)
		local first = and_(sub(0, little(p.place[1])), 0x1fc)
		return { first, add(little(p.base[1]), first) }
	end,
	first = function(s) return s[1] end,
	mark = function(i, s) return { big(and_(add(s[2], shl(i, 9)), 0xffff)) } end,
}
