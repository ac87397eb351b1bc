-- Layouts: what stands in a unit of data, in the place of functions: a list of numbers, by their bytes, and in quotes
-- how many bytes stand between them that are no number. Numbers go from the machine's order of bytes to that of the
-- format, and back by the same; the others stay what they are. Some may be zeros in the format: what memory has there
-- does not go. What has come there does come, so that whoever wants zeros there can look.
local field = require "gen.field"
local ops = require "gen.ops"
local sandbox = require "gen.sandbox"

local M = {}

-- Bytes of a unit. Of two that may wait for the next call the state has room (HELD_MAX, state.lua), and the vectors
-- that hold whole units stand in the C one by one: of units of 508 bytes that is 127, which is 250 KB of code for all
-- instruction sets and 11 seconds of gcc's, twice what units of 252 bytes cost. Without vectors such a loop would have
-- a tenth of the speed.
M.MOST = 512

local SIZES = { [2] = true, [4] = true, [8] = true, [16] = true }

-- What a part is, and how many bytes it has.
local function part_of(e, holes)
	if SIZES[e] then return "number", e end
	local text = type(e) == "string" and e:match "^[1-9]%d*$"
	if text then return "bytes", tonumber(text) end
	local key = holes and 1 or "zeros"
	if type(e) ~= "table" or next(e) ~= key or next(e, key) ~= nil then return nil end
	local size = e[key]
	if type(size) == "number" and size >= 1 and size % 1 == 0 then return holes and "hole" or "zeros", size end
end

-- The parts of the layout: { number, hole, zeros = whether it is one, at = its first byte in memory, from 0, to = where
-- that goes, size }. Returns how many bytes they have in memory, and how many go.
function M.parts(d, holes)
	local list, at, to = {}, 0, 0
	for k = 1, field.check_list(d, "layout", d.fields.layout) do
		local e = d.fields.layout[k]
		local what, size = part_of(e, holes)
		if not what then
			field.fail(d, "layout", "part %d of layout is %s, expected a number of 2, 4, 8 or 16 bytes, or bytes in quotes "
				.. "(\"8\"), or those of %s; correct it", k, sandbox.show(e), holes and "a hole in braces ({ 3 })"
				or "zeros ({ zeros = 3 })")
		end
		list[k] = { [what] = true, at = at, to = to, size = size }
		at, to = at + size, to + (what == "hole" and 0 or size)
	end
	if at > M.MOST then
		field.fail(d, "layout", "layout has %d bytes, expected %d at most; describe less in one unit", at, M.MOST)
	end
	return list, at, to
end

-- The parts of n such structures, those of each kind going side by side.
local function arrays(parts, size, n)
	local list, to = {}, 0
	for _, p in ipairs(parts) do
		for at = p.at, p.at + (n - 1) * size, size do
			list[#list + 1] = { number = p.number, zeros = p.zeros, at = at, to = to, size = p.size }
			to = to + p.size
		end
	end
	return list, to
end

-- That of a map, which vectors are to hold.
function M.of_map(d)
	local list, at = M.parts(d)
	local n = d.fields.arrays
	if n and (n < 2 or n % 1 ~= 0 or n * at > M.MOST) then
		field.fail(d, "arrays", "arrays is %s, expected a number of structures from 2 on that has %d bytes at most; "
			.. "correct it", sandbox.show(n), M.MOST)
	end
	if n then list, at = arrays(list, at, n) end
	if at == 0 or at % 4 ~= 0 then
		field.fail(d, "layout", "layout has %d bytes, expected a multiple of 4; name the bytes that fill it up", at)
	end
	return list, at
end

-- That of a recode: something goes, and something does not.
function M.of_recode(d)
	local list, at, to = M.parts(d, true)
	if to == 0 or to == at then
		field.fail(d, "layout", "layout has %d bytes of which %d go, expected fewer and some; %s", at, to,
			to == 0 and "name what goes" or "make it a map")
	end
	return list, at, to
end

-- The widest words, of 32 bits at most, in which its numbers, and what goes elsewhere, are whole words.
function M.bits(parts)
	local size = 4
	for _, p in ipairs(parts) do
		while (p.number or p.to ~= p.at) and (p.at % size ~= 0 or p.to % size ~= 0 or p.size % size ~= 0) do
			size = size / 2
		end
	end
	return size * 8
end

-- Of each such word the bits that are not zeros of the format's, by the machine's order of bytes; nil where all are.
-- where: "at", in memory, or "to", as it goes.
function M.kept(parts, bits, where)
	local size, list = bits / 8, {}
	for _, p in ipairs(parts) do
		for place = p[where], p.zeros and p[where] + p.size - 1 or -1 do
			local k, byte = math.floor(place / size) + 1, place % size
			list[k] = list[k] or { little = 2^bits - 1, big = 2^bits - 1 }
			list[k].little = list[k].little - 255 * 2^(8 * byte)
			list[k].big = list[k].big - 255 * 2^(8 * (size - 1 - byte))
		end
	end
	return list
end

-- What a map does that has it, as a function of such words; kept: nil on the way back, which `back` is.
function M.apply(parts, bits, order, kept, back)
	local size, swap, clear = bits / 8, ops.names[order], ops.names.and_
	local end_ = parts[#parts]
	local words = (end_.at + end_.size) / size
	return function(w)
		w = words > 1 and w or { w }
		local out = { unpack(w) }
		for _, p in ipairs(parts) do
			local from, to, n = p.at / size, p.to / size, p.size / size
			if back then from, to = to, from end
			for k = 1, (p.number or from ~= to) and n or 0 do
				local same, other = w[from + k], w[from + n + 1 - k]
				if bits > 8 then other = swap(other) end
				out[to + k] = not p.number and same or order == "big" and ops.by_order(same, other)
					or ops.by_order(other, same)
			end
		end
		for k = 1, kept and words or 0 do
			local ones = kept[k]
			if ones then out[k] = ops.by_order(clear(out[k], ones.big), clear(out[k], ones.little)) end
		end
		return words > 1 and out or out[1]
	end
end

return M
