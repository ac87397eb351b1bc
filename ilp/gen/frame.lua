-- Frames: marks that stand in the data, put in or taken out. A loop with a frame is a driver around the loop without
-- it, which runs from one mark to the next. The marks themselves go, a few bytes at a time, through the steps that
-- stand on their side, in plain C.
local expression = require "gen.expression"
local isa_table = require "gen.isa"
local schedule = require "gen.schedule"
local through = require "gen.through"

local M = {}

local loops -- loop.lua, whose loops stand within the drivers, and which calls us for those with frames
function M.loops(module) loops = module end

-- The bytes of mark i, and what of them is compared, once for a chain.
function M.emit_functions(t, stage)
	if stage.heed then
		t:line("static const uint8_t %s_heed[%d] = { %s };", stage.name, stage.size, table.concat(stage.heed, ", "))
	end
	local names = { "i" }
	for k = 1, stage.state_words do names[k + 1] = string.format("s->%s_state[%d]", stage.name, k - 1) end
	local used = expression.used_inputs(stage.mark)
	local keyed = false
	for k = 2, #names do keyed = keyed or used[k] end
	t:line("/* %s: mark i. */", stage.standard)
	t:func(string.format("static inline void %s_mark(const struct chain *s, uint32_t i, uint8_t *to)", stage.name))
	if not keyed then t:line("(void)s;") end
	if not used[1] then t:line("(void)i;") end
	for k, r in ipairs(expression.emit(t, stage.mark, names, "uint32_t", "t")) do
		t:line("const uint32_t w%d = %s;", k, r)
		t:line("STORE(to + %d, w%d);", 4 * (k - 1), k)
	end
	t:home()
	t:endfunc()
end

-- C of how many bytes of data come before the first mark, where that is not none.
local function first_of(stage) return string.format("s->%s_first", stage.name) end

function M.emit_begin(t, stage)
	if not stage.first then return end
	local names = {}
	for k = 1, stage.state_words do names[k] = string.format("s->%s_state[%d]", stage.name, k - 1) end
	t:open("{")
	t:line("%s = %s;", first_of(stage), expression.emit(t, stage.first, names, "uint32_t", "t")[1])
	t:home()
	t:close()
end

-- The place behind a frame of what stands at that place before it.
function M.behind(step, at)
	local stage, from = step.stage, at
	if step.kind == "behead" then return string.format("(%s > %d ? %s - %d : 0)", at, stage.size, at, stage.size) end
	if stage.first then from = string.format("(%s - %s)", at, first_of(stage)) end
	local behind
	if step.kind == "insert" then
		behind = string.format("%s + (%s + %d) / %d * %d", at, from, stage.every - 1, stage.every, stage.size)
	else
		local period = stage.every + stage.size
		behind = string.format("%s - %s / %d * %d - (%s %% %d < %d ? %s %% %d : %d)", at, from, period, stage.size, from,
			period, stage.size, from, period, stage.size)
	end
	if not stage.first then return "(" .. behind .. ")" end
	return string.format("(%s > %s ? %s : %s)", at, first_of(stage), behind, at)
end

-- Of a segment whose units are shifted (plan.lua): over(s, p), how many bytes p is behind the last place of the input
-- at which it may be cut.
function M.over(direction, segment) return string.format("%s_%d_over", direction, segment.number) end

