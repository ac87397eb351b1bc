-- Units of 20 bytes, of which five fit no vector.
return stage {
	name = "fives20",
	standard = "none",
	kind = "map",
	layout = { 4, "8", 8 },
	order = "big",
	tail = "pass",
}
