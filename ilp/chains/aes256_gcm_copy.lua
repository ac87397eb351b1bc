-- Authenticated encryption alone.
return chain {
	name = "aes256_gcm_copy",
	stages = { "aes256_gcm", "copy" },
}
