-- Eight records of three words as three columns of eight: an array of structures as a structure of arrays.
return stage {
	name = "columns",
	standard = "none",
	kind = "map",
	unit = 96,
	word = 32,
	tail = "pass",
	apply = function(w)
		local out = {}
		for k = 0, 23 do out[k + 1] = w[k % 8 * 3 + (k - k % 8) / 8 + 1] end
		return out
	end,
	inverse = function(w)
		local out = {}
		for k = 0, 23 do out[k + 1] = w[k % 3 * 8 + (k - k % 3) / 3 + 1] end
		return out
	end,
}
