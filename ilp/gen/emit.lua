-- The C file of a chain: for each instruction set the loops of all schedules, and what stands beside them (adu.lua);
-- the functions that callers see; the table.
local adu = require "gen.adu"
local expression = require "gen.expression"
local isa_table = require "gen.isa"
local fold = require "gen.fold"
local frame = require "gen.frame"
local stream = require "gen.stream"
local stuff = require "gen.stuff"
local loop = require "gen.loop"
local pipe = require "gen.pipe"
local planner = require "gen.plan"
local prelude = require "gen.prelude"
local schedule = require "gen.schedule"
local stack = require "gen.stack"
local state = require "gen.state"
local text = require "gen.text"
local turn = require "gen.turn"

local M = {}

local DIRECTIONS = { "send", "recv" }
local DATA = pipe.DATA

local function each_segment(plan, f)
	for _, direction in ipairs(DIRECTIONS) do
		for _, segment in ipairs(plan[direction].segments) do f(direction, segment) end
	end
end

-- Schedules ------------------------------------------------------------------------------------------------------

local function run_name(direction, s, isa, segment)
	return string.format("%s_%s_%s_%d", direction, s.name, isa.name, segment.number)
end

-- The C expressions of the places at the coordinates of a segment's steps, by coordinate.
local function coordinates(segment)
	local at = { [0] = "at" }
	for _, step in ipairs(segment.looped) do
		if step.reframes then at[step.coord + 1] = frame.behind(step, "p" .. step.coord) end
	end
	return at
end

-- The loops one after another, each over all of it. Returns the bytes that come out.
local function emit_passes(t, segment, loops, isa, s)
	local at, told = coordinates(segment), { [0] = true }
	local n, count = "n", 0
	t:line("const uint64_t p0 = at;")
	for c = 1, #at do t:line("const uint64_t p%d = %s;", c, at[c]) end
	for _, l in ipairs(loops) do
		if l.to == "other" then -- and from there the next one reads
			t:line("uint8_t *const other = tmp + ilp_grown(&growth_%s, n);", s.direction)
			break
		end
	end
	for _, l in ipairs(loops) do
		local out = s.streams_out and l.to == "dst" and loop.streams_out(l, isa)
		local given = { at = "p" .. l.coord, n = n, dst = l.to, src = l.from }
		local call = loop.call(l, isa, out and "_out" or "", given)
		if l.only_moves then
			t:line("copy_bytes(%s, %s, %s);", l.to, l.from, n)
		elseif l.resizes then
			count = count + 1
			t:line("const size_t n%d = %s;", count, call)
			n = "n" .. count
		else
			t:line("%s;", call)
		end
		if out then told.fence = true end
	end
	if told.fence then t:line("__builtin_ia32_sfence();") end
	t:line("(void)s, (void)tmp;")
	for c = 0, #at do t:line("(void)p%d;", c) end
	t:line("return %s;", n)
end

