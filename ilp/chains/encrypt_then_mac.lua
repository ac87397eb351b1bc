-- The tag is that of the ciphertext.
return chain {
	name = "encrypt_then_mac",
	stages = { "chacha20", { "poly1305", at = "tail" }, "copy", "inet_checksum" },
}
