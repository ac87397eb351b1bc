-- The test of a chain: a Check program, and a file of what its descriptions come to (oracle.lua), with which
-- tests/ilp/compare.c compares every loop. The file works on any machine of its byte order, without Lua.
--
-- NAME.vec, numbers least significant byte first, sums as memory holds them:
--	"ILPVEC1\n"
--	u16 parameters, each: u16 length of name, name, u16 size, bytes
--	u32 bytes of input, u16 inputs, each that many bytes: an ADU is a prefix of one of them
--	for send, then recv:
--		u16 ADUs, each: u16 input, u16 length, the bytes that come out, 2 bytes sum
--		u16 cut ADUs, each: u16 input, u16 length, the bytes that come out,
--			u16 pieces, each: u16 length, u16 bytes out, u8 bytes held, 2 bytes sum;
--			then of end: u8 bytes out, 2 bytes sum
local oracle = require "gen.oracle"
local text = require "gen.text"

local M = {}

local FULL = 512     -- every length up to this
local LONGEST = 6200 -- more than one turn of the widest loop, and more than two tiles
local CUT_ADUS = 160
-- Of the inputs that are all ones and all zeros: about the widths of words and vectors.
local EDGES = { 1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 255, 511, 1024, LONGEST }

-- A generator of numbers that is the same on every machine (Lehmer, 2^31 - 1).
local function random(seed)
	local x = seed
	return function(n)
		x = x * 48271 % 2147483647
		return x % n
	end
end

local function u16(n) return string.char(n % 256, math.floor(n / 256) % 256) end
local function u32(n) return u16(n % 65536) .. u16(math.floor(n / 65536)) end
local function string_of(bytes)
	local parts = {}
	for i = 1, #bytes, 4096 do parts[#parts + 1] = string.char(unpack(bytes, i, math.min(i + 4095, #bytes))) end
	return table.concat(parts)
end

local function fill(n, f)
	local bytes = {}
	for i = 1, n do bytes[i] = f(i) end
	return bytes
end

local function prefix(bytes, n)
	return fill(n, function(i) return bytes[i] end)
end

-- Long ADUs: about the turns of the loops, tiles, segments.
local function long_lengths(next)
	local lengths = {}
	for _, n in ipairs { 576, 1024, 1460, 1536, 2048, 3072, 4096 } do
		for _, by in ipairs { -4, -1, 0, 1, 3 } do lengths[#lengths + 1] = n + by end
	end
	for _ = 1, 12 do lengths[#lengths + 1] = FULL + next(LONGEST - FULL) end
	lengths[#lengths + 1] = LONGEST
	return lengths
end

-- Which ADUs: { input, length }. Input 1 is random, 2 all ones, 3 all zeros.
local function adus(next)
	local list = {}
	for n = 0, FULL do list[#list + 1] = { 1, n } end
	for _, n in ipairs(long_lengths(next)) do list[#list + 1] = { 1, n } end
	for _, input in ipairs { 2, 3 } do
		for _, n in ipairs(EDGES) do list[#list + 1] = { input, n } end
	end
	return list
end

-- The lengths of the pieces into which an ADU of n bytes is cut: first in two anywhere, then in many.
local function cut(n, k, next)
	if k % 4 == 0 then
		local first = next(n + 1)
		return { first, n - first }
	end
	local pieces, most = {}, k % 4 == 1 and 9 or k % 4 == 2 and 200 or 1600
	while n > 0 do
		local piece = math.min(n, next(most))
		pieces[#pieces + 1], n = piece, n - piece
	end
	return pieces
end

local function sum_bytes(sum, order)
	if not sum then return "\0\0" end
	local low, high = sum % 256, math.floor(sum / 256)
	return order == "big" and string.char(high, low) or string.char(low, high)
end

local function emit_cut(put, chain, pieces, result, unit, order)
	local at, out = 0, 0
	local function sum(from, to)
		return sum_bytes(result.summed and oracle.sum(chain, result.summed, from, to, order), order)
	end
	for _, piece in ipairs(pieces) do
		local now, done = at + piece, (at + piece) - (at + piece) % unit
		put(u16(piece) .. u16(done - out) .. string.char(now - done))
		put(result.entry and sum(at, now) or sum(out, done))
		at, out = now, done
	end
	put(string.char(at - out))
	put(result.entry and sum(at, at) or sum(out, at))
end

local function emit_direction(put, chain, direction, values, inputs, order, next)
	local function run(adu)
		local out, summed, entry = oracle.run(chain, direction, values, prefix(inputs[adu[1]], adu[2]), order)
		return { out = out, summed = summed, entry = entry }
	end
	local list = adus(next)
	put(u16(#list))
	for _, adu in ipairs(list) do
		local result = run(adu)
		put(u16(adu[1] - 1) .. u16(adu[2]) .. string_of(result.out))
		put(sum_bytes(result.summed and oracle.sum(chain, result.summed, 0, adu[2], order), order))
	end
	put(u16(CUT_ADUS))
	for k = 1, CUT_ADUS do
		local n = k % 3 == 0 and next(LONGEST) or next(FULL)
		local pieces = cut(n, k, next)
		local result = run { 1, n }
		put(u16(0) .. u16(n) .. string_of(result.out) .. u16(#pieces))
		emit_cut(put, chain, pieces, result, oracle.unit(chain), order)
	end
end

-- The content of the .vec file.
local function vectors(chain, order)
	local next, parts, values = random(20231), {}, {}
	local function put(s) parts[#parts + 1] = s end
	put("ILPVEC1\n")
	local params = {}
	for _, stage in ipairs(chain.stages) do
		for _, p in ipairs(stage.fields.params or {}) do
			local name = stage.name .. "." .. p[1]
			values[name] = fill(p[2], function() return next(256) end)
			params[#params + 1] = u16(#name) .. name .. u16(p[2]) .. string_of(values[name])
		end
	end
	put(u16(#params) .. table.concat(params))
	local inputs = {
		fill(LONGEST, function() return next(256) end),
		fill(LONGEST, function() return 255 end),
		fill(LONGEST, function() return 0 end),
	}
	put(u32(LONGEST) .. u16(#inputs))
	for _, input in ipairs(inputs) do put(string_of(input)) end
	for _, direction in ipairs { "send", "recv" } do emit_direction(put, chain, direction, values, inputs, order, next) end
	return table.concat(parts)
end

local function program(chain)
	local t = text.new()
	t:line("/* Generated by ilp/gen from chain %s: compares its loops with its descriptions. Do not edit. */", chain.name)
	t:line("#include \"tests/ilp/compare.h\"")
	t:line("#include \"%s.h\"", chain.name)
	t:line("")
	t:line("/* Run with the path of %s.vec. */", chain.name)
	t:func("int main(int argc, char **argv)")
	t:line("return compare_main(&ilp_chain_%s, argc, argv);", chain.name)
	t:close()
	return t:string()
end

-- Files for the chain's test, for machines of that byte order.
function M.outputs(plan, dir, order)
	local base = dir .. "/" .. plan.chain.name
	return {
		{ path = base .. "_test.c", content = program(plan.chain) },
		{ path = base .. ".vec", content = vectors(plan.chain, order) },
	}
end

return M
