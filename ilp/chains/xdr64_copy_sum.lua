-- Presentation conversion of an array of 64-bit integers.
return chain {
	name = "xdr64_copy_sum",
	stages = { "xdr_u64", "copy", "inet_checksum" },
	inplace = true,
}
