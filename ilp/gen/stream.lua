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

local function name(stage, what, isa, width)
	if width == 4 then isa = isa_table.ends end -- one block in plain C, for all
	return string.format("%s_%s%s_%s", stage.name, what, width and width * 8 or "", isa.name)
end

function M.kernel_name(stage, isa, width) return name(stage, "kernel", isa, width) end
function M.blocks_name(stage, isa, width) return name(stage, "blocks", isa, width) end
function M.ahead_name(stage, isa) return name(stage, "ahead", isa) end

-- Bytes that the kernel of that width makes.
function M.bytes(width) return width * WORDS end

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

local function emit_kernel(t, stage, isa, width)
	local T, n = isa_table.type(width, 32), width / 4
	t:line("/* %s: the words of block i of the keystream%s. */", stage.standard,
		n > 1 and string.format(", and of the %d after it in the further lanes", n - 1) or "")
	t:func(string.format("%sstatic inline __attribute__((always_inline)) void %s(const uint32_t *s, uint32_t i, %s w[%d])",
		isa_table.attribute(isa), M.kernel_name(stage, isa, width), T, WORDS))
	if not expression.used_inputs(stage.block)[stage.state_words + 1] then t:line("(void)i;") end
	M.emit_block(t, stage, isa, width, "s", "i")
	t:endfunc()
end

local function emit_blocks(t, stage, isa, width)
	local T = isa_table.type(width, 32)
	t:func(string.format("%sstatic __attribute__((noinline)) void %s(const uint32_t *s, uint32_t i, uint8_t *to)",
		isa_table.attribute(isa), name(stage, "blocks", isa, width)))
	t:line("%s w[%d];", T, WORDS)
	t:line("%s(s, i, w);", M.kernel_name(stage, isa, width))
	M.transpose(t, width, function(j, vector) t:line("STORE(to + %d, %s);", j * width, vector) end)
	t:endfunc()
end

local function emit_ahead(t, stage, isa)
	t:line("/* Writes keystream from block i on, want bytes if that much fits into room, which is a multiple of what the")
	t:line(" * widest kernel makes; returns how many there are. */")
	t:func(string.format("%sstatic inline size_t %s(const uint32_t *s, uint32_t i, size_t want, size_t room, uint8_t *to)",
		isa_table.attribute(isa), M.ahead_name(stage, isa)))
	t:line("size_t made = 0;")
	t:line("")
	t:open("while (made < want && made < room) {")
	t:line("const uint32_t at = i + (uint32_t)(made / %d);", stage.unit)
	for k = #isa.kernels, 1, -1 do
		local width = isa.kernels[k]
		local last = k == 1
		if not last then t:open("if (want - made <= %d) {", M.bytes(width)) end
		t:line("%s(s, at, to + made);", name(stage, "blocks", isa, width))
		t:line("made += %d;", M.bytes(width))
		if not last then t:line("break;") t:close() end
	end
	t:close()
	t:line("return made;")
	t:endfunc()
end

function M.emit_functions(t, stage, isa)
	for k = #isa.kernels, 1, -1 do
		local width = isa.kernels[k]
		if width > 4 or isa == isa_table.ends then
			emit_kernel(t, stage, isa, width)
			emit_blocks(t, stage, isa, width)
		end
	end
	emit_ahead(t, stage, isa)
end

return M
