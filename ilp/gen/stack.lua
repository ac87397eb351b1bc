-- How far down the stack a chain's functions may leave secrets. No compiler says so beforehand: it is taken from how
-- many words are alive at once in the graphs, and tests/ilp/secrets.c sees whether that does.
local expression = require "gen.expression"
local loop = require "gen.loop"
local isa_table = require "gen.isa"

local M = {}

local WIDEST, WIDTHS = 64, 64 + 32 + 16 -- bytes of vectors
-- What the release chains' loops use, and a quarter more; the frames of the functions that stand around a loop.
local LEAST, FRAMES = 3584, 512
-- The same of begin.
local BEGIN_LEAST, BEGIN_FRAMES = 512, 384

-- Operations have places in the order in which they are done. Sets first[n] to that of each, and loops[n] to where a loop
-- ends; returns the last one.
local function number(scope, place, first, loops)
	for _, n in ipairs(scope) do
		place = place + 1
		first[n] = place
		if n.op == "loop" then
			for _, var in ipairs(n.vars) do first[var] = place end
			place = number(n.scope, place, first, loops)
			loops[n] = place
		end
	end
	return place
end

-- The most words that are alive at once in a graph, its inputs and results included.
function M.live(graph)
	local first, last, loops = {}, {}, {}
	local length = number(graph.scope, 0, first, loops)
	local function use(w, place)
		w = w.op == "out" and w.loop.vars[w.k] or w
		if w.op ~= "const" then last[w] = math.max(last[w] or 0, place) end
	end
	-- within: the loop that this is the scope of.
	local function uses(scope, within)
		for _, n in ipairs(scope) do
			for _, w in ipairs(n.op == "loop" and n.init or n.args) do
				-- What was made before a loop is needed until it ends.
				local outside = within and (first[w] or 0) < first[within]
				use(w, outside and loops[within] or first[n])
			end
			if n.op == "loop" then
				uses(n.scope, n)
				for _, w in ipairs(n.results) do use(w, loops[n]) end
				for _, var in ipairs(n.vars) do use(var, loops[n]) end
			end
		end
	end
	uses(graph.scope)
	for _, w in ipairs(graph.results) do use(w, length + 1) end
	local change = {}
	for w, place in pairs(last) do
		local from = first[w] or 0
		change[from], change[place] = (change[from] or 0) + 1, (change[place] or 0) - 1
	end
	local alive, most = 0, 0
	for place = 0, length + 1 do
		alive = alive + (change[place] or 0)
		most = math.max(most, alive)
	end
	return most
end

local function state_used(stage, graph, before)
	local used, n = expression.used_inputs(graph), 0
	for k = 1, stage.state_words do n = n + (used[before + k] and 1 or 0) end
	return n
end

-- Bytes of vectors that a step may have in use. Words of the state are splatted for each width before its loop, and
-- clang keeps them all.
local function bytes(step)
	local stage = step.stage
	local function of(graph, before)
		return WIDEST * M.live(graph) + WIDTHS * state_used(stage, graph, before)
	end
	if step.kind == "stream" then return WIDEST * M.live(stage.block) end
	if step.kind == "map" and not stage.moves then return of(step.graph, stage.words + 1) end
	local most, k = 0, 1
	while step.kind == "fold" and k * stage.unit <= 128 do
		most, k = math.max(most, of(stage.step(k), #stage.zero + stage.words)), 2 * k
	end
	return most
end

-- Below the frame of who calls a loop. each(f) calls f with every loop.
function M.of_loops(each)
	local spills, streams = 0, 0
	each(function(l)
		local stream, most = 0, 0
		for _, step in ipairs(l.steps) do
			if step.kind == "stream" then stream = math.max(stream, bytes(step)) else most = math.max(most, bytes(step)) end
		end
		-- What is piped is alive at once.
		spills = math.max(spills, loop.is_piped(l) and stream + most or math.max(stream, most))
		for _, isa in ipairs(isa_table.list) do streams = math.max(streams, loop.keystreams(l, isa)) end
	end)
	return math.max(LEAST, FRAMES + spills) + streams
end

-- Below the frame of begin.
function M.of_begin(keyed)
	local words = 0
	for _, stage in ipairs(keyed) do words = math.max(words, M.live(stage.begin)) end
	return math.ceil(math.max(BEGIN_LEAST, BEGIN_FRAMES + 8 * words) / WIDEST) * WIDEST
end

return M
