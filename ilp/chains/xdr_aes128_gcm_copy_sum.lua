-- Presentation conversion, then authenticated encryption; the checksum is that of ciphertext and tag.
return chain {
	name = "xdr_aes128_gcm_copy_sum",
	stages = { "xdr_u32", "aes128_gcm", "copy", "inet_checksum" },
}
