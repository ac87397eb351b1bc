-- Recodes in C: units of some bytes become units of others, base64 say, or what is packed of structures.
--
-- In vectors each unit stands in a lane of 32 bits: lanes are filled from the units, which lie one behind the other, by
-- a shuffle of words that brings each 16 bytes what its four lanes need, and one of bytes within them; the same brings
-- together what lanes have come to. Such a vector is loaded and stored whole, which reaches beyond its units, so that
-- the last few are done one by one.
local expression = require "gen.expression"
local isa_table = require "gen.isa"
local prelude = require "gen.prelude"

local M = {}

local function numbers(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

-- Vectors ------------------------------------------------------------------------------------------------------------

-- From units of so many bytes to lanes; what a lane has beyond its unit is 0.
local function spread(t, V, width, size)
	if size == 4 then return end
	if width > 16 then
		t:line("x = __builtin_shufflevector(x, x, %s);", numbers(width / 4, function(k)
			return k % 4 < size and size * math.floor(k / 4) + k % 4 or -1
		end))
	end
	t:line("x = %s(x, %s);", prelude.use("BYTES_%s", V), numbers(width, function(b)
		local place = b % 16
		return place % 4 < size and b - place + size * math.floor(place / 4) + place % 4 or -1
	end))
	t:line("x &= %s(0x%xu, 0x%xu);", prelude.use "BY_ORDER", 2^32 - 2^(32 - 8 * size), 2^(8 * size) - 1)
end

-- The way back.
local function gather(t, V, width, size)
	if size == 4 then return end
	t:line("x = %s(x, %s);", prelude.use("BYTES_%s", V), numbers(width, function(b)
		local place = b % 16
		return place < 4 * size and b - place + 4 * math.floor(place / size) + place % size or -1
	end))
	if width > 16 then
		t:line("x = __builtin_shufflevector(x, x, %s);", numbers(width / 4, function(k)
			return k < width / 16 * size and 4 * math.floor(k / size) + k % size or -1
		end))
	end
end

local function emit_vectors(t, step, isa, width)
	local V, from, to = isa_table.type(width, 32), step.from, step.to
	local units = width / 4
	-- What is loaded is there, and what is stored is all written again or the data's.
	local least = math.max(width, units * from, math.ceil(width / to) * from)
	t:open("if (n - i >= %d) {", least)
	if not step.send then t:line("%s wrong = {0};", V) end
	t:open("for (; n - i >= %d; i += %d, out += %d) {", least, units * from, units * to)
	t:line("%s x = LOAD(%s, src + i);", V, V)
	spread(t, V, width, from)
	local results = expression.emit(t, step.graph, { "x" }, V, "t", isa)
	if results[2] then t:line("wrong |= %s;", results[2]) end
	t:line("x = %s;", results[1])
	t:home()
	gather(t, V, width, to)
	t:line("STORE(dst + out, x);")
	-- What is beyond its units is no data of its own (prelude.lua).
	if t.counted then t:line("ilp_counted[0] += %d, ilp_counted[1] += %d;", units * from, units * to) end
	t:close()
	if not step.send then
		t:line("for (unsigned k = 0; k < %d; k++)", units)
		t:line("\tbad |= wrong[k];")
	end
	t:close()
end

local function emit_units(t, step)
	t:open("for (; i < n; i += %d, out += %d) {", step.from, step.to)
	t:line("const uint32_t w = LOAD_DATA_LAST(uint32_t, src + i, %d);", step.from)
	local results = expression.emit(t, step.graph, { "w" }, "uint32_t", "t")
	t:line("const uint32_t x = %s;", results[1])
	if results[2] then t:line("bad |= %s;", results[2]) end
	t:home()
	t:line("STORE_DATA_LAST(dst + out, x, %d);", step.to)
	t:close()
end

-- Layouts ------------------------------------------------------------------------------------------------------------

-- f(type, offset) for words that make up so many bytes.
local function each_word(size, f)
	local at, word = 0, 8
	while at < size do
		while word > size - at do word = word / 2 end
		f("uint" .. 8 * word .. "_t", at)
		at = at + word
	end
end

local function emit_number(t, step, p, from, to)
	local order = step.stage.fields.order:upper()
	local T = "uint" .. math.min(8 * p.size, 64) .. "_t"
	local words = p.size > 8 and 2 or 1
	prelude.use("SWAP_" .. T)
	for k = 0, words - 1 do
		t:line("%s w%d = LOAD_DATA(%s, %s + %d);", T, k, T, from, 8 * k)
		t:line("w%d = %s(%s, w%d);", k, prelude.use(order), T, k)
	end
	for k = 0, words - 1 do
		local w = "w" .. k
		if words > 1 then
			w = string.format(order == "BIG" and "%s(w%d, w%d)" or "%s(w%d, w%d)", prelude.use "BY_ORDER",
				order == "BIG" and k or 1 - k, order == "BIG" and 1 - k or k)
			t:line("const %s x%d = %s;", T, k, w)
			w = "x" .. k
		end
		t:line("STORE_DATA(%s + %d, %s);", to, 8 * k, w)
	end
end

local function emit_part(t, step, p)
	local from = string.format("src + i + %d", step.send and p.at or p.to)
	local to = string.format("dst + out + %d", step.send and p.to or p.at)
	if p.hole and step.send then return end
	t:open("{")
	if p.number then
		emit_number(t, step, p, from, to)
	else
		each_word(p.size, function(T, at)
			local w = "w" .. at
			t:line(p.hole and "const %s %s = 0;" or "const %s %s = LOAD_DATA(%s, %s + %d);", T, w, T, from, at)
			t:line("STORE_DATA(%s + %d, %s);", to, at, w)
		end)
	end
	t:close()
end

local function emit_layout(t, step)
	t:open("for (; i < n; i += %d, out += %d) {", step.from, step.to)
	for _, p in ipairs(step.stage.layout) do emit_part(t, step, p) end
	t:close()
end

-- All
-- ------------------------------------------------------------------------------------------------------------------

-- n is a multiple of `from`.
function M.emit(loops, t, loop, isa)
	local step = loop.alone
	local checks = step.graph and not step.send
	t:line("/* %s */", table.concat(loop.names, ", then "))
	t:func(loops.head(loop, isa, ""))
	t:line("size_t i = 0, out = 0;")
	if checks then t:line("uint32_t bad = 0;") end
	t:line("")
	if step.graph then
		for _, width in ipairs(isa.bytes and isa.widths or {}) do emit_vectors(t, step, isa, width) end
		emit_units(t, step)
	else
		emit_layout(t, step)
	end
	t:line(checks and "s->ilp.bad |= bad;" or "(void)s;")
	t:line("return out;")
	t:endfunc()
end

-- The rest of the data, fewer bytes than a unit, from `a` to `b`.
local function emit_last(t, step)
	t:open("if (rest > 0) {")
	t:line("const uint32_t w = LOAD_LAST(uint32_t, a + n - rest, rest);")
	t:line("uint32_t x = 0;")
	t:open("switch (rest) {")
	for k, g in ipairs(step.stage.last) do
		t:open("case %d: {", k)
		t:line("x = %s;", expression.emit(t, g, { "w" }, "uint32_t", "t")[1])
		t:home()
		t:line("break;")
		t:close()
	end
	t:close()
	t:line("STORE_LAST(b + m, x, %d);", step.to)
	t:line("m += %d;", step.to)
	t:close()
end

-- The last unit, which may stand for fewer bytes.
local function emit_unlast(t, step)
	t:open("if (n >= %d) {", step.from)
	t:line("const uint32_t w = LOAD_LAST(uint32_t, a + n - rest - %d, %d);", step.from, step.from)
	local results = expression.emit(t, step.stage.unlast, { "w" }, "uint32_t", "t")
	t:line("const uint32_t x = %s, count = %s;", results[1], results[2])
	t:line("s->ilp.bad |= %s;", results[3])
	t:home()
	t:line("const size_t here = count < %d ? count : %d;", step.to, step.to)
	t:line("STORE_LAST(b + m, x, here);")
	t:line("m += here;")
	t:close()
end

-- What is left when the data ends: n bytes at `a`.
function M.emit_end(t, step, call)
	local unlast = not step.send and step.graph and step.stage.unlast
	t:open("{")
	if step.send and not step.graph then
		t:line("const size_t fill = (%d - n %% %d) %% %d;", step.from, step.from, step.from)
		t:line("__builtin_memset(a + n, 0, fill);")
		t:line("n += fill;")
	end
	t:line("const size_t rest = n %% %d;", step.from)
	t:line("size_t m = %s;", call(step, { dst = "b", n = unlast and string.format("n < %d ? 0 : n - rest - %d", step.from,
		step.from) or "n - rest" }))
	if step.send and step.graph and step.from > 1 then emit_last(t, step) end
	if unlast then emit_unlast(t, step) end
	if not step.send then t:line("s->ilp.bad |= rest > 0;") end
	t:line("n = m;")
	t:line("ilp_copy(a, b, n);")
	t:close()
end

return M
