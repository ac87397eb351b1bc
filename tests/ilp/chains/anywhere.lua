-- Marks that begin anywhere, and on both sides of them folds that may be cut anywhere, behind a cipher.
return chain {
	name = "anywhere",
	stages = { "xdr_u32", "chacha20", { "bytes31", at = "tail" }, "phase16", "crc32c", "copy" },
}
