-- INSECURE. What Braun and Diot's experiments of 1995 did to their data: presentation conversion, encryption, checksum.
return chain {
	name = "historic_safer_copy_sum",
	stages = { "xdr_u32", "pkcs7_pad", "historic_safer", "copy", "inet_checksum" },
	insecure = true,
}
