-- An FPDU of RFC 5044 with markers, of an array of 64-bit integers.
return chain {
	name = "xdr64_marker_crc32c_copy_sum",
	stages = { "xdr_u64", "mpa_marker", "crc32c", "copy", "inet_checksum" },
}
