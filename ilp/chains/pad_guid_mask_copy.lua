-- Blocks of 16 bytes, whole ones only, masked.
return chain {
	name = "pad_guid_mask_copy",
	stages = { "pkcs7_pad", "guid", "ws_mask", "copy" },
}
