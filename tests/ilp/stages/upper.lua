-- The order of bytes of lower halves, where the upper ones are not zeros.
return stage {
	name = "upper",
	standard = "none",
	kind = "fold",
	unit = 8,
	zero = { 0, 0 },
	size = 16,
	order = "little",
	tail = "last",
	step = function(acc, w) return { xor(acc[1], big32(w)), xor(acc[2], little32(rotl(little(w), 24))) } end,
	merge = function(a, b) return { xor(a[1], b[1]), xor(a[2], b[2]) } end,
	finish = function(acc) return { acc[1], acc[2] } end,
	last = function(acc, w, n) return { xor(acc[1], big32(or_(w, shl(n, 56)))), acc[2] } end,
}
