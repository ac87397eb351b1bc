-- Units that fit no vector and differ from one another, beside a stream, folds of 8 and of 16 bytes in order, and marks
-- between units.
return chain {
	name = "structs",
	stages = { "columns", "chacha20", { "poly1305", at = "tail" }, "copy", "pairs12", "mark12", "turned" },
}
