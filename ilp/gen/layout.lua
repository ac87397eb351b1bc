-- Layouts: what stands in a unit of data, in the place of functions: a list of numbers, by their bytes, and in quotes
-- how many bytes stand between them that are no number. Numbers go from the machine's order of bytes to that of the
-- format, and back by the same; the others stay what they are.
local field = require "gen.field"
local ops = require "gen.ops"
local sandbox = require "gen.sandbox"

local M = {}

M.MOST = 256 -- bytes of a unit

local SIZES = { [2] = true, [4] = true, [8] = true, [16] = true }

-- The parts of the layout: { number, hole = whether it is one, at = its first byte in memory, from 0, to = where that
-- goes, size }. Returns how many bytes they have in memory, and how many go.
function M.parts(d, holes)
	local list, at, to = {}, 0, 0
	for k = 1, field.check_list(d, "layout", d.fields.layout) do
		local e = d.fields.layout[k]
		local hole = holes and type(e) == "table" and #e == 1 and type(e[1]) == "number" and e[1] >= 1 and e[1] % 1 == 0
		local size = hole and e[1] or type(e) == "string" and e:match("^[1-9]%d*$") and tonumber(e) or SIZES[e] and e
		if not size then
			field.fail(d, "layout", "part %d of layout is %s, expected a number of 2, 4, 8 or 16 bytes, or bytes in quotes "
				.. "(\"8\")%s; correct it", k, sandbox.show(e), holes and ", or those of a hole in braces ({ 3 })" or "")
		end
		list[k] = { number = type(e) == "number", hole = hole, at = at, to = to, size = size }
		at, to = at + size, to + (hole and 0 or size)
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
			list[#list + 1] = { number = p.number, at = at, to = to, size = p.size }
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

-- What a map does that has it, as a function of such words; back: its inverse.
function M.apply(parts, bits, order, back)
	local size, swap = bits / 8, ops.names[order]
	return function(w)
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
		return out
	end
end

return M
