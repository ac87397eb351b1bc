-- What can be one loop, found out by trying: the stages' machines (oracle.lua) run on small data, in every grouping. It
-- knows nothing of units, cuts and reasons (plan.lua), and says what they must come to.
--
-- A loop has a piece of data in registers, which stood side by side where it was loaded from and will where it is
-- stored to. A group of machines is one loop if there is a size of piece such that the data can go through all of
-- them piece by piece, a shorter one where marks come in or go out, nothing being kept between two pieces but what a
-- machine carries, the last bytes machine by machine: all that comes out, bytes and values, is then what comes out
-- when each machine has all of the data before the next begins.
local octets = require "gen.bytes"
local oracle = require "gen.oracle"

local M = {}

-- Bytes that are left to the end, at least: what a loop may have to keep until it knows that they are it.
local LAST = 96

-- Sizes of pieces, those first that are likely.
local PIECES = { 16, 64, 8, 4, 1 }
do
	local seen = {}
	for _, p in ipairs(PIECES) do seen[p] = true end
	for p = 1, 64 do
		if not seen[p] then PIECES[#PIECES + 1] = p end
	end
end

local function random(seed)
	return function(n)
		seed = seed * 48271 % 2147483647
		return seed % n
	end
end

local function bytes_of(n, seed)
	local next, bytes = random(seed), {}
	for i = 1, n do bytes[i] = next(256) end
	return bytes
end

local part, append = octets.part, octets.append

local function equal(a, b) return #a == #b and octets.shared(a, b) == #a end

-- The machines from first to last, piece by piece: the bytes that come out and the values of folds.
local function in_pieces(machines, first, last, bytes, piece)
	local out, at, values, patch = {}, {}, {}, nil
	for k = first, last do
		at[k] = 0
		if machines[k].reset then machines[k].reset() end
		machines[k].bad = nil
	end
	-- A piece through machine k and those behind it. What a machine puts before it is a piece, too.
	local function push(k, now)
		if k > last then return append(out, now) end
		local m, place = machines[k], at[k]
		at[k] = place + #now
		local before = m.before and m.before(place) or {}
		local all = m.piece(now, place)
		if #before > 0 then push(k + 1, before) end
		if #all > #before then push(k + 1, part(all, #before + 1, #all)) end
	end
	local function size()
		local n = piece
		for k = first, last do n = machines[k].together and math.min(n, machines[k].together(at[k])) or n end
		return n
	end
	local done = 0
	while #bytes - done >= piece + LAST do
		local n = size()
		push(first, part(bytes, done + 1, done + n))
		done = done + n
	end
	local now = part(bytes, done + 1, #bytes)
	for k = first, last do now = machines[k].finish(now, at[k]) end
	append(out, now)
	for k = first, last do
		if machines[k].patch then patch = machines[k].patch() end
		if machines[k].value then values[machines[k].stage.name] = machines[k].value() end
	end
	for k, b in ipairs(patch or {}) do out[k] = b end
	return out, values
end

-- What goes into each machine when they run one after another over data of that length; nil if one refuses it.
local function inputs(machines, bytes)
	local list, values = {}, {}
	for k, m in ipairs(machines) do
		list[k] = bytes
		local out, folded, bad = oracle.run({ m }, bytes)
		if bad then return nil, bad end
		for name, v in pairs(folded) do values[name] = v end
		bytes = out
	end
	list[#machines + 1] = bytes
	return list, values
end

-- Whether machines first … last are one loop on all of the trials, which have them, and what inputs() gives.
local function try_loop(first, last, trials)
	for _, piece in ipairs(PIECES) do
		local good = true
		for _, t in ipairs(trials) do
			local out, values = in_pieces(t.machines, first, last, t.list[first], piece)
			good = equal(out, t.list[last + 1])
			for name, v in pairs(values) do good = good and equal(v, t.values[name]) end
			if not good then break end
		end
		if good then return true end
	end
	return false
end

-- The same, tried once for each row of stages; what stands before them does not matter, but for the data it leaves.
local function is_loop(first, last, trials, known)
	if first == last then return true end
	local machines, names, others, apart = trials[1].machines, {}, 0, false
	for k = first, last do
		names[#names + 1] = machines[k].label
		apart, others = apart or machines[k].apart, others + (machines[k].moves and 0 or 1)
	end
	-- What is apart has the data for itself: beside it there can be what does nothing to them.
	if apart then return others == 1 end
	local key = table.concat(names, " ")
	if known[key] == nil then known[key] = try_loop(first, last, trials) end
	return known[key]
end

local function parameters(chain, next)
	local values = {}
	for _, stage in ipairs(chain.stages) do
		for _, p in ipairs(stage.fields.params or {}) do
			local bytes = {}
			for k = 1, p[2] do bytes[k] = next(256) end
			values[stage.name .. "." .. p[1]] = bytes
		end
	end
	return values
end

-- Lengths of data on which it is tried: short ones, at which every stage must work, and some that have many pieces.
local SHORT, LONG = 34, { 211, 250, 283 }
local DRAWS = 2000 -- of parameters, at most

-- Parameters, two sets of them if there are marks that begin somewhere: where data is tried, and at no larger multiple
-- than they may, or what is wrong only there would not be seen; and at once.
local function trial_parameters(chain, order)
	local next, marked, list = random(77), false, {}
	for _, stage in ipairs(chain.stages) do marked = marked or stage.first ~= nil end
	if not marked then return { parameters(chain, next) } end
	local function begins(values, at_once)
		for k, m in ipairs(oracle.machines(chain, "send", values, order)) do
			local align = chain.stages[k].align
			if align and at_once and m.first > 0 then return false end
			if align and not at_once and (m.first > SHORT or m.first / align % 2 ~= 1) then return false end
		end
		return true
	end
	for set, at_once in ipairs { false, true } do
		for _ = 1, DRAWS do
			list[set] = parameters(chain, next)
			if begins(list[set], at_once) then break end
		end
	end
	return list
end

-- Whether it can be undone: a stage that has no way back, or whose way back gives something else.
local function undone(chain, values, order, sent, data)
	local holes = false -- what stood there is lost, and so is how long an incomplete unit was
	for _, stage in ipairs(chain.stages) do
		if stage.kind == "map" and not stage.fields.inverse then return false end
		holes = holes or stage.kind == "recode" and stage.fields.layout ~= nil
	end
	local back, _, bad = oracle.run(oracle.machines(chain, "recv", values, order), sent)
	if holes and not bad then
		data = back
		sent = oracle.run(oracle.machines(chain, "send", values, order), data)
		back, _, bad = oracle.run(oracle.machines(chain, "recv", values, order), sent)
	end
	return not bad and equal(back, data)
end

-- The fewest loops that the machines can be grouped in, one after another.
local function fewest(trials, known)
	local least, count = { [0] = 0 }, #trials[1].machines
	for last = 1, count do
		for first = last, 1, -1 do
			if (not least[last] or least[first - 1] + 1 < least[last]) and is_loop(first, last, trials, known) then
				least[last] = least[first - 1] + 1
			end
		end
	end
	return least[count]
end

-- { illegal = true, why }, or { send = loops, recv = loops }. known: what was found out before, for the next calls; a
-- table that is empty at first.
function M.judge(chain, order, known)
	local trials = { send = {}, recv = {} }
	for _, values in ipairs(trial_parameters(chain, order)) do
		local send = oracle.machines(chain, "send", values, order)
		for n = 0, SHORT do
			local data = bytes_of(n, 100 + n)
			local list, bad = inputs(send, data)
			if not list then return { illegal = true, why = bad } end
			if not undone(chain, values, order, list[#list], data) then return { illegal = true, why = "cannot be undone" } end
		end
		local recv = oracle.machines(chain, "recv", values, order)
		for _, n in ipairs(LONG) do
			local list, folded = inputs(send, bytes_of(n, n))
			table.insert(trials.send, { machines = send, list = list, values = folded })
			list, folded = inputs(recv, list[#list])
			table.insert(trials.recv, { machines = recv, list = list, values = folded })
		end
	end
	return { send = fewest(trials.send, known), recv = fewest(trials.recv, known) }
end

return M
