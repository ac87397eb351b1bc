-- The planner: the verdict on a chain, and for each direction the order of steps and the loops they run in.
--
-- A step is a stage with the form it has in that direction; a loop is a list of steps that run in one pass, with the
-- places it reads and writes ("src", "tmp", "dst"). A schedule is a list of loops: one for each step (layered,
-- tiled), or as few as the rules below allow (fused). Whatever a schedule is, the emitter only sees its loops.
local describe = require "gen.describe"

local M = {}

-- Why two steps cannot run in one loop; nil when they can.
local function conflict(a, b)
	if a.stage.kind == "stream" and b.stage.kind == "stream" then
		return string.format("'%s' and '%s' both make a keystream, which takes all registers", a.stage.name, b.stage.name)
	end
end

local function gcd(a, b) return b == 0 and a or gcd(b, a % b) end
function M.lcm(a, b) return a / gcd(a, b) * b end

-- Chains that no schedule can run: complains in terms of the stages concerned.
local function check_legal(chain)
	local seen, copy, unit, widest = {}, nil, 1, nil
	local function fail(stage, what, ...) describe.fail_stage(chain, stage.name, what, ...) end
	for _, stage in ipairs(chain.stages) do
		if stage.moves then
			if copy then
				fail(stage, "'%s' moves the data after '%s' did, expected one stage that moves; remove one",
					stage.name, copy.name)
			end
			copy = stage
		elseif seen[stage.name] then
			fail(stage, "'%s' stands twice, expected each stage once (state and parameters go by its name); "
				.. "remove one", stage.name)
		end
		seen[stage.name] = true
		if stage.kind == "map" then
			unit = M.lcm(unit, stage.unit)
			if unit > describe.HELD_MAX then
				fail(stage, "'%s' (unit %d) and '%s' (unit %d) have a common unit of %d bytes, "
					.. "expected at most %d; split the chain",
					widest.name, widest.unit, stage.name, stage.unit, unit, describe.HELD_MAX)
			end
			widest = stage
			if not stage.inverse then
				fail(stage, "'%s' has no inverse, expected one for ILP_RECV; describe it (%s)", stage.name, stage.file)
			end
		end
	end
	if not copy then
		fail(chain.stages[1], "no stage moves the data, expected \"copy\"; add it where the data leaves")
	end
	return unit
end

local function steps_of(chain, direction)
	local steps, wide = {}, false
	local first, last, by = 1, #chain.stages, 1
	if direction == "recv" then first, last, by = last, first, -1 end
	for k = first, last, by do
		local stage = chain.stages[k]
		local step = { stage = stage, kind = stage.kind, name = stage.name }
		if stage.kind == "map" then
			step.graph = direction == "send" and stage.apply or stage.inverse
			if step.graph ~= stage.apply then step.name = stage.name .. "_inverse" end
			wide = wide or stage.unit > 1
		end
		-- Before the first stage with a unit, a fold counts bytes as they come in, even those held back.
		step.entry = stage.kind == "fold" and not wide
		step.changes = stage.kind == "stream" or stage.kind == "map" and not stage.moves
		steps[#steps + 1] = step
	end
	return steps
end

local function loop_of(steps)
	local loop = { steps = steps, names = {} }
	for k, step in ipairs(steps) do
		loop.names[k] = step.name
		loop.moves = loop.moves or step.stage.moves
		loop.changes = loop.changes or step.changes
		loop.folds = loop.folds or step.kind == "fold"
		if step.kind == "stream" then loop.stream = step.stage end
	end
	loop.name = table.concat(loop.names, "_")
	loop.writes = loop.moves or loop.changes
	loop.only_moves = loop.moves and #steps == 1
	return loop
end

-- Says where each loop reads and writes; returns whether scratch memory is needed.
local function place(loops)
	local here, scratch = "src", false
	for _, loop in ipairs(loops) do
		loop.from = here
		if loop.moves then
			here = "dst"
		elseif loop.changes and here == "src" then
			here, scratch = "tmp", true
		end
		loop.to = loop.writes and here or nil
	end
	return scratch
end

local function layers(steps)
	local loops = {}
	for k, step in ipairs(steps) do loops[k] = loop_of { step } end
	return loops
end

-- As few loops as possible: cut only where a step is in conflict with one that is already in the loop.
local function fuse(steps)
	local groups, reasons, group = {}, {}, {}
	for _, step in ipairs(steps) do
		for _, other in ipairs(group) do
			local why = conflict(other, step)
			if why then
				groups[#groups + 1], reasons[#reasons + 1] = loop_of(group), why
				group = {}
				break
			end
		end
		group[#group + 1] = step
	end
	groups[#groups + 1] = loop_of(group)
	return groups, reasons
end

-- The plan: { chain, unit, block, verdict, reasons, send = { steps, layered, fused, scratch }, recv = … }, where
-- scratch says for layered (and tiled) and fused whether they need scratch memory.
function M.plan(chain)
	local plan = { chain = chain, unit = check_legal(chain), block = 1, folds = {}, streams = {} }
	for _, stage in ipairs(chain.stages) do
		plan.block = M.lcm(plan.block, stage.unit)
		if stage.kind == "fold" then table.insert(plan.folds, stage) end
		if stage.kind == "stream" then table.insert(plan.streams, stage) end
		-- On the wire's side stands what no later stage changes.
		if stage.name == "inet_checksum" then plan.wire = stage end
		if stage.kind == "stream" or stage.kind == "map" and not stage.moves then plan.wire = nil end
	end
	for _, direction in ipairs { "send", "recv" } do
		local steps = steps_of(chain, direction)
		local way = { steps = steps, layered = layers(steps), entry = {} }
		way.fused, way.reasons = fuse(steps)
		way.scratch = { layered = place(way.layered), fused = place(way.fused) }
		for _, step in ipairs(steps) do
			if step.entry then table.insert(way.entry, step.stage) end
		end
		plan[direction] = way
	end
	local n = #plan.send.fused
	plan.verdict = n == 1 and "one loop" or n .. " loops"
	return plan
end

return M
