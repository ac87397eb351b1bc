-- Presentation conversion of an array of structures.
return chain {
	name = "xdr_record_copy_sum",
	stages = { "xdr_record", "copy", "inet_checksum" },
	inplace = true,
}
