-- Structures of arrays and their zeros before a cipher and a hash.
return chain {
	name = "arrays_hashed",
	stages = { "gaps24", "aes128_ctr", { "hmac_sha256", at = "tail" }, "copy" },
}
