-- Streams in C: the keystream's blocks, one in each lane, and their way into memory's order.
--
-- kernel  makes as many blocks as the width has lanes, in registers: k[j] are bytes [j * width, (j + 1) * width)
-- blocks  the same into memory
-- ahead   as many bytes as are wanted, and some more, into memory: for pieces that begin or end within a block, and
--         for those too short for the loop that keeps the keystream in registers
local expression = require "gen.expression"
local isa_table = require "gen.isa"
local describe = require "gen.describe"

local M = {}

local WORDS = describe.BLOCK_WORDS
M.WORDS = WORDS

-- Writes the shuffles that bring x[0 .. WORDS), each holding one word of all blocks, into memory's order. Keeps
-- track of what each lane holds, so that the order of the results is derived and not assumed. Returns the names.
local function transpose(t, width, x)
	local n, T = width / 4, isa_table.word(width)
	local slots, holds, counter = {}, {}, 0
	for w = 0, WORDS - 1 do
		slots[w], holds[w] = x[w + 1], {}
		for b = 0, n - 1 do holds[w][b] = { block = b, word = w } end
	end
	for _, level in ipairs(isa_table.shuffles(width)) do
		for w = 0, WORDS - 1 do
			if math.floor(w / level.distance) % 2 == 0 then
				local a, b = w, w + level.distance
				local names, now = {}, {}
				for side = 1, 2 do
					names[side], now[side] = "s" .. counter, {}
					counter = counter + 1
					t:line("const %s %s = %s_%s(%s, %s);", T, names[side], level.names[side], T, slots[a], slots[b])
					for lane = 0, n - 1 do
						local from = level.lane[side](lane)
						now[side][lane] = holds[from[1] == 0 and a or b][from[2]]
					end
				end
				slots[a], slots[b], holds[a], holds[b] = names[1], names[2], now[1], now[2]
			end
		end
	end
	local ordered = {}
	for w = 0, WORDS - 1 do
		local first = holds[w][0]
		for lane = 0, n - 1 do
			assert(holds[w][lane].block == first.block and holds[w][lane].word == first.word + lane)
		end
		ordered[(first.block * WORDS + first.word) / n] = slots[w]
	end
	return ordered
end

local function name(stage, what, isa, width)
	return string.format("%s_%s%s_%s", stage.name, what, width and width * 8 or "", isa.name)
end

function M.kernel_name(stage, isa, width) return name(stage, "kernel", isa, width) end
function M.ahead_name(stage, isa) return name(stage, "ahead", isa) end

-- Bytes that the kernel of that width makes.
function M.bytes(width) return width * WORDS end

local function emit_kernel(t, stage, isa, width)
	local T, n = isa_table.word(width), width / 4
	t:line("/* %s: block%s of the keystream, from number i. */", stage.standard, n > 1 and "s, " .. n or "")
	t:func(string.format("%sstatic inline __attribute__((always_inline)) void %s(const uint32_t *s, uint32_t i, %s k[%d])",
		isa_table.attribute(isa), M.kernel_name(stage, isa, width), T, WORDS))
	local names = {}
	for w = 1, stage.state_words do names[w] = string.format("SPLAT(%s, s[%d])", T, w - 1) end
	names[#names + 1] = string.format("(SPLAT(%s, i) + COUNT_%s)", T, T)
	local results = expression.emit(t, stage.block, names, T, "x", isa)
	local words = {}
	for w, r in ipairs(results) do
		words[w] = n > 1 and "w" .. w - 1 or r
		if n > 1 then t:line("const %s %s = %s;", T, words[w], r) end
	end
	local ordered = transpose(t, width, words)
	for j = 0, WORDS - 1 do t:line("k[%d] = %s;", j, ordered[j]) end
	t:endfunc()
end

local function emit_blocks(t, stage, isa, width)
	local T = isa_table.word(width)
	t:func(string.format("%sstatic __attribute__((noinline)) void %s(const uint32_t *s, uint32_t i, uint8_t *to)",
		isa_table.attribute(isa), name(stage, "blocks", isa, width)))
	t:line("%s k[%d];", T, WORDS)
	t:line("%s(s, i, k);", M.kernel_name(stage, isa, width))
	for j = 0, WORDS - 1 do t:line("STORE(to + %d, k[%d]);", j * width, j) end
	t:endfunc()
end

local function emit_ahead(t, stage, isa)
	t:line("/* Writes keystream from block i on, want bytes if that much fits; returns how many there are. */")
	t:func(string.format("%sstatic inline size_t %s(const uint32_t *s, uint32_t i, size_t want, uint8_t *to)",
		isa_table.attribute(isa), M.ahead_name(stage, isa)))
	for k = #isa.kernels, 1, -1 do
		local width = isa.kernels[k]
		if k > 1 then t:open("if (want <= %d) {", M.bytes(width)) end
		t:line("%s(s, i, to);", name(stage, "blocks", isa, width))
		t:line("return %d;", M.bytes(width))
		if k > 1 then t:close() end
	end
	if #isa.kernels == 1 then t:line("(void)want;") end
	t:endfunc()
end

function M.emit_functions(t, stage, isa)
	for k = #isa.kernels, 1, -1 do
		emit_kernel(t, stage, isa, isa.kernels[k])
		emit_blocks(t, stage, isa, isa.kernels[k])
	end
	emit_ahead(t, stage, isa)
end

-- begin(): the state's words from the parameters.
function M.emit_begin(t, stage)
	local names = {}
	for _, p in ipairs(stage.params) do
		for k = 0, p.size / 4 - 1 do
			names[#names + 1] = string.format("LOAD(uint32_t, s->%s.%s + %d)", stage.name, p.name, 4 * k)
		end
	end
	for k, r in ipairs(expression.emit(t, stage.begin, names, "uint32_t", "t")) do
		t:line("s->%s_state[%d] = %s;", stage.name, k - 1, r)
	end
end

return M
