-- The word operations on plain numbers: what a description means, word by word. Words of 32 bits are Lua numbers,
-- words of 64 bits uint64_t.
local bit, ffi = require "bit", require "ffi"
local uint64 = ffi.typeof "uint64_t"

local M = {}

-- order: "little" or "big", of the machine that is computed for.
function M.new(bits, order)
	local d = { bits = bits }
	local norm, zero

	if bits == 64 then
		norm = function(x) return x end
		zero = uint64(0)
		function d.word(v)
			if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^53 then return uint64(v) end
			if type(v) == "cdata" and ffi.istype(uint64, v) then return v end
		end
	else
		norm = function(x) return x % 2^32 end -- of bit's signed results
		zero = 0
		function d.word(v)
			if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^32 then return v end
		end
	end

	function d.add(a, b) return norm(a + b) end
	function d.sub(a, b) return norm(a - b) end
	function d.xor(a, b) return norm(bit.bxor(a, b)) end
	function d.and_(a, b) return norm(bit.band(a, b)) end
	function d.or_(a, b) return norm(bit.bor(a, b)) end
	function d.rotl(a, n) return norm(bit.rol(a, n)) end
	function d.shl(a, n) return norm(bit.lshift(a, n)) end
	function d.shr(a, n) return norm(bit.rshift(a, n)) end
	local function swap(a) return norm(bit.bswap(a)) end
	local function same(a) return a end
	d.big = order == "big" and same or swap
	d.little = order == "big" and swap or same
	function d.choose(c, a, b) if c ~= zero then return a end return b end
	function d.repeat_(n, f, words)
		for _ = 1, n do words = f(words) end
		return words
	end
	return d
end

return M
