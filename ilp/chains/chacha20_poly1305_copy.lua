-- Authenticated encryption alone.
return chain {
	name = "chacha20_poly1305_copy",
	stages = { "chacha20_poly1305", "copy" },
}
