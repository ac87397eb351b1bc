-- A map of whole cache lines, that no word of comes out without all others: two rounds of ChaCha's quarter, by the
-- number of the line.
local function quarter(w, a, b, c, d)
	w[a] = add(w[a], w[b])
	w[d] = rotl(xor(w[d], w[a]), 16)
	w[c] = add(w[c], w[d])
	w[b] = rotl(xor(w[b], w[c]), 12)
end
local function back(w, a, b, c, d)
	w[b] = xor(rotl(w[b], 20), w[c])
	w[c] = sub(w[c], w[d])
	w[d] = xor(rotl(w[d], 16), w[a])
	w[a] = sub(w[a], w[b])
end
return stage {
	name = "rotor",
	standard = "none",
	kind = "map",
	unit = 64,
	word = 32,
	tail = "pass",
	apply = function(w, i)
		local t = { unpack(w) }
		for k = 1, 4 do quarter(t, k, k + 4, k + 8, k + 12) end
		for k = 0, 3 do quarter(t, k + 1, 5 + (k + 1) % 4, 9 + (k + 2) % 4, 13 + (k + 3) % 4) end
		t[1] = xor(t[1], i)
		return t
	end,
	inverse = function(w, i)
		local t = { unpack(w) }
		t[1] = xor(t[1], i)
		for k = 0, 3 do back(t, k + 1, 5 + (k + 1) % 4, 9 + (k + 2) % 4, 13 + (k + 3) % 4) end
		for k = 1, 4 do back(t, k, k + 4, k + 8, k + 12) end
		return t
	end,
}
