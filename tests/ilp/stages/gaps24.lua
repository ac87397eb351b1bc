-- Structures of arrays, in which some are zeros of the format's.
return stage {
	name = "gaps24",
	standard = "none",
	kind = "map",
	layout = { 4, { zeros = 3 }, "1", 2, { zeros = 6 }, 8 },
	order = "big",
	tail = "pass",
	arrays = 8,
}
