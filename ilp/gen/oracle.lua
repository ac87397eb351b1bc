-- What a chain comes to: its stages one after another on plain numbers. It takes from a description nothing but its own
-- functions and fields, runs them in the sandbox, and knows neither plan nor emitter; loops are compared with it.
--
-- A stage in a direction is a machine: piece(bytes, at) does to some bytes, the first of which stands at that place of
-- its data, what the stage does, as if they were all that there is; finish(bytes, at) the same to the last of them.
-- Bytes are tables of numbers, from 1. An ADU goes through finish() of one machine after another. judge.lua has them
-- run in pieces: for that, a machine that does not leave all bytes side by side has together(at), how many from that
-- place on it does, and one that puts something between them before(at), what it puts there.
local ops = require "gen.ops"
local number = require "gen.number"
local sandbox = require "gen.sandbox"
local bit = require "bit"

local M = {}

-- Words and bytes --------------------------------------------------------------------------------------------------

-- The word of size bytes whose first is bytes[i], as the machine would load it; what is beyond the end counts as 0.
local function load(bytes, i, size, order)
	local first, last, by = i, i + size - 1, 1
	if order == "little" then first, last, by = last, first, -1 end
	local w = size == 8 and 0ULL or 0
	for k = first, last, by do w = w * 256 + (bytes[k] or 0) end
	return w
end

local function store(bytes, i, w, size, order)
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

local part, append, shared = M.part, M.append, M.shared

-- Machines ---------------------------------------------------------------------------------------------------------

-- Calls f, which runs functions of the stage, the first being that of the field.
local function within(stage, field, bits, order, f)
	return ops.with(number.new(bits, order), function() return sandbox.run_long(stage.file, stage.line(field), f) end)
end

-- The words that begin makes of parameters, whose values are tables of bytes by name "stage.param".
local function begin(stage, values, order)
	local f = stage.fields
	if not f.params then return {} end
	local size = stage.state_bits / 8
	return within(stage, "begin", stage.state_bits, order, function()
		local p = {}
		for _, param in ipairs(f.params) do
			p[param[1]] = {}
			for k = 1, param[2] / size do
				p[param[1]][k] = load(values[stage.name .. "." .. param[1]], size * (k - 1) + 1, size, order)
			end
		end
		return ops.tuple(f.begin(p), "what begin returns")
	end)
end

local MACHINE = {}

