-- What stands around a segment's loops, in C: what a call leaves incomplete waits for the next, and the data's end is
-- brought through all steps, a few bytes in plain C.
local fold = require "gen.fold"
local frame = require "gen.frame"
local graph = require "gen.graph"
local isa_table = require "gen.isa"
local loop = require "gen.loop"
local recode = require "gen.recode"
local schedule = require "gen.schedule"
local stuff = require "gen.stuff"

local M = {}

-- The last parameters of all that runs over data.
M.DATA = "uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp"

function M.name(direction, segment) return string.format("%s_%d", direction, segment.number) end

-- Where the state keeps a segment's place, and what waits for it.
local function members(segment)
	if segment.number == 1 then return "s->ilp.pos", "s->ilp.held_len", "s->held" end
	local pipe = "s->pipe" .. segment.number
	return pipe .. ".pos", pipe .. ".held_len", pipe .. ".held"
end

-- What waits is counted already by the folds at the entry: they are not to count it again.
local function save(t, segment)
	for _, step in ipairs(segment.entry) do
		t:line("const struct ilp_fold %s = s->%s;", step.name, step.name)
	end
end
local function restore(t, segment)
	for _, step in ipairs(segment.entry) do t:line("s->%s = %s;", step.name, step.name) end
end
local function count(t, segment, from, n)
	for _, step in ipairs(segment.entry) do
		t:line("%s;", loop.call(schedule.loop { step }, isa_table.ends, "", { src = from, n = n }))
	end
end

-- What strips leave behind, others do not: the state must not tell.
local function clear(t, segment, held, from)
	if segment.piped then t:line("__builtin_memset(%s + %s, 0, sizeof %s - %s);", held, from, held, from) end
end

-- How many of n bytes at `at` are whole units, if so many are kept back: declares `ready`.
local function emit_ready(t, direction, segment, n)
	local unit, hold = segment.unit, segment.hold
	if segment.cuts then
		t:line("size_t ready = %s > %d ? %s - %d : 0;", n, hold, n, hold)
		t:line("ready -= %s(s, at + ready);", frame.over(direction, segment))
	elseif hold > 0 then
		t:line("const size_t ready = %s > %d ? (%s - %d) / %d * %d : 0;", n, hold, n, hold, unit, unit)
	else
		t:line("const size_t ready = %s - %s %% %d;", n, n, unit)
	end
end

-- The bytes that wait run as soon as they are whole units and enough come behind them.
local function emit_waiting(t, direction, segment, len, held)
	local unit, hold = segment.unit, segment.hold
	t:open("if (%s > 0) {", len)
	if segment.cuts then
		t:line("size_t whole = %s;", len)
		t:line("while (%s(s, at + whole) > 0)", frame.over(direction, segment))
		t:line("\twhole++;")
	else
		t:line("const size_t whole = (%s + %dul) / %d * %d;", len, unit - 1, unit, unit)
	end
	t:open("if (%s + n < whole + %d) {", len, hold)
	count(t, segment, "src", "n")
	t:line("ilp_copy(%s + %s, src, n);", held, len)
	t:line("%s += (uint32_t)n;", len)
	if hold > 0 then
		emit_ready(t, direction, segment, len)
		t:open("if (ready > 0) {")
		save(t, segment)
		t:line("out = run(s, at, dst, %s, ready, tmp);", held)
		restore(t, segment)
		t:line("%s -= (uint32_t)ready;", len)
		t:line("__builtin_memmove(%s, %s + ready, %s);", held, held, len)
		clear(t, segment, held, len)
		t:close()
	end
	t:line("return out;")
	t:close()
	t:line("const size_t take = whole - %s;", len)
	count(t, segment, "src", "take")
	t:line("ilp_copy(%s + %s, src, take);", held, len)
	save(t, segment)
	t:line("out = run(s, at, dst, %s, whole, tmp);", held)
	restore(t, segment)
	t:line("at += whole, src += take, n -= take;")
	t:close()
end

