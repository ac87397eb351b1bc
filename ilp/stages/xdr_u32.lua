-- An array of 32-bit integers between the machine's order and XDR's (RFC 4506 (4.1), (4.2): most significant byte
-- first). An incomplete last word of an ADU, 1 to 3 bytes, is not an integer and passes unchanged.
return stage {
	name = "xdr_u32",
	standard = "RFC 4506 (4.2)",
	kind = "map",
	unit = 4,
	tail = "pass",
	apply = function(w) return big(w) end,
	inverse = "self",
}
