-- An array of 64-bit integers (hyper) between the machine's order and XDR's. An incomplete last word of an ADU, 1 to 7
-- bytes, is not an integer and passes unchanged.
return stage {
	name = "xdr_u64",
	standard = "RFC 4506 (4.5)",
	kind = "map",
	unit = 8,
	tail = "pass",
	apply = function(w) return big(w) end,
	inverse = "self",
}