-- What stands between the caller and a schedule's run.
function M.emit_frame(t, direction, segment)
	local pos, len, held = members(segment)
	frame.emit_over(t, direction, segment)
	t:func(string.format("static inline size_t %s(schedule *run, struct chain *s, %s)", M.name(direction, segment),
		M.DATA))
	if segment.held == 0 then
		t:line("const uint64_t at = %s;", pos)
		t:line("")
		t:line("%s += n;", pos)
		t:line("return n > 0 ? run(s, at, dst, src, n, tmp) : 0;")
		t:endfunc()
		return
	end
	t:line("uint64_t at = %s - %s;", pos, len)
	t:line("size_t out = 0;")
	t:line("")
	t:line("if (n == 0)")
	t:line("\treturn 0;")
	t:line("%s += n;", pos)
	emit_waiting(t, direction, segment, len, held)
	emit_ready(t, direction, segment, "n")
	t:line("const size_t rest = n - ready;")
	t:line("if (ready > 0)")
	t:line("\tout += run(s, at, dst + out, src, ready, tmp);")
	t:line("%s = (uint32_t)rest;", len)
	t:open("if (rest > 0) {")
	count(t, segment, "src + ready", "rest")
	t:line("ilp_copy(%s, src + ready, rest);", held)
	t:close()
	clear(t, segment, held, "rest")
	t:line("return out;")
	t:endfunc()
end

-- Ends -----------------------------------------------------------------------------------------------------------

-- One step over all that is left, n bytes at a, the first of which stands at `at`.
local end_step = {}

local function call(step, isa, given)
	given.src, given.dst = given.src or "a", given.dst or "a"
	return loop.call(schedule.loop { step }, isa, "", given)
end

function end_step.map(t, step, isa)
	local stage = step.stage
	if graph.is_identity(step.graph) then return end
	if stage.whole then t:line("s->ilp.bad |= n %% %d != 0;", stage.unit) end
	t:line("if (n > 0)")
	t:line("\t%s;", call(step, isa, { n = stage.unit > 1 and string.format("n - n %% %d", stage.unit) or "n" }))
end

function end_step.stream(t, step, isa)
	t:line("if (n > 0)")
	t:line("\t%s;", call(step, isa, {}))
end

-- A fold over all of n bytes at `from`, which the data, or what is associated with it, ends with.
function M.emit_fold(t, step, isa, from)
	local stage, unit = step.stage, step.stage.unit
	if stage.anywhere then
		t:line("%s;", call(step, isa, { src = from }))
		return
	end
	t:line("if (n >= %d)", unit)
	t:line("\t%s;", call(step, isa, { src = from, n = string.format("n - n %% %d", unit) }))
	t:open("if (n %% %d != 0) {", unit)
	t:line("uint8_t last[%d] = { 0 };", unit)
	t:line("ilp_copy(last, %s + (n - n %% %d), n %% %d);", from, unit, unit)
	fold.emit_rest(t, stage, isa, string.format("n %% %d", unit))
	t:close()
end

function end_step.fold(t, step, isa)
	local stage = step.stage
	M.emit_fold(t, step, isa, "a")
	if step.compared then
		t:open("{")
		t:line("uint8_t want[%d];", stage.size)
		t:line("%s;", fold.value_call(stage, isa, "want"))
		t:line("s->ilp.bad |= ilp_differ(s->%s_came, want, %d);", stage.name, stage.size)
		t:close()
	end
end

local function reframe(t, step, isa)
	if step.kind == "behead" then t:line("s->ilp.bad |= at + n < %d;", step.stage.size) end
	t:open("{")
	t:line("const size_t m = %s;", call(step, isa, { dst = "b" }))
	t:line("at = %s;", frame.behind(step, "at"))
	t:line("n = m;")
	t:line("ilp_copy(a, b, n);")
	t:close()
end
end_step.insert, end_step.remove, end_step.behead = reframe, reframe, reframe

function end_step.recode(t, step, isa)
	recode.emit_end(t, step, function(one, given) return call(one, isa, given) end)
end
function end_step.stuff(t, step) stuff.emit_end(t, step) end
function end_step.tap(t, step, isa) t:line("%s;", call(step, isa, {})) end

function end_step.pad(t, step, isa)
	local stage = step.stage
	t:open("{")
	t:line("const size_t fill = %d + (%d - (size_t)((at + n + %d) %% %d)) %% %d;", stage.least, stage.to, stage.least,
		stage.to, stage.to)
	t:line("for (size_t k = 0; k < fill; k++)")
	t:line("\ta[n + k] = %s_fill[fill - 1][k];", stage.name)
	t:line("n += fill;")
	t:close()
