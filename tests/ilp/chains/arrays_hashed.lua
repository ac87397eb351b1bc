-- Structures of arrays and their zeros before a cipher and a hash, of units that no power of 2 is.
return chain {
	name = "arrays_hashed",
	stages = { "gaps24", "aes128_ctr", { "hmac_sha256", at = "tail" }, "copy" },
}
