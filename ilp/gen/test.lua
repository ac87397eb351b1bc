-- The test of a chain: a program, and a file of what its descriptions come to (oracle.lua), with which
-- tests/ilp/compare.c compares every loop. The file works on any machine of its byte order, without Lua.
--
-- NAME.vec, numbers least significant byte first:
--	"ILPVEC3\n"
--	u16 parameters, each: u16 length of name, name, u16 size, bytes
--	u16 values, each: u16 length of name, name, u16 size
--	u32 bytes of input, u16 inputs, each that many bytes: an ADU is a prefix of one of them
--	u32 ADUs, each: u16 input, u16 input that comes back, u32 length, u32 length sent, u32 how many of its bytes are
--		those of the ADU before, the others, the values' bytes
--	u32 damages, each: u32 ADU, u32 place, u8 what is xored to the byte there (0: the bytes end there),
--		u8 whether it is noticed
local octets = require "gen.bytes"
local oracle = require "gen.oracle"
local text = require "gen.text"

local M = {}

-- How much there is of it: every length up to `all`, others up to `longest`.
M.SAMPLE = { all = 300, longest = 6200 }
M.FULL = { all = 4096, longest = 6200 }
M.SURVEY = { all = 80, longest = 700 }
-- Of the inputs that are all ones and all zeros: about the widths of words and vectors.
local EDGES = { 1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 255 }
local DAMAGES = 60

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
local function string_of(bytes, from)
	local parts = {}
	for i = from or 1, #bytes, 4096 do parts[#parts + 1] = string.char(unpack(bytes, i, math.min(i + 4095, #bytes))) end
	return table.concat(parts)
end

local function fill(n, f)
	local bytes = {}
	for i = 1, n do bytes[i] = f(i) end
	return bytes
end

