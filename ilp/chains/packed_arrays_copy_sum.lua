-- An array of structures as structures of arrays.
return chain {
	name = "packed_arrays_copy_sum",
	stages = { "packed_arrays", "copy", "inet_checksum" },
	inplace = true,
}
