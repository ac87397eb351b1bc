-- Presentation conversion of an array of integers (Clark and Tennenhouse, SIGCOMM '90).
return chain {
	name = "xdr_copy_sum",
	stages = { "xdr_u32", "copy", "inet_checksum" },
}