function M.emit_over(t, direction, segment)
	if not segment.cuts then return end
	t:func(string.format("static inline size_t %s(const struct chain *s, uint64_t p)", M.over(direction, segment)))
	t:line("size_t over = 0;")
	t:line("(void)s;")
	for _, cut in ipairs(segment.cuts) do
		if cut.unit > 1 then
			t:open("{")
			t:line("const uint64_t p0 = p - over;")
			for k, step in ipairs(cut.frames) do
				t:line("const uint64_t p%d = %s;", k, M.behind(step, "p" .. k - 1))
			end
			t:line("over += (size_t)(p%d %% %d);", #cut.frames, cut.unit)
			t:close()
		end
	end
	t:line("return over;")
	t:endfunc()
end

-- The parts of a loop around its first frame.
local function parts_of(loop)
	local p = { before = {}, after = {}, body = {} }
	for _, step in ipairs(loop.steps) do
		if step == loop.frames[1] then
			p.frame = step
		else
			table.insert(p.frame and p.after or p.before, step)
			table.insert(p.body, step)
		end
	end
	local function part(steps, coord) return #steps > 0 and schedule.loop(steps, coord) or nil end
	p.body = part(p.body, loop.coord)
	p.before = part(p.before, loop.coord)
	p.after = part(p.after, p.frame.coord + 1)
	if p.body then p.body.name = loop.name .. "_body" end
	return p
end

local function at_name(loop, step, by)
	local c = step.coord - loop.coord + (by or 0)
	return c == 0 and "at" or "at" .. c
end

-- What is done to a mark, for those who count loads and stores of data (prelude.lua): so many bytes of each, whatever
-- it does to the mark's copy on the stack.
local function counted(t, loads, stores, statement)
	if not t.counted then return t:line("%s;", statement) end
	t:open("{")
	t:line("const uint64_t loads = ilp_counted[0] + %s, stores = ilp_counted[1] + %s;", loads, stores)
	t:line("%s;", statement)
	t:line("ilp_counted[0] = loads, ilp_counted[1] = stores;")
	t:close()
end

-- A call of a part, which adds to dst what it writes. put: it is for a mark of that many bytes, which is stored.
local function run(t, part, isa, given, advance, put)
	local call = loops.call(part, isa, "", given)
	if part.reframes then call = "dst += " .. call end
	if put then counted(t, 0, put, call) else t:line("%s;", call) end
	if advance and not part.reframes then t:line("dst += %s;", advance) end
end

-- m bytes of data, from src to dst, by the steps that are not the frame.
local function emit_body(t, p, isa, m)
	if not p.body then
		t:line("copy_bytes(dst, src, %s);", m)
		t:line("dst += %s;", m)
		return
	end
	if not p.body.writes then t:line("copy_bytes(dst, src, %s);", m) end
	run(t, p.body, isa, { n = m }, m)
end

-- Moves the places on that a driver is handed, and what else it goes by.
local function emit_advance(t, loop, m)
	local list = {}
	for _, name in ipairs(loops.parameters(loop, "")) do
		if name:match("^at") or name == "src" then list[#list + 1] = name .. " += " .. m end
	end
	list[#list + 1] = "n -= " .. m
	t:line("%s;", table.concat(list, ", "))
end

-- Declares k, how many marks there are up to the byte at that place, and `rest`, how many bytes from there to the next
-- one; `period` bytes are from one to another.
local function emit_marks(t, stage, at, period)
	if stage.first then
		t:line("const uint64_t lead = %s, k = %s < lead ? 0 : (%s - lead) / %d + 1;", first_of(stage), at, at, period)
	else
		t:line("const uint64_t k = %s / %d + 1;", at, period)
	end
	t:line("const size_t rest = (size_t)(%sk * %d - %s);", stage.first and "lead + " or "", period, at)
end

local function emit_insert(t, loop, p, isa, full)
	local stage, at, at1 = p.frame.stage, at_name(loop, p.frame), at_name(loop, p.frame, 1)
	emit_marks(t, stage, at, stage.every)
	t:line("const size_t m = n < rest ? n : rest;")
	t:line("const uint64_t %s = %s + k * %d;", at1, at, stage.size)
	t:open("if (rest == %d%s%s) {", stage.every, stage.first and " && k > 0" or "", full and " && !marked" or "")
	t:line("uint8_t mark[%d];", stage.size)
	t:line("%s_mark(s, (uint32_t)(k - 1), mark);", stage.name)
	if p.after and p.after.writes then
		run(t, p.after, isa_table.ends_of(isa, t.by_row),
			{ at = string.format("%s - %d", at1, stage.size), src = "mark", n = stage.size }, stage.size, stage.size)
	else
		counted(t, 0, stage.size, string.format("__builtin_memcpy(dst, mark, %d)", stage.size))
		if p.after then
			counted(t, 0, 0, loops.call(p.after, isa_table.ends_of(isa, t.by_row), "",
				{ at = string.format("%s - %d", at1, stage.size), src = "mark", n = stage.size }))
		end
		t:line("dst += %d;", stage.size)
	end
	t:close()
	if full then
		t:line("marked = false;")
		full()
	end
	emit_body(t, p, isa, "m")
	if not p.body or not loops.uses(p.body, at1) then t:line("(void)%s;", at1) end
end

-- Bytes of marks, which may come in several parts: through the steps before the frame; keep(from) is the C that then
-- looks at them.
local function emit_taken(t, loop, p, isa, room, keep)
	local bytes = "src"
	if p.before and p.before.writes then
		t:line("uint8_t taken[%d];", math.max(room, 64)) -- compilers see stores of vectors, which never come to so few
		counted(t, "m", 0, loops.call(p.before, isa_table.ends_of(isa, t.by_row), "", { dst = "taken", n = "m" }))
		bytes = "taken"
	elseif p.before then
		t:line("%s;", loops.call(p.before, isa_table.ends_of(isa, t.by_row), "", { n = "m" }))
	end
	if p.before then t:line("%s;", keep(bytes)) else counted(t, "m", 0, keep(bytes)) end
	emit_advance(t, loop, "m")
	t:line("continue;")
end

local function emit_remove(t, loop, p, isa, full)
	local stage, at, at1 = p.frame.stage, at_name(loop, p.frame), at_name(loop, p.frame, 1)
	local period = stage.every + stage.size
	emit_marks(t, stage, at, period)
	t:open("if (rest > %d) {", stage.every)
	t:line("const size_t m = n < rest - %d ? n : rest - %d;", stage.every, stage.every)
	t:line("uint8_t mark[%d];", stage.size)
	t:line("%s_mark(s, (uint32_t)(k - 1), mark);", stage.name)
	emit_taken(t, loop, p, isa, stage.size, function(bytes)
		return through.compare(stage, bytes, string.format("(%d - rest)", period), "m")
	end)
	t:close()
	if full then full() end
	t:line("const size_t m = n < rest ? n : rest;")
	t:line("const uint64_t %s = %s - k * %d;", at1, at, stage.size)
	emit_body(t, p, isa, "m")
	if not p.body or not loops.uses(p.body, at1) then t:line("(void)%s;", at1) end
end

local function emit_behead(t, loop, p, isa)
	local stage, at, at1 = p.frame.stage, at_name(loop, p.frame), at_name(loop, p.frame, 1)
	t:open("if (%s < %d) {", at, stage.size)
	t:line("const size_t m = n < %d - %s ? n : (size_t)(%d - %s);", stage.size, at, stage.size, at)
	emit_taken(t, loop, p, isa, stage.size, function(bytes)
		return string.format("__builtin_memcpy(s->%s_came + %s, %s, m)", stage.name, at, bytes)
	end)
	t:close()
	t:line("const size_t m = n;")
	t:line("const uint64_t %s = %s - %d;", at1, at, stage.size)
	emit_body(t, p, isa, "m")
	if not p.body or not loops.uses(p.body, at1) then t:line("(void)%s;", at1) end
end

local EMIT = { insert = emit_insert, remove = emit_remove, behead = emit_behead }

function M.emit(t, loop, isa, done, whole)
	local p = parts_of(loop)
	if p.body then loops.emit(t, p.body, isa, done, whole) end
	local marked = p.frame.kind == "insert" and p.after or p.frame.kind ~= "insert" and p.before
	if marked and isa == isa_table.ends_of(isa, t.by_row) then loops.emit(t, marked, isa, done, 1) end
	local width, count = through.of(loops, p, isa)
	t:line("/* %s */", table.concat(loop.names, ", then "))
	if width then through.emit(t, loops, loop, p, isa, width, count) end
	t:func(loops.head(loop, isa, ""))
	t:line("uint8_t *const from = dst;")
	if width and p.frame.kind == "insert" then t:line("bool marked = false; /* the mark that is due is there */") end
	t:line("")
	t:open("while (n > 0) {")
	EMIT[p.frame.kind](t, loop, p, isa, width and function()
		through.emit_call(t, loops, loop, p, isa, width, count, function(m) emit_advance(t, loop, m) end)
	end)
	emit_advance(t, loop, "m")
	t:close()
	t:line("return (size_t)(dst - from);")
	t:endfunc()
end

return M
