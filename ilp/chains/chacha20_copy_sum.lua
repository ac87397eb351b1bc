-- Encryption; the checksum is that of the ciphertext.
return chain {
	name = "chacha20_copy_sum",
	stages = { "chacha20", "copy", "inet_checksum" },
}
