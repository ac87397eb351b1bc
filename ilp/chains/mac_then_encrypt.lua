-- The tag is that of the plaintext, and is encrypted with it.
return chain {
	name = "mac_then_encrypt",
	stages = { { "poly1305", at = "tail" }, "chacha20", "copy", "inet_checksum" },
}
