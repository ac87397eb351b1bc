-- AES-128-GCM, with a nonce of 96 bits and a tag of 128: the counter of the data's first block is 2; that of 1 makes
-- the mask of the tag, and the block of zeros the key of GHASH. Lengths are in bits.
return stage {
	name = "aes128_gcm",
	standard = "NIST SP 800-38D (7)",
	kind = "pair",
	cipher = "aes128_ctr",
	authenticator = "ghash",
	counter = { 0, 0, 0, 2 },
	most = 2^36 - 32, -- (5.2.1.1)
	before = "mask",
	zero = "key",
	lengths = function(a, n) return big(or_(shl(a, 64), n)) end,
}
