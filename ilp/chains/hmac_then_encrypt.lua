-- The value is that of the plaintext, and is encrypted with it.
return chain {
	name = "hmac_then_encrypt",
	stages = { { "hmac_sha256", at = "tail" }, "aes128_ctr", "copy", "inet_checksum" },
}