-- Which ADUs: { input, length }. Input 1 is random, 2 all ones, 3 all zeros.
local function adus(extent, next)
	local list = {}
	for n = 0, extent.all do list[#list + 1] = { 1, n } end
	-- Long ones: about the turns of the loops, tiles, segments.
	for _, n in ipairs { 384, 512, 576, 1024, 1460, 1536, 2048, 3072, 4096, 6144 } do
		for _, by in ipairs { -4, -1, 0, 1, 3 } do
			if n + by > extent.all and n + by <= extent.longest then list[#list + 1] = { 1, n + by } end
		end
	end
	for _ = 1, 12 do list[#list + 1] = { 1, extent.all + next(extent.longest - extent.all) } end
	list[#list + 1] = { 1, extent.longest }
	for _, input in ipairs { 2, 3 } do
		for _, n in ipairs(EDGES) do
			if n <= extent.longest then list[#list + 1] = { input, n } end
		end
		list[#list + 1] = { input, extent.longest }
	end
	return list
end

local function parameters(chain, values, next)
	local params = {}
	for _, stage in ipairs(chain.stages) do
		for _, p in ipairs(stage.fields.params or {}) do
			local name = stage.name .. "." .. p[1]
			values[name] = fill(p[2], function() return next(256) end)
			params[#params + 1] = u16(#name) .. name .. u16(p[2]) .. string_of(values[name])
		end
	end
	if chain.pair then
		local name = chain.pair.name .. ".associated"
		values[name] = fill(21, function() return next(256) end)
		params[#params + 1] = u16(#name) .. name .. u16(21) .. string_of(values[name])
	end
	return u16(#params) .. table.concat(params)
end

local function folds(chain)
	local list = {}
	for _, stage in ipairs(chain.stages) do
		if stage.kind == "fold" then list[#list + 1] = stage end
	end
	return list
end

-- What was sent, with a byte changed or cut short: does the other direction see it?
local function damages(put, chain, values, order, sent, next)
	local recv = oracle.machines(chain, "recv", values, order)
	local list = {}
	local function damage(k, at, mask)
		local wire = sent[k]
		local bytes = fill(mask == 0 and at or #wire, function(i) return wire[i] end)
		if mask > 0 then bytes[at + 1] = bit.bxor(bytes[at + 1], mask) end
		local _, _, bad = oracle.run(recv, bytes)
		list[#list + 1] = u32(k - 1) .. u32(at) .. string.char(mask, bad and 1 or 0)
	end
	-- The shortest, cut everywhere: what is to be taken off is not all there.
	for at = 0, math.min(#sent[1], 40) - 1 do damage(1, at, 0) end
	for _ = 1, DAMAGES do
		local k = next(#sent) + 1
		local wire = sent[k]
		if #wire > 0 and #wire < 800 then
			local at = next(#wire)
			damage(k, at, next(4) == 0 and 0 or next(255) + 1)
		end
	end
	put(u32(#list) .. table.concat(list))
end

-- Whether data has bytes that do not come back: the holes of structures, and what goes as zeros.
local function loses(chain)
	for _, stage in ipairs(chain.stages) do
		if stage.kind == "recode" and stage.fields.layout or stage.kept then return true end
	end
end

-- The inputs as they come back, behind them as they were, and of the ADUs, { input, length, input that comes back },
-- those of which all comes back: whole units, and none that bytes have come into which otherwise were not lost, where a
-- stage before changes places. Of an input as it was, values have to be the same on both ways as well.
local function kept(inputs, all, chain, values, order)
	local send, recv = oracle.machines(chain, "send", values, order), oracle.machines(chain, "recv", values, order)
	local function back(bytes)
		local wire, sent = oracle.run(send, bytes)
		local data, came = oracle.run(recv, wire)
		for name, value in pairs(sent) do
			if octets.shared(value, came[name]) < #value then return data, false end
		end
		return data, true
	end
	local count, longest, list, seen = #inputs, math.huge, {}, {}
	for k = 1, count do
		inputs[count + k], inputs[k] = inputs[k], back(inputs[k])
		longest = math.min(longest, #inputs[k], #inputs[count + k])
	end
	local function add(from, n, to)
		local whole = octets.part(inputs[to], 1, n)
		local data, same = back(octets.part(inputs[from], 1, n))
		if #data == n and octets.shared(data, whole) == n and (from == to or same) then list[#list + 1] = { from, n, to } end
	end
	for _, adu in ipairs(all) do
		local k = adu[1]
		local n = #back(octets.part(inputs[k], 1, adu[2]))
		if n <= longest and not seen[k .. " " .. n] then
			seen[k .. " " .. n] = true
			add(k, n, k)
			add(count + k, n, k)
		end
	end
	return longest, list
end

-- The content of the .vec file.
function M.vectors(chain, order, extent)
	jit.on()
	local next, parts, values = random(20231), {}, {}
	local function put(s) parts[#parts + 1] = s end
	put("ILPVEC3\n")
	put(parameters(chain, values, next))
	local list, longest = folds(chain), extent.longest
	put(u16(#list))
	for _, stage in ipairs(list) do put(u16(#stage.name) .. stage.name .. u16(stage.size)) end
	local inputs = {
		fill(longest, function() return next(256) end),
		fill(longest, function() return 255 end),
		fill(longest, function() return 0 end),
	}
	local send = oracle.machines(chain, "send", values, order)
	local all, sent, before = adus(extent, next), {}, {}
	if loses(chain) then longest, all = kept(inputs, all, chain, values, order) end
	put(u32(longest) .. u16(#inputs))
	for _, input in ipairs(inputs) do put(string_of(octets.part(input, 1, longest))) end
	put(u32(#all))
	for k, adu in ipairs(all) do
		local input = inputs[adu[1]]
		local wire, folded = oracle.run(send, fill(adu[2], function(i) return input[i] end))
		local shared = octets.shared(before, wire)
		put(u16(adu[1] - 1) .. u16((adu[3] or adu[1]) - 1) .. u32(adu[2]))
		put(u32(#wire) .. u32(shared) .. string_of(wire, shared + 1))
		for _, stage in ipairs(list) do put(string_of(folded[stage.name])) end
		sent[k], before = wire, wire
	end
	damages(put, chain, values, order, sent, next)
	jit.off()
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
function M.outputs(plan, dir, order, extent)
	local base = dir .. "/" .. plan.chain.name
	return {
		{ path = base .. "_test.c", content = program(plan.chain) },
		{ path = base .. ".vec", content = M.vectors(plan.chain, order, extent or M.SAMPLE) },
	}
end

return M
