-- Counter mode, and its tag behind it: the parts of GCM, among others.
return chain {
	name = "gcm_parts",
	stages = { "xdr_u32", "aes128_ctr", { "ghash", at = "tail" }, "copy", "inet_checksum" },
}
