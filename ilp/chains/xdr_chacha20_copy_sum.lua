-- Presentation conversion, then encryption; the checksum is that of the ciphertext.
return chain {
	name = "xdr_chacha20_copy_sum",
	stages = { "xdr_u32", "chacha20", "copy", "inet_checksum" },
}
