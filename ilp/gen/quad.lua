-- The word operations on words of 128 bits, as numbers: what AES, SHA-256 and products without carries are made of.
-- A word is two halves of 64 bits. A description takes from memory what it needs by big() and little(); all else means
-- the same on every machine. Byte j of AES's state (FIPS 197 (3.4)) is the word's j-th from the lowest.
local bit, ffi = require "bit", require "ffi"
local band, bor, bxor, lshift, rshift, bswap = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.bswap

local M = {}

local new -- of two halves
local quad = ffi.metatype("struct { uint64_t low, high; }", {
	__eq = function(a, b)
		return ffi.istype(M.type, a) and ffi.istype(M.type, b) and a.low == b.low and a.high == b.high
	end,
})
M.type = quad
function new(low, high) return quad(low, high) end
M.new = new

-- The word that v stands for; nil if none.
local uint64 = ffi.typeof "uint64_t"
function M.word(v)
	if type(v) == "cdata" then
		return ffi.istype(quad, v) and v or ffi.istype(uint64, v) and new(v, 0) or nil
	end
	if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^53 then return new(v, 0) end
end

function M.hex(w) return bit.tohex(w.high) .. bit.tohex(w.low) end

-- Shifts by up to 127 bits.
local function shl(a, n)
	if n == 0 then return a end
	if n >= 64 then return new(0, lshift(a.low, n - 64)) end
	return new(lshift(a.low, n), bor(lshift(a.high, n), rshift(a.low, 64 - n)))
end
local function shr(a, n)
	if n == 0 then return a end
	if n >= 64 then return new(rshift(a.high, n - 64), 0) end
	return new(bor(rshift(a.low, n), lshift(a.high, 64 - n)), rshift(a.high, n))
end

local LOW = 0xffffffffULL
local function halves(a, b) return bor(band(a + b, LOW), lshift(rshift(a, 32) + rshift(b, 32), 32)) end

-- The product without carries of two words of 64 bits, four bits of b at a time.
local function product(a, b)
	local low, high = {}, {}
	for k = 0, 15 do
		local l, h = 0ULL, 0ULL
		for j = 0, 3 do
			if band(k, lshift(1, j)) ~= 0 then
				l = bxor(l, lshift(a, j))
				if j > 0 then h = bxor(h, rshift(a, 64 - j)) end
			end
		end
		low[k], high[k] = l, h
	end
	local l, h = 0ULL, 0ULL
	for k = 60, 0, -4 do
		h = bor(lshift(h, 4), rshift(l, 60))
		l = lshift(l, 4)
		local nibble = tonumber(band(rshift(b, k), 15))
		l, h = bxor(l, low[nibble]), bxor(h, high[nibble])
	end
	return new(l, h)
end

-- AES ------------------------------------------------------------------------------------------------------------

local function double(x) return x < 128 and 2 * x or bxor(2 * x - 256, 0x1b) end
local function times(a, b)
	local r = 0
	while b > 0 do
		if b % 2 == 1 then r = bxor(r, a) end
		a, b = double(a), math.floor(b / 2)
	end
	return r
end

-- FIPS 197 (5.1.1): the inverse of x, which is x^254, then an affine map.
local BOX = {}
for x = 0, 255 do
	local inverse, square = 1, x
	for _ = 1, 7 do
		square = times(square, square)
		inverse = times(inverse, square)
	end
	local out = 0x63
	for turn = 0, 4 do out = bxor(out, band(bor(lshift(inverse, turn), rshift(inverse, 8 - turn)), 0xff)) end
	BOX[x] = out
end

local function bytes_of(w)
	local t = {}
	for k = 0, 7 do
		t[k] = tonumber(band(rshift(w.low, 8 * k), 0xff))
		t[k + 8] = tonumber(band(rshift(w.high, 8 * k), 0xff))
	end
	return t
end
local function word_of(t)
	local low, high = 0ULL, 0ULL
	for k = 7, 0, -1 do low, high = low * 256 + t[k], high * 256 + t[k + 8] end
	return new(low, high)
end

-- SubBytes and ShiftRows; byte j is row j % 4 of column j / 4.
local function substituted(w)
	local from, to = bytes_of(w), {}
	for j = 0, 15 do to[j] = BOX[from[(j + 4 * (j % 4)) % 16]] end
	return to
