-- Structures with holes, packed and stuffed.
return chain { name = "hollow", stages = { "holes40", "xdr_u64", "runs3", { "adler32", at = "tail" } } }
