-- Folds in C: their carried state, and the accumulators of a loop.
--
-- A loop works on 32-bit words in lanes of 64 bits. What a loop has folded is one number, `<name>`, to which the
-- accumulators are brought at the end of each width; count() then joins it to what was folded before.
local expression = require "gen.expression"
local graph = require "gen.graph"
local isa_table = require "gen.isa"

local M = {}

local function scalar(t, g, name, comment, parameters)
	if comment then t:line("/* %s */", comment) end
	local list, names, used = {}, {}, expression.used_inputs(g)
	for k, p in ipairs(parameters) do
		list[k], names[k] = "uint64_t " .. p, p
	end
	t:func(string.format("static inline uint64_t %s(%s)", name, table.concat(list, ", ")))
	for k, p in ipairs(parameters) do
		if not used[k] then t:line("(void)%s;", p) end
	end
	t:line("return %s;", expression.emit(t, g, names, "uint64_t", "t")[1])
	t:endfunc()
end

-- The functions of the fold, once for a chain.
function M.emit_functions(t, stage)
	local name = stage.name
	scalar(t, stage.step, name .. "_step", stage.standard .. ": one word more.", { "acc", "w" })
	scalar(t, stage.merge, name .. "_merge", "Two lanes into one.", { "a", "b" })
	scalar(t, stage.finish, name .. "_finish", "What the lanes come to.", { "acc" })
	scalar(t, stage.join, name .. "_join", "What follows len_a bytes that came to a.", { "a", "b", "len_a" })
	t:func(string.format("static inline struct ilp_fold %s_nothing(void)", name))
	t:line("return (struct ilp_fold){ .value = %s_finish(%dull) };", name, stage.fields.zero)
	t:endfunc()
	t:func(string.format("static inline void %s_count(struct ilp_fold *f, uint64_t acc, size_t n)", name))
	t:line("f->value = %s_join(f->value, %s_finish(acc), f->len);", name, name)
	t:line("f->len += n;")
	t:endfunc()
end

-- Additions of both halves of a 64-bit lane need no mask: the lane is added whole, modulo 2^64, beside its upper
-- half, which tells later what the whole had too much. Three operations a vector instead of four.
local function carries_late(stage) return graph.is_only(stage.step, "add") and graph.is_only(stage.merge, "add") end

-- Names of accumulator k.
local function accumulator(stage, k) return stage.name .. "_" .. k end
local function upper(stage, k) return stage.name .. "_upper_" .. k end

function M.declare(t, stage, width, sums)
	if width == 4 then return end
	local D = isa_table.double(width)
	for k = 0, sums - 1 do
		t:line("%s %s = SPLAT(%s, %dull)%s;", D, accumulator(stage, k), D, stage.fields.zero,
			carries_late(stage) and string.format(", %s = {0}", upper(stage, k)) or "")
	end
end

-- One vector x into accumulator k.
function M.step(t, stage, width, x, k)
	if width == 4 then
		t:line("%s = %s_step(%s, %s);", stage.name, stage.name, stage.name, x)
		return
	end
	local D, acc = isa_table.double(width), accumulator(stage, k)
	if carries_late(stage) then
		t:line("%s += (%s)%s, %s += (%s)%s >> 32;", acc, D, x, upper(stage, k), D, x)
		return
	end
	for _, half in ipairs { "(%s)%s & 0xffffffffull", "(%s)%s >> 32" } do
		t:open("{")
		t:line("const %s half = %s;", D, half:format(D, x))
		t:line("%s = %s;", acc, expression.emit(t, stage.step, { acc, "half" }, D, "t")[1])
		t:close()
	end
end

-- Brings the accumulators of that width to the number of the loop.
function M.reduce(t, stage, width, sums)
	if width == 4 then return end
	local D = isa_table.double(width)
	t:open("{")
	if carries_late(stage) then
		for k = 0, sums - 1 do
			t:line("%s += %s - (%s << 32);", accumulator(stage, k), upper(stage, k), upper(stage, k))
		end
	end
	local one = accumulator(stage, 0)
	for k = 1, sums - 1 do
		t:line("%s = %s;", one, expression.emit(t, stage.merge, { one, accumulator(stage, k) }, D, "m" .. k .. "_")[1])
	end
	for lane = 0, width / 8 - 1 do
		t:line("%s = %s_merge(%s, %s[%d]);", stage.name, stage.name, stage.name, one, lane)
	end
	t:close()
end

return M
