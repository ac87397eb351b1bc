-- INSECURE. SAFER K-64 with one round and its output transformation. As Massey describes it the cipher has six. The
-- experiments of 1995 (Braun and Diot, SIGCOMM) had a "simplified SAFER K-64"; what was left out is not said anywhere
-- that we know of: one round is our reading of it. With ROUNDS = 6 this is the cipher itself (tests/ilp_historic.c).
-- Blocks are enciphered one by one (ECB), and bytes are looked up in tables, whose time tells.
local ROUNDS = 1

local EXP, LOG = {}, {} -- 45^x modulo 257, of which 256 is 0; and back
do
	local x = 1
	for k = 0, 255 do
		EXP[k + 1], LOG[x % 256 + 1] = x % 256, k
		x = x * 45 % 257
	end
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
local function first(j) return j % 4 < 2 end
local function mix(x, s, k, f, g) -- with key k
	local key = bytes { s[2 * k - 1], s[2 * k] }
	for j = 1, 8 do x[j] = byte((first(j) and f or g)(x[j], key[j])) end
end
local function substitute(x, e, l)
	for j = 1, 8 do x[j] = lookup(x[j], first(j) and e or l) end
end

-- Pairs of bytes a, b become 2a + b and a + b, three times; then bytes stand in the order of the last pairs.
local PAIRS = { { 1, 2, 3, 4, 5, 6, 7, 8 }, { 1, 3, 5, 7, 2, 4, 6, 8 }, { 1, 5, 2, 6, 3, 7, 4, 8 } }
local function spread(x)
	for _, pairs in ipairs(PAIRS) do
		for k = 1, 8, 2 do
			local a, b = x[pairs[k]], x[pairs[k + 1]]
			x[pairs[k]], x[pairs[k + 1]] = byte(add(add(a, a), b)), byte(add(a, b))
		end
	end
	local y = {}
	for k = 1, 8 do y[k] = x[PAIRS[3][k]] end
	return y
end
local function gather(y)
	local x = {}
	for k = 1, 8 do x[PAIRS[3][k]] = y[k] end
	for l = 3, 1, -1 do
		for k = 1, 8, 2 do
			local c, d = x[PAIRS[l][k]], x[PAIRS[l][k + 1]]
			x[PAIRS[l][k]], x[PAIRS[l][k + 1]] = byte(sub(c, d)), byte(sub(add(d, d), c))
		end
	end
	return x
end

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
			x = spread(x)
		end
		mix(x, s, 2 * ROUNDS + 1, xor, add)
		return words(x)
	end,
	inverse = function(w, _, s)
		local x = bytes(w)
		mix(x, s, 2 * ROUNDS + 1, xor, sub)
		for r = ROUNDS, 1, -1 do
			x = gather(x)
			mix(x, s, 2 * r, sub, xor)
			substitute(x, LOG, EXP)
			mix(x, s, 2 * r - 1, xor, sub)
		end
		return words(x)
	end,
}
