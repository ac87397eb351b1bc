-- What a chain comes to: its stages one after another on plain numbers. It takes from a description nothing but its own
-- functions and fields, runs them in the sandbox, and knows neither plan nor emitter; loops are compared with it.
--
-- A stage in a direction is a machine: piece(bytes, at) does to some bytes, the first of which stands at that place of
-- its data, what the stage does, as if they were all that there is; finish(bytes, at) the same to the last of them.
-- Bytes are tables of numbers, from 1. An ADU goes through finish() of one machine after another. judge.lua has them
-- run in pieces: for that, a machine that does not leave all bytes side by side has together(at), how many from that
-- place on it does, and one that puts something between them before(at), what it puts there; one that hands on other
-- pieces says that it is apart.
local octets = require "gen.bytes"
local ops = require "gen.ops"
local number = require "gen.number"
local sandbox = require "gen.sandbox"
local bit = require "bit"

local M = {}

local load, store, part, append, shared = octets.load, octets.store, octets.part, octets.append, octets.shared

-- Machines ---------------------------------------------------------------------------------------------------------

-- Calls f, which runs functions of the stage, the first being that of the field.
local function within(stage, field, bits, order, f)
	return ops.with(number.new(bits, order), function() return sandbox.run_long(stage.file, stage.line(field), f) end)
end

-- The words that begin makes of parameters, whose values are tables of bytes by name "stage.param", or given.
local keystream
local function begin(stage, values, order)
	local f = stage.fields
	if not f.params and not stage.pair then return {} end
	local size = stage.state_bits / 8
	local function bytes_of(param)
		if param.bytes then return values.zero and {} or param.bytes end
		if not stage.pair then
			return values.zero and param.name == "nonce" and {} or values[stage.name .. "." .. param.name]
		end
		local zero = param.name == stage.pair.zero
		local all = setmetatable({ zero = zero }, { __index = values })
		return part(keystream(stage.pair.cipher, all, order, zero and 0 or -1), 1, param.size)
	end
	local given = {}
	for _, param in ipairs(stage.params) do given[param] = bytes_of(param) end
	local function words(name)
		return within(stage, name, stage.state_bits, order, function()
			local p = {}
			for _, param in ipairs(stage.params) do
				local bytes, w = given[param], {}
				for k = 1, math.ceil(param.size / size) do w[k] = load(bytes, size * (k - 1) + 1, size, order) end
				p[param.name] = w
			end
			return ops.tuple(f[name](p), "what " .. name .. " returns")
		end)
	end
	return append(f.expand and words "expand" or {}, words "begin")
end

local MACHINE = {}

