-- INSECURE. The same with the cheapest encryption that there is.
return chain {
	name = "historic_xor_copy_sum",
	stages = { "xdr_u32", "historic_xor", "copy", "inet_checksum" },
	insecure = true,
}