local function emit_tiled(t, inner, way, segment)
	local unit, few = segment.unit, planner.lcm(segment.unit, 64)
	if segment.cuts and unit > 32 then
		-- What is to be cut off may come to as much as all its units.
		t:line("const size_t tile = s->ilp.tile < %d ? %d : s->ilp.tile;", #segment.cuts * unit + 1, #segment.cuts * unit + 1)
	elseif segment.cuts or few == 64 then
		t:line("const size_t tile = s->ilp.tile;")
	else
		-- Whole units, and lines if there is room.
		t:line("const size_t strip = s->ilp.tile;")
		t:line("const size_t tile = strip >= %d ? strip / %d * %d : strip < %d ? %d : strip / %d * %d;", few, few, few, unit,
			unit, unit, unit)
	end
	t:line("size_t out = 0;")
	t:line("")
	if segment.cuts then
		t:open("for (size_t i = 0, m; i < n; i += m) {")
		t:line("m = n - i < tile ? n - i : tile - %s(s, at + i + tile);", frame.over(way.direction, segment))
	else
		t:open("for (size_t i = 0; i < n; i += tile) {")
		t:line("const size_t m = n - i < tile ? n - i : tile;")
	end
	t:line("out += %s(s, at + i, dst + out, src + i, m, tmp);", inner)
	t:close()
	t:line("return out;")
end

-- Whether a schedule runs strip by strip within a segment, and not through all segments.
local function tiled_within(way, s) return s.tiled and (#way.segments == 1 or way.whole) end

local function emit_run(t, way, s, isa, segment, loops, known)
	local parts = { s.streams_out and "out" or "" }
	for k, l in ipairs(loops) do parts[k + 1] = l.name .. ">" .. (l.to or "") end
	local key = way.direction .. segment.number .. isa.name .. table.concat(parts, " ")
	local function head(name)
		t:func(string.format("%sstatic size_t %s(struct chain *s, uint64_t at, %s)", isa_table.attribute(isa), name, DATA))
	end
	local name = run_name(way.direction, s, isa, segment)
	if not known[key] then
		known[key] = tiled_within(way, s) and name .. "_strip" or name
		head(known[key])
		s.direction = way.direction
		emit_passes(t, segment, loops, isa, s)
		t:endfunc()
	end
	if tiled_within(way, s) then
		head(name)
		emit_tiled(t, known[key], way, segment)
		t:endfunc()
		return name
	end
	return known[key]
end

-- What a caller calls, of segments one behind the other: each through its own frame.
local function emit_pipe(t, way, s, runs, mids)
	local direction, n = way.direction, "m"
	for k, segment in ipairs(way.segments) do
		local to = k < #way.segments and mids[k] or "dst + out"
		local from = k == 1 and "src + i" or mids[k - 1]
		local call = string.format("%s(%s, s, %s, %s, %s, tmp)", pipe.name(direction, segment), runs[k], to, from, n)
		if k < #way.segments then
			n = "n" .. k
			t:line("const size_t %s = %s;", n, call)
		else
			t:line("out += %s;", call)
		end
	end
end

-- The same of whole ADUs: a segment ends before the next begins, and what stands before the data is put there.
local function emit_whole(t, way, isa, runs, mids)
	local direction, n = way.direction, "n"
	for k, segment in ipairs(way.segments) do
		local to = k < #way.segments and mids[k] or "dst"
		local from = k == 1 and "src" or mids[k - 1]
		local head = segment.head and segment.head.stage
		local at = to .. (head and " + " .. head.size or "")
		t:line("size_t n%d = %s(%s, s, %s, %s, %s, tmp);", k, pipe.name(direction, segment), runs[k], at, from, n)
		if pipe.ends(segment) then
			t:line("n%d += %s(s, %s + n%d);", k, pipe.end_name(direction, segment, isa), at, k)
		end
		if head then
			t:line("%s;", fold.value_call(head, isa, to))
			t:line("n%d += %d;", k, head.size)
		end
		n = "n" .. k
	end
	t:line("return %s;", n)
end

-- What a keyed loop is called by, which leaves nothing of it behind.
local function emit_cleared(t, isa)
	if isa == isa_table.ends then
		adu.emit_deeper(t, "size_t", "loop", "ilp_loop *work, void *state, " .. DATA, "work(state, dst, src, n, tmp)")
	end
	t:func(string.format("%sstatic size_t cleared_%s(ilp_loop *work, void *state, %s)", isa_table.attribute(isa), isa.name,
		DATA))
	t:line("const size_t out = loop_deeper(work, state, dst, src, n, tmp);")
	t:line("wipe_stack_%s();", isa.name)
	t:line("ilp_wipe_registers();")
	t:line("return out;")
	t:endfunc()
end

local function emit_callable(t, plan, way, s, isa, runs)
	local name = string.format("%s_%s_%s", way.direction, s.name, isa.name)
	local keyed = plan.secret
	t:func(string.format("static %ssize_t %s(void *state, %s)", keyed and "__attribute__((noinline)) " or "",
		name .. (keyed and "_work" or "_loop"), DATA))
	if #way.segments == 1 and not way.whole then
		t:line("return %s(%s, state, dst, src, n, tmp);", pipe.name(way.direction, way.segments[1]), runs[1])
	else
		local mids, strips = {}, s.tiled and not way.whole
		t:line("struct chain *s = state;")
		if strips then
			t:line("const size_t tile = s->ilp.tile;")
			t:line("size_t out = 0;")
		end
		t:line("const size_t room = ilp_piece(&growth_%s, %s);", way.direction, strips and "n < tile ? n : tile" or "n")
		for k = 1, #way.segments - 1 do
			mids[k] = "mid" .. k
			t:line("uint8_t *const mid%d = tmp + %d * room;", k, s.scratch + k - 1)
		end
		t:line("(void)room;")
		if way.whole then
			emit_whole(t, way, isa_table.ends_of(isa, plan.by_row), runs, mids)
		elseif strips then
			t:open("for (size_t i = 0; i < n; i += tile) {")
			t:line("const size_t m = n - i < tile ? n - i : tile;")
			emit_pipe(t, way, s, runs, mids)
			t:close()
			t:line("return out;")
		else
			t:line("const size_t i = 0, m = n;")
			t:line("size_t out = 0;")
			emit_pipe(t, way, s, runs, mids)
			t:line("return out;")
		end
	end
	t:endfunc()
	if keyed then
		t:func(string.format("static size_t %s_loop(void *state, %s)", name, DATA))
		t:line("return cleared_%s(%s_work, state, dst, src, n, tmp);", isa.name, name)
		t:endfunc()
	end
	return name .. "_loop"
end

-- Calls f(loop, whole, out) for the loops that the schedules of both directions use; whole: the bytes that it is
-- given are a multiple of that.
local function each_loop(plan, schedules, f)
	for _, direction in ipairs(DIRECTIONS) do
		for _, s in ipairs(schedules[direction]) do
			for k, loops in ipairs(s.segments) do
				local segment, frames = plan[direction].segments[k], false
				for _, step in ipairs(segment.steps) do frames = frames or step.reframes end
				for _, l in ipairs(loops) do
					if not l.only_moves then f(l, frames and 1 or segment.unit, s.streams_out and l.to == "dst") end
				end
			end
		end
	end
end

-- Each of them once, good for all its uses; above them the functions that they share, and streams.
local function emit_loops(t, plan, isa, schedules)
	local done, least, before = {}, {}, t.count
	t.above = text.new()
	for _, stage in ipairs(plan.streams) do stream.emit_functions(t, stage, isa) end
	each_loop(plan, schedules, function(l, whole) least[l.name] = math.min(least[l.name] or whole, whole) end)
	each_loop(plan, schedules, function(l, _, out) loop.emit(t, l, isa, done, least[l.name], out) end)
	t:insert(before, t.above)
end

-- The table ------------------------------------------------------------------------------------------------------

local function emit_params(t, plan)
	t:open("static const struct ilp_param params[] = {")
	for _, stage in ipairs(plan.chain.stages) do
		for _, p in ipairs(stage.params and state.params(stage) or {}) do
			t:line("{ \"%s.%s\", offsetof(struct chain, %s_params.%s), %d, %s, %s },", stage.name, p.name, stage.name, p.name,
				p.size, adu.is_expanded(plan, stage, p.name), stage.begin ~= nil and not stage.fields.public)
		end
	end
	t:line("{ NULL, 0, 0, false, false },")
	t:close(";")
	t:open("static const struct ilp_value values[] = {")
	for _, stage in ipairs(plan.folds) do
		t:line("{ \"%s\", %d, offsetof(struct chain, %s), sizeof((struct chain *)0)->%s, %s_value },", stage.name,
			stage.size, stage.name, stage.name, stage.name)
	end
	t:line("{ NULL, 0, 0, 0, NULL },")
	t:close(";")
end

local function emit_ways(t, plan, way, list, callables)
	t:open("static const struct ilp_way %s_ways[] = {", way.direction)
	for k, s in ipairs(list) do
		local pieces = s.scratch + #way.segments - 1
		t:open("{ \"%s\", \"%s\", %d, %d, {", s.name, s.title, pieces, s.tiled and 1 or 0)
		adu.each_row(t, adu.rows(plan), function(isa) t:line("[%s] = %s,", isa.enum, callables[k][isa.name]) end)
		t:close(" },")
	end
	t:close(";")
end

local function emit_table(t, plan)
	local chain = plan.chain
	t:open("const struct ilp_chain ilp_chain_%s = {", chain.name)
	t:line(".abi = ILP_ABI,")
	t:line(".compiler = ILP_COMPILER,")
	t:line(".name = \"%s\",", chain.name)
	t:line(".stages = \"%s\",", state.stage_names(chain, " "))
	t:line(".state_size = sizeof(struct chain),")
	t:line(".unit = %d,", plan.unit)
	t:line(".block = %d,", plan.block)
	t:line(".keyed = %s,", plan.secret and "true" or "false")
	t:line(".inplace = %s,", plan.inplace and "true" or "false")
	t:line(".keeps = %s,", plan.keeps and "true" or "false")
	if #plan.streams > 0 then
		local first = plan.streams[1].name
		t:line(".ahead_at = offsetof(struct chain, %s_ahead),", first)
		t:line(".ahead = sizeof(struct chain) - offsetof(struct chain, %s_ahead),", first)
	end
	t:line(".params = params,")
	t:line(".values = values,")
	t:line(".begin = begin,")
	if plan.pair then t:line(".associate = associate,") end
	if plan.wire then t:line(".sum = sum,") end
	for _, direction in ipairs(DIRECTIONS) do
		local way, D = plan[direction], "ILP_" .. direction:upper()
		t:line(".end[%s] = %s_end,", D, direction)
		t:line(".whole[%s] = %s,", D, way.whole and "true" or "false")
		t:line(".growth[%s] = { %d, %d, %d },", D, way.growth.fixed, way.growth.every, way.growth.size)
		t:line(".ways[%s] = %s_ways,", D, direction)
		t:open(".once[%s] = {", D)
		adu.each_row(t, adu.rows(plan), function(isa)
			t:line("[%s] = %s_once_%s,", isa.enum, direction, isa.name)
		end)
		t:close(",")
		t:line(".way_count[%s] = sizeof %s_ways / sizeof %s_ways[0],", D, direction, direction)
	end
	t:close(";")
end

-- The file -------------------------------------------------------------------------------------------------------

local function emit_opening(t, plan, schedules)
	local chain = plan.chain
	t:line("/* Generated by ilp/gen from chain %s: do not edit.", chain.name)
	t:line(" *")
	for _, stage in ipairs(chain.stages) do
		t:line(" * %-16s %s%s", stage.name, stage.kind, stage.standard ~= "none" and ", " .. stage.standard or "")
	end
	t:line(" *")
	if chain.insecure then t:line(" * INSECURE: kept for what it was.") end
	t:line(" * Verdict: %s. */", plan.verdict)
	if plan.secret then
		local loops, ends = stack.of_loops(function(f) each_loop(plan, schedules, f) end),
			math.max(stack.of_end(plan.send), stack.of_end(plan.recv))
		t:line("#define ILP_STACK (%d + ILP_STACK_MORE)", loops)
		t:line("#define ILP_STACK_OF_BEGIN (%d + ILP_STACK_MORE)", stack.of_begin(plan.keyed))
		t:line("#define ILP_STACK_OF_END (%d + ILP_STACK_MORE)", ends)
		for _, isa in ipairs(adu.rows(plan)) do
			t:line("#define ILP_STACK_%s (%d + ILP_STACK_MORE)", isa.name:upper(),
				stack.of_once(plan, isa) or math.max(loops, ends))
			t:line("#define ILP_FEW_%s (%d + ILP_STACK_MORE)", isa.name:upper(),
				(stack.of_few(plan, isa) or { bytes = ends }).bytes)
		end
	end
	t:line("#include \"%s.h\"", chain.name)
	if plan.quads then t:line("#include \"ilp/quad.h\"") end
	t:line("")
	t:line("#if defined(__x86_64__)")
	t:line("#include <immintrin.h>")
	t:line("#elif defined(__aarch64__)")
	t:line("#include <arm_neon.h>")
	t:line("#endif")
	t:line("")
	t:line("#define chain ilp_chain_%s /* the tag of the state */", chain.name)
	t:line("")
end

local function emit_common(t, plan)
	for _, direction in ipairs(DIRECTIONS) do
		local g = plan[direction].growth
		t:line("static const struct ilp_growth growth_%s __attribute__((unused)) = { %d, %d, %d };", direction, g.fixed,
			g.every, g.size)
	end
	t:line("")
	for _, stage in ipairs(plan.folds) do
		if not fold.each_row(stage) then fold.emit_functions(t, stage) end
	end
	for _, stage in ipairs(plan.streams) do stream.emit_has(t, stage) end
	for _, stage in ipairs(plan.chain.stages) do
		if stage.kind == "reframe" then frame.emit_functions(t, stage) end
		if stage.kind == "stuff" then stuff.emit_functions(t, stage) end
		if stage.kind == "pad" then pipe.emit_pad(t, stage) end
	end
	t:line("/* A schedule over n bytes, whole units unless the ADU ends with them; "
		.. "at is the place of the first in the ADU.")
	t:line(" * Returns the bytes that come out. */")
	t:line("typedef size_t schedule(struct chain *s, uint64_t at, %s);", DATA)
	t:line("")
end

-- What there is for one instruction set; callables: by direction, schedule and instruction set.
local function emit_isa(t, plan, isa, schedules, callables)
	t:line("/* ---- %s ---- */", isa.name)
	t:line("")
	if isa.guard then t:raw("#if " .. isa.guard) end
	for _, stage in ipairs(plan.folds) do
		if fold.each_row(stage) then fold.emit_functions(t, stage, isa) end
	end
	emit_loops(t, plan, isa, schedules)
	local ends = isa == isa_table.ends or plan.by_row
	each_segment(plan, function(direction, segment)
		if isa == isa_table.ends then pipe.emit_frame(t, direction, segment) end
		if ends then pipe.emit_end(t, direction, segment, isa) end
	end)
	if plan.secret then emit_cleared(t, isa) end
	for _, direction in ipairs(DIRECTIONS) do
		local way, known = plan[direction], {}
		for k, s in ipairs(schedules[direction]) do
			local runs = {}
			for j, segment in ipairs(way.segments) do
				runs[j] = emit_run(t, way, s, isa, segment, s.segments[j], known)
			end
			callables[direction][k] = callables[direction][k] or {}
			callables[direction][k][isa.name] = emit_callable(t, plan, way, s, isa, runs)
			if ends and s.name == "fused" then adu.emit_end(t, plan, way, isa, runs) end
		end
	end
	if isa.guard then t:raw("#endif") end
	t:line("")
end

-- The C file, and the heads of its functions. counted: one that counts its loads and stores of data (prelude.lua).
-- plan.isas: only these of isa_table.list, of which isa_table.ends is one; plan.ways: only so many of the schedules
-- that every chain has.
function M.source(plan, counted)
	local opening, t = text.new(), text.new()
	local schedules, callables = {}, { send = {}, recv = {} }
	t.counted, t.by_row = counted, plan.by_row -- frame.lua, loop.lua
	prelude.begin()
	expression.begin()
	turn.begin()
	for _, direction in ipairs(DIRECTIONS) do schedules[direction] = schedule.list(plan[direction], plan.ways) end
	emit_opening(opening, plan, schedules)
	emit_common(t, plan)
	for _, isa in ipairs(adu.rows(plan)) do emit_isa(t, plan, isa, schedules, callables) end
	adu.emit(t, plan)
	emit_params(t, plan)
	for _, direction in ipairs(DIRECTIONS) do
		emit_ways(t, plan, plan[direction], schedules[direction], callables[direction])
	end
	emit_table(t, plan)
	local rows = { secret = plan.secret }
	for _, isa in ipairs(adu.rows(plan)) do rows[isa] = true end
	local first = opening:string() .. prelude.of(t, rows, counted) .. turn.unions() .. expression.lists() .. "\n"
	return t:string(plan.chain.name .. ".c", first), t.heads
end

-- The table of all chains, in order of name.
function M.list(plans)
	local t, names = text.new(), {}
	for k, plan in ipairs(plans) do names[k] = plan.chain.name end
	table.sort(names)
	t:line("/* Generated by ilp/gen: the chains that are compiled in. Do not edit. */")
	t:line("#include \"ilp/ilp.h\"")
	t:line("")
	for _, name in ipairs(names) do t:line("extern const struct ilp_chain ilp_chain_%s;", name) end
	t:line("")
	t:open("const struct ilp_chain *const ilp_chains[] = {")
	for _, name in ipairs(names) do t:line("&ilp_chain_%s,", name) end
	t:line("NULL,")
	t:close(";")
	return t:string()
end

return M
