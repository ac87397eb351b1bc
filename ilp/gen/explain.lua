-- A page about a chain: the verdict and why, in which order its stages run each way, the loops of each schedule with
-- the loads and stores they cost, its state, and whether its values fit the registers.
local fold = require "gen.fold"
local isa_table = require "gen.isa"
local schedule = require "gen.schedule"
local state = require "gen.state"
local stream = require "gen.stream"

local M = {}

-- How much longer, or shorter, the data becomes by a step, where there is much of it; of what is stuffed, nobody knows.
local function growth(step)
	local stage = step.stage
	if step.kind == "insert" then return 1 + stage.size / stage.every end
	if step.kind == "recode" then return step.to / step.from end
	return step.kind == "remove" and stage.every / (stage.every + stage.size) or 1
end

-- Loads and stores of data, for each 32-bit word that goes in, of the loops one after another: a loop loads what it is
-- given once, and stores what it gives once. A loop with a frame whose other steps write nothing (frame.lua) copies the
-- data beside them, and so loads it twice, but for marks.
local function traffic(loops)
	local loads, stores, length = 0, 0, 1
	for _, l in ipairs(loops) do
		local before, writes, steps = length, false, 0
		for _, step in ipairs(l.steps) do
			if step.reframes or step.resizes then length = length * growth(step) end
			if not step.reframes then steps, writes = steps + 1, writes or step.moves or step.changes end
		end
		-- Holes of structures are not loaded, nor what nobody is shown.
		local own = l.alone
		local packs, shows = own and own.kind == "recode" and not own.graph and own.send, own and not l.writes
		loads = loads + (packs and length or shows and 0 or before)
			+ (l.reframes and steps > 0 and not writes and math.min(before, length) or 0)
		if l.writes then stores = stores + length end
	end
	return loads, stores
end

local function passes(loops)
	local list = {}
	for k, l in ipairs(loops) do
		list[k] = { stages = table.concat(l.names, " "), from = l.from, to = l.to or "nowhere" }
	end
	return list
end

-- By how much what is counted may differ: how much longer data becomes by what is in it nobody has planned, and what
-- waits between strips may be looked at twice, since they cut units, or since a sum counts what came at once.
local function within(s, way)
	local most = 1e-9
	for _, segment in ipairs(way.segments) do
		local waits = 2048 % segment.unit ~= 0 or #segment.entry > 0
		if s.tiled and #way.segments > 1 and waits then most = math.max(most, 0.1) end
	end
	for _, l in ipairs(s.loops) do
		if l.alone and l.alone.kind == "stuff" then most = 1e9 end
	end
	return most
end

local function of_schedule(s, way)
	local loads, stores = traffic(s.loops)
	return { schedule = s.name, title = s.title, passes = passes(s.loops), loads = loads, stores = stores,
		scratch = s.scratch, tiled = s.tiled or false,
		within = within(s, way) }
end

-- Vectors alive at once in the fullest loop: data of a turn and accumulators, or a stream's block and what goes on
-- beside it. An estimate, without what functions of stages need for themselves and what the compiler makes of it:
-- whether it spills, its code tells (tools/explain_code.c).
local function live(plan, isa)
	local accumulators = 0
	for _, stage in ipairs(plan.folds) do
		accumulators = accumulators + fold.sums(stage, isa) * #stage.zero * (#isa.widths > 0 and stage.unit == 4 and 2 or 1)
	end
	if #plan.streams == 0 then return isa.unroll + accumulators end
	return stream.WORDS + 2 + accumulators
end

-- The page as plain tables, numbers and strings.
function M.table(plan)
	local page = { chain = plan.chain.name, verdict = plan.verdict, unit = plan.unit, block = plan.block,
		state_bytes = state.size(plan), stages = {}, directions = {}, registers = {} }
	for k, s in ipairs(plan.chain.stages) do
		page.stages[k] = { name = s.name, kind = s.kind, unit = s.unit, standard = s.standard, at = plan.chain.at[k],
			insecure = s.insecure or false, debug = s.kind == "tap" }
	end
	for k, direction in ipairs { "send", "recv" } do
		local way, reasons, schedules = plan[direction], {}, {}
		for j, reason in ipairs(way.reasons) do reasons[j] = reason.text end
		for j, s in ipairs(schedule.list(way)) do schedules[j] = of_schedule(s, way) end
		page.directions[k] = { direction = direction, verdict = way.verdict, reasons = reasons, schedules = schedules,
			whole = way.whole or false }
	end
	for k, isa in ipairs(isa_table.list) do
		local n = live(plan, isa)
		page.registers[k] = { isa = isa.name, live = n, registers = isa.registers }
	end
	return page
end

local SHOWN = { layered = true, fused = true }

local function counted(n, what)
	local text = string.format("%.4g", n)
	return text .. " " .. what .. (text == "1" and "" or "s")
end

local function put_direction(put, d)
	put("")
	put("  %s: %s%s", d.direction, d.verdict, d.whole and ", of whole ADUs: a value stands before the data" or "")
	for _, reason in ipairs(d.reasons) do put("    cut: %s", reason) end
	if #d.reasons == 0 then put("    no two stages are in each other's way") end
	for _, s in ipairs(d.schedules) do
		put("    %-10s %-27s%s   %s", s.schedule, counted(s.loads, "load") .. " and " .. counted(s.stores, "store")
			.. " a word", s.scratch > 0 and ", scratch memory" or "", s.title)
		for _, p in ipairs(SHOWN[s.schedule] and s.passes or {}) do put("      %s → %s: %s", p.from, p.to, p.stages) end
	end
end

function M.text(page)
	local lines = {}
	local function put(...) lines[#lines + 1] = string.format(...) end
	put("%s: %s", page.chain, page.verdict)
	for _, s in ipairs(page.stages) do
		if s.insecure then put("  INSECURE: '%s' protects nothing; it is kept for what it was", s.name) end
		if s.debug then put("  DEBUG: '%s' shows the data to whoever sets %s.sink; take it out again", s.name, s.name) end
	end
	put("")
	for _, s in ipairs(page.stages) do
		put("  %-16s %-7s unit %2d  %s%s", s.name, s.kind, s.unit, s.standard, s.at ~= "value" and ", its value at the "
			.. s.at or "")
	end
	put("")
	put("  unit %d bytes, block %d bytes, state %d bytes", page.unit, page.block, page.state_bytes)
	for _, d in ipairs(page.directions) do put_direction(put, d) end
	put("")
	put("  vectors alive at once, estimated from the stages, and registers; what the code spills, --registers tells")
	for _, r in ipairs(page.registers) do put("    %-8s about %d, of %d", r.isa, r.live, r.registers) end
	return table.concat(lines, "\n") .. "\n"
end

return M
