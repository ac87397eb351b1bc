-- AES-128 in counter mode, as GCM counts: blocks of a nonce of 96 bits and a number of 32, most significant byte first,
-- which wraps. The counter is that of the ADU's first block. Words are states of AES: byte j is the j-th from the
-- lowest.

-- FIPS 197 (5.2). The first word of the next round's key is made of the last of this one's, the others each of the one
-- before it.
local function next_key(from, last, rotate, constant)
	local w = shr(last, 96)
	w = xor(w, shl(w, 32))
	w = xor(w, shl(w, 64)) -- in all columns: ShiftRows changes nothing
	if rotate then w = rotl(w, 120) end
	w = aes_last(w, or_(constant, or_(shl(constant, 32), or_(shl(constant, 64), shl(constant, 96)))))
	local k = xor(from, shl(from, 32))
	return xor(xor(k, shl(k, 64)), w)
end

local function round_keys(key)
	local constant, keys = 1, {}
	for k, w in ipairs(key) do keys[k] = little(w) end
	for k = #key + 1, 7 + 4 * #key do -- 11 or 15
		local first = k % #key == 1 or #key == 1
		keys[k] = next_key(keys[k - #key], keys[k - 1], first, first and constant or 0)
		if first then constant = constant * 2 % 256 + (constant >= 128 and 0x1b or 0) end
	end
	return keys
end

return stage {
	name = "aes128_ctr",
	standard = "FIPS 197, NIST SP 800-38A (6.5)",
	kind = "stream",
	unit = 16,
	word = 128,
	params = { { "key", 16 }, { "nonce", 12 }, { "counter", 4 } },
	expand = function(p) return round_keys(p.key) end,
	begin = function(p) return { or_(big(p.nonce[1]), shr(big(p.counter[1]), 96)) } end,
	block = function(s, i)
		local rounds = #s - 2
		local x = xor(swap(add32(s[#s], i)), s[1])
		for k = 2, rounds do x = aes(x, s[k]) end
		return little(aes_last(x, s[rounds + 1]))
	end,
}
