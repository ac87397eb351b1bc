-- AES-256 in the same counter mode.
return stage {
	name = "aes256_ctr",
	like = "aes128_ctr",
	standard = "FIPS 197, NIST SP 800-38A (6.5)",
	params = { { "key", 32 }, { "nonce", 12 }, { "counter", 4 } },
}
