-- A hash beside a keystream in memory, its value before the data, and what is summed beside it.
return chain {
	name = "hashed",
	stages = { "xdr_u32", "chacha20", { "hmac_sha256", at = "head" }, "copy", "adler32" },
}
