-- An array of structures without its padding.
return chain {
	name = "packed_copy_sum",
	stages = { "packed_record", "copy", "inet_checksum" },
}
