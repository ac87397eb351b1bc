-- The word operations on plain numbers: what a description means, word by word. Words of up to 32 bits are Lua numbers,
-- words of 64 bits uint64_t, those of 128 quad.lua's.
local bit, ffi = require "bit", require "ffi"
local quad = require "gen.quad"
local uint64, istype = ffi.typeof "uint64_t", ffi.istype
local band, bor, bxor, lshift, rshift, rol, bswap = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.rol,
	bit.bswap
local floor = math.floor

local M = {}

-- The operations of one width, in terms of bit's.
local function narrow(d, bits)
	local size = 2^bits
	function d.word(v)
		if type(v) == "number" and v % 1 == 0 and v >= 0 and v < size then return v end
	end
	function d.lookup(a, t) return t[a % 256 + 1] end
	-- What bit gives is signed.
	function d.add(a, b) return (a + b) % size end
	function d.sub(a, b) return (a - b) % size end
	function d.mul(a, b) return tonumber(uint64(a) * uint64(b) % 0x100000000ULL) % size end
	function d.xor(a, b) return bxor(a, b) % size end
	function d.and_(a, b) return band(a, b) % size end
	function d.or_(a, b) return bor(a, b) % size end
	function d.shl(a, n) return lshift(a, n) % size end
	function d.shr(a, n) return floor(a / 2^n) end
	function d.rotl(a, n) return (a * 2^n % size + floor(a / 2^(bits - n))) % size end
	if bits == 32 then
		function d.rotl(a, n) return rol(a, n) % size end
	end
	function d.swap(a)
		local out = 0
		for _ = 1, bits / 8 do
			out = out * 256 + a % 256
			a = floor(a / 256)
		end
		return out
	end
end

local function wide(d)
	function d.word(v)
		if type(v) == "cdata" and istype(uint64, v) then return v end
		if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^53 then return uint64(v) end
	end
	function d.lookup(a, t) return uint64(t[tonumber(a % 256) + 1]) end
	function d.add(a, b) return a + b end
	function d.sub(a, b) return a - b end
	function d.mul(a, b) return a * b end
	-- By arithmetic where that does: bit's functions take three times as long on words of 64 bits.
	local power = {}
	for n = 0, 63 do power[n] = lshift(1ULL, n) end
	function d.mul32(a, b) return a % 0x100000000ULL * (b % 0x100000000ULL) end
	function d.shl(a, n) return a * power[n] end
	function d.shr(a, n) return a / power[n] end
	d.xor, d.and_, d.or_, d.rotl, d.swap = bxor, band, bor, rol, bswap
end

-- bits: 8, 16, 32, 64 or 128. order: "little" or "big", of the machine that is computed for.
function M.new(bits, order)
	local d = { bits = bits }

	if bits == 128 then quad.operations(d) elseif bits == 64 then wide(d) else narrow(d, bits) end
	local function same(a) return a end
	d.big = order == "big" and same or d.swap
	d.little = order == "big" and d.swap or same
	if bits == 64 then
		local function half(a) return band(a, 0xffffffffULL) end
		local function swapped(a) return rshift(bswap(a), 32) end
		d.big32 = order == "big" and half or swapped
		d.little32 = order == "big" and swapped or half
	end
	-- One word or the other by the machine's order of bytes (layout.lua).
	function d.by_order(big, little) return order == "big" and big or little end
	if bits < 128 then
		function d.choose(c, a, b) if c ~= d.word(0) then return a end return b end
	end
	function d.repeat_(n, f, words)
		for _ = 1, n do words = f(words) end
		return words
	end
	return d
end

return M
