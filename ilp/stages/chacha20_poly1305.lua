-- ChaCha20-Poly1305: block 0 of the keystream makes Poly1305's key, the data begins with block 1. Lengths are in bytes.
return stage {
	name = "chacha20_poly1305",
	standard = "RFC 8439 (2.8)",
	kind = "pair",
	cipher = "chacha20",
	authenticator = "poly1305",
	counter = { 1, 0, 0, 0 },
	most = 2^38 - 64, -- blocks 1 to 2^32 - 1
	before = "key",
	lengths = function(a, n) return { little(shr(a, 3)), little(shr(n, 3)) } end,
}
