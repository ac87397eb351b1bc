-- HMAC with SHA-256: a value of the data that who does not have the key cannot make. A key of fewer than 64 bytes is
-- filled up with zeros; a longer one is to be hashed before. The accumulator is the words A, B, E, F of the hash, from
-- the highest on, and C, D, G, H (see ilp/gen/ops.lua). What the key makes of the first unit of either hash is kept.

-- FIPS 180-4 (4.2.2).
local K = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

local function words(a, b, c, d) return or_(or_(a, shl(b, 32)), or_(shl(c, 64), shl(d, 96))) end

-- FIPS 180-4 (6.2.2), of the data's words, the lowest of each first.
local function compress(acc, data)
	local x, y, w = acc[1], acc[2], { unpack(data) }
	for k = 1, 16 do
		if k > 4 then w[k] = sha256_su1(sha256_su0(w[k - 4], w[k - 3]), w[k - 2], w[k - 1]) end
		local sum = add32(w[k], words(unpack(K, 4 * k - 3, 4 * k)))
		x, y = sha256(x, y, sum), sha256_half(x, y, sum)
	end
	return { add32(x, acc[1]), add32(y, acc[2]) }
end

-- FIPS 180-4 (5.3.3).
local function beginning()
	return { words(0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667), words(0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372) }
end

-- What four words are in the order of memory, from memory or back.
local function ordered(w) return swap32(little(w)) end

-- A to D and E to H, A and E highest.
local function digest(acc)
	local x, y = acc[1], acc[2]
	return { or_(shl(shr(x, 64), 64), shr(y, 64)), or_(shl(x, 64), shr(shl(y, 64), 64)) }
end

return stage {
	name = "hmac_sha256",
	standard = "RFC 2104, FIPS 180-4",
	kind = "hash",
	unit = 64,
	params = { { "key", 64 } },
	expand = function(p)
		local state = {}
		for _, pad in ipairs { 0x36363636, 0x5c5c5c5c } do
			local unit = {}
			for k, w in ipairs(p.key) do unit[k] = xor(ordered(w), words(pad, pad, pad, pad)) end
			for _, w in ipairs(compress(beginning(), unit)) do state[#state + 1] = w end
		end
		return state
	end,
	begin = function() return {} end,
	before = 64,
	init = function(s) return { s[1], s[2] } end,
	step = function(acc, w)
		local data = {}
		for k = 1, 4 do data[k] = ordered(w[k]) end
		return compress(acc, data)
	end,
	-- Of the key and that hash, 96 bytes.
	finish = function(acc, s)
		local hash = digest(acc)
		for k = 1, 2 do hash[k] = swap32(swap(hash[k])) end
		return digest(compress({ s[3], s[4] }, { hash[1], hash[2], words(0x80000000, 0, 0, 0), words(0, 0, 0, 768) }))
	end,
	size = 32,
	order = "big",
}
