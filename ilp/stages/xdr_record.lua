-- An array of records between the machine's order of bytes and XDR's, which are of one size and have the same places for
-- all that is in them: struct { uint32_t; uint64_t; uint32_t; uint8_t[8]; uint32_t; } without padding, and in XDR an
-- unsigned int, an unsigned hyper, an unsigned int, opaque[8], an unsigned int. An incomplete last one passes unchanged.
return stage {
	name = "xdr_record",
	standard = "RFC 4506 (4.14), (4.2), (4.5), (4.9)",
	kind = "map",
	layout = { 4, 8, 4, "8", 4 },
	order = "big",
	tail = "pass",
}
