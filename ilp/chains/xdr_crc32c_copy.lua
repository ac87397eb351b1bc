-- Conversion, and a CRC behind the data, as iSCSI has it.
return chain {
	name = "xdr_crc32c_copy",
	stages = { "xdr_u32", { "crc32c", at = "tail" }, "copy" },
}
