-- INSECURE. SAFER K-64 with one round and its output transformation. As Massey describes it the cipher has six. The
-- experiments of 1995 (Braun and Diot, SIGCOMM) had a "simplified SAFER K-64"; what was left out is not said anywhere
-- that we know of: one round is our reading of it. With ROUNDS = 6 this is the cipher itself (tests/ilp_historic.c).
-- Blocks are enciphered one by one (ECB), and bytes are looked up in tables, whose time tells.
local ROUNDS = 1

local EXP, LOG, power = {}, {}, 1 -- 45^x modulo 257, of which 256 is 0; and back
for k = 0, 255 do
	EXP[k + 1], LOG[power % 256 + 1] = power % 256, k
	power = power * 45 % 257
end

local function byte(x) return and_(x, 0xff) end
local function bytes(w)
	local x = {}
	for k = 0, 7 do x[k + 1] = byte(shr(little(w[k < 4 and 1 or 2]), k % 4 * 8)) end
	return x
end
local function words(x)
	local w = { 0, 0 }
	for k = 0, 7 do w[k < 4 and 1 or 2] = or_(w[k < 4 and 1 or 2], shl(x[k + 1], k % 4 * 8)) end
	return { little(w[1]), little(w[2]) }
end

-- To bytes 1, 4, 5 and 8 is done one thing, to the others another one.
local function mix(x, s, k, f, g) -- with key k
	local key = bytes { s[2 * k - 1], s[2 * k] }
	for j = 1, 8 do x[j] = byte((j % 4 < 2 and f or g)(x[j], key[j])) end
end
local function substitute(x, e, l)
	for j = 1, 8 do x[j] = lookup(x[j], j % 4 < 2 and e or l) end
end

-- Pairs of bytes a, b become 2a + b and a + b, three times; between these times bytes change places.
local ORDER, BACK = { 1, 3, 5, 7, 2, 4, 6, 8 }, { 1, 5, 2, 6, 3, 7, 4, 8 }
local function pairs_of(x, order, f)
	for layer = 1, 3 do
		local y = {}
		for k = 1, 8, 2 do y[k], y[k + 1] = f(x[k], x[k + 1]) end
		for k = 1, 8 do x[k] = y[layer < 3 and order[k] or k] end
	end
end
local function spread(a, b) return byte(add(add(a, a), b)), byte(add(a, b)) end
local function gather(c, d) return byte(sub(c, d)), byte(sub(add(d, d), c)) end

return stage {
	name = "historic_safer",
	standard = "Massey, Fast Software Encryption 1993",
	kind = "map",
	insecure = true,
	unit = 8,
	word = 32,
	tail = "whole",
	params = { { "key", 8 } },
	-- For each key after the first, bytes are turned by 3 bits, and a constant is added.
	begin = function(p)
		local x, s = bytes(p.key), {}
		for i = 1, 2 * ROUNDS + 1 do
			local key = {}
			for j = 1, 8 do
				key[j] = i == 1 and x[j] or byte(add(x[j], EXP[EXP[9 * i + j + 1] + 1]))
				x[j] = byte(or_(shl(x[j], 3), shr(x[j], 5)))
			end
			s[2 * i - 1], s[2 * i] = unpack(words(key))
		end
		return s
	end,
	apply = function(w, _, s)
		local x = bytes(w)
		for r = 1, ROUNDS do
			mix(x, s, 2 * r - 1, xor, add)
			substitute(x, EXP, LOG)
			mix(x, s, 2 * r, add, xor)
			pairs_of(x, ORDER, spread)
		end
		mix(x, s, 2 * ROUNDS + 1, xor, add)
		return words(x)
	end,
	inverse = function(w, _, s)
		local x = bytes(w)
		mix(x, s, 2 * ROUNDS + 1, xor, sub)
		for r = ROUNDS, 1, -1 do
			pairs_of(x, BACK, gather)
			mix(x, s, 2 * r, sub, xor)
			substitute(x, LOG, EXP)
			mix(x, s, 2 * r - 1, xor, sub)
		end
		return words(x)
	end,
}
