-- A keyed fold whose merge needs no key: the sum of units under a mask.
return stage {
	name = "mac",
	standard = "none",
	kind = "fold",
	unit = 8,
	params = { { "key", 16 } },
	begin = function(p) return { little(p.key[1]), little(p.key[2]) } end,
	zero = 0,
	size = 8,
	order = "little",
	tail = "last",
	step = function(acc, w, k, s) return add(acc, xor(little(w), s[1])) end,
	merge = function(a, b) return add(a, b) end,
	finish = function(acc, s) return xor(acc, s[2]) end,
	last = function(acc, w, n) return add(acc, add(little(w), n)) end,
}
