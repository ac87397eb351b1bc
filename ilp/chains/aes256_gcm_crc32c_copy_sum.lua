-- Authenticated encryption in an FPDU of RFC 5044 without markers; the CRC covers the tag behind the data, too.
return chain {
	name = "aes256_gcm_crc32c_copy_sum",
	stages = { "aes256_gcm", "crc32c", "copy", "inet_checksum" },
}
