-- Authenticated encryption in an FPDU without a CRC: what a family has for peers that want none.
return chain {
	name = "aes256_gcm_copy_sum",
	stages = { "aes256_gcm", "copy", "inet_checksum" },
}
