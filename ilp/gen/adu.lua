-- What is done once for an ADU, in C, beside the loops: begin, what is associated with the data, the end, all of it at
-- once, the sum. Of a chain that has its own for each instruction set (plan.by_row), names of functions end with that,
-- and the one without chooses.
local expression = require "gen.expression"
local fold = require "gen.fold"
local frame = require "gen.frame"
local isa_table = require "gen.isa"
local pipe = require "gen.pipe"
local stack = require "gen.stack"
local state = require "gen.state"
local stream = require "gen.stream"

local M = {}

local DIRECTIONS = { "send", "recv" }

-- NAME_deeper calls a function from further down the stack, so that what is cleared afterwards begins above all that it
-- had there: a function that clears has a little of its own at its top.
function M.emit_deeper(t, result, name, parameters, call)
	t:func(string.format("static __attribute__((noinline)) %s %s_deeper(%s)", result, name, parameters))
	t:line("uint8_t pad[128];")
	t:line("__asm__ volatile(\"\" : : \"r\"(pad) : \"memory\");")
	t:line("%s%s;", result == "void" and "" or "const " .. result .. " out = ", call)
	t:line("__asm__ volatile(\"\" : : \"r\"(pad) : \"memory\");")
	if result ~= "void" then t:line("return out;") end
	t:endfunc()
end

