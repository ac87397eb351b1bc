-- Units of a cache line, and of half of one, in place.
return chain {
	name = "lines",
	stages = { "halves", "rotor", "copy", "inet_checksum" },
	inplace = true,
}
