-- Authenticated encryption alone.
return chain {
	name = "aes128_gcm_copy",
	stages = { "aes128_gcm", "copy" },
}
