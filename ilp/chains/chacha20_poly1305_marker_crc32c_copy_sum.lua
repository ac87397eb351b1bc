-- Authenticated encryption in an FPDU of RFC 5044 with markers, which stand in ciphertext and tag.
return chain {
	name = "chacha20_poly1305_marker_crc32c_copy_sum",
	stages = { "chacha20_poly1305", "mpa_marker", "crc32c", "copy", "inet_checksum" },
}
