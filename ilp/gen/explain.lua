-- A page about a chain: the verdict and why, in which order its stages run each way, the passes of each schedule with
-- the loads and stores they cost, its state, and whether its values fit the registers.
local isa_table = require "gen.isa"
local stream = require "gen.stream"

local M = {}

-- Loads and stores of data, for each 32-bit word, of the loops one after another.
local function traffic(loops)
	local loads, stores = 0, 0
	for _, l in ipairs(loops) do
		loads = loads + 1
		if l.writes then stores = stores + 1 end
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

local function schedule(name, loops, scratch)
	local loads, stores = traffic(loops)
	return { schedule = name, passes = passes(loops), loads = loads, stores = stores, scratch = scratch }
end

-- Vectors alive at once in the fullest loop: data of a turn and accumulators, or a stream's block and what goes on
-- beside it. An estimate: the compiler may do better.
local function live(plan, isa)
	local folds = #plan.folds * isa.sums * (isa.widths[1] > 4 and 2 or 1)
	if #plan.streams == 0 then return isa.unroll + folds end
	return stream.WORDS + 2 + folds
end

local function state_bytes(plan)
	local bytes = 80 -- struct ilp_state
	for _, s in ipairs(plan.streams) do bytes = bytes + s.state_words * 4 + s.param_bytes end
	bytes = bytes + 16 * #plan.folds
	return bytes + -bytes % 64 -- ILP_ALIGN
end

-- The page as plain tables, numbers and strings.
function M.table(plan)
	local page = { chain = plan.chain.name, verdict = plan.verdict, reasons = plan.send.reasons, unit = plan.unit,
		block = plan.block, state_bytes = state_bytes(plan), stages = {}, directions = {}, registers = {} }
	for k, s in ipairs(plan.chain.stages) do
		page.stages[k] = { name = s.name, kind = s.kind, unit = s.unit, standard = s.standard }
	end
	for k, direction in ipairs { "send", "recv" } do
		local way = plan[direction]
		page.directions[k] = { direction = direction, schedules = {
			schedule("layered", way.layered, way.scratch.layered),
			schedule("tiled", way.layered, way.scratch.layered),
			schedule("fused", way.fused, way.scratch.fused),
		} }
	end
	for k, isa in ipairs(isa_table.list) do
		local n = live(plan, isa)
		page.registers[k] = { isa = isa.name, live = n, registers = isa.registers, spills = n > isa.registers }
	end
	return page
end

function M.text(page)
	local lines = {}
	local function put(...) lines[#lines + 1] = string.format(...) end
	put("%s: %s", page.chain, page.verdict)
	for _, reason in ipairs(page.reasons) do put("  cut: %s", reason) end
	if #page.reasons == 0 then put("  no two stages are in each other's way") end
	put("")
	for _, s in ipairs(page.stages) do put("  %-16s %-6s unit %2d  %s", s.name, s.kind, s.unit, s.standard) end
	put("")
	put("  unit %d bytes, block %d bytes, state %d bytes", page.unit, page.block, page.state_bytes)
	for _, d in ipairs(page.directions) do
		put("")
		for _, s in ipairs(d.schedules) do
			put("  %s %-8s %d loads and %d stores a word%s", d.direction, s.schedule, s.loads, s.stores,
				s.scratch and ", scratch memory" or "")
			if s.schedule ~= "tiled" then
				for _, p in ipairs(s.passes) do put("    %s → %s: %s", p.from, p.to, p.stages) end
			end
		end
	end
	put("")
	for _, r in ipairs(page.registers) do
		put("  %-8s about %d vectors alive in %d registers%s", r.isa, r.live, r.registers, r.spills and ": spills" or "")
	end
	return table.concat(lines, "\n") .. "\n"
end

return M