end

local function mixed(t)
	local out = {}
	for j = 0, 15 do
		local column = j - j % 4
		local function row(k) return t[column + (j + k) % 4] end
		out[j] = bxor(double(row(0)), double(row(1)), row(1), row(2), row(3))
	end
	return out
end

-- SHA-256 ----------------------------------------------------------------------------------------------------------

-- Words of 32 bits, from the lowest.
local function words_of(w)
	return { tonumber(band(w.low, LOW)), tonumber(rshift(w.low, 32)), tonumber(band(w.high, LOW)),
		tonumber(rshift(w.high, 32)) }
end
local function of_words(a, b, c, d)
	local function two(low, high) return low % 2^32 + lshift(high % 2^32 + 0ULL, 32) end
	return new(two(a, b), two(c, d))
end

-- FIPS 180-4 (4.1.2), of numbers.
local function sigma(x, a, b, c)
	return bxor(bit.ror(x, a), bit.ror(x, b), c < 0 and rshift(x, -c) or bit.ror(x, c)) % 2^32
end
local function ch(x, y, z) return bxor(band(x, y), band(bit.bnot(x), z)) % 2^32 end
local function maj(x, y, z) return bxor(band(x, y), band(x, z), band(y, z)) % 2^32 end

-- (6.2.2), step 3, four times.
local function rounds(abef, cdgh, kw)
	local x, y = words_of(abef), words_of(cdgh)
	local a, b, c, d, e, f, g, h = x[4], x[3], y[4], y[3], x[2], x[1], y[2], y[1]
	for _, w in ipairs(words_of(kw)) do
		local t1 = h + sigma(e, 6, 11, 25) + ch(e, f, g) + w
		local t2 = sigma(a, 2, 13, 22) + maj(a, b, c)
		a, b, c, d, e, f, g, h = (t1 + t2) % 2^32, a, b, c, (d + t1) % 2^32, e, f, g
	end
	return of_words(f, e, b, a), of_words(h, g, d, c)
end

local function su0(a, b)
	local x, y = words_of(a), words_of(b)
	local function sum(k, next) return x[k] + sigma(next, 7, 18, -3) end
	return of_words(sum(1, x[2]), sum(2, x[3]), sum(3, x[4]), sum(4, y[1]))
end

local function su1(t, b, c)
	local out, y, z = words_of(t), words_of(b), words_of(c)
	local function sum(k, seventh, second) return (out[k] + seventh + sigma(second, 17, 19, -10)) % 2^32 end
	local first, second = sum(1, y[2], z[3]), sum(2, y[3], z[4])
	return of_words(first, second, sum(3, y[4], first), sum(4, z[1], second))
end

-- ----------------------------------------------------------------------------------------------------------------

-- Gives the domain d its operations.
function M.operations(d)
	d.word = M.word
	function d.xor(a, b) return new(bxor(a.low, b.low), bxor(a.high, b.high)) end
	function d.and_(a, b) return new(band(a.low, b.low), band(a.high, b.high)) end
	function d.or_(a, b) return new(bor(a.low, b.low), bor(a.high, b.high)) end
	d.shl, d.shr = shl, shr
	function d.rotl(a, n) return n == 0 and a or d.or_(shl(a, n), shr(a, 128 - n)) end
	function d.add32(a, b) return new(halves(a.low, b.low), halves(a.high, b.high)) end
	function d.swap(a) return new(bswap(a.high), bswap(a.low)) end
	function d.swap32(a) return new(bit.rol(bswap(a.low), 32), bit.rol(bswap(a.high), 32)) end
	function d.clmul(a, b, halves_)
		return product(halves_ % 2 == 1 and a.high or a.low, halves_ >= 2 and b.high or b.low)
	end
	function d.aes(a, key) return d.xor(word_of(mixed(substituted(a))), key) end
	function d.aes_last(a, key) return d.xor(word_of(substituted(a)), key) end
	function d.sha256(a, b, w) return (rounds(a, b, w)) end
	function d.sha256_half(a, b, w) return select(2, rounds(a, b, w)) end
	d.sha256_su0, d.sha256_su1 = su0, su1
end

return M
