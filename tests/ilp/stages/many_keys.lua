-- A state as large as it can be, all of it in use at once: compilers keep copies of it on the stack.
local function key(s, j, k, step) return s[(j * step + k) % 64 + 1] end

return stage {
	name = "many_keys",
	standard = "none",
	kind = "map",
	unit = 64,
	word = 32,
	tail = "pass",
	params = { { "left", 128 }, { "right", 128 } },
	begin = function(p)
		local s = {}
		for k = 1, 32 do s[k], s[32 + k] = p.left[k], p.right[k] end
		return s
	end,
	apply = function(w, i, s)
		local out = {}
		for j = 1, 16 do
			local x = w[j]
			for k = 0, 3 do x = add(xor(rotl(x, 5), key(s, j, k * 16, 1)), key(s, j, k * 13, 7)) end
			out[j] = x
		end
		return out
	end,
	inverse = function(w, i, s)
		local out = {}
		for j = 1, 16 do
			local x = w[j]
			for k = 3, 0, -1 do x = rotl(xor(sub(x, key(s, j, k * 13, 7)), key(s, j, k * 16, 1)), 27) end
			out[j] = x
		end
		return out
	end,
}
