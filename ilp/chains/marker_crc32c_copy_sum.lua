-- An FPDU of RFC 5044 with markers, which the CRC covers as well.
return chain {
	name = "marker_crc32c_copy_sum",
	stages = { "mpa_marker", "crc32c", "copy", "inet_checksum" },
}
