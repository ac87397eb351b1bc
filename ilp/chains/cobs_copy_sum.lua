-- Out: no zeros, so that one may end an ADU (alf/cobs.c).
return chain {
	name = "cobs_copy_sum",
	stages = { "cobs", "copy", "inet_checksum" },
}
