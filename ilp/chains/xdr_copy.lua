-- Presentation conversion of an array of integers, and nothing else: what ilp/xdr/ converts with.
return chain {
	name = "xdr_copy",
	stages = { "xdr_u32", "copy" },
}