-- The rows that a chain is made for.
function M.rows(plan)
	local list = {}
	for _, isa in ipairs(isa_table.rows(plan.quads)) do
		local wanted = not plan.isas or isa == isa_table.ends
		for _, one in ipairs(plan.isas or {}) do wanted = wanted or one == isa end
		if wanted then list[#list + 1] = isa end
	end
	return list
end

-- What f(isa) writes of each of these rows, as far as the compiler knows it.
function M.each_row(t, rows, f)
	for _, isa in ipairs(rows) do
		if isa.guard then t:raw("#if " .. isa.guard) end
		f(isa)
		if isa.guard then t:raw("#endif") end
	end
end

-- Those that have their own of what is not a loop.
local function own_rows(plan) return plan.by_row and M.rows(plan) or { isa_table.ends } end

-- Where there are words of 128 bits, or a pair, what is not a loop is there for each row too, as NAME_row; this
-- chooses.
local function emit_choice(t, plan, result, name, parameters, arguments)
	local rows, mask = M.rows(plan), {}
	for k, isa in ipairs(rows) do mask[k] = "1u << " .. isa.enum end
	t:func(string.format("static %s%s(%s)", result, name, parameters))
	t:open("switch (ilp_row(state, %s)) {", table.concat(mask, " | "))
	M.each_row(t, rows, function(isa)
		t:line(isa == isa_table.ends and "default:" or "case %s:", isa.enum)
		t:line("\t%s%s_%s(%s);", result:match("int") and "return " or "", name, isa.name, arguments)
		if not result:match("int") then t:line("\tbreak;") end
	end)
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
			elseif left == 12 and T == "q128" then -- a nonce, which has just been written, and not in 16 bytes
				from = string.format("((q128){ LOAD(uint64_t, %s), LOAD(uint32_t, %s + 8) })", at, at)
			elseif left < size then -- the state's words stand behind it
				from = string.format("FIRST_%s(LOAD(%s, (const uint8_t *)s + offsetof(struct chain, %s_params.%s) + %d), %d)", T, T,
					stage.name, p.name, size * k, left)
			end
			names[#names + 1] = from
		end
	end
	t:open("{")
	expression.clean(t, graph, isa)
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

-- Whether what is expanded is made from that parameter. Of a pair's cipher that may be all but a nonce and a counter,
-- which are zeros then.
function M.is_expanded(plan, stage, name)
	if plan.pair and plan.pair.expand and plan.pair.pair.cipher == stage and name ~= "nonce" and name ~= "counter" then
		return true
	end
	if not stage.expand then return false end
	local used, at = expression.used_inputs(stage.expand), 0
	for _, p in ipairs(stage.params) do
		for k = at + 1, at + p.words do
			if p.name == name and used[k] then return true end
		end
		at = at + p.words
	end
	return false
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
	if plan.pair then t:line("const uint32_t bytes = s->ilp.bytes;") end
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
	for _, stage in ipairs(plan.folds) do fold.emit_begin(t, stage, isa) end
	for _, stage in ipairs(plan.chain.stages) do
		if stage.kind == "reframe" then frame.emit_begin(t, stage) end
		-- Who sets parameters without looking sets no function.
		if stage.kind == "tap" then t:line("__builtin_memset(&s->%s_params, 0, 16);", stage.name) end
		if stage.kind == "stuff" then t:line("__builtin_memset(s->%s_run, 0, %d);", stage.name, stage.run + 2) end
	end
	state.each_compared(plan, function(stage) t:line("__builtin_memset(s->%s_came, 0, %d);", stage.name, stage.size) end)
	t:endfunc()
end

local function emit_begin(t, plan)
	local keyed, name = plan.secret, plan.secret and "begin_work" or "begin"
	M.each_row(t, own_rows(plan), function(isa) emit_begin_row(t, plan, isa, name) end)
	if plan.by_row then emit_choice(t, plan, "void ", name, "void *state", "state") end
	if keyed then
		M.emit_deeper(t, "void", "begin", "void *state", "begin_work(state)")
		t:func("static void begin(void *state)")
		t:line("begin_deeper(state);")
		t:line("ilp_wipe_begin(), ilp_wipe_registers();")
		t:endfunc()
	end
end

-- What is associated with the data, which the tag counts before it.
local function emit_associate(t, plan)
	local tag, step = plan.pair, nil
	for _, segment in ipairs(plan.send.segments) do
		for _, one in ipairs(segment.steps) do
			if one.stage == tag and one.kind == "fold" then step = one end
		end
	end
	local parameters, arguments = "void *state, const uint8_t *from, size_t n", "state, from, n"
	M.each_row(t, own_rows(plan), function(isa)
		t:func(string.format("%sstatic __attribute__((noinline)) void %s(%s)", isa_table.attribute(isa),
			row_name(plan, "associate_work", isa), parameters))
		t:line("struct chain *s = state;")
		pipe.emit_fold(t, step, isa, "from")
		t:line("s->%s_len[0] = n, s->%s_len[1] = 0;", tag.name, tag.name)
		t:endfunc()
	end)
	if plan.by_row then
		emit_choice(t, plan, "__attribute__((noinline)) void ", "associate_work", parameters, arguments)
	end
	M.emit_deeper(t, "void", "associate", parameters, string.format("associate_work(%s)", arguments))
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

-- The function that does the work of an end: behind the one that callers see, where that clears what it leaves.
local function end_name(plan, way)
	return way.direction .. (ends_of(way) and plan.secret and "_end_work" or "_end")
end

-- All of an ADU at once, by the fused loops of a row.
local ONCE = "void *state, uint8_t *dst, const uint8_t *src, size_t n, const uint8_t *with, size_t with_len, "
	.. "uint8_t *tmp"
local function emit_once_row(t, plan, way, isa)
	local direction, secret = way.direction, plan.secret
	local name, work = string.format("%s_once_%s", direction, isa.name), secret and "_work" or ""
	t:func(string.format("static %sptrdiff_t %s%s(%s)", secret and "__attribute__((noinline)) " or "", name, work, ONCE))
	if not plan.pair then
		t:line("(void)with;")
		t:line("if (with_len > 0)")
		t:line("\treturn -ILP_EINVAL;")
	end
	if plan.pair then t:line("((struct ilp_state *)state)->bytes = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;") end
	t:line("%s(state);", row_name(plan, "begin" .. work, isa))
	if plan.pair then
		t:line("if (with_len > 0)")
		t:line("\t%s(state, with, with_len);", row_name(plan, "associate_work", isa))
	end
	t:line("const size_t out = %s_fused_%s%s(state, dst, src, n, tmp);", direction, isa.name,
		secret and "_work" or "_loop")
	t:line("const int more = %s(state, dst + out);", row_name(plan, end_name(plan, way), isa))
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
		M.emit_deeper(t, "ptrdiff_t", "once", "ilp_once *work, " .. ONCE, "work(state, dst, src, n, with, with_len, tmp)")
	end
	M.each_row(t, M.rows(plan), function(isa)
		for _, direction in ipairs(DIRECTIONS) do emit_once_row(t, plan, plan[direction], isa) end
	end)
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
	t:line("end[0] = more[0] = 0; /* for compilers that see that there may be none */")
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
local function emit_end_work(t, way, isa, runs, name, any, pair)
	local bad = may_be_bad(way)
	local function refuse(errno, condition, ...)
		t:open("if (" .. condition .. ") {", ...)
		t:line("ilp_wipe(dst, out);")
		t:line("return -%s;", errno)
		t:close()
	end
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
		-- Keystream has come twice.
		if pair then refuse("ILP_EFBIG", "s->%s_len[1] > %dull", pair.name, pair.pair.most) end
		if bad then refuse("ILP_EBADMSG", "ilp_told(s->ilp.bad)") end
		t:line("return (int)out;")
	else
		t:line("(void)dst, (void)s;")
		t:line("return %s;", bad and "ilp_told(s->ilp.bad) ? -ILP_EBADMSG : 0" or "0")
	end
	t:endfunc()
end

-- The work of an end.
function M.emit_end(t, plan, way, isa, runs)
	local any = ends_of(way)
	emit_end_work(t, way, isa, runs, (any and plan.secret and "__attribute__((noinline)) " or "") .. "int "
		.. row_name(plan, end_name(plan, way), isa), any, plan.pair)
end

-- What callers call.
local function emit_end_called(t, plan, way)
	local direction = way.direction
	local any, at_end = ends_of(way)
	if plan.by_row then
		emit_choice(t, plan, "int ", end_name(plan, way), "void *state, uint8_t *dst", "state, dst")
	end
	if not (any and plan.secret) then return end
	M.emit_deeper(t, "int", direction .. "_end", "void *state, uint8_t *dst", direction .. "_end_work(state, dst)")
	t:func(string.format("static int %s_end(void *state, uint8_t *dst)", direction))
	t:line("const int out = %s_end_deeper(state, dst);", direction)
	t:line("")
	if not at_end then t:line("if (out != 0)") end
	t:line("%silp_wipe_end(), ilp_wipe_registers();", at_end and "" or "\t")
	t:line("return out;")
	t:endfunc()
end

-- All that callers see of these; the functions of rows stand above.
function M.emit(t, plan)
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
end

return M
