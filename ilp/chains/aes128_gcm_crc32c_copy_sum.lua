-- Authenticated encryption in an FPDU of RFC 5044 without markers; the CRC covers the tag behind the data, too.
return chain {
	name = "aes128_gcm_crc32c_copy_sum",
	stages = { "aes128_gcm", "crc32c", "copy", "inet_checksum" },
}
