-- Bytes as the oracle has them: tables of numbers, from 1; and words of them.
local quad = require "gen.quad"

local M = {}

-- The word of size bytes whose first is bytes[i], as the machine would load it; what is beyond the end counts as 0.
function M.load(bytes, i, size, order)
	if size == 16 then
		local a, b = M.load(bytes, i, 8, order), M.load(bytes, i + 8, 8, order)
		return order == "little" and quad.new(a, b) or quad.new(b, a)
	end
	local first, last, by = i, i + size - 1, 1
	if order == "little" then first, last, by = last, first, -1 end
	local w = size == 8 and 0ULL or 0
	for k = first, last, by do w = w * 256 + (bytes[k] or 0) end
	return w
end

-- Puts it there.
function M.store(bytes, i, w, size, order)
	if quad.word(w) == w then
		local a, b = w.low, w.high
		if size < 16 then return M.store(bytes, i, a, size, order) end
		if order ~= "little" then a, b = b, a end
		M.store(bytes, i, a, 8, order)
		return M.store(bytes, i + 8, b, 8, order)
	end
	local first, last, by = i + size - 1, i, -1
	if order == "little" then first, last, by = last, first, 1 end
	for k = first, last, by do
		local byte = w % 256
		bytes[k] = tonumber(byte)
		w = (w - byte) / 256
	end
end

function M.part(bytes, from, to)
	local t = {}
	for i = from, to do t[#t + 1] = bytes[i] end
	return t
end

function M.append(bytes, more)
	for _, b in ipairs(more) do bytes[#bytes + 1] = b end
	return bytes
end

-- How many of the first bytes of two lists are the same.
function M.shared(a, b)
	local n = math.min(#a, #b)
	for i = 1, n do
		if a[i] ~= b[i] then return i - 1 end
	end
	return n
end

return M
