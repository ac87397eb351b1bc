-- Padding to whole blocks of 16 bytes: 1 to 16 bytes, each of which says how many.
return stage {
	name = "pkcs7_pad",
	standard = "RFC 5652 (6.3)",
	kind = "pad",
	to = 16,
	least = 1,
	fill = function(_, n) return n end,
}
