-- Layouts: what stands in a unit of data, in the place of functions: a list of numbers, by their bytes, and in quotes
-- how many bytes stand between them that are no number. Numbers go from the machine's order of bytes to that of the
-- format, and back by the same; the others stay what they are.
local field = require "gen.field"
local ops = require "gen.ops"
local sandbox = require "gen.sandbox"

local M = {}

M.MOST = 256 -- bytes of a unit

local SIZES = { [2] = true, [4] = true, [8] = true, [16] = true }

-- The parts of the layout of that field: { number = whether it is one, at = its first byte, from 0, size }. Returns how
-- many bytes they have, too.
function M.parts(d, name)
	local list, at = {}, 0
	local n = field.check_list(d, name, d.fields[name])
	for k = 1, n do
		local e = d.fields[name][k]
		local size = type(e) == "string" and e:match("^[1-9]%d*$") and tonumber(e) or SIZES[e] and e
		if not size then
			field.fail(d, name, "part %d of %s is %s, expected a number of 2, 4, 8 or 16 bytes, or bytes in quotes (\"8\"); "
				.. "correct it", k, name, sandbox.show(e))
		end
		list[k] = { number = type(e) == "number", at = at, size = size }
		at = at + size
	end
	if at < 4 or at % 4 ~= 0 or at > M.MOST then
		field.fail(d, name, "%s has %d bytes, expected a multiple of 4 up to %d; name the bytes that fill it up", name, at,
			M.MOST)
	end
	return list, at
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
