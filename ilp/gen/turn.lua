-- What the steps of a loop do to a handful of data that stands in variables: vectors x0, x1, …, or one piece of a few
-- bytes in plain C.
local expression = require "gen.expression"
local fold = require "gen.fold"
local graph = require "gen.graph"
local isa_table = require "gen.isa"
local move = require "gen.move"
local plan = require "gen.plan"
local prelude = require "gen.prelude"

local M = {}

-- Whether the step's function looks at the number of the unit.
function M.counts(step)
	if step.kind ~= "map" or step.stage.moves then return false end
	return expression.used_inputs(step.graph)[step.stage.words + 1] or false
end

-- Whether it looks at the stage's state.
function M.keyed(step)
	local stage, used = step.stage, not step.stage.moves and expression.used_inputs(step.graph)
	for k = 1, stage.state_words do
		if used and used[stage.words + 1 + k] then return true end
	end
	return false
end

-- The place of the data in the coordinates of the step: at, at1, … (loop.lua).
function M.place(loop, step)
	local c = step.coord - loop.coord
	return c == 0 and "at" or "at" .. c
end

local function nothing_to_do(step)
	return step.kind == "map" and graph.is_identity(step.graph) or step.reframes
end

-- Vectors ----------------------------------------------------------------------------------------------------------

-- Vectors of that width that a step must have at once: whole units of what it moves, or of each a unit's word.
local function group_of(step, width)
	if nothing_to_do(step) then return 1 end
	local moved = move.of(step)
	if moved then return move.group(moved, width) end
	if step.kind == "fold" and step.stage.serial then return math.max(step.stage.unit / width, 1) end
	return (step.kind == "map" or step.kind == "fold") and step.stage.words or 1
end

-- Vectors that all steps of a loop can be done with at once.
function M.group(loop, width)
	local n = 1
	for _, step in ipairs(loop.steps) do n = plan.lcm(n, group_of(step, width)) end
	return n
end

-- The widths of the vectors that a loop uses: none where bytes change places and there is no instruction for it, or
-- where too many would have to be there at once (of one layout never: layout.lua), or something is looked up.
local NONE, MOST = {}, 128
function M.widths(loop, isa)
	for _, step in ipairs(loop.steps) do
		local moved = not nothing_to_do(step) and move.of(step)
		if moved and not move.fits(moved, isa) then return NONE end
		if step.kind == "map" and graph.find(step.graph.scope, "lookup") then return NONE end
		if not moved and not isa.bytes and step.kind == "map" and step.stage.words > 1 and step.stage.bits < 32
			and not nothing_to_do(step) then
			return NONE
		end
	end
	return #isa.widths > 0 and M.group(loop, isa.widths[#isa.widths]) <= MOST and isa.widths or NONE
end

local counter = 0
local function fresh(prefix)
	counter = counter + 1
	return prefix .. "_" .. counter
end
function M.reset() counter = 0 end

