-- Converted data with markers in it, by which boundaries are found over a hole.
return chain {
	name = "xdr_marker_copy_sum",
	stages = { "xdr_u32", "mpa_marker", "copy", "inet_checksum" },
}
