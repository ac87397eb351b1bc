-- Loops in C: one pass over the data for the steps of a loop (plan.lua), whether that is one stage or a whole chain.
--
-- Without a stream, a loop is one function, which works down from the widest vectors to single bytes. With one it is
-- three: `_near` takes the keystream from memory, `_wide` makes it in registers, and the loop itself uses `_wide`
-- wherever a whole turn of it fits and begins with a block, `_near` elsewhere.
local expression = require "gen.expression"
local fold = require "gen.fold"
local graph = require "gen.graph"
local isa_table = require "gen.isa"
local stream = require "gen.stream"

local M = {}

function M.name(loop, isa) return loop.name .. "_" .. isa.name end

local TYPES = { s = "struct chain *", at = "uint64_t ", dst = "uint8_t *", src = "const uint8_t *",
	ks = "const uint8_t *", n = "size_t " }

-- What a loop is handed: only what it uses. suffix: "", "_near", "_wide".
local function parameters(loop, suffix)
	local near, list = suffix == "_near", {}
	local function add(name, used)
		if used then list[#list + 1] = name end
	end
	add("s", loop.folds or loop.stream and not near)
	add("at", loop.stream and not near)
	add("dst", loop.writes)
	add("src", true)
	add("ks", near)
	add("n", true)
	return list
end

local function head(loop, isa, suffix)
	local list = parameters(loop, suffix)
	for k, name in ipairs(list) do list[k] = TYPES[name] .. name end
	return string.format("%sstatic void %s%s(%s)", isa_table.attribute(isa), M.name(loop, isa), suffix,
		table.concat(list, ", "))
end

-- The call of a loop. given: C expressions for parameters that are called otherwise where the call stands.
function M.call(loop, isa, suffix, given)
	local list = parameters(loop, suffix)
	for k, name in ipairs(list) do list[k] = given[name] or name end
	return string.format("%s%s(%s);", M.name(loop, isa), suffix, table.concat(list, ", "))
end

local function each_fold(loop, f)
	for _, step in ipairs(loop.steps) do
		if step.kind == "fold" then f(step.stage) end
	end
end

-- Does to the variable x what the steps do to a vector. key: C expression of the keystream beside it.
local function emit_steps(t, loop, isa, width, x, key, accumulator)
	for _, step in ipairs(loop.steps) do
		if step.kind == "fold" then
			fold.step(t, step.stage, width, x, accumulator)
		elseif step.kind == "stream" then
			t:line("%s ^= %s;", x, key)
		elseif not graph.is_identity(step.graph) then
			local prefix = x .. "_" .. step.name .. "_"
			t:line("%s = %s;", x, expression.emit(t, step.graph, { x }, isa_table.word(width), prefix, isa)[1])
		end
	end
end

-- One turn over count vectors at src + i. All loads come first: dst may be src.
local function emit_turn(t, loop, isa, width, count)
	local T = isa_table.word(width)
	local function place(j) return "i" .. (j > 0 and " + " .. j * width or "") end
	for j = 0, count - 1 do
		t:line("%s%s x%d = LOAD(%s, src + %s);", loop.changes and "" or "const ", T, j, T, place(j))
	end
	for j = 0, count - 1 do
		emit_steps(t, loop, isa, width, "x" .. j, string.format("LOAD(%s, ks + %s)", T, place(j)), j % isa.sums)
	end
	if loop.writes then
		for j = 0, count - 1 do t:line("STORE(dst + %s, x%d);", place(j), j) end
	end
end

-- All that is left for vectors of that width.
local function emit_width(t, loop, isa, width, main)
	local folds, sums = loop.folds and width > 4, main and isa.sums or 1
	if folds then
		t:open("if (n - i >= %d) {", width)
		each_fold(loop, function(stage) fold.declare(t, stage, width, sums) end)
	end
	if main then
		t:open("for (; n - i >= %d; i += %d) {", width * isa.unroll, width * isa.unroll)
		emit_turn(t, loop, isa, width, isa.unroll)
		t:close()
	end
	t:open("for (; n - i >= %d; i += %d) {", width, width)
	emit_turn(t, loop, isa, width, 1)
	t:close()
	if folds then
		each_fold(loop, function(stage) fold.reduce(t, stage, width, sums) end)
		t:close()
	end
end

-- The last one to three bytes of an ADU or of a piece: maps let them pass, folds count them as if zeros followed.
local function emit_last(t, loop)
	t:open("if (i < n) {")
	t:line("%suint32_t x = load_last(src + i, n - i);", (loop.stream and "" or "const "))
	for _, step in ipairs(loop.steps) do
		if step.kind == "fold" then fold.step(t, step.stage, 4, "x", 0) end
		if step.kind == "stream" then t:line("x ^= load_last(ks + i, n - i);") end
	end
	if loop.writes then t:line("store_last(dst + i, x, n - i);") end
	t:close()
end

local function begin_folds(t, loop)
	each_fold(loop, function(stage) t:line("uint64_t %s = %dull;", stage.name, stage.fields.zero) end)
end
local function end_folds(t, loop)
	each_fold(loop, function(stage) t:line("%s_count(&s->%s, %s, n);", stage.name, stage.name, stage.name) end)
end

local function emit_light(t, loop, isa, suffix, any_end)
	t:func(head(loop, isa, suffix))
	t:line("size_t i = 0;")
	begin_folds(t, loop)
	for k, width in ipairs(isa.widths) do emit_width(t, loop, isa, width, k == 1) end
	if any_end then emit_last(t, loop) end
	end_folds(t, loop)
	t:endfunc()
end

-- n is a multiple of what the widest kernel makes, and at begins a block.
local function emit_wide(t, loop, isa)
	local width = isa.kernels[1]
	local T, bytes = isa_table.word(width), stream.bytes(width)
	t:func(head(loop, isa, "_wide"))
	begin_folds(t, loop)
	each_fold(loop, function(stage) fold.declare(t, stage, width, isa.sums) end)
	t:open("for (size_t i = 0; i < n; i += %d) {", bytes)
	t:line("%s w[%d];", T, bytes / width)
	t:line("%s(s->%s_state, (uint32_t)((at + i) / %d), w);", stream.kernel_name(loop.stream, isa, width),
		loop.stream.name, loop.stream.unit)
	stream.transpose(t, width, function(j, key)
		local x = "x" .. j
		t:line("%s %s = LOAD(%s, src + i + %d);", T, x, T, j * width)
		emit_steps(t, loop, isa, width, x, key, j % isa.sums)
		t:line("STORE(dst + i + %d, %s);", j * width, x)
	end)
	t:close()
	each_fold(loop, function(stage) fold.reduce(t, stage, width, isa.sums) end)
	end_folds(t, loop)
	t:endfunc()
end

local function emit_driver(t, loop, isa)
	local unit, most = loop.stream.unit, stream.bytes(isa.kernels[1])
	t:func(head(loop, isa, ""))
	t:line("_Alignas(ILP_ALIGN) uint8_t ks[%d];", most)
	t:line("size_t used = 0;")
	t:line("")
	t:open("while (n > 0) {")
	t:line("const size_t skip = at %% %d;", unit)
	t:line("size_t m = n - n %% %d;", most)
	t:open("if (skip == 0 && m > 0) {")
	t:line("%s", M.call(loop, isa, "_wide", { n = "m" }))
	t:close(" else {")
	t.depth = t.depth + 1
	t:line("const size_t made = %s(s->%s_state, (uint32_t)(at / %d), skip + n, ks);", stream.ahead_name(loop.stream, isa),
		loop.stream.name, unit)
	t:line("used = used < made ? made : used;")
	t:line("m = n < made - skip ? n : made - skip;")
	t:line("%s", M.call(loop, isa, "_near", { ks = "ks + skip", n = "m" }))
	t:close()
	t:line("at += m, dst += m, src += m, n -= m;")
	t:close()
	t:line("ilp_wipe(ks, used);")
	t:endfunc()
end

-- any_end: the loop may be given bytes that are no whole words.
function M.emit(t, loop, isa, any_end)
	t:line("/* %s */", table.concat(loop.names, ", then "))
	if not loop.stream then
		emit_light(t, loop, isa, "", any_end)
	else
		emit_light(t, loop, isa, "_near", any_end)
		emit_wide(t, loop, isa)
		emit_driver(t, loop, isa)
	end
end

return M
