-- Encryption by AES alone.
return chain {
	name = "aes128_ctr_copy",
	stages = { "aes128_ctr", "copy" },
}
