-- Folds in C: their carried state, and the accumulators of a loop.
--
-- Accumulators are of 64-bit lanes. What a loop has folded so far is `<name>_acc`, to which the accumulators of vectors
-- are brought when the vectors end. A fold whose units count in any order (it has a join) begins anew in each loop
-- and is joined to what was folded before; any other goes on from what the state holds, which the accumulator that
-- ends last takes with it.
local expression = require "gen.expression"
local graph = require "gen.graph"
local isa_table = require "gen.isa"
local prelude = require "gen.prelude"

local M = {}

local function acc_words(stage) return #stage.zero end
function M.in_order(stage) return not stage.join end
-- Whether its accumulators last for all loops of a width: where units count in any order, and where several are taken
-- into one accumulator at once, in a turn of the main loop that many.
function M.lasts(stage) return not M.in_order(stage) or stage.steps ~= nil end
M.SEVERAL = 8

-- Whether it counts the bytes that were before the data, and those of that.
local function counted(stage) return stage.pair or stage.serial end

-- Units between two lanes of a vector, once the halves of lanes are merged.
local function lane_distance(stage) return stage.unit == 4 and 2 or 1 end

local function quads(stage) return stage.bits == 128 end

-- What numbers are in C: words of 64 bits, for all instruction sets; or quads, which those that have operations of them
-- keep in a vector: functions of them are one's own. Returns the type, how names of functions end, and the row.
local function number(stage, isa)
	if not quads(stage) then return "uint64_t", "" end
	return isa_table.number(isa, 128), "_" .. isa.name, isa
end
local function function_name(stage, what, isa)
	local _, suffix = number(stage, isa)
	return stage.name .. "_" .. what .. suffix
end

-- Functions of numbers ---------------------------------------------------------------------------------------------

