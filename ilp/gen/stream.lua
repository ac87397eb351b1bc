-- Streams in C: the keystream's blocks, one in each lane, and their way into memory's order.
--
-- kernel  makes as many blocks as the width has lanes, in registers: w[j] is word j of each of them
-- blocks  the same, in order, into memory
-- ahead   as many bytes as are wanted, and some more, into memory: for pieces that begin or end within a block, and
--         for those too short for the loop that keeps the keystream in registers
local expression = require "gen.expression"
local isa_table = require "gen.isa"
local describe = require "gen.describe"
local prelude = require "gen.prelude"
local text = require "gen.text"

local M = {}

local WORDS = describe.BLOCK_WORDS
M.WORDS = WORDS

-- The bits of k, of which there are n values, in reverse.
local function reversed(k, n)
	local r = 0
	while n > 1 do
		r, k, n = r * 2 + k % 2, math.floor(k / 2), n / 2
	end
	return r
end

-- The shuffles that bring w[0 .. WORDS), each holding one word of all blocks, into memory's order, as a list of
-- { name, macro, a, b }, and of { name, j } where the vector that is j-th in memory is there. Each is finished as early
-- as can be, so that what is done with it goes on beside the shuffles, which have few execution units. What each lane
-- holds is kept track of, so that the order of the results is derived and not assumed.
local function shuffles(width)
	local n, T, levels = width / 4, isa_table.type(width, 32), isa_table.shuffles(width)
	local list, made, counter = {}, {}, 0

	-- The vector in that slot after that many levels: { name, lanes }.
	local function vector(level, slot)
		if level == 0 then
			local lanes = {}
			for b = 0, n - 1 do lanes[b] = { block = b, word = slot } end
			return { name = string.format("w[%d]", slot), lanes = lanes }
		end
		local key, by = level * WORDS + slot, levels[level]
		if made[key] then return made[key] end
		local side = math.floor(slot / by.distance) % 2
		local a, b = vector(level - 1, slot - side * by.distance), vector(level - 1, slot + (1 - side) * by.distance)
		local v = { name = "s" .. counter, lanes = {} }
		counter = counter + 1
		list[#list + 1] = { name = v.name, macro = by.names[side + 1] .. "_" .. T, a = a.name, b = b.name }
		for lane = 0, n - 1 do
			local from = by.lane[side + 1](lane)
			v.lanes[lane] = (from < n and a or b).lanes[from % n]
		end
		made[key] = v
		return v
	end

	for k = 0, WORDS - 1 do
		local v = vector(#levels, k - k % n + reversed(k % n, n))
		local first = v.lanes[0]
		for lane = 0, n - 1 do
			assert(v.lanes[lane].block == first.block and v.lanes[lane].word == first.word + lane)
		end
		list[#list + 1] = { name = v.name, j = (first.block * WORDS + first.word) / n }
	end
	return list
end

-- Writes the shuffles of that width, and calls output(j, name) for each vector of memory.
local known = {}
function M.transpose(t, width, output)
	local T = isa_table.type(width, 32)
	known[width] = known[width] or shuffles(width)
	for _, s in ipairs(known[width]) do
		if s.j then
			output(s.j, s.name)
		else
			t:line("const %s %s = %s(%s, %s);", T, s.name, prelude.use(s.macro), s.a, s.b)
		end
	end
end

-- Whether a block is one word of 128 bits, and stands in a vector as it does in memory. What then takes long is not the
-- work but the rounds that wait for each other: a kernel does several vectors.
local function quads(stage) return stage.bits == 128 end
M.quads = quads

local function kernel(width, vectors, bytes) return { width = width, vectors = vectors, bytes = bytes } end

-- The kernels of a stage: how wide their vectors are, how many they have, and how many bytes they make; the one that
-- makes most first. Those of plain C are all machines'.
local kernels = {}
function M.kernels(stage, isa)
	local key = isa.name .. stage.bits
	if kernels[key] then return kernels[key] end
	local list, width = {}, isa.widths[1]
	kernels[key] = list
	if quads(stage) and width then
		for _, vectors in ipairs(width == 32 and { 8, 4, 2, 1 } or { 8, 2, 1 }) do
			list[#list + 1] = kernel(width, vectors, width * vectors)
		end
		if width > 16 then list[#list + 1] = kernel(16, 1, 16) end
	elseif quads(stage) then
		list[1] = kernel(4, 1, 16)
	else
		for _, w in ipairs(isa.kernels) do list[#list + 1] = kernel(w, WORDS, w * WORDS) end
	end
	return list
end
function M.widest(stage, isa) return M.kernels(stage, isa)[1] end

local function name(stage, what, isa, one)
	if one and one.width == 4 then isa = isa_table.ends end -- one block in plain C, for all
	local size = one and one.width * 8 .. (quads(stage) and one.vectors > 1 and "x" .. one.vectors or "") or ""
	return string.format("%s_%s%s_%s", stage.name, what, size, isa.name)
end

function M.kernel_name(stage, isa, one) return name(stage, "kernel", isa, one) end
function M.blocks_name(stage, isa, one) return name(stage, "blocks", isa, one) end
function M.ahead_name(stage, isa) return name(stage, "ahead", isa) end
-- The C type of the state's words.
function M.state_type(stage) return isa_table.type(4, stage.bits) end

-- Turns of the loop in the block's function, if there is one that other things can stand in.
function M.turns(stage)
	for _, n in ipairs(stage.block.scope) do
		if n.op == "loop" then return expression.is_closed(n) and n.turns or nil end
	end
end

-- The words of blocks i, …, to w. turns, inside: what else
-- stands in so many turns of the block's loop (expression.lua).
function M.emit_block(t, stage, isa, width, s, i, turns, inside)
	local T, n = isa_table.type(width, 32), width / 4
	local names = {}
	for k = 1, stage.state_words do
		names[k] = n > 1 and string.format("%s(%s, %s[%d])", prelude.use "SPLAT", T, s, k - 1)
			or string.format("%s[%d]", s, k - 1)
	end
	names[#names + 1] = n > 1 and string.format("(SPLAT(%s, %s) + %s)", T, i, prelude.use("COUNT_%s", T)) or i
	local results = expression.emit(t, stage.block, names, T, "x", isa,
		{ above = t.above, name = stage.name .. "_turn", turns = turns, inside = inside })
	for k, r in ipairs(results) do t:line("w[%d] = %s;", k - 1, r) end
	t:home()
end

-- The same of quads: of each operation, that of all vectors, since each waits for the one before it.
local function emit_quads(t, stage, isa, one)
	local T, names = isa_table.type(one.width, 128), {}
	for k = 1, stage.state_words do names[k] = string.format("SPLAT_%s(s + %d)", T, k - 1) end
	local i = #names + 1
	t:line("const %s at = %s;", T, one.width > 4 and string.format("COUNT_%s(i)", T) or "i")
	local texts, results = {}, {}
	for v = 0, one.vectors - 1 do
		names[i] = v == 0 and "at" or string.format("ADD32_%s(at, CONST_%s(0, %d))", T, T, v * one.width / 16)
		texts[v + 1] = text.new()
		results[v + 1] = expression.emit(texts[v + 1], stage.block, names, T, "x" .. v .. "_", isa, { each = true })[1]
	end
	for k = 1, texts[1].count do
		for v, one_text in ipairs(texts) do
			local line = one_text.lines[k]
			if v == 1 or not line:match("^#") then t:append { line } end
		end
	end
	for v, r in ipairs(results) do t:line("w[%d] = (%s)%s;", v - 1, M.vector(stage, one), r) end
	t:home()
end

local function emit_kernel(t, stage, isa, one)
	local T, n = M.vector(stage, one), one.bytes / stage.unit
	t:line("/* %s: the words of block i of the keystream%s. */", stage.standard,
		n > 1 and string.format(", and of the %d after it in the further %s", n - 1,
			quads(stage) and "words" or "lanes") or "")
	t:func(string.format("%sstatic inline __attribute__((always_inline)) void %s(const %s *s, uint32_t i, %s w[%d])",
		isa_table.attribute(isa), M.kernel_name(stage, isa, one), M.state_type(stage), T, one.vectors))
	if not expression.used_inputs(stage.block)[stage.state_words + 1] then t:line("(void)i;") end
	if quads(stage) then
		emit_quads(t, stage, isa, one)
	else
		M.emit_block(t, stage, isa, one.width, "s", "i")
	end
	t:endfunc()
end

-- The C type of what a kernel makes.
function M.vector(stage, one)
	return isa_table.type(one.width, quads(stage) and one.width == 4 and 128 or 32)
end

-- Brings what a kernel has made into memory's order, and calls output(j, name) for each vector of it.
function M.in_order(t, stage, one, output)
	if not quads(stage) then return M.transpose(t, one.width, output) end
	for j = 0, one.vectors - 1 do output(j, string.format("w[%d]", j)) end
end

local function emit_blocks(t, stage, isa, one)
	t:func(string.format("%sstatic __attribute__((noinline)) void %s(const %s *s, uint32_t i, uint8_t *to)",
		isa_table.attribute(isa), M.blocks_name(stage, isa, one), M.state_type(stage)))
	t:line("%s w[%d];", M.vector(stage, one), one.vectors)
	t:line("%s(s, i, w);", M.kernel_name(stage, isa, one))
	M.in_order(t, stage, one, function(j, vector) t:line("STORE(to + %d, %s);", j * one.bytes / one.vectors, vector) end)
	t:endfunc()
end

-- Keystream that is made and not used yet stays in the state, which is as secret: NAME_ahead, the bytes from one place
-- of the data to another. How many there may be: what any kernel makes, and two turns where a loop makes one while it
-- uses the other (loop.lua); and the units of the data, which a loop does whole.
function M.room(stage, rows, piped, unit)
	local most = 0
	for _, isa in ipairs(rows) do most = math.max(most, M.widest(stage, isa).bytes) end
	-- Whole kernels of any: they are powers of 2.
	return math.ceil(math.max(most * (piped and 2 or 1), 256, unit + 64) / most) * most
end

function M.has_name(stage) return stage.name .. "_has" end

-- Once for a chain.
function M.emit_has(t, stage)
	t:line("/* Whether keystream at that place of the data is there. */")
	t:func(string.format("static inline bool %s(const struct chain *s, uint64_t at)", M.has_name(stage)))
	t:line("return at - s->%s_ahead.from < s->%s_ahead.to - s->%s_ahead.from;", stage.name, stage.name, stage.name)
	t:endfunc()
end

local function emit_ahead(t, stage, isa)
	local own = stage.name
	t:line("/* Keystream at that place, and how much there is: what is there, if it is `least`, or else what is made, as")
	t:line(" * much as is wanted if that fits. */")
	t:func(string.format("%sstatic const uint8_t *%s(struct chain *s, uint64_t at, size_t want, size_t least, "
		.. "size_t *have)", isa_table.attribute(isa), M.ahead_name(stage, isa)))
	t:open("if (!%s(s, at) || s->%s_ahead.to - at < least) {", M.has_name(stage), own)
	t:line("const size_t skip = (size_t)(at %% %d);", stage.unit)
	t:line("size_t made = 0;")
	t:line("want = skip + (want < least ? least : want);")
	t:open("while (made < want && made < sizeof s->%s_ahead.bytes) {", own)
	t:line("const uint32_t i = (uint32_t)((at + made) / %d);", stage.unit)
	t:line("uint8_t *const to = s->%s_ahead.bytes + made;", own)
	local list = M.kernels(stage, isa)
	for k = #list, 1, -1 do
		local one = list[k]
		local last = k == 1
		if not last then t:open("if (want - made <= %d) {", one.bytes) end
		t:line("%s(s->%s_state, i, to);", M.blocks_name(stage, isa, one), own)
		t:line("made += %d;", one.bytes)
		if not last then t:line("break;") t:close() end
	end
	t:close()
	t:line("s->%s_ahead.from = at - skip, s->%s_ahead.to = at - skip + made;", own, own)
	t:line("s->%s_ahead.at = 0;", own)
	t:close()
	t:line("*have = (size_t)(s->%s_ahead.to - at);", own)
	t:line("return s->%s_ahead.bytes + s->%s_ahead.at + (at - s->%s_ahead.from);", own, own, own)
	t:endfunc()
end

-- Makes block -1 and what follows it: as much as the widest kernel makes; or, where that takes longer, what a short ADU
-- needs, unless `bytes` is that there will be more, but not so many that a loop makes its own.
local SHORT = 128
function M.emit_before(t, stage, isa)
	local widest = M.widest(stage, isa)
	local short = widest
	for _, one in ipairs(quads(stage) and M.kernels(stage, isa) or {}) do short = one.bytes >= SHORT and one or short end
	local function make(one)
		t:line("%s(s->%s_state, (uint32_t)-1, s->%s_ahead.bytes);", M.blocks_name(stage, isa, one), stage.name, stage.name)
		t:line("s->%s_ahead.to = %d;", stage.name, one.bytes - stage.unit)
	end
	if short == widest then
		t:line("(void)bytes;")
		make(widest)
	else
		t:open("if (bytes > %d && bytes <= %d) {", short.bytes - stage.unit, widest.bytes - stage.unit)
		make(widest)
		t:close(" else {")
		t.depth = t.depth + 1
		make(short)
		t:close()
	end
	t:line("s->%s_ahead.from = -(uint64_t)%d, s->%s_ahead.at = 0;", stage.name, stage.unit, stage.name)
end

function M.emit_functions(t, stage, isa)
	local list = M.kernels(stage, isa)
	for k = #list, 1, -1 do
		local one = list[k]
		if one.width > 4 or isa == isa_table.ends then
			emit_kernel(t, stage, isa, one)
			emit_blocks(t, stage, isa, one)
		end
	end
	emit_ahead(t, stage, isa)
end

return M
