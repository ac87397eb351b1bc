-- AES-256-GCM.
return stage {
	name = "aes256_gcm",
	like = "aes128_gcm",
	standard = "NIST SP 800-38D (7)",
	cipher = "aes256_ctr",
}
