-- Moves the data: marks where the bytes go from the working place (the application's buffer, or scratch memory
-- when stages before it change them) to the destination (the retransmission buffer, or the application's memory).
return stage {
	name = "copy",
	standard = "none",
	kind = "map",
	unit = 1,
	moves = true,
	tail = "pass",
	apply = function(w) return w end,
	inverse = "self",
}
