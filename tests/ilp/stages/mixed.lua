-- A layout with whatever a layout may have: numbers of all sizes, at places of all kinds, and bytes between; least
-- significant byte first.
return stage {
	name = "mixed",
	standard = "none",
	kind = "map",
	layout = { 8, 16, "3", "1", 2, 2, 4, "4", 16, 4, "8", 8 },
	order = "little",
	tail = "pass",
}
