-- The value is that of the ciphertext.
return chain {
	name = "encrypt_then_hmac",
	stages = { "aes128_ctr", { "hmac_sha256", at = "tail" }, "copy", "inet_checksum" },
}
