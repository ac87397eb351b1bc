-- Units of one word, of which a byte goes.
return stage {
	name = "first4",
	standard = "none",
	kind = "map",
	layout = { "1", { zeros = 3 } },
	order = "little",
	tail = "pass",
}
