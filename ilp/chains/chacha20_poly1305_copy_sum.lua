-- Authenticated encryption in an FPDU without a CRC: what a family has for peers that want none.
return chain {
	name = "chacha20_poly1305_copy_sum",
	stages = { "chacha20_poly1305", "copy", "inet_checksum" },
}
