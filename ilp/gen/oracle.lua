-- What a chain comes to: its stages one after another, word by word, on plain numbers. It takes from a description
-- nothing but its own functions and fields, runs them in the sandbox, and knows neither plan nor emitter; loops are
-- compared with it.
local ops = require "gen.ops"
local number = require "gen.number"
local sandbox = require "gen.sandbox"

local M = {}

-- Bytes are tables of numbers, from 1. The word whose first byte is bytes[i], as the machine would load it; what is
-- beyond the end counts as 0.
local function load(bytes, i, order)
	local w, first, last, by = 0, i, i + 3, 1
	if order == "little" then first, last, by = last, first, -1 end
	for k = first, last, by do w = w * 256 + (bytes[k] or 0) end
	return w
end

local function store(bytes, i, w, order)
	local first, last, by = i + 3, i, -1
	if order == "little" then first, last, by = last, first, 1 end
	for k = first, last, by do
		bytes[k] = w % 256
		w = (w - w % 256) / 256
	end
end

local function run_map(f, unit, bytes, order)
	local out = {}
	for i = 1, #bytes do out[i] = bytes[i] end
	if unit < 4 then return out end
	for i = 1, #bytes - 3, 4 do store(out, i, ops.word(f(load(bytes, i, order)), "what a map returns"), order) end
	return out
end

local function run_stream(f, state, bytes, order)
	local out, bit = {}, require "bit"
	for from = 0, #bytes - 1, 64 do
		local key = {}
		local words = ops.tuple(f.block({ unpack(state) }, from / 64), "what block returns", 16)
		for k, w in ipairs(words) do store(key, 4 * k - 3, w, order) end
		for k = 1, math.min(64, #bytes - from) do out[from + k] = bit.bxor(bytes[from + k], key[k]) end
	end
	return out
end

-- The value of the fold over bytes[from + 1 .. to], a piece that begins by itself.
local function run_fold(f, bytes, from, to, order)
	local piece = {}
	for i = from + 1, to do piece[i - from] = bytes[i] end
	local acc = f.zero
	for i = 1, #piece, 4 do acc = f.step(acc, load(piece, i, order)) end
	return tonumber(ops.word(f.finish(acc), "what finish returns"))
end

-- The words that begin makes of parameters, whose values are tables of bytes by name "stage.param".
local function begin(stage, values, order)
	local p = {}
	for _, param in ipairs(stage.fields.params) do
		local bytes, words = values[stage.name .. "." .. param[1]], {}
		for k = 1, param[2] / 4 do words[k] = load(bytes, 4 * k - 3, order) end
		p[param[1]] = words
	end
	return ops.tuple(stage.fields.begin(p), "what begin returns")
end

-- Calls f, which runs the function of that field many times, with the words of the given domain.
local function within(stage, field, domain, f)
	return ops.with(domain, function() return sandbox.run_long(stage.file, stage.line(field), f) end)
end

-- Runs an ADU through the chain in one direction. Returns the bytes that come out, and the bytes as the
-- inet_checksum saw them with whether it stands before all stages with a unit ("entry"), or nil.
function M.run(chain, direction, values, bytes, order)
	local narrow, wide = number.new(32, order), false
	local summed, entry
	local first, last, by = 1, #chain.stages, 1
	if direction == "recv" then first, last, by = last, first, -1 end
	for k = first, last, by do
		local stage = chain.stages[k]
		local f, given = stage.fields, bytes
		if stage.kind == "map" then
			local way = direction == "recv" and f.inverse ~= "self" and "inverse" or "apply"
			bytes = within(stage, way, narrow, function() return run_map(f[way], f.unit, given, order) end)
			wide = wide or f.unit > 1
		elseif stage.kind == "stream" then
			bytes = within(stage, "block", narrow, function()
				return run_stream(f, begin(stage, values, order), given, order)
			end)
		elseif stage.name == "inet_checksum" then
			summed, entry = bytes, not wide
		end
	end
	return bytes, summed, entry
end

-- The sum of a piece of what run() says was summed.
function M.sum(chain, summed, from, to, order)
	for _, stage in ipairs(chain.stages) do
		if stage.name == "inet_checksum" then
			return within(stage, "step", number.new(64, order), function()
				return run_fold(stage.fields, summed, from, to, order)
			end)
		end
	end
end

-- The bytes that a cut holds back are those beyond a multiple of this.
function M.unit(chain)
	local unit = 1
	for _, stage in ipairs(chain.stages) do
		if stage.kind == "map" and stage.fields.unit > unit then unit = stage.fields.unit end
	end
	return unit
end

return M
