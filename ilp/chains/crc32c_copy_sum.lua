-- An FPDU of RFC 5044 without markers.
return chain {
	name = "crc32c_copy_sum",
	stages = { "crc32c", "copy", "inet_checksum" },
}
