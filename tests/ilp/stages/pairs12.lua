-- Units of 12 bytes, of which three fit no vector: a number of 8 bytes and one of 4.
return stage {
	name = "pairs12",
	standard = "none",
	kind = "map",
	layout = { 8, 4 },
	order = "big",
	tail = "pass",
}