-- A map that has a layout: of each whole unit the numbers, the bytes of which are reversed if the machine has them in
-- the other order; of arrays what is alike side by side; and on the way out the zeros.
local function laid_out(stage, direction, env)
	local f, m = stage.fields, {}
	local count = f.arrays or 1
	local function move(out, bytes, p, from, to)
		local zeros = type(p) == "table" and p.zeros
		local size = zeros or tonumber(p)
		for k = 1, size do
			local by = type(p) == "number" and f.order ~= env.order and size + 1 - k or k
			out[to + k] = zeros and direction == "send" and 0 or bytes[from + by]
		end
	end
	function m.piece(bytes)
		local out = part(bytes, 1, #bytes)
		for unit = 0, #bytes - f.unit, f.unit do
			local before = 0 -- bytes of a structure
			for _, p in ipairs(f.layout) do
				local size = type(p) == "table" and p.zeros or tonumber(p)
				for j = 0, count - 1 do
					local one, side = unit + j * f.unit / count + before, unit + count * before + j * size
					move(out, bytes, p, direction == "recv" and side or one, direction == "recv" and one or side)
				end
				before = before + size
			end
		end
		return out
	end
	return m
end

function MACHINE.map(stage, direction, env)
	local f = stage.fields
	if f.layout then
		local m = laid_out(stage, direction, env)
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

-- Block b of what a stream xors.
local function block_of(stage, state, order, b)
	local size = stage.bits / 8
	return within(stage, "block", stage.bits, order, function()
		local key, out = {}, stage.fields.block({ unpack(state) }, b)
		out = size == 16 and { ops.word(out, "what block returns") } or ops.tuple(out, "what block returns", 16)
		for k, w in ipairs(out) do store(key, size * (k - 1) + 1, w, size, order) end
		return key
	end)
end
function keystream(stage, values, order, b) return block_of(stage, begin(stage, values, order), order, b % 2^32) end

function MACHINE.stream(stage, _, env)
	local state, blocks = begin(stage, env.values, env.order), {}
	local unit, m = stage.unit, {}
	function m.piece(bytes, at)
		for b = math.floor(at / unit), math.floor((at + #bytes - 1) / unit) do
			blocks[b] = blocks[b] or block_of(stage, state, env.order, b)
		end
		local out = {}
		for i = 1, #bytes do
			local place = at + i - 1
			out[i] = bit.bxor(bytes[i], blocks[math.floor(place / unit)][place % unit + 1])
		end
		return out
	end
	m.finish = m.piece
	return m
end

-- What finish gives, as it is sent.
local function bytes_of_value(stage, order, finish)
	local v = within(stage, "finish", stage.bits, order, function()
		local r = finish()
		return stage.value_words > 1 and ops.tuple(r, "what finish returns", stage.value_words)
			or { ops.word(r, "what finish returns") }
	end)
	local bytes, size, as = {}, math.min(stage.size, stage.bits / 8), stage.fields.order
	for k, w in ipairs(v) do store(bytes, size * (k - 1) + 1, w, size, as == "memory" and order or as) end
	return part(bytes, 1, stage.size)
end

-- What a fold does: step(acc, bytes, i) takes the unit at i; last(acc, bytes, i, len) all from i on, fewer bytes, len
-- bytes having gone before `bytes`.
local function functions_of(stage, order, state)
	local f, words, size = stage.fields, stage.words, math.min(stage.unit, stage.bits / 8)
	local number_of = number.new(stage.bits, order).word
	local function unit_at(bytes, i)
		local w = {}
		for k = 1, words do w[k] = number_of(load(bytes, i + size * (k - 1), size, order)) end
		return words > 1 and w or w[1]
	end
	local function step(acc, bytes, i)
		if stage.serial then return f.step(acc, unit_at(bytes, i), state) end
		return f.step(acc, unit_at(bytes, i), 1, state)
	end
	local function last(acc, bytes, i, len)
		if not stage.serial then return f.last(acc, unit_at(bytes, i), #bytes - i + 1, state) end
		local rest = append(part(bytes, i, #bytes), { 0x80 })
		while #rest % 64 ~= 56 do append(rest, { 0 }) end
		store(rest, #rest + 1, 8ULL * ((f.before or 0) + len + #bytes), 8, f.order)
		for k = 1, #rest, 64 do acc = step(acc, rest, k) end
		return acc
	end
	return step, last
end

-- What it begins with.
local function initial_of(stage, order, state)
	local f = stage.fields
	if type(f.init) == "function" then
		return within(stage, "init", stage.bits, order, function()
			local initial = f.init(state)
			if not stage.acc_words then return ops.word(initial, "what init returns") end
			return ops.tuple(initial, "what init returns", stage.acc_words)
		end)
	end
	local initial = f.init == nil and f.zero or f.init
	return type(initial) == "number" and number.new(stage.bits, order).word(initial) or initial
end

-- The value of a fold, carried through pieces: feed(bytes), value() → bytes.
local function folding(stage, env)
	local f, order, unit = stage.fields, env.order, stage.unit
	local number_of = number.new(stage.bits, order).word
	local state = begin(stage, env.values, order)
	local c, before = {}, { input = {}, accs = {} }
	local step, last = functions_of(stage, order, state)
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
	local initial = initial_of(stage, order, state)
	local acc, value, len = initial, nil, 0
	local associated = stage.pair and env.values[stage.pair.name .. ".associated"] or {}
	-- The tag of a pair has counted what is associated before.
	function c.reset()
		acc, value, len = initial, nil, 0
		if #associated > 0 then c.feed(associated) end
		len = 0
	end
	function c.feed(bytes)
		within(stage, "step", stage.bits, order, function()
			local n = #bytes - #bytes % unit
			if not stage.join then
				acc = whole(acc, bytes)
				if n < #bytes then acc = last(acc, bytes, n + 1, len) end
				len = len + #bytes
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
		return bytes_of_value(stage, order, function()
			-- A hash is filled up always.
			if stage.serial and len % unit == 0 then return f.finish(last(acc, {}, 1, len), state) end
			if value or not stage.pair then return value or f.finish(acc, state) end
			return f.finish(acc, state, number_of(8 * #associated), number_of(8 * len))
		end)
	end
	c.reset()
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
	m.first = f.first and within(stage, "first", 32, env.order, function()
		return ops.word(f.first(state), "what first returns")
	end) or 0
	local period = direction == "send" and every or every + size
	-- The mark at that place or the last one before it, and how far back it begins; nil, and how far the first one is.
	local function mark_at(place)
		if place < m.first then return nil, m.first - place end
		local back = (place - m.first) % period
		return mark((place - m.first - back) / period), back
	end
	function m.before(at)
		local it, back = mark_at(at)
		return direction == "send" and it and back == 0 and it or {}
	end
	function m.piece(bytes, at)
		local out = {}
		for i = 1, #bytes do
			local it, back = mark_at(at + i - 1)
			if direction == "send" then append(out, m.before(at + i - 1)) end
			if direction == "send" or not it or back >= size then
				out[#out + 1] = bytes[i]
			elseif bit.band(bit.bxor(bytes[i], it[back + 1]), f.heed and f.heed[back + 1] or 255) ~= 0 then
				m.bad = "another mark"
			end
		end
		return out
	end
	m.finish = m.piece
	function m.together(at)
		local it, back = mark_at(at)
		return not it and back or (direction == "recv" and back < size and size or period) - back
	end
	return m
end

-- These hand on other pieces than they are handed, which stand elsewhere: `apart` from what is done side by side.
-- They are run to the end only.
local function apart(finish)
	local m = { apart = true }
	function m.finish(bytes)
		m.bad = nil
		return finish(m, bytes)
	end
	m.piece = m.finish
	return m
end

-- A unit of a layout with holes from memory, or into it.
local function packed(layout, order, send, unit)
	local out, at, to = {}, 0, 0
	for _, p in ipairs(layout) do
		local hole = type(p) == "table"
		local size = hole and p[1] or tonumber(p)
		for k = 1, size do
			local other = type(p) == "number" and order and size + 1 - k or k
			if not send then out[at + k] = hole and 0 or unit[to + other]
			elseif not hole then out[to + k] = unit[at + other] end
		end
		at, to = at + size, to + (hole and 0 or size)
	end
	return out
end

function MACHINE.recode(stage, direction, env)
	local f, send, order = stage.fields, direction == "send", env.order
	local from, to = send and stage.from or stage.to, send and stage.to or stage.from
	local function filled(bytes, i)
		local unit = part(bytes, i, math.min(i + from - 1, #bytes))
		for k = #unit + 1, from do unit[k] = 0 end
		return unit
	end
	-- Of a function: the bytes of its word, and what else it returns.
	local function called(name, unit, ...)
		local r = f[name](load(unit, 1, 4, order), ...)
		if type(r) ~= "table" then r = { r } end
		local bytes = {}
		store(bytes, 1, ops.word(r[1], "what a recode returns"), 4, order)
		return bytes, r[2], r[3]
	end
	return apart(function(m, bytes)
		local out, rest = {}, #bytes % from
		if not send and rest > 0 then m.bad = "an incomplete unit" end
		if f.layout then
			for i = 1, #bytes - (send and 0 or rest), from do
				append(out, packed(f.layout, f.order ~= order, send, filled(bytes, i)))
			end
			return out
		end
		within(stage, send and "apply" or "inverse", 32, order, function()
			for i = 1, #bytes - rest, from do
				local last = not send and f.unlast and i + 2 * from > #bytes + 1
				local made, n, bad = called(last and "unlast" or send and "apply" or "inverse", part(bytes, i, i + from - 1))
				if not last then n, bad = to, n end
				if (bad or 0) ~= 0 then m.bad = "no such unit" end
				append(out, part(made, 1, math.min(n, to)))
			end
			if send and rest > 0 then
				append(out, part(called("last", part(bytes, #bytes - rest + 1, #bytes), rest), 1, to))
			end
		end)
		return out
	end)
end

function MACHINE.stuff(stage, direction)
	local run = stage.fields.run
	if direction == "send" then
		return apart(function(_, bytes)
			local out, piece = {}, {}
			local function put()
				out[#out + 1] = #piece + 1
				append(out, piece)
				piece = {}
			end
			for _, b in ipairs(bytes) do
				if b == 0 then put() else piece[#piece + 1] = b end
				if #piece == run then put() end
			end
			put()
			return out
		end)
	end
	return apart(function(m, bytes)
		local out, i, zero, full = {}, 1, false, true
		while i <= #bytes do
			local code = bytes[i]
			if code == 0 or code > run + 1 or i + code > #bytes + 1 then
				m.bad = "no such length"
				return out
			end
			if zero then out[#out + 1] = 0 end
			for k = i + 1, i + code - 1 do
				if bytes[k] == 0 then m.bad = "a zero" end
				out[#out + 1] = bytes[k]
			end
			full = code == run + 1
			i, zero = i + code, not full
		end
		if full then m.bad = "no end" end
		return out
	end)
end

-- Nobody is shown anything.
function MACHINE.tap() return apart(function(_, bytes) return bytes end) end

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
		m.moves = stage.fields.moves
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
