-- A copy that is checked as iSCSI checks.
return chain {
	name = "copy_crc32c",
	stages = { "copy", "crc32c" },
}
