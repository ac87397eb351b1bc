-- Presentation conversion of an array of 64-bit integers, and nothing else: what ilp/xdr/ converts with.
return chain {
	name = "xdr64_copy",
	stages = { "xdr_u64", "copy" },
}
