-- Zeros of the format's between all kinds of parts: within a word and whole ones, at ends of vectors and beyond.
return stage {
	name = "gaps28",
	standard = "none",
	kind = "map",
	layout = { 2, { zeros = 2 }, "5", { zeros = 3 }, 8, { zeros = 4 }, { zeros = 1 }, "3" },
	order = "big",
	tail = "pass",
}
