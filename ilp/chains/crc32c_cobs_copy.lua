-- Frames of a serial line: a CRC behind the data, and no zeros in either.
return chain {
	name = "crc32c_cobs_copy",
	stages = { { "crc32c", at = "tail" }, "cobs", "copy" },
}
