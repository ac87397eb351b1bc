-- An FPDU of RFC 5044 without markers, of an array of 64-bit integers.
return chain {
	name = "xdr64_crc32c_copy_sum",
	stages = { "xdr_u64", "crc32c", "copy", "inet_checksum" },
}
