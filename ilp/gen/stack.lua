-- How far down the stack a chain's functions may leave secrets. No compiler says so beforehand: it is taken from how
-- many words are alive at once in the graphs, and tests/ilp/secrets.c sees whether that does.
local expression = require "gen.expression"
local fold = require "gen.fold"
local loop = require "gen.loop"
local schedule = require "gen.schedule"
local state = require "gen.state"
local turn = require "gen.turn"

local M = {}

local WIDEST, WIDTHS = 64, 64 + 32 + 16 -- bytes of vectors
-- What the release chains' loops use, and a quarter more; the frames of the functions that stand around a loop.
local LEAST, FRAMES = 3584, 512
local DATA = 4 -- vectors of a turn; of more words than that: as they come, apart, and what becomes of them
local END_FRAMES = 3584 -- the linker, when it looks up memcpy, saves all vectors: 2.7 KB
local ONCE_FRAMES = 1024
-- The same of begin.
local BEGIN_LEAST, BEGIN_FRAMES = 512, 384

-- Operations have places in the order in which they are done. Sets first[n] to that of each, and loops[n] to where a
-- loop ends; returns the last one.
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

-- The most words that are alive at once in a graph, its inputs and results included. A graph stands in many loops.
local known = setmetatable({}, { __mode = "k" })
local function live(graph)
	if known[graph] then return known[graph] end
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
	known[graph] = most
	return most
end

local function state_used(stage, graph, before)
	local used, n = expression.used_inputs(graph), 0
	for k = 1, stage.state_words do n = n + (used[before + k] and 1 or 0) end
	return n
end

-- Vectors that are alive all through a loop, for the sake of a step, and bytes of words of the state: these are
-- splatted for each width before its loop, and clang keeps them all. And the vectors that the step has alive by itself.
local function of_step(step)
	local stage = step.stage
	if step.kind == "stream" then return 0, 0, live(stage.block) end
	if step.kind == "map" and not stage.moves then
		return 0, WIDTHS * state_used(stage, step.graph, stage.words + 1), live(step.graph)
	end
	if step.kind == "recode" and step.graph then return 0, 0, live(step.graph) end
	if step.kind ~= "fold" then return 0, 0, 0 end
	local words, most, k = 0, 0, 1
	while k * stage.unit <= 128 do
		local g = stage.step(k)
		words, most = math.max(words, state_used(stage, g, #stage.zero + stage.words)), math.max(most, live(g))
		k = 2 * k
	end
	-- Those of narrower vectors, which come after the main loop, have slots of their own.
	return 3 * #stage.zero * (stage.unit == 4 and 2 or 1), WIDTHS * words, most
end

-- Bytes that a loop may spill, of vectors that are so wide.
local function spills(l, width)
	local vectors, bytes, most, keystream, folds = math.max(DATA, 3 * turn.group(l, 16)), 0, 0, 0, 0
	for _, step in ipairs(l.steps) do
		local kept, words, own = of_step(step)
		if step.kind == "fold" and fold.in_order(step.stage) then folds = folds + 1 end
		vectors, bytes = vectors + kept, bytes + words
		if step.kind == "stream" then keystream = math.max(keystream, own) else most = math.max(most, own) end
	end
	-- What is piped is alive at once; what stores by the caches, and has no keystream, calls what does not.
	vectors = vectors + (loop.is_piped(l) and keystream + most or math.max(keystream, most))
	-- Of several folds in order, compilers give each what it needs.
	return (width * vectors + bytes * width / WIDEST) * math.max(folds, 1)
		* (#l.streams == 0 and loop.is_streamed(l) and 2.5 or 1)
end

-- Below the frame of who calls a loop. each(f) calls f with every loop.
function M.of_loops(each)
	local most, done = 0, {}
	each(function(l) -- one that many schedules have, once
		if done[l.name] then return end
		done[l.name] = true
		most = math.max(most, LEAST, FRAMES + spills(l, WIDEST))
	end)
	return math.ceil(most / WIDEST) * WIDEST
end

-- The same of an end: plain C, a few bytes at a time, in buffers of its own. way: a direction of the plan.
function M.of_end(way)
	local buffers, most = #way.segments > 1 and 3 * state.END_MAX or 0, 0
	for _, segment in ipairs(way.segments) do
		local frames = false
		for _, step in ipairs(segment.steps) do
			frames = frames or step.reframes or step.resizes
			local _, _, n = of_step(step)
			most = math.max(most, n)
		end
		buffers = buffers + segment.room * (frames and 2 or 1)
	end
	return math.ceil((END_FRAMES + buffers + 2 * 8 * most) / WIDEST) * WIDEST
end

-- Below the frame of who has all of an ADU done at once by the fused loops of an instruction set, where nothing calls
-- the linker; nil: as far as that of loops and ends. f(l): what a loop spills.
local function once(plan, isa, f)
	if #isa.widths == 0 then return nil end
	local most = M.of_begin(plan.keyed, true)
	for _, direction in ipairs { "send", "recv" } do
		local segments = plan[direction].segments
		local l = #segments[1].looped > 0 and schedule.loop(segments[1].looped)
		if #segments > 1 or l and #l.frames > 0 then return nil end
		most = math.max(most, ONCE_FRAMES + math.max(2 * segments[1].room, l and f(l) or 0))
	end
	return math.ceil(most / WIDEST) * WIDEST
end
function M.of_once(plan, isa)
	return once(plan, isa, function(l) return spills(l, isa.widths[1]) end)
end

-- The same of an ADU of less than so many bytes, for which no main loop runs: { bytes =, less = }. nil where that is no
-- less: many vectors that are there at once have slots in one frame, the main loop's above those of what else runs.
function M.of_few(plan, isa)
	local less, many = math.huge, false
	local bytes = once(plan, isa, function(l)
		many = many or turn.group(l, 16) > DATA
		less = math.min(less, loop.main_bytes(l, isa))
		-- Of several streams each has a kernel for the last bytes, whose slots are apart.
		return spills(l, isa.widths[1]) / (#l.streams > 1 and 2 or 4)
	end)
	return bytes and not many and less < math.huge and { bytes = bytes, less = less } or nil
end

-- Below the frame of begin. expanded: keys are, or that has been seen to.
function M.of_begin(keyed, expanded)
	local words = 0
	for _, stage in ipairs(keyed) do -- all in one function
		local most = 0
		for _, graph in ipairs { stage.begin, not expanded and stage.expand or nil } do
			most = math.max(most, live(graph) * stage.state_bits / 8)
		end
		words = words + most
		if stage.pair then words = words + 128 + 4 * live(stage.pair.cipher.block) end
	end
	return math.ceil(math.max(BEGIN_LEAST, BEGIN_FRAMES + words) / WIDEST) * WIDEST
end

return M
