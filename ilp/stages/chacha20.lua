-- ChaCha20 as RFC 8439 has it: 256-bit key, 96-bit nonce, 32-bit block counter. The counter is that of the ADU's
-- first byte, least significant byte first; it wraps after 2^32 blocks (256 GiB), so an ADU must stay below that.

-- RFC 8439 (2.1); words have the numbers of the RFC, which counts from 0.
local function quarter(x, a, b, c, d)
	a, b, c, d = a + 1, b + 1, c + 1, d + 1
	x[a] = add(x[a], x[b])
	x[d] = rotl(xor(x[d], x[a]), 16)
	x[c] = add(x[c], x[d])
	x[b] = rotl(xor(x[b], x[c]), 12)
	x[a] = add(x[a], x[b])
	x[d] = rotl(xor(x[d], x[a]), 8)
	x[c] = add(x[c], x[d])
	x[b] = rotl(xor(x[b], x[c]), 7)
end

return stage {
	name = "chacha20",
	standard = "RFC 8439 (2.3), (2.4)",
	kind = "stream",
	unit = 64,
	params = { { "key", 32 }, { "nonce", 12 }, { "counter", 4 } },
	-- RFC 8439 (2.3): constants, key, counter, nonce.
	begin = function(p)
		local s = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }
		for i = 1, 8 do s[4 + i] = little(p.key[i]) end
		s[13] = little(p.counter[1])
		for i = 1, 3 do s[13 + i] = little(p.nonce[i]) end
		return s
	end,
	block = function(s, i)
		local start, out = {}, {}
		for k = 1, 16 do start[k] = s[k] end
		start[13] = add(s[13], i)
		local x = repeat_(10, function(x)
			quarter(x, 0, 4, 8, 12)
			quarter(x, 1, 5, 9, 13)
			quarter(x, 2, 6, 10, 14)
			quarter(x, 3, 7, 11, 15)
			quarter(x, 0, 5, 10, 15)
			quarter(x, 1, 6, 11, 12)
			quarter(x, 2, 7, 8, 13)
			quarter(x, 3, 4, 9, 14)
			return x
		end, start)
		for k = 1, 16 do out[k] = little(add(x[k], start[k])) end
		return out
	end,
}
