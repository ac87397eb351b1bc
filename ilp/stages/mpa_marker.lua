-- MPA's markers: 4 bytes at every 512 of the stream, that tell how far back the FPDU begins; here, where the ADU does.
return stage {
	name = "mpa_marker",
	standard = "RFC 5044 (4.3)",
	kind = "reframe",
	every = 508,
	mark = function(i) return { big(and_(shl(i, 9), 0xffff)) } end,
}
