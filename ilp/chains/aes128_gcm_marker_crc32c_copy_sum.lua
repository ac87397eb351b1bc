-- Authenticated encryption in an FPDU of RFC 5044 with markers, which stand in ciphertext and tag.
return chain {
	name = "aes128_gcm_marker_crc32c_copy_sum",
	stages = { "aes128_gcm", "mpa_marker", "crc32c", "copy", "inet_checksum" },
}
