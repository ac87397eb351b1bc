-- Authenticated encryption in an FPDU without a CRC: what a family has for peers that want none.
return chain {
	name = "aes128_gcm_copy_sum",
	stages = { "aes128_gcm", "copy", "inet_checksum" },
}
