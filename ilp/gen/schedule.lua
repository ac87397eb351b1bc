-- Schedules: in how many loops the steps of a segment run, and over which memory. The emitter sees their loops only.
--
-- A loop is a list of steps that run in one pass, with the places it reads and writes: "src", "dst", or scratch memory,
-- "tmp" and "other". A schedule is { name, title, tiled, streams_out, segments = { loops, … } }.
local plan = require "gen.plan"

local M = {}

-- Above so many partitions only those into two loops are made.
local PARTITIONS_MAX = 14

-- The steps that give a loop its name: those that do something. That the data moves does not, where it is changed;
-- elsewhere it does not matter when.
local function does(steps, changes)
	local list = {}
	for _, step in ipairs(steps) do
		if step.moves and not changes then table.insert(list, 1, step) end
		if not step.moves then list[#list + 1] = step end
	end
	return list
end

-- The loop of those steps. It is handed places in the coordinates from coord on (its first step's, if not given); led
-- says which of them its own frames lead to.
function M.loop(steps, coord)
	local loop = { steps = steps, names = {}, frames = {}, streams = {}, unit = 1, coord = coord or steps[1].coord,
		led = {} }
	for k, step in ipairs(steps) do
		loop.names[k] = step.name
		loop.moves = loop.moves or step.moves
		loop.changes = loop.changes or step.changes
		loop.folds = loop.folds or step.kind == "fold"
		loop.unit = plan.lcm(loop.unit, step.grain)
		if step.reframes then
			table.insert(loop.frames, step)
			loop.led[step.coord + 1 - loop.coord] = true
		end
		if step.kind == "stream" then table.insert(loop.streams, step) end
		if step.alone then loop.alone = step end
	end
	loop.does = does(steps, loop.changes)
	local names = {}
	for k, step in ipairs(loop.does) do names[k] = step.name end
	loop.name = table.concat(names, "_")
	loop.reframes = #loop.frames > 0
	-- What comes out is as long as it says.
	loop.resizes = loop.reframes or loop.alone and loop.alone.resizes or false
	loop.writes = loop.moves or loop.changes or loop.resizes
	loop.only_moves = loop.moves and #steps == 1
	return loop
end

-- The steps in loops: cut before the steps whose places stand in cuts.
function M.partition(steps, cuts)
	local loops, group = {}, {}
	for k, step in ipairs(steps) do
		if cuts[k] and #group > 0 then
			loops[#loops + 1], group = M.loop(group), {}
		end
		group[#group + 1] = step
	end
	if #group > 0 then loops[#loops + 1] = M.loop(group) end
	return loops
end

-- Says where each loop reads and writes; returns how many pieces of scratch memory that takes. A loop that changes
-- places in the data cannot do so in place.
local function place(loops)
	local last
	for k, loop in ipairs(loops) do
		if loop.moves or loop.resizes then last = k end
	end
	for k = last and #loops + 1 or 1, #loops do
		if loops[k].writes then last = k end
	end
	local here, scratch = "src", 0
	for k, loop in ipairs(loops) do
		loop.from = here
		if loop.writes then
			if k >= last then
				here = "dst"
			elseif loop.moves or loop.resizes or here == "src" then
				here = here == "tmp" and "other" or "tmp"
				scratch = math.max(scratch, here == "tmp" and 1 or 2)
			end
			loop.to = here
		end
	end
	return scratch
end

local function all_cuts(steps)
	local cuts = {}
	for k = 2, #steps do cuts[k] = true end
	return cuts
end

local function title_of(loops)
	local parts = {}
	for k, loop in ipairs(loops) do parts[k] = table.concat(loop.names, "+") end
	return table.concat(parts, " | ")
end

-- The schedule of a direction whose segments are cut as cut(segment) says.
local function schedule(way, name, cut, options)
	local s = { name = name, segments = {}, scratch = 0, loops = {}, tiled = options.tiled,
		streams_out = options.streams_out }
	for k, segment in ipairs(way.segments) do
		local loops = M.partition(segment.looped, cut(segment))
		s.scratch = math.max(s.scratch, place(loops))
		s.segments[k] = loops
		for _, loop in ipairs(loops) do s.loops[#s.loops + 1] = loop end
	end
	s.title = title_of(s.loops)
	return s
end

-- All ways to cut n places, but for none and all: lists of booleans, from the fewest cuts.
local function combinations(n)
	local list = {}
	for bits = 1, 2^n - 2 do
		local cuts, count = {}, 0
		for k = 1, n do
			if math.floor(bits / 2^(k - 1)) % 2 == 1 then
				cuts[k], count = true, count + 1
			end
		end
		list[#list + 1] = { cuts = cuts, count = count, bits = bits }
	end
	table.sort(list, function(a, b)
		if a.count ~= b.count then return a.count < b.count end
		return a.bits < b.bits
	end)
	return list
end

-- The partitions between fused and layered. Cuts are counted through all segments.
local function partials(way, put)
	local n = 0
	for _, segment in ipairs(way.segments) do n = n + math.max(#segment.looped - 1, 0) end
	if n < 2 then return end
	local all = n <= 8 and combinations(n) or {}
	if n > 8 or #all > PARTITIONS_MAX then
		all = {}
		for k = 1, n do all[k] = { cuts = { [k] = true } } end
	end
	for number, one in ipairs(all) do
		local base, first = 0, {}
		for k, segment in ipairs(way.segments) do
			first[k], base = base, base + math.max(#segment.looped - 1, 0)
		end
		put("partial_" .. number, function(segment)
			local cuts = {}
			for k = 2, #segment.looped do cuts[k] = one.cuts[first[segment.number] + k - 1] end
			return cuts
		end)
	end
end

-- All schedules of a direction: layered, tiled, fused, streaming (fused, with stores that go by the caches), then every
-- partition between, tile by tile. most: only so many, the first (3 or more: the end of the data is fused's).
function M.list(way, most)
	local list = {}
	local function put(name, cut, options) list[#list + 1] = schedule(way, name, cut, options) end
	local function none() return {} end
	local function all(segment) return all_cuts(segment.looped) end
	put("layered", all, {})
	put("tiled", all, { tiled = true })
	put("fused", none, { tiled = #way.segments > 1 })
	put("streaming", none, { tiled = #way.segments > 1, streams_out = true })
	partials(way, function(name, cut) put(name, cut, { tiled = true }) end)
	while most and #list > most do table.remove(list) end
	return list
end

return M