-- The C names of a graph's inputs: n words of acc, then those of the lists.
local function names_of(acc, n, ...)
	local names = {}
	for k = 0, n - 1 do names[#names + 1] = string.format("%s[%d]", acc, k) end
	for _, more in ipairs { ... } do
		for _, name in ipairs(more) do names[#names + 1] = name end
	end
	return names
end

-- Word k of the state, which `state` points to, in that type.
local function state_word(stage, D, state, k)
	if quads(stage) then return string.format("SPLAT_%s(%s + %d)", D, state, k) end
	return D == "uint64_t" and string.format("%s[%d]", state, k)
		or string.format("%s(%s, %s[%d])", prelude.use "SPLAT", D, state, k)
end
local function state_names(stage, D)
	local names = {}
	for k = 1, stage.state_words do names[k] = state_word(stage, D, "state", k - 1) end
	return names
end

local function state_parameter(stage)
	return stage.state_words > 0 and string.format(", const %s *state", isa_table.type(4, stage.bits)) or ""
end
function M.state_argument(stage, s)
	return stage.state_words > 0 and string.format(", %s->%s_state", s or "s", stage.name) or ""
end

local function unit_names(stage)
	local names = {}
	for k = 1, stage.words do names[k] = stage.words == 1 and "w" or "w" .. k - 1 end
	return names
end
local function unit_parameters(stage, T)
	local list = {}
	for k, name in ipairs(unit_names(stage)) do list[k] = string.format(", %s %s", T, name) end
	return table.concat(list)
end

local function ignore(t, g, names)
	local used, done = expression.used_inputs(g), {}
	for k, name in ipairs(names) do
		-- SPLAT(d128, state[0]), SPLAT_q128(state + 0), or w
		local whole = name:match("([%w_]+)%[%d+%]%)?$") or name:match("%(([%w_]+) %+ %d+%)$") or name:match("^[%w_]+")
		if whole then done[whole] = done[whole] or used[k] end
	end
	for whole, any in pairs(done) do
		if not any then t:line("(void)%s;", whole) end
	end
end

-- Writes the graph's results to the array.
local function assign(t, g, names, to, T, isa)
	T = T or "uint64_t"
	ignore(t, g, names)
	expression.clean(t, g, isa)
	local results = expression.emit(t, g, names, T, "t", isa)
	local temporary = {}
	for k, r in ipairs(results) do
		temporary[k] = r
		if #results > 1 then
			temporary[k] = "r" .. k
			t:line("const %s r%d = %s;", T, k, r)
		end
	end
	for k in ipairs(results) do t:line("%s[%d] = %s;", to, k - 1, temporary[k]) end
	t:home()
end

local function begin_number(t, stage, what, isa, parameters, more)
	local T = number(stage, isa)
	local before, unused = "", ""
	if quads(stage) then before, unused = isa_table.attribute(isa), "__attribute__((unused)) " end
	t:func(string.format("%sstatic %s %svoid %s(%s%s%s)", before, stage.serial and "__attribute__((noinline))" or "inline",
		unused, function_name(stage, what, isa), (parameters:gsub("T%f[ ]", T)), state_parameter(stage), more or ""))
end

local function emit_step_functions(t, stage, isa)
	local n = acc_words(stage)
	local T, _, row = number(stage, isa)
	t:line("/* %s: one unit more. */", stage.standard)
	begin_number(t, stage, "step", isa, "T *acc" .. unit_parameters(stage, T))
	assign(t, stage.step(1), names_of("acc", n, unit_names(stage), state_names(stage, T)), "acc", T, row)
	t:endfunc()
	if not quads(stage) then -- there is no lane in a vector's word
		t:line("/* What b has, which ends %d units later. */", lane_distance(stage))
		begin_number(t, stage, "merge", isa, "T *acc, const T *b")
		assign(t, stage.merge(lane_distance(stage)), names_of("acc", n, names_of("b", n, state_names(stage, T))), "acc", T,
			row)
		t:endfunc()
	end
	-- A pair's is told how many bits were associated, and how many were data.
	local bits = {}
	for k = 0, stage.pair and 1 or -1 do
		bits[k + 1] = string.format(quads(stage) and "CONST_%s(0, 8 * len[%d])" or "8 * len[%d]", quads(stage) and T or k, k)
	end
	begin_number(t, stage, "finish", isa, "T *value, const T *acc", stage.pair and ", const uint64_t *len")
	assign(t, stage.finish, names_of("acc", n, state_names(stage, T), bits), "value", T, row)
	t:endfunc()
end

-- Of a hash the last n bytes of all that is folded, len bytes, and what fills them up. Zeros stand behind them.
local function emit_fill(t, stage, isa)
	local words = {}
	for j = 1, stage.words do words[j] = string.format("LOAD(%s, block + i + %d)", number(stage, isa), 16 * (j - 1)) end
	begin_number(t, stage, "fill", isa,
		string.format("T *acc, const uint8_t last[%d], size_t n, uint64_t len", stage.unit))
	t:line("uint8_t block[%d] = { 0 };", 2 * stage.unit)
	t:line("const size_t size = n < %d ? %d : %d;", stage.unit - 8, stage.unit, 2 * stage.unit)
	t:line("const uint64_t bits = %s(uint64_t, 8 * len);", prelude.use(stage.order:upper()))
	prelude.use "SWAP_uint64_t"
	t:line("")
	t:line("__builtin_memcpy(block, last, %d);", stage.unit)
	t:line("block[n] = 0x80;")
	t:line("STORE(block + size - 8, bits);")
	t:line("for (size_t i = 0; i < size; i += %d)", stage.unit)
	t:line("\t%s(acc, %s%s);", function_name(stage, "step", isa), table.concat(words, ", "),
		stage.state_words > 0 and ", state" or "")
	t:endfunc()
end

-- The last n bytes of the data, in w, as last(…, n) has it.
local function emit_last(t, stage, isa)
	local T, _, row = number(stage, isa)
	begin_number(t, stage, "last", isa, "T *acc" .. unit_parameters(stage, T) .. ", size_t n")
	local names = names_of("acc", acc_words(stage), unit_names(stage), state_names(stage, T))
	t:open("switch (n) {")
	for n = 1, stage.unit - 1 do
		t:line("case %d: {", n)
		t.depth = t.depth + 1
		assign(t, stage.last(n), names, "acc", T, row)
		t:line("break;")
		t:close()
	end
	t:close()
	t:endfunc()
end

local function emit_join(t, stage)
	local name = stage.name
	t:line("/* What follows len_a bytes that came to a. */")
	t:func(string.format("static inline uint64_t %s_join(uint64_t a, uint64_t b, uint64_t len_a)", name))
	ignore(t, stage.join, { "a", "b", "len_a" })
	t:line("return %s;", expression.emit(t, stage.join, { "a", "b", "len_a" }, "uint64_t", "t")[1])
	t:home()
	t:endfunc()
	t:func(string.format("static inline struct ilp_fold %s_nothing(void)", name))
	t:line("const uint64_t acc[1] = { %dull };", stage.zero[1])
	t:line("struct ilp_fold f = { 0 };")
	t:line("%s_finish(&f.value, acc);", name)
	t:line("return f;")
	t:endfunc()
	t:func(string.format("static inline void %s_count(struct ilp_fold *f, const uint64_t *acc, size_t n)", name))
	t:line("uint64_t value[1];")
	t:line("%s_finish(value, acc);", name)
	t:line("f->value = %s_join(f->value, value[0], f->len);", name)
	t:line("f->len += n;")
	t:endfunc()
end

-- The value's bytes as they are sent.
local function emit_value(t, stage, isa)
	local T = number(stage, isa)
	local V = stage.size >= 16 and quads(stage) and T or "uint" .. math.min(stage.size, 8) * 8 .. "_t"
	local order = ({ big = "BIG", little = "LITTLE" })[stage.order]
	local len = stage.pair and string.format(", s->%s_len", stage.name) or ""
	t:func(string.format("%sstatic inline void %s(const void *state, uint8_t *to)",
		quads(stage) and isa_table.attribute(isa) or "", function_name(stage, "value", isa)))
	t:line("const struct chain *s = state;")
	t:line("%s value[%d];", T, stage.value_words)
	if quads(stage) then
		t:line("%s acc[%d];", T, acc_words(stage))
		t:line("__builtin_memcpy(acc, s->%s, sizeof acc);", stage.name)
		if stage.serial then -- else it is filled up already
			t:line("if (s->%s_len[1] %% %d == 0)", stage.name, stage.unit)
			t:line("\t%s(acc, (const uint8_t[%d]){ 0 }, 0, s->%s_len[0] + s->%s_len[1]%s);", function_name(stage, "fill", isa),
				stage.unit, stage.name, stage.name, M.state_argument(stage))
		end
		t:line("%s(value, acc%s%s);", function_name(stage, "finish", isa), M.state_argument(stage), len)
	elseif M.in_order(stage) then
		t:line("%s_finish(value, s->%s%s%s);", stage.name, stage.name, M.state_argument(stage), len)
	else
		t:line("value[0] = s->%s.value;", stage.name)
	end
	for k = 0, stage.value_words - 1 do
		local v = V == T and string.format("value[%d]", k)
			or string.format("(%s)value[%d]%s", V, k, T == "q128" and "[0]" or "")
		t:line("const %s v%d = %s;", V, k, order and string.format("%s(%s, %s)", prelude.use(order), V, v) or v)
		if order then prelude.use("SWAP_" .. V) end
		t:line("STORE(to + %d, v%d);", stage.size / stage.value_words * k, k)
	end
	t:endfunc()
end

-- The functions of the fold: once for a chain, or, of quads, for an instruction set. The latter are not all used.
function M.each_row(stage) return quads(stage) end
function M.emit_functions(t, stage, isa)
	emit_step_functions(t, stage, isa)
	if stage.serial then emit_fill(t, stage, isa)
	elseif M.in_order(stage) then emit_last(t, stage, isa)
	else emit_join(t, stage) end
	emit_value(t, stage, isa)
end

-- The C that has the last n bytes of the data, fewer than a unit, in `last`.
function M.emit_rest(t, stage, isa, n)
	local words, size = {}, math.min(stage.unit, stage.bits / 8)
	local T = quads(stage) and number(stage, isa) or isa_table.type(1, size * 8)
	for j = 1, stage.words do words[j] = string.format("LOAD(%s, last + %d)", T, size * (j - 1)) end
	if counted(stage) then t:line("s->%s_len[1] += %s;", stage.name, n) end
	if not quads(stage) then
		t:line("%s_last(s->%s, %s, %s%s);", stage.name, stage.name, table.concat(words, ", "), n, M.state_argument(stage))
		return
	end
	t:line("%s acc[%d];", T, acc_words(stage))
	t:line("__builtin_memcpy(acc, s->%s, sizeof acc);", stage.name)
	if stage.serial then
		t:line("%s(acc, last, %s, s->%s_len[0] + s->%s_len[1]%s);", function_name(stage, "fill", isa), n, stage.name,
			stage.name, M.state_argument(stage))
	else
		t:line("%s(acc, %s, %s%s);", function_name(stage, "last", isa), words[1], n, M.state_argument(stage))
	end
	t:line("__builtin_memcpy(s->%s, acc, sizeof acc);", stage.name)
end

function M.value_call(stage, isa, to) return string.format("%s(s, %s)", function_name(stage, "value", isa), to) end

-- What the data begins with, of the state.
local function emit_init(t, stage, isa)
	local T, _, row = number(stage, isa)
	local names = {}
	for k = 1, stage.state_words do names[k] = state_word(stage, T, "s->" .. stage.name .. "_state", k - 1) end
	t:open("{")
	for k, w in ipairs(expression.emit(t, stage.init, names, T, "t", row)) do
		t:line("const %s a%d = %s;", T, k, w)
		t:line("STORE(s->%s + %d, a%d);", stage.name, k - 1, k)
	end
	t:home()
	t:close()
end

function M.emit_begin(t, stage, isa)
	if not M.in_order(stage) then
		t:line("s->%s = %s_nothing();", stage.name, stage.name)
	elseif stage.init.results then
		emit_init(t, stage, isa)
	else
		for k, w in ipairs(stage.init) do t:line("s->%s[%d] = %dull;", stage.name, k - 1, w) end
	end
	if counted(stage) then t:line("s->%s_len[0] = %d, s->%s_len[1] = 0;", stage.name, stage.before or 0, stage.name) end
end

-- Loops ------------------------------------------------------------------------------------------------------------

-- At the beginning and the end of a loop.
function M.open(t, stage, isa)
	local n, list = acc_words(stage), {}
	local T = number(stage, isa)
	for k = 1, n do
		list[k] = quads(stage) and string.format("LOAD(%s, s->%s + %d)", T, stage.name, k - 1)
			or M.in_order(stage) and string.format("s->%s[%d]", stage.name, k - 1) or stage.zero[k] .. "ull"
	end
	t:line("%s %s_acc[%d] = { %s };", T, stage.name, n, table.concat(list, ", "))
end
function M.close(t, stage)
	if counted(stage) then t:line("s->%s_len[1] += n;", stage.name) end
	if M.in_order(stage) then
		t:line("STORE(s->%s, %s_acc);", stage.name, stage.name)
	else
		t:line("%s_count(&s->%s, %s_acc, n);", stage.name, stage.name, stage.name)
	end
end

-- One unit, in words of 64 bits, or the place in memory of that of 128; or, if `rest` is not nil, so many bytes of one.
function M.scalar_step(t, stage, isa, words, rest)
	if quads(stage) then
		local T, loaded = number(stage, isa), {}
		for k, w in ipairs(words) do loaded[k] = string.format("LOAD(%s, %s)", T, w) end
		words = loaded
	end
	t:line("%s(%s_acc, %s%s%s);", function_name(stage, rest and "last" or "step", isa), stage.name,
		table.concat(words, ", "), rest and ", " .. rest or "", M.state_argument(stage))
end

-- Additions of both halves of a 64-bit lane need no mask: the lane is added whole, modulo 2^64, beside its upper
-- half, which tells later what the whole had too much. Three operations a vector instead of four.
local function carries_late(stage)
	return stage.join and stage.unit == 4 and graph.is_only(stage.step(1), "add") and graph.is_only(stage.merge(1), "add")
end

-- Accumulators of a turn. Those of quads wait long for each other, and are few words.
function M.sums(stage, isa)
	if stage.steps or stage.serial then return 1 end
	if quads(stage) then return isa.registers < 32 and 4 or 8 end
	return (acc_words(stage) > 2 or stage.unit == 16) and isa.registers < 32 and 1 or isa.sums
end

-- Accumulator k, an array of vectors, one for each of its words; half: of which 32 bits of each lane, where units are
-- of 4 bytes.
local function accumulator(stage, k, half) return string.format("%s_%d_%d", stage.name, k, half) end
local function upper(stage, k) return stage.name .. "_upper_" .. k end
local function halves(stage) return stage.unit == 4 and 1 or 0 end -- the last

local function array(t, D, name, words, const)
	t:line("%s%s %s[%d] = { %s };", const and "const " or "", D, name, #words, table.concat(words, ", "))
end

local function each_word(stage, f)
	local list = {}
	for a = 1, acc_words(stage) do list[a] = f(a) end
	return list
end

-- The words of the state that a step of so many units looks at, by their numbers from 0.
local function step_state(stage, k)
	local used, list = expression.used_inputs(stage.step(k)), {}
	for j = 1, stage.state_words do
		if used[acc_words(stage) + stage.words + j] then list[#list + 1] = j - 1 end
	end
	return list
end

-- How many units stand between two of one accumulator.
local function stride(stage, width, sums) return sums * width * stage.words / stage.unit end

-- Functions of vectors, each of one instruction set. They stand above the loops, and are written where the first of
-- these needs them (emit.lua).

local function begin_function(t, stage, isa, D, what, k, parameters)
	local name = string.format("%s_%s%d_%s_%s", stage.name, what, k, D, isa.name)
	if t.above[name] then return name end
	t.above[name] = true
	t.above:func(string.format("%sstatic inline __attribute__((always_inline)) void %s(%s *acc%s)",
		isa_table.attribute(isa), name, D, parameters))
	return name, t.above
end

-- acc, and a unit k units further.
local function step_function(t, stage, isa, D, k)
	local parameters, names = {}, names_of("acc", acc_words(stage))
	for j = 1, stage.words do
		parameters[j], names[#names + 1] = string.format(", %s w%d", D, j), "w" .. j
	end
	local first = #names
	for j = 1, stage.state_words do names[first + j] = "" end
	for _, j in ipairs(step_state(stage, k)) do
		parameters[#parameters + 1], names[first + j + 1] = string.format(", %s s%d", D, j), "s" .. j
	end
	local name, above = begin_function(t, stage, isa, D, "step", k, table.concat(parameters))
	if above then
		assign(above, stage.step(k), names, "acc", D, isa)
		above:endfunc()
	end
	return name
end

-- acc, and b, which ends k units later.
local function merge_function(t, stage, isa, D, k)
	local name, above = begin_function(t, stage, isa, D, "merge", k,
		string.format(", const %s *b%s", D, state_parameter(stage)))
	if above then
		local names = names_of("acc", acc_words(stage), names_of("b", acc_words(stage), state_names(stage, D)))
		assign(above, stage.merge(k), names, "acc", D, isa)
		above:endfunc()
	end
	return name
end

-- The 16 bytes of vectors, one after another.
local function quarters(x, width)
	if width == 16 then return { string.format("(q128)%s", x) } end
	local list = {}
	for _, half in ipairs { "LOW", "HIGH" } do
		local part = string.format("%s((d%d)%s)", prelude.use("%s_d%d", half, width * 8), width * 8, x)
		for _, q in ipairs(quarters(part, width / 2)) do list[#list + 1] = q end
	end
	return list
end

-- Whole units of a hash, which vectors hold.
function M.serial_steps(t, stage, isa, width, xs)
	local words = {}
	for _, x in ipairs(xs) do
		for _, q in ipairs(quarters(x, width)) do words[#words + 1] = q end
	end
	for k = 1, #words, stage.words do
		t:line("%s(%s_acc, %s%s);", function_name(stage, "step", isa), stage.name,
			table.concat(words, ", ", k, k + stage.words - 1), M.state_argument(stage))
	end
end

function M.declare(t, stage, width, sums)
	if stage.serial then return end
	local D = isa_table.type(width, stage.bits)
	local zeros = each_word(stage, function(a)
		return quads(stage) and string.format("CONST_%s(0, %dull)", D, stage.zero[a])
			or string.format("%s(%s, %dull)", prelude.use "SPLAT", D, stage.zero[a])
	end)
	for k = 0, sums - 1 do
		for half = 0, carries_late(stage) and 0 or halves(stage) do array(t, D, accumulator(stage, k, half), zeros) end
		if carries_late(stage) then t:line("%s %s = {0};", D, upper(stage, k)) end
	end
	if M.in_order(stage) then
		-- It ends last: what was folded before goes on in it.
		local last = accumulator(stage, sums - 1, halves(stage))
		for a = 0, acc_words(stage) - 1 do
			for half = 0, quads(stage) and 1 or 0 do
				t:line("%s[%d][%d] = %s_acc[%d]%s;", last, a, width / 8 - (quads(stage) and 2 - half or 1), stage.name, a,
					quads(stage) and "[" .. half .. "]" or "")
			end
		end
	end
	-- What is in the state is read once: for all that the compiler knows, the data that is written may lie over it.
	for _, j in ipairs((carries_late(stage) or stage.steps) and {} or step_state(stage, stride(stage, width, sums))) do
		t:line("const %s %s_s%d = %s;", D, stage.name, j, state_word(stage, D, "s->" .. stage.name .. "_state", j))
	end
end

-- Vectors into accumulator k: one, or as many as a unit has words, of which each then holds one.
function M.step(t, stage, isa, width, sums, xs, k)
	local D = isa_table.type(width, stage.bits)
	if carries_late(stage) then
		local x, acc = xs[1], accumulator(stage, k, 0)
		t:line("%s[0] += (%s)%s, %s += (%s)%s >> 32;", acc, D, x, upper(stage, k), D, x)
		return
	end
	local distance = stride(stage, width, sums)
	for half = 0, halves(stage) do
		local arguments = { accumulator(stage, k, half) }
		for _, x in ipairs(xs) do
			arguments[#arguments + 1] = stage.unit == 4
				and string.format("%s(%s, (%s)%s)", prelude.use(half == 0 and "FIRST" or "SECOND"), D, D, x)
				or string.format("(%s)%s", D, x)
		end
		for _, j in ipairs(step_state(stage, distance)) do
			arguments[#arguments + 1] = string.format("%s_s%d", stage.name, j)
		end
		t:line("%s(%s);", step_function(t, stage, isa, D, distance), table.concat(arguments, ", "))
	end
end

-- acc, and n units more, each k units further: the function of vectors.
local function steps_function(t, stage, isa, D, k, n)
	local parameters, names = {}, names_of("acc", acc_words(stage))
	for j = 1, n do parameters[j], names[#names + 1] = string.format(", %s w%d", D, j), "w" .. j end
	for _, name in ipairs(state_names(stage, D)) do names[#names + 1] = name end
	local name, above = begin_function(t, stage, isa, D, "steps" .. n .. "_", k,
		table.concat(parameters) .. state_parameter(stage))
	if above then
		assign(above, stage.steps(k, n), names, "acc", D, isa)
		above:endfunc()
	end
	return name
end

-- These vectors, so many at once as there is a function for.
function M.steps(t, stage, isa, width, xs)
	local D, from, n = isa_table.type(width, stage.bits), 1, M.SEVERAL
	while from <= #xs do
		while n > #xs - from + 1 do n = n / 2 end
		local casts = {}
		for j = 1, n do casts[j] = string.format(", (%s)%s", D, xs[from + j - 1]) end
		t:line("%s(%s%s%s);", steps_function(t, stage, isa, D, stride(stage, width, 1), n), accumulator(stage, 0, 0),
			table.concat(casts), M.state_argument(stage))
		from = from + n
	end
end

-- Brings the accumulators of that width to the number of the loop: accumulators to one, then halves of that to one as
-- long as they are vectors.
function M.reduce(t, stage, isa, width, sums)
	if stage.serial then return end
	local first, last, D = accumulator(stage, 0, 0), halves(stage), isa_table.type(width, stage.bits)
	local function merge(a, b, distance)
		t:line("%s(%s, %s%s);", merge_function(t, stage, isa, D, distance), a, b, M.state_argument(stage))
	end
	t:open("{")
	if carries_late(stage) then
		last = 0
		for k = 0, sums - 1 do
			t:line("%s[0] += %s - (%s << 32);", accumulator(stage, k, 0), upper(stage, k), upper(stage, k))
		end
	end
	for half = 0, last do
		for k = 1, sums - 1 do
			merge(accumulator(stage, 0, half), accumulator(stage, k, half), width * stage.words / stage.unit)
		end
	end
	if last > 0 then merge(first, accumulator(stage, 0, 1), 1) end
	while width > 16 do
		local whole, W = first, D
		local function half(which)
			return each_word(stage, function(a)
				return string.format("%s(%s[%d])", prelude.use("%s_%s", which, W:gsub("q", "d")), whole, a - 1)
			end)
		end
		width = width / 2
		first, D = "low" .. width, isa_table.type(width, stage.bits)
		array(t, D, first, half "LOW")
		array(t, D, "high" .. width, half "HIGH", true)
		merge(first, "high" .. width, width * 8 / stage.bits * lane_distance(stage))
	end
	for a = 1, quads(stage) and acc_words(stage) or 0 do
		t:line("%s_acc[%d] = %s[%d];", stage.name, a - 1, first, a - 1)
	end
	for lane = 0, quads(stage) and -1 or 1 do
		local words = each_word(stage, function(a) return string.format("%s[%d][%d]", first, a - 1, lane) end)
		if lane == 0 and M.in_order(stage) then
			for a, w in ipairs(words) do t:line("%s_acc[%d] = %s;", stage.name, a - 1, w) end
		else
			t:line("%s_merge(%s_acc, (const uint64_t[]){ %s }%s);", stage.name, stage.name, table.concat(words, ", "),
				M.state_argument(stage))
		end
	end
	t:close()
end

return M
