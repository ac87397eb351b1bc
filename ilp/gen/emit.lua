-- The C file of a chain: begin, end and values; for each instruction set the loops of all
-- schedules; the functions that callers see; the table.
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

-- NAME_deeper calls a function from further down the stack, so that what is cleared afterwards begins above all that it
-- had there: a function that clears has a little of its own at its top.
local function emit_deeper(t, result, name, parameters, call)
	t:func(string.format("static __attribute__((noinline)) %s %s_deeper(%s)", result, name, parameters))
	t:line("uint8_t pad[128];")
	t:line("__asm__ volatile(\"\" : : \"r\"(pad) : \"memory\");")
	t:line("%s%s;", result == "void" and "" or "const " .. result .. " out = ", call)
	t:line("__asm__ volatile(\"\" : : \"r\"(pad) : \"memory\");")
	if result ~= "void" then t:line("return out;") end
	t:endfunc()
end

-- Functions of the chain -----------------------------------------------------------------------------------------

-- The rows that a chain is made for.
local function rows_of(plan)
	local list = {}
	for _, isa in ipairs(isa_table.rows(plan.quads)) do
		local wanted = not plan.isas or isa == isa_table.ends
		for _, one in ipairs(plan.isas or {}) do wanted = wanted or one == isa end
		if wanted then list[#list + 1] = isa end
	end
	return list
end

-- Where there are words of 128 bits, or a pair, what is not a loop is there for each row too, as NAME_row; this chooses.
local function emit_choice(t, plan, result, name, parameters, arguments)
	t:func(string.format("static %s%s(%s)", result, name, parameters))
	local mask = {}
	for k, isa in ipairs(rows_of(plan)) do mask[k] = "1u << " .. isa.enum end
	t:open("switch (ilp_row(state, %s)) {", table.concat(mask, " | "))
	for k = #rows_of(plan), 1, -1 do
		local isa = rows_of(plan)[k]
		if isa.guard then t:raw("#if " .. isa.guard) end
		t:line(isa == isa_table.ends and "default:" or "case %s:", isa.enum)
		t:line("\t%s%s_%s(%s);", result:match("int") and "return " or "", name, isa.name, arguments)
		if not result:match("int") then t:line("\tbreak;") end
		if isa.guard then t:raw("#endif") end
	end
	t:close()
	t:endfunc()
end

-- The state's words, from place `first` on, that a function makes from the parameters. zero: a nonce and a counter are.
local function emit_words(t, stage, isa, graph, first, zero)
	local names, size = {}, stage.state_bits / 8
	local T = isa_table.number(isa, stage.state_bits)
	for _, p in ipairs(stage.params) do
		local at = p.given or string.format("s->%s_params.%s", stage.name, p.name)
		if zero and (p.name == "nonce" or p.name == "counter") then at = "((const uint8_t[16]){ 0 })" end
		for k = 0, p.words - 1 do
			local left = p.size - size * k
			local from = string.format("LOAD(%s, %s + %d)", T, at, size * k)
			if left < size and (p.given or zero) then
				from = string.format("LOAD_LAST(%s, %s + %d, %d)", T, at, size * k, left)
			elseif left < size then -- the state's words stand behind it
				from = string.format("FIRST_%s(LOAD(%s, (const uint8_t *)s + offsetof(struct chain, %s_params.%s) + %d), %d)", T, T,
					stage.name, p.name, size * k, left)
			end
			names[#names + 1] = from
		end
	end
	t:open("{")
	for k, r in ipairs(expression.emit(t, graph, names, T, "t", isa)) do
		t:line("const %s w%d = %s;", T, k, r)
	end
	for k = 1, #graph.results do t:line("STORE(s->%s_state + %d, w%d);", stage.name, first + k - 1, k) end
	t:home()
	t:close()
end

-- The first of a cipher's keystream, of which the authenticator's parameters are: `block` then points to the block
-- before the data's first, or to the one of zeros.
local function emit_block_of(t, cipher, isa, zero)
	local list = stream.kernels(cipher, isa)
	emit_words(t, cipher, isa, cipher.begin, cipher.expand_words, zero)
	if zero then
		t:line("_Alignas(16) uint8_t block[%d];", list[#list].bytes)
		t:line("%s(s->%s_state, 0, block);", stream.blocks_name(cipher, isa, list[#list]), cipher.name)
	else
		stream.emit_before(t, cipher, isa)
		t:line("const uint8_t *const block = s->%s_ahead.bytes;", cipher.name)
	end
end

-- Names of what there is for each row of a chain, or once.
local function row_name(plan, name, isa) return plan.by_row and name .. "_" .. isa.name or name end

-- Once for a key: what begin has of it.
local function emit_expand(t, plan, isa)
	t:func(string.format("%sstatic __attribute__((noinline)) void %s(struct chain *s)", isa_table.attribute(isa),
		row_name(plan, "expand", isa)))
	for _, stage in ipairs(plan.keyed) do
		if stage.expand then
			if stage.pair then emit_block_of(t, stage.pair.cipher, isa, true) end
			emit_words(t, stage, isa, stage.expand, 0)
		end
	end
	t:line("s->ilp.expanded = ILP_EXPANDED;")
	t:endfunc()
end

local function emit_begin_row(t, plan, isa, name)
	local expands = false
	for _, stage in ipairs(plan.keyed) do expands = expands or stage.expand end
	if expands then emit_expand(t, plan, isa) end
	t:func(string.format("%sstatic %svoid %s(void *state)", isa_table.attribute(isa),
		plan.secret and "__attribute__((noinline)) " or "", row_name(plan, name, isa)))
	t:line("struct chain *s = state;")
	t:line("s->ilp = (struct ilp_state){ .tile = ILP_TILE, .row = s->ilp.row, .expanded = s->ilp.expanded };")
	for k = 2, state.pipes(plan) do t:line("s->pipe%d.pos = s->pipe%d.held_len = 0;", k, k) end
	if expands then
		t:open("if (s->ilp.expanded != ILP_EXPANDED) {")
		t:line("%s(s);", row_name(plan, "expand", isa))
		if plan.secret then t:line("ilp_wipe_begin();") end
		t:close()
	end
	for _, stage in ipairs(plan.streams) do t:line("s->%s_ahead.from = s->%s_ahead.to = 0;", stage.name, stage.name) end
	for _, stage in ipairs(plan.keyed) do
		if stage.pair then emit_block_of(t, stage.pair.cipher, isa) end
		emit_words(t, stage, isa, stage.begin, stage.expand_words)
	end
	for _, stage in ipairs(plan.folds) do fold.emit_begin(t, stage) end
	for _, stage in ipairs(plan.chain.stages) do
		-- Who sets parameters without looking sets no function.
		if stage.kind == "tap" then t:line("__builtin_memset(&s->%s_params, 0, 16);", stage.name) end
		if stage.kind == "stuff" then t:line("__builtin_memset(s->%s_run, 0, %d);", stage.name, stage.run + 2) end
	end
	state.each_compared(plan, function(stage) t:line("__builtin_memset(s->%s_came, 0, %d);", stage.name, stage.size) end)
	t:endfunc()
end

local function emit_begin(t, plan)
	local keyed, name = plan.secret, plan.secret and "begin_work" or "begin"
	for _, isa in ipairs(plan.by_row and rows_of(plan) or { isa_table.ends }) do
		if isa.guard then t:raw("#if " .. isa.guard) end
		emit_begin_row(t, plan, isa, name)
		if isa.guard then t:raw("#endif") end
	end
	if plan.by_row then emit_choice(t, plan, "void ", name, "void *state", "state") end
	if keyed then
		emit_deeper(t, "void", "begin", "void *state", "begin_work(state)")
		t:func("static void begin(void *state)")
		t:line("begin_deeper(state);")
		t:line("ilp_wipe_begin(), ilp_wipe_registers();")
		t:endfunc()
	end
end

-- What is associated with the data, which the tag counts before it.
local function emit_associate(t, plan)
	local tag, step = plan.pair, nil
	for _, one in ipairs(plan.send.segments[1].steps) do
		if one.stage == tag and one.kind == "fold" then step = one end
	end
	local parameters, arguments = "void *state, const uint8_t *from, size_t n", "state, from, n"
	for _, isa in ipairs(plan.by_row and rows_of(plan) or { isa_table.ends }) do
		if isa.guard then t:raw("#if " .. isa.guard) end
		t:func(string.format("%sstatic __attribute__((noinline)) void %s(%s)", isa_table.attribute(isa),
			row_name(plan, "associate_work", isa), parameters))
		t:line("struct chain *s = state;")
		t:line("uint8_t last[%d] = { 0 };", tag.unit)
		t:line("%s;", loop.call(schedule.loop { step }, isa, "", { src = "from", n = string.format("n - n %% %d", tag.unit) }))
		t:open("if (n %% %d != 0) {", tag.unit)
		t:line("ilp_copy(last, from + (n - n %% %d), n %% %d);", tag.unit, tag.unit)
		fold.emit_rest(t, tag, isa, string.format("n %% %d", tag.unit))
		t:close()
		t:line("s->%s_len[0] = n, s->%s_len[1] = 0;", tag.name, tag.name)
		t:endfunc()
		if isa.guard then t:raw("#endif") end
	end
	if plan.by_row then emit_choice(t, plan, "__attribute__((noinline)) void ", "associate_work", parameters, arguments) end
	emit_deeper(t, "void", "associate", parameters, string.format("associate_work(%s)", arguments))
	t:func(string.format("static void associate(%s)", parameters))
	t:line("associate_deeper(%s);", arguments)
	t:line("ilp_wipe_stack(), ilp_wipe_registers();")
	t:endfunc()
end

-- Whether something is done when the data ends, and whether that is so if nothing waits.
local function ends_of(way)
	local any, at_end = false, false
	for _, segment in ipairs(way.segments) do
		any, at_end = any or pipe.ends(segment), at_end or segment.at_end
	end
	return any and not way.whole, at_end
end

-- All of an ADU at once, by the fused loops of a row.
local ONCE = "void *state, uint8_t *dst, const uint8_t *src, size_t n, const uint8_t *with, size_t with_len, uint8_t *tmp"
local function emit_once_row(t, plan, way, isa)
	local direction, secret = way.direction, plan.secret
	local name, work = string.format("%s_once_%s", direction, isa.name), secret and "_work" or ""
	local ends = ends_of(way)
	t:func(string.format("static %sptrdiff_t %s%s(%s)", secret and "__attribute__((noinline)) " or "", name, work, ONCE))
	t:line("%s(state);", row_name(plan, "begin" .. work, isa))
	if plan.pair then
		t:line("if (with_len > 0)")
		t:line("\t%s(state, with, with_len);", row_name(plan, "associate_work", isa))
	else
		t:line("(void)with, (void)with_len;")
	end
	t:line("const size_t out = %s_fused_%s%s(state, dst, src, n, tmp);", direction, isa.name, secret and "_work" or "_loop")
	t:line("const int more = %s(state, dst + out);", row_name(plan, direction .. (ends and secret and "_end_work" or "_end"),
		isa))
	t:open("if (more < 0) {")
	t:line("ilp_wipe(dst, out);")
	t:line("return more;")
	t:close()
	t:line("return (ptrdiff_t)out + more;")
	t:endfunc()
	if not secret then return end
	t:func(string.format("%sstatic ptrdiff_t %s(%s)", isa_table.attribute(isa), name, ONCE))
	t:line("const ptrdiff_t out = once_deeper(%s_work, state, dst, src, n, with, with_len, tmp);", name)
	local few = stack.of_few(plan, isa)
	if few then t:line("if (n < %d)", few.less) t:line("\twipe_few_%s();", isa.name) t:line("else") end
	t:line("%swipe_once_%s();", few and "\t" or "", isa.name)
	t:line("ilp_wipe_registers();")
	t:line("return out;")
	t:endfunc()
end

local function emit_once(t, plan)
	if plan.secret then
		emit_deeper(t, "ptrdiff_t", "once", "ilp_once *work, " .. ONCE, "work(state, dst, src, n, with, with_len, tmp)")
	end
	for _, isa in ipairs(rows_of(plan)) do
		if isa.guard then t:raw("#if " .. isa.guard) end
		for _, direction in ipairs(DIRECTIONS) do emit_once_row(t, plan, plan[direction], isa) end
		if isa.guard then t:raw("#endif") end
	end
end

local function emit_sum(t, plan)
	if not plan.wire then return end
	t:func("static uint16_t sum(void *state)")
	t:line("struct chain *s = state;")
	t:line("const uint16_t value = (uint16_t)s->%s.value;", plan.wire.name)
	t:line("s->%s = %s_nothing();", plan.wire.name, plan.wire.name)
	t:line("return value;")
	t:endfunc()
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
		t:line("m = n - i < tile ? n - i : tile - %s(at + i + tile);", frame.over(way.direction, segment))
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
		emit_deeper(t, "size_t", "loop", "ilp_loop *work, void *state, " .. DATA, "work(state, dst, src, n, tmp)")
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

-- Whether data may come in that is refused.
local function may_be_bad(way)
	for _, segment in ipairs(way.segments) do
		for _, step in ipairs(segment.steps) do
			if pipe.may_be_bad(step) then return true end
		end
	end
	return false
end

-- What segment k has at its end goes through those behind it.
local function emit_end_through(t, way, isa, runs, k)
	local direction, from = way.direction, "end"
	t:open("{")
	t:line("uint8_t end[%d], more[%d], tmp[%d];", state.END_MAX, state.END_MAX, state.END_MAX)
	t:line("end[0] = 0; /* for compilers that see that there may be none */")
	t:line("size_t n = %s(s, end);", pipe.end_name(direction, way.segments[k], isa))
	for j = k + 1, #way.segments do
		local to = j == #way.segments and "dst + out" or "more"
		t:line("n = %s(%s, s, %s, %s, n, tmp);", pipe.name(direction, way.segments[j]), runs[j], to, from)
		if j < #way.segments then t:line("ilp_copy(end, more, n);") end
	end
	t:line("out += n;")
	t:line("ilp_wipe(end, sizeof end), ilp_wipe(more, sizeof more), ilp_wipe(tmp, sizeof tmp);")
	t:close()
end

-- The end of a chain.
local function emit_end_work(t, way, isa, runs, name, any)
	local bad = may_be_bad(way)
	t:func(string.format("%sstatic %s(void *state, uint8_t *dst)", isa_table.attribute(isa), name))
	t:line("struct chain *s = state;")
	if any then
		t:line("size_t out = 0;")
		t:line("")
		for k, segment in ipairs(way.segments) do
			if pipe.ends(segment) then
				if k < #way.segments then emit_end_through(t, way, isa, runs, k)
				else t:line("out += %s(s, dst + out);", pipe.end_name(way.direction, segment, isa)) end
			end
		end
		if bad then
			t:open("if (s->ilp.bad) {")
			t:line("ilp_wipe(dst, out);")
			t:line("return -ILP_EBADMSG;")
			t:close()
		end
		t:line("return (int)out;")
	else
		t:line("(void)dst, (void)s;")
		t:line("return %s;", bad and "s->ilp.bad ? -ILP_EBADMSG : 0" or "0")
	end
	t:endfunc()
end

-- The work of an end.
local function emit_end(t, plan, way, isa, runs)
	local any = ends_of(way)
	local apart = any and plan.secret
	emit_end_work(t, way, isa, runs, (apart and "__attribute__((noinline)) " or "") .. "int "
		.. row_name(plan, way.direction .. (apart and "_end_work" or "_end"), isa), any)
end

-- What callers call.
local function emit_end_called(t, plan, way)
	local direction = way.direction
	local any, at_end = ends_of(way)
	local apart = any and plan.secret
	if plan.by_row then
		emit_choice(t, plan, "int ", direction .. (apart and "_end_work" or "_end"), "void *state, uint8_t *dst", "state, dst")
	end
	if not apart then return end
	emit_deeper(t, "int", direction .. "_end", "void *state, uint8_t *dst", direction .. "_end_work(state, dst)")
	t:func(string.format("static int %s_end(void *state, uint8_t *dst)", direction))
	t:line("const int out = %s_end_deeper(state, dst);", direction)
	t:line("")
	if not at_end then t:line("if (out != 0)") end
	t:line("%silp_wipe_end(), ilp_wipe_registers();", at_end and "" or "\t")
	t:line("return out;")
	t:endfunc()
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
			t:line("{ \"%s.%s\", offsetof(struct chain, %s_params.%s), %d },", stage.name, p.name, stage.name, p.name,
				p.size)
		end
	end
	t:line("{ NULL, 0, 0 },")
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
		for _, isa in ipairs(rows_of(plan)) do
			if isa.guard then t:raw("#if " .. isa.guard) end
			t:line("[%s] = %s,", isa.enum, callables[k][isa.name])
			if isa.guard then t:raw("#endif") end
		end
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
		for _, isa in ipairs(rows_of(plan)) do
			if isa.guard then t:raw("#if " .. isa.guard) end
			t:line("[%s] = %s_once_%s,", isa.enum, direction, isa.name)
			if isa.guard then t:raw("#endif") end
		end
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
		t:line("#define ILP_STACK %d", loops)
		t:line("#define ILP_STACK_OF_BEGIN %d", stack.of_begin(plan.keyed))
		t:line("#define ILP_STACK_OF_END %d", ends)
		for _, isa in ipairs(rows_of(plan)) do
			t:line("#define ILP_STACK_%s %d", isa.name:upper(), stack.of_once(plan, isa) or math.max(loops, ends))
			t:line("#define ILP_FEW_%s %d", isa.name:upper(), (stack.of_few(plan, isa) or { bytes = ends }).bytes)
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
			if ends and s.name == "fused" then emit_end(t, plan, way, isa, runs) end
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
	for _, isa in ipairs(rows_of(plan)) do emit_isa(t, plan, isa, schedules, callables) end
	emit_begin(t, plan)
	if plan.pair then emit_associate(t, plan) end
	for _, direction in ipairs(DIRECTIONS) do emit_end_called(t, plan, plan[direction]) end
	for _, stage in ipairs(plan.folds) do
		if fold.each_row(stage) then
			emit_choice(t, plan, "void ", stage.name .. "_value", "const void *state, uint8_t *to", "state, to")
		end
	end
	emit_once(t, plan)
	emit_sum(t, plan)
	emit_params(t, plan)
	for _, direction in ipairs(DIRECTIONS) do
		emit_ways(t, plan, plan[direction], schedules[direction], callables[direction])
	end
	emit_table(t, plan)
	local rows = { secret = plan.secret }
	for _, isa in ipairs(rows_of(plan)) do rows[isa] = true end
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
