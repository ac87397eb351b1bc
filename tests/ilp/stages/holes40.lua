-- Structures with holes before, between and behind what they hold, which is of all sizes.
return stage {
	name = "holes40",
	standard = "none",
	kind = "recode",
	layout = { { 1 }, 2, "5", 16, { 5 }, 8, { 1 }, "1", { 1 } },
	order = "big",
}