-- Brings vectors that hold units one after another, as memory does, into vectors of their first words, second words,
-- …
local function apart(t, names, T)
	if #names == 1 then return names end
	local even, odd = {}, {}
	for k = 1, #names, 2 do
		local e, o = fresh "e", fresh "o"
		t:line("const %s %s = %s(%s, %s), %s = %s(%s, %s);", T, e, prelude.use("EVEN_%s", T), names[k], names[k + 1], o,
			prelude.use("ODD_%s", T), names[k], names[k + 1])
		even[#even + 1], odd[#odd + 1] = e, o
	end
	even, odd = apart(t, even, T), apart(t, odd, T)
	local all = {}
	for k = 1, #even do all[2 * k - 1], all[2 * k] = even[k], odd[k] end
	return all
end

-- The way back.
local function together(t, words, T)
	if #words == 1 then return words end
	local even, odd = {}, {}
	for k = 1, #words, 2 do even[#even + 1], odd[#odd + 1] = words[k], words[k + 1] end
	even, odd = together(t, even, T), together(t, odd, T)
	local all = {}
	for k = 1, #even do
		local low, high = fresh "l", fresh "h"
		t:line("const %s %s = %s(%s, %s), %s = %s(%s, %s);", T, low, prelude.use("ZIPLOW_%s", T), even[k], odd[k], high,
			prelude.use("ZIPHIGH_%s", T), even[k], odd[k])
		all[2 * k - 1], all[2 * k] = low, high
	end
	return all
end

local function cast(T, name, V) return T == V and name or string.format("(%s)%s", T, name) end

-- The names of what a map's graph is given beside its words: the number of the first unit in `at + offset`, state.
local function map_rest(t, loop, step, T, offset, used)
	local stage, names = step.stage, {}
	if used[stage.words + 1] then
		local i = fresh "i"
		t:line("const %s %s = SPLAT(%s, (uint%d_t)((%s + %s) / %d)) + %s;", T, i, T, stage.bits, M.place(loop, step),
			offset, stage.unit, prelude.use("COUNT_%s", T))
		names[1] = i
	else
		names[1] = "unused"
	end
	for k = 1, stage.state_words do names[k + 1] = string.format("%s_s%d", stage.name, k - 1) end
	return names
end

local function emit_map(t, loop, step, isa, width, xs, offset)
	local stage, g = step.stage, step.graph
	local T, V = isa_table.type(width, stage.bits), isa_table.type(width, 32)
	local moved = move.of(step)
	if moved then return move.emit(t, moved, isa, width, xs, fresh) end
	local words = {}
	for k, x in ipairs(xs) do words[k] = cast(T, x, V) end
	words = apart(t, words, T)
	local used = expression.used_inputs(g)
	local names = {}
	for k, w in ipairs(words) do names[k] = w end
	for _, name in ipairs(map_rest(t, loop, step, T, offset, used)) do names[#names + 1] = name end
	local results = expression.emit(t, g, names, T, fresh(step.name), isa)
	if #xs > 1 then
		for k, r in ipairs(results) do
			local name = fresh "r"
			t:line("const %s %s = %s;", T, name, r)
			results[k] = name
		end
		results = together(t, results, T)
	end
	for k, x in ipairs(xs) do t:line("%s = %s;", x, T == V and results[k] or string.format("(%s)(%s)", V, results[k])) end
	t:home()
end

-- A fold in order, of vectors that are too few for its accumulators: unit by unit.
local function fold_units(t, stage, isa, width, xs)
	local V = isa_table.type(width, 32)
	local T = isa_table.type(width, stage.unit == 4 and 32 or 64)
	for _, x in ipairs(stage.bits == 128 and xs or {}) do
		for l = 0, width - 1, 16 do fold.scalar_step(t, stage, isa, { string.format("(const uint8_t *)&%s + %d", x, l) }) end
	end
	for _, x in ipairs(stage.bits < 128 and xs or {}) do
		t:open("for (unsigned l = 0; l < %d; l += %d) {", stage.unit == 4 and width / 4 or width / 8, stage.words)
		local words = {}
		for j = 1, stage.words do
			words[j] = string.format("(%s)[l%s]", cast(T, x, V), j > 1 and " + " .. j - 1 or "")
		end
		fold.scalar_step(t, stage, isa, words)
		t:close()
	end
end

local function emit_fold(t, step, isa, width, xs, main, first)
	local stage = step.stage
	if stage.serial then return fold.serial_steps(t, stage, isa, width, xs) end
	if stage.steps then return fold.steps(t, stage, isa, width, xs) end
	if not main and fold.in_order(stage) then return fold_units(t, stage, isa, width, xs) end
	local sums, n = main == true and fold.sums(stage, isa) or 1, stage.words
	local T, V = isa_table.type(width, stage.bits), isa_table.type(width, 32)
	for k = 1, #xs, n do
		local group = {}
		for j = 1, n do group[j] = n > 1 and cast(T, xs[k + j - 1], V) or xs[k + j - 1] end
		if n > 1 then group = apart(t, group, T) end
		fold.step(t, stage, isa, width, sums, group, (first + (k - 1) / n) % sums)
	end
end

-- Does the steps of the loop to the vectors xs, which stand one behind the other, offset being the C expression of how
-- far from the loop's place. key(step, j): the C expression of the keystream beside xs[j]. main: of the main loop,
-- whose accumulators are there, as many as fold.sums() says, or "single": one; first: the number of the first vector in
-- a turn. xs are as many as that is worth where a fold takes several at once (fold.SEVERAL).
function M.vectors(t, loop, isa, width, xs, offset, key, main, first)
	for _, step in ipairs(loop.steps) do
		if step.kind == "stream" then
			for j, x in ipairs(xs) do t:line("%s ^= %s;", x, key(step, j)) end
		elseif step.kind == "fold" then
			emit_fold(t, step, isa, width, xs, main, first or 0)
		elseif not nothing_to_do(step) then
			local n = group_of(step, width)
			for k = 1, #xs, n do
				local group = { unpack(xs, k, k + n - 1) }
				emit_map(t, loop, step, isa, width, group, k > 1 and offset .. " + " .. (k - 1) * width or offset)
			end
		end
	end
end

-- What stands before the loops of a width: state in vectors, read once, since the compiler must take it that what is
-- written may lie over it.
function M.declare(t, loop, width)
	for _, step in ipairs(loop.steps) do
		if step.kind == "map" and not nothing_to_do(step) and step.stage.state_words > 0 then
			local stage, used = step.stage, expression.used_inputs(step.graph)
			local T = isa_table.type(width, stage.bits)
			for k = 1, stage.state_words do
				if used[stage.words + 1 + k] then
					t:line("const %s %s_s%d = SPLAT(%s, s->%s_state[%d]);", T, stage.name, k - 1, T, stage.name, k - 1)
				end
			end
		end
	end
end

-- Pieces -----------------------------------------------------------------------------------------------------------

-- The unions that pieces are of which words of several sizes are taken, by their bytes: those of a file.
local unions
function M.begin() unions = {} end
function M.unions()
	local list = {}
	for bytes in pairs(unions) do list[#list + 1] = bytes end
	table.sort(list)
	for k, bytes in ipairs(list) do
		list[k] = string.format("union piece%d {\n\tuint8_t b[%d];\n\tuint16_t h[%d];\n\tuint32_t v[%d];\n%s};\n", bytes,
			bytes, bytes / 2, bytes / 4, bytes % 8 == 0 and string.format("\tuint64_t d[%d];\n", bytes / 8) or "")
	end
	return table.concat(list)
end

-- The form that a piece has in plain C: { T = type, bytes, word(bits, k) = the C expression of its k-th word }.
function M.piece(loop)
	local bytes, plain = 4, true -- whole units of all
	for _, step in ipairs(loop.steps) do
		if step.kind == "map" and not nothing_to_do(step) or step.kind == "fold" then
			bytes = plan.lcm(bytes, step.stage.unit)
			if step.kind == "map" and (step.stage.words > 1 or step.stage.bits < 32) then plain = false end
		end
	end
	for _, step in ipairs(loop.steps) do
		local unit = step.kind == "map" and not nothing_to_do(step) and step.stage.unit
		if bytes > 8 or unit and unit ~= bytes then plain = false end
	end
	local piece = { bytes = bytes, plain = plain }
	if plain then
		piece.T = "uint" .. bytes * 8 .. "_t"
		function piece.word(bits, k)
			if bits == bytes * 8 then return "x" end
			return string.format("%s(uint64_t, x)", prelude.use(k == 0 and "FIRST" or "SECOND"))
		end
	else
		unions[bytes] = true
		piece.T = "union piece" .. bytes
		local letter = { [8] = "b", [16] = "h", [32] = "v", [64] = "d" }
		function piece.word(bits, k)
			return bits == 128 and string.format("x.b + %d", 16 * k) or string.format("x.%s[%d]", letter[bits], k)
		end
	end
	return piece
end

-- Of a piece that is no plain word, the words by which it is best loaded and stored: those that its steps see, lest it
-- goes through memory between. nil where these are of several sizes, or bytes.
function M.piece_words(loop, piece)
	local bits
	for _, step in ipairs(loop.steps) do
		local own = step.kind == "map" and not nothing_to_do(step) and step.stage.bits or step.kind == "stream" and 32
			or step.kind == "fold" and math.min(step.stage.unit, 8) * 8
		if own and bits and own ~= bits then return nil end
		bits = bits or own or nil
	end
	if piece.plain or not bits or bits < 16 or piece.bytes > 256 then return nil end
	local list = { T = isa_table.type(1, bits), size = bits / 8 }
	for k = 0, piece.bytes / list.size - 1 do list[k + 1] = piece.word(bits, k) end
	return list
end

local function piece_map(t, loop, step, piece, rest)
	local stage, g = step.stage, step.graph
	local T = isa_table.type(1, stage.bits)
	for u = 0, piece.bytes / stage.unit - 1 do
		if rest then t:line("if (%s >= %d)", rest, (u + 1) * stage.unit) end
		t:open("{")
		local names = {}
		for j = 1, stage.words do
			names[j] = piece.word(stage.bits, u * stage.words + j - 1)
			if stage.words > 1 then
				t:line("const %s w%d = %s;", T, j, names[j])
				names[j] = "w" .. j
			end
		end
		names[#names + 1] = string.format("(uint%d_t)((%s + i + %d) / %d)", stage.bits, M.place(loop, step),
			u * stage.unit, stage.unit)
		for k = 1, stage.state_words do names[#names + 1] = string.format("s->%s_state[%d]", stage.name, k - 1) end
		local results = expression.emit(t, g, names, T, "t")
		for j, r in ipairs(results) do
			t:line("%s = %s;", piece.word(stage.bits, u * stage.words + j - 1),
				stage.bits < 32 and string.format("(%s)(%s)", T, r) or r)
		end
		t:home()
		t:close()
	end
end

local function piece_fold(t, step, isa, piece, rest, masked)
	local stage = step.stage
	local bits = math.min(stage.unit * 8, stage.bits)
	-- Within a unit, perhaps. Zeros stand behind the last bytes: keystream is not loaded there, maps leave them alone.
	local cut = rest and stage.anywhere and not stage.join
	for u = 0, piece.bytes / stage.unit - 1 do
		local from = u * stage.unit
		if rest and from > 0 then t:line("if (%s > %d)", rest, from) end
		t:open("{")
		local words = {}
		for j = 1, stage.words do words[j] = piece.word(bits, u * stage.words + j - 1) end
		if rest and masked and stage.join then
			local T = isa_table.type(1, bits)
			t:line("const size_t here = %s < %d ? %s%s : %d;", rest, from + stage.unit, rest,
				from > 0 and " - " .. from or "", stage.unit)
			words[1] = string.format("%s & %s(%s, here)", words[1], prelude.use "FIRST_BYTES", T)
		end
		local last, left = from + stage.unit == piece.bytes, from > 0 and string.format("%s - %d", rest, from) or rest
		if cut and not last then t:open("if (%s < %d) {", rest, from + stage.unit) end
		if cut then fold.scalar_step(t, stage, isa, words, left) end
		if cut and not last then
			t:close(" else {")
			t.depth = t.depth + 1
		end
		if not (cut and last) then fold.scalar_step(t, stage, isa, words) end
		if cut and not last then t:close() end
		t:close()
	end
end

-- Does the steps to the piece x. key(step, T, offset): C expression of the keystream beside it. rest: for the last
-- bytes of the data, fewer than a piece, the C expression of how many; what no unit is filled by passes, folds count
-- it as if zeros followed.
function M.piece_steps(t, loop, isa, piece, key, rest)
	local changed = false
	for _, step in ipairs(loop.steps) do
		if step.kind == "stream" then
			if piece.plain then
				t:line("x ^= %s;", key(step, piece.T, 0))
			else
				for k = 0, piece.bytes / 4 - 1 do
					t:line("x.v[%d] ^= %s;", k, key(step, "uint32_t", 4 * k))
				end
			end
		elseif step.kind == "fold" then
			piece_fold(t, step, isa, piece, rest, changed)
		elseif not nothing_to_do(step) then
			piece_map(t, loop, step, piece, rest)
		end
		changed = changed or step.changes
	end
end

return M
