-- Structures of arrays of what has odd sizes: numbers across words, bytes between; most significant byte first.
return stage {
	name = "arrays18",
	standard = "none",
	kind = "map",
	layout = { 4, "3", 8, "1", 2 },
	arrays = 4,
	order = "big",
	tail = "pass",
}
