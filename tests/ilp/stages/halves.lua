-- A permutation of the words of 32 bytes: rows of four become columns.
return stage {
	name = "halves",
	standard = "none",
	kind = "map",
	unit = 32,
	word = 32,
	tail = "pass",
	apply = function(w) return { w[1], w[5], w[2], w[6], w[3], w[7], w[4], w[8] } end,
	inverse = function(w) return { w[1], w[3], w[5], w[7], w[2], w[4], w[6], w[8] } end,
}
