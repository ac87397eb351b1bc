-- Authenticated encryption in an FPDU of RFC 5044 without markers; the CRC covers the tag behind the data, too.
return chain {
	name = "chacha20_poly1305_crc32c_copy_sum",
	stages = { "chacha20_poly1305", "crc32c", "copy", "inet_checksum" },
}
