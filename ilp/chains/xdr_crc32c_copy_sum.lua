-- An FPDU of RFC 5044 without markers, of an array of integers.
return chain {
	name = "xdr_crc32c_copy_sum",
	stages = { "xdr_u32", "crc32c", "copy", "inet_checksum" },
}
