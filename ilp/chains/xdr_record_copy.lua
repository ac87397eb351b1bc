-- Presentation conversion of an array of structures of five fields, and nothing else: what ilp/xdr/ converts with.
return chain {
	name = "xdr_record_copy",
	stages = { "xdr_record", "copy" },
}