-- A map that has a layout: of each unit the numbers, the bytes of which are reversed if the machine has them in the other
-- order.
local function laid_out(stage, env)
	local f, m = stage.fields, {}
	function m.piece(bytes)
		local out = part(bytes, 1, #bytes)
		local at = 0 -- bytes before a part
		while f.order ~= env.order do
			for _, p in ipairs(f.layout) do
				local size = tonumber(p)
				for k = 1, type(p) == "number" and at + f.unit - at % f.unit <= #bytes and size or 0 do
					out[at + k] = bytes[at + size + 1 - k]
				end
				at = at + size
			end
			if at >= #bytes then break end
		end
		return out
	end
	return m
end

function MACHINE.map(stage, direction, env)
	local f = stage.fields
	if f.layout then
		local m = laid_out(stage, env)
		function m.finish(bytes)
			if f.tail == "whole" and #bytes % f.unit ~= 0 then m.bad = "an incomplete unit" end
			return m.piece(bytes)
		end
		return m
	end
	local way = direction == "recv" and f.inverse ~= "self" and "inverse" or "apply"
	local size, n, unit = stage.bits / 8, stage.words, f.unit
	local state, order = begin(stage, env.values, env.order), env.order
	local before = { input = {}, output = {} }
	local m = {}
	-- What was the same in the last call is not worked out again.
	function m.piece(bytes, at)
		local out = {}
		for i = 1, #bytes do out[i] = bytes[i] end
		if f.moves then return out end
		local from = before.at == at and shared(bytes, before.input) or 0
		from = from - from % unit
		for i = 1, from do out[i] = before.output[i] end
		within(stage, way, stage.bits, order, function()
			local s = state
			for i = from + 1, #bytes - unit + 1, unit do
				local w = {}
				for k = 1, n do w[k] = load(bytes, i + size * (k - 1), size, order) end
				local r = f[way](n > 1 and w or w[1], math.floor((at + i - 1) / unit) % 2^math.min(stage.bits, 52), s)
				r = n > 1 and ops.tuple(r, "what a map returns", n) or { ops.word(r, "what a map returns") }
				for k = 1, n do store(out, i + size * (k - 1), r[k], size, order) end
			end
		end)
		before = { at = at, input = bytes, output = out }
		return out
	end
	function m.finish(bytes, at)
		if f.tail == "whole" and #bytes % unit ~= 0 then m.bad = "an incomplete unit" end
		return m.piece(bytes, at)
	end
	return m
end

function MACHINE.stream(stage, _, env)
	local f, state, blocks = stage.fields, begin(stage, env.values, env.order), {}
	local m = {}
	function m.piece(bytes, at)
		for b = math.floor(at / 64), math.floor((at + #bytes - 1) / 64) do
			blocks[b] = blocks[b] or within(stage, "block", 32, env.order, function()
				local key = {}
				for k, w in ipairs(ops.tuple(f.block({ unpack(state) }, b), "what block returns", 16)) do
					store(key, 4 * k - 3, w, 4, env.order)
				end
				return key
			end)
		end
		local out = {}
		for i = 1, #bytes do
			local place = at + i - 1
			out[i] = bit.bxor(bytes[i], blocks[math.floor(place / 64)][place % 64 + 1])
		end
		return out
	end
	m.finish = m.piece
	return m
end

-- The value of a fold, carried through pieces: feed(bytes), value() → bytes.
local function folding(stage, env)
	local f, order, unit = stage.fields, env.order, stage.unit
	local words = stage.words
	local state = begin(stage, env.values, order)
	local c, before = {}, { input = {}, accs = {} }
	local function unit_at(bytes, i)
		local w = {}
		for k = 1, words do w[k] = load(bytes, i + 8 * (k - 1), math.min(unit, 8), order) + 0ULL end
		return words > 1 and w or w[1]
	end
	local function step(acc, bytes, i) return f.step(acc, unit_at(bytes, i), 1, state) end
	local function last(acc, bytes, i) return f.last(acc, unit_at(bytes, i), #bytes - i + 1, state) end
	-- The accumulator after the whole units of the bytes, which follow what came to acc.
	local function whole(acc, bytes)
		local from = before.begun == acc and shared(bytes, before.input) or 0
		from = math.min(from - from % unit, #before.accs * unit)
		local accs = part(before.accs, 1, from / unit)
		local now = accs[#accs] or acc
		for i = from + 1, #bytes - unit + 1, unit do
			now = step(now, bytes, i)
			accs[#accs + 1] = now
		end
		before = { begun = acc, input = bytes, accs = accs }
		return now
	end
	local initial = f.init == nil and f.zero or f.init
	if type(initial) == "number" then initial = initial + 0ULL end
	local acc, value, len = initial, nil, 0
	function c.reset() acc, value, len = initial, nil, 0 end
	function c.feed(bytes)
		within(stage, "step", 64, order, function()
			local n = #bytes - #bytes % unit
			if not stage.join then
				acc = whole(acc, bytes)
				if n < #bytes then acc = last(acc, bytes, n + 1) end
				return
			end
			local sum = whole(initial, bytes)
			if n < #bytes then sum = step(sum, bytes, n + 1) end
			local this = f.finish(sum, state)
			value = value and f.join(value, this, len) or this
			len = len + #bytes
		end)
	end
	function c.value()
		local v = within(stage, "finish", 64, order, function()
			local r = value or f.finish(acc, state)
			return stage.value_words > 1 and ops.tuple(r, "what finish returns", stage.value_words)
				or { ops.word(r, "what finish returns") }
		end)
		local bytes, size = {}, math.min(stage.size, 8)
		for k, w in ipairs(v) do store(bytes, 8 * k - 7, w, size, f.order == "memory" and order or f.order) end
		return part(bytes, 1, stage.size)
	end
	return c
end

function MACHINE.fold(stage, direction, env, at_place)
	local carried, m = folding(stage, env), {}
	m.stage, m.at_place = stage, at_place
	m.value = carried.value
	m.reset = carried.reset
	local function look(bytes)
		carried.feed(bytes)
		return bytes
	end
	m.piece, m.finish = look, look
	if at_place == "value" then return m end
	local size = stage.size
	local function compare(came)
		local want = carried.value()
		if #came < size or shared(came, want) < size then m.bad = "another value" end
	end
	if direction == "send" and at_place == "tail" then
		function m.finish(bytes)
			look(bytes)
			return append(part(bytes, 1, #bytes), carried.value())
		end
	elseif at_place == "tail" then
		function m.finish(bytes)
			local n = math.max(#bytes - size, 0)
			local data = look(part(bytes, 1, n))
			compare(part(bytes, n + 1, #bytes))
			return data
		end
	elseif direction == "send" then
		-- The value stands first, but is known last: zeros until then. patch() says what belongs there.
		function m.before(at)
			local zeros = {}
			for k = 1, at == 0 and size or 0 do zeros[k] = 0 end
			return zeros
		end
		local function headed(bytes, at)
			look(bytes)
			return append(m.before(at), bytes)
		end
		m.piece, m.finish, m.patch = headed, headed, carried.value
	else
		local came
		local function behead(bytes, at)
			if at == 0 then came = {} end
			local first = math.max(size - at, 0)
			append(came, part(bytes, 1, math.min(first, #bytes)))
			return look(part(bytes, first + 1, #bytes))
		end
		m.piece = behead
		function m.together(at) return at < size and size - at or math.huge end
		function m.finish(bytes, at)
			local data = behead(bytes, at)
			compare(came)
			return data
		end
	end
	return m
end

function MACHINE.reframe(stage, direction, env)
	local f, m, marks = stage.fields, {}, {}
	local state = begin(stage, env.values, env.order)
	local every = f.every
	local function mark(i)
		marks[i] = marks[i] or within(stage, "mark", 32, env.order, function()
			local bytes = {}
			for k, w in ipairs(ops.tuple(f.mark(i, state), "what mark returns")) do store(bytes, 4 * k - 3, w, 4, env.order) end
			return bytes
		end)
		return marks[i]
	end
	local size = #mark(0)
	function m.piece(bytes, at)
		local out = {}
		for i = 1, #bytes do
			local place = at + i - 1
			if direction == "send" then
				if place % every == 0 then append(out, mark(place / every)) end
				out[#out + 1] = bytes[i]
			else
				local run, within_run = math.floor(place / (every + size)), place % (every + size)
				if within_run >= size then
					out[#out + 1] = bytes[i]
				elseif bytes[i] ~= mark(run)[within_run + 1] then
					m.bad = "another mark"
				end
			end
		end
		return out
	end
	m.finish = m.piece
	local period = direction == "send" and every or every + size
	function m.together(at)
		local here = at % period
		return direction == "recv" and here < size and size - here or period - here
	end
	function m.before(at) return direction == "send" and at % every == 0 and mark(at / every) or {} end
	return m
end

function MACHINE.pad(stage, direction)
	local f, m = stage.fields, {}
	function m.piece(bytes) return bytes end
	local function row(n)
		return sandbox.run_long(stage.file, stage.line "fill", function()
			local bytes = {}
			for k = 1, n do bytes[k] = f.fill(k, n) end
			return bytes
		end)
	end
	function m.finish(bytes, at)
		local total = at + #bytes
		if direction == "send" then
			local n = f.least
			while (total + n) % f.to ~= 0 do n = n + 1 end
			return append(part(bytes, 1, #bytes), row(n))
		end
		-- What could it be? Only one length fits its own last byte.
		for n = 1, f.to - 1 + f.least do
			local fill = row(n)
			if n <= #bytes and fill[n] == bytes[#bytes] and shared(part(bytes, #bytes - n + 1, #bytes), fill) == n
			and total % f.to == 0 then
				return part(bytes, 1, #bytes - n)
			end
		end
		m.bad = "another padding"
		return bytes
	end
	return m
end

-- The machines of a chain in a direction, in order. values: tables of bytes by name "stage.param".
function M.machines(chain, direction, values, order)
	local list = {}
	local first, last, by = 1, #chain.stages, 1
	if direction == "recv" then first, last, by = last, first, -1 end
	for k = first, last, by do
		local stage = chain.stages[k]
		local m = MACHINE[stage.kind](stage, direction, { values = values, order = order }, chain.at[k])
		m.label = stage.name .. " " .. chain.at[k] .. " " .. direction
		list[#list + 1] = m
	end
	return list
end

-- An ADU through these machines. Returns the bytes that come out, the values of folds by name, and what was wrong.
function M.run(machines, bytes)
	local values, bad = {}, nil
	for _, m in ipairs(machines) do
		if m.reset then m.reset() end
		m.bad = nil
		bytes = m.finish(bytes, 0)
		if m.patch then
			for k, b in ipairs(m.patch()) do bytes[k] = b end
		end
		if m.value then values[m.stage.name] = m.value() end
		bad = bad or m.bad
	end
	return bytes, values, bad
end

return M
