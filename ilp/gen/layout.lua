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

-- That of a map, which vectors are to hold.
function M.of_map(d)
	local list, at = M.parts(d)
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

-- The widest words, of 32 bits at most, in which its numbers are whole words.
function M.bits(parts)
	local bits = 32
	for _, p in ipairs(parts) do
		while p.number and (p.at % (bits / 8) ~= 0 or p.size < bits / 8) do bits = bits / 2 end
	end
	return bits
end

-- What a map does that has it, as a function of such words.
function M.apply(parts, bits, order)
	local size, swap = bits / 8, ops.names[order]
	return function(w)
		local out = { unpack(w) }
		for _, p in ipairs(parts) do
			local first, last = p.at / size + 1, (p.at + p.size) / size
			for k = first, p.number and last or 0 do
				local other = w[first + last - k]
				if bits > 8 then other = swap(other) end
				out[k] = order == "big" and ops.by_order(w[k], other) or ops.by_order(other, w[k])
			end
		end
		return out
	end
end

return M
