-- An FPDU of RFC 5044 with markers, of an array of integers.
return chain {
	name = "xdr_marker_crc32c_copy_sum",
	stages = { "xdr_u32", "mpa_marker", "crc32c", "copy", "inet_checksum" },
}