end

-- Whatever is wrong is wrong in one way, after the same work: what pads is compared whole, even if there are fewer
-- bytes.
function end_step.unpad(t, step, isa)
	local stage = step.stage
	t:open("{")
	t:line("size_t fill = n > 0 ? %s_last[a[n - 1]] : 0;", stage.name)
	t:line("unsigned wrong = fill == 0 || fill > n || (at + n) %% %d != 0;", stage.to)
	t:line("fill = wrong ? 0 : fill;")
	t:line("for (size_t k = 0; k < %d; k++)", stage.most)
	t:line("\twrong |= k < fill && a[n - fill + k] != %s_fill[fill - 1][k];", stage.name)
	t:line("s->ilp.bad |= wrong;")
	t:line("n -= fill;")
	t:close()
end

function end_step.trailer(t, step, isa)
	t:line("%s;", fold.value_call(step.stage, isa, "a + n"))
	t:line("n += %d;", step.stage.size)
end

function end_step.strip(t, step, isa)
	local stage = step.stage
	t:line("s->ilp.bad |= n < %d;", stage.size)
	t:line("n -= n < %d ? n : %d;", stage.size, stage.size)
	t:line("__builtin_memcpy(s->%s_came, a + n, %d);", stage.name, stage.size)
end

function end_step.head(t, step, isa) t:line("at += %d;", step.stage.size) end

-- Whether a step refuses what it did not put there itself.
local REFUSES = { strip = true, unpad = true, behead = true, remove = true }
function M.may_be_bad(step)
	return REFUSES[step.kind] or step.compared or step.resizes and not step.send
		or step.kind == "map" and step.stage.whole or false
end

-- Whether there is anything to do at a segment's end.
function M.ends(segment) return segment.held > 0 or segment.at_end end

function M.end_name(direction, segment, isa)
	return M.name(direction, segment) .. "_end" .. (isa == isa_table.ends and "" or "_" .. isa.name)
end

-- By the loops of that instruction set.
function M.emit_end(t, direction, segment, isa)
	if not M.ends(segment) then return end
	local pos, len, held = members(segment)
	local second = false
	for _, step in ipairs(segment.steps) do second = second or step.reframes or step.resizes end
	t:func(string.format("%sstatic size_t %s(struct chain *s, uint8_t *dst)", isa_table.attribute(isa),
		M.end_name(direction, segment, isa)))
	-- Where nothing waits, compilers are to be told that there is nothing before the first step that puts something.
	local zeros = segment.held == 0 and " = { 0 }" or ""
	t:line("uint8_t a[%d]%s%s;", segment.room, zeros, second and string.format(", b[%d]%s", segment.room, zeros) or "")
	t:line("size_t n = %s;", segment.held > 0 and len or 0)
	t:line("uint64_t at = %s - n;", pos)
	t:line("")
	if not segment.at_end then
		t:line("if (n == 0)")
		t:line("\treturn 0;")
	end
	if segment.held > 0 then t:line("ilp_copy(a, %s, n);", held) end
	save(t, segment)
	for _, step in ipairs(segment.steps) do end_step[step.kind](t, step, isa) end
	restore(t, segment)
	t:line("(void)at;")
	if segment.held > 0 then t:line("%s = 0;", len) end
	t:line("ilp_copy(dst, a, n);")
	if segment.secret then t:line("ilp_wipe(a, sizeof a)%s;", second and ", ilp_wipe(b, sizeof b)" or "") end
	t:line("return n;")
	t:endfunc()
end

-- The bytes of padding: a row for each length, and the length that a last byte tells.
function M.emit_pad(t, stage)
	local last = {}
	t:line("/* %s: padding of 1, 2, … bytes, and how much there is by the last of them. */", stage.standard)
	t:open("static const uint8_t %s_fill[%d][%d] = {", stage.name, stage.most, stage.most)
	for n, row in ipairs(stage.rows) do
		t:line("{ %s },", table.concat(row, ", "))
		last[#last + 1] = string.format("[%d] = %d", row[n], n)
	end
	t:close(";")
	t:line("static const uint8_t %s_last[256] = { %s };", stage.name, table.concat(last, ", "))
	t:line("")
end

return M
