-- Past marks in full stride: what a loop with marks in the data does where these are few and small against a turn of
-- its main loop. Vectors of the side that has the marks are put together from data before and behind a mark, or taken
-- apart to that; so the accumulators of folds last for all of the data, instead of from one mark to the next.
local fold = require "gen.fold"
local isa_table = require "gen.isa"
local prelude = require "gen.prelude"
local turn = require "gen.turn"

local M = {}

local MARK = 4 -- bytes: a word of a vector

local function each(part, f)
	for _, step in ipairs(part and part.steps or {}) do f(step) end
end

-- Whether a step can be done to vectors that stand anywhere between the ADU's words.
local function is_anywhere(step, marked)
	local stage = step.stage
	if step.reframes or step.alone or turn.counts(step) then return false end
	if step.kind == "fold" then
		return marked and not stage.serial and not stage.steps and not stage.pair and stage.words == 1
			and (stage.join ~= nil and stage.unit <= MARK or stage.anywhere or false)
	end
	return step.kind == "map" and stage.unit <= MARK
end

-- The width of vectors, and how many are a turn; nil: the loop runs from mark to mark. So does one that only looks at
-- the data, beside which that is copied.
function M.of(loops, p, isa)
	local stage = p.frame.stage
	local marked, plain = p.after, p.before
	if p.frame.kind == "remove" then marked, plain = plain, marked end
	if not p.body or not p.body.writes or p.frame.kind == "behead" then return nil end
	if stage.size ~= MARK or stage.every % MARK ~= 0 then return nil end
	local width = turn.widths(p.body, isa)[1]
	local fits = width ~= nil
	each(marked, function(step) fits = fits and is_anywhere(step, true) end)
	each(plain, function(step) fits = fits and is_anywhere(step, false) end)
	if p.frame.kind == "remove" then fits = fits and not (marked and marked.changes) end
	if not fits then return nil end
	local count = loops.unroll(p.body, isa, width)
	return width * count <= stage.every and width or nil, count
end

-- Fewer bytes than that are not worth it: a turn, and a word of data that comes behind it in any case.
function M.least(width, count) return width * count + MARK end

local function each_fold(p, f)
	each(p.body, function(step)
		if step.kind == "fold" then f(step.stage) end
	end)
end

local function vector(j, width, from) return string.format("%s%s", from, j > 0 and " + " .. j * width or "") end

-- Where vector j has the mark: masks of the words below it, and of its own.
local function emit_masks(t, V, width, j, own)
	t:line("const %s count%d = %s + %d;", V, j, prelude.use("COUNT_%s", V), j * width / MARK)
	t:line("const %s below%d = (%s)(count%d < word);", V, j, V, j)
	if own then t:line("const %s own%d = (%s)(count%d == word);", V, j, V, j) end
end

local function emit_mark(t, stage, V)
	t:line("uint8_t mark[%d];", MARK)
	t:line("%s_mark(s, (uint32_t)k, mark);", stage.name)
	t:line("const %s word = SPLAT(%s, (uint32_t)((next - i) / %d));", V, V, MARK)
	prelude.use "SPLAT"
end

-- C that compares n bytes that came with the mark's, from byte `from` on (nil: the first), as the stage heeds them.
function M.compare(stage, bytes, from, n)
	from = from and " + " .. from or ""
	if not stage.heed then return string.format("s->ilp.bad |= ilp_differ(%s, mark%s, %s)", bytes, from, n) end
	return string.format("s->ilp.bad |= ilp_differ_in(%s, mark%s, %s_heed%s, %s)", bytes, from, stage.name, from, n)
end

local function names(count)
	local xs = {}
	for j = 0, count - 1 do xs[j + 1] = "x" .. j end
	return xs
end

local function emit_vectors(t, part, isa, width, xs)
	if part then turn.vectors(t, part, isa, width, xs, "i", nil, true) end
end

local function emit_counted(t, which)
	if t.counted then t:line("ilp_counted[%d] -= %d; /* there twice */", which, MARK) end
end

local function emit_insert(t, p, isa, width, count, V, xs)
	t:line("%s %s;", V, table.concat(xs, ", "))
	t:open("if (next - i >= %d) {", width * count)
	for j, x in ipairs(xs) do t:line("%s = LOAD_DATA(%s, %s);", x, V, vector(j - 1, width, "src + (i - shift)")) end
	emit_vectors(t, p.before, isa, width, xs)
	t:close(" else {")
	t.depth = t.depth + 1
	emit_mark(t, p.frame.stage, V)
	prelude.use "LOAD"
	for j, x in ipairs(xs) do
		local from = vector(j - 1, width, "src + (i - shift)")
		emit_masks(t, V, width, j - 1, true)
		t:line("%s = LOAD_DATA(%s, %s);", x, V, from)
		-- The mark is not in the first one of all.
		t:line("const %s behind%d = LOAD(%s, %s);", V, j - 1, V,
			j == 1 and "src + (i > 0 ? i - shift - 4 : 0)" or from .. " - 4")
		t:line("%s = (%s & below%d) | (behind%d & ~below%d);", x, x, j - 1, j - 1, j - 1)
	end
	emit_vectors(t, p.before, isa, width, xs)
	for j, x in ipairs(xs) do
		t:line("%s = (%s & ~own%d) | (SPLAT(%s, LOAD(uint32_t, mark)) & own%d);", x, x, j - 1, V, j - 1)
	end
	emit_counted(t, 0)
	t:line("shift += %d, k++, next += %d;", MARK, p.frame.stage.every + MARK)
	t:close()
	emit_vectors(t, p.after, isa, width, xs)
	for j, x in ipairs(xs) do t:line("STORE_DATA(%s, %s);", vector(j - 1, width, "dst + i"), x) end
end

local function emit_remove(t, p, isa, width, count, V, xs)
	local stage = p.frame.stage
	for j, x in ipairs(xs) do t:line("%s %s = LOAD_DATA(%s, %s);", V, x, V, vector(j - 1, width, "src + i")) end
	t:line("uint8_t *const to = dst + (i - shift);")
	emit_vectors(t, p.before, isa, width, xs)
	t:open("if (next - i < %d) {", width * count)
	emit_mark(t, stage, V)
	t:line("%s;", M.compare(stage, "src + next", nil, MARK))
	for j, x in ipairs(xs) do
		emit_masks(t, V, width, j - 1, false)
		t:line("%s = (%s & below%d) | (LOAD(%s, %s + 4) & ~below%d);", x, x, j - 1, V, vector(j - 1, width, "src + i"),
			j - 1)
	end
	prelude.use "LOAD"
	emit_counted(t, 1)
	t:line("shift += %d, k++, next += %d;", MARK, stage.every + MARK)
	t:close()
	emit_vectors(t, p.after, isa, width, xs)
	for j, x in ipairs(xs) do t:line("STORE_DATA(%s, %s);", vector(j - 1, width, "to"), x) end
end

local EMIT = { insert = emit_insert, remove = emit_remove }

-- The function: have bytes from src on, the next mark, which is mark k, so many bytes behind the first. Returns bytes
-- of the side that has the marks, and in *marks how many of these were among them.
function M.emit(t, loops, loop, p, isa, width, count)
	local V, xs = isa_table.type(width, 32), names(count)
	local left = p.frame.kind == "insert" and "have - (i - shift)" or "have - i"
	turn.reset()
	t:func(string.format("%sstatic size_t %s(%s)", isa_table.attribute(isa), loops.name(loop, isa, "_through"),
		"struct chain *s, uint8_t *dst, const uint8_t *src, size_t have, uint64_t k, size_t next, size_t *marks"))
	t:line("size_t i = 0, shift = 0;")
	each_fold(p, function(stage) fold.open(t, stage, isa) end)
	turn.declare(t, p.body, width)
	each_fold(p, function(stage) fold.declare(t, stage, width, fold.sums(stage, isa)) end)
	t:open("for (; %s >= %d; i += %d) {", left, M.least(width, count), width * count)
	EMIT[p.frame.kind](t, p, isa, width, count, V, xs)
	t:close()
	each_fold(p, function(stage) fold.reduce(t, stage, isa, width, fold.sums(stage, isa)) end)
	t:line("const size_t n = i;")
	t:line("(void)n;")
	each_fold(p, function(stage) fold.close(t, stage) end)
	t:line("*marks = shift / %d;", MARK)
	t:line("return i;")
	t:endfunc()
end

-- The call, in the driver, before it goes on to the next mark.
function M.emit_call(t, loops, loop, p, isa, width, count, advance)
	local insert = p.frame.kind == "insert"
	local period = p.frame.stage.every + MARK
	t:open("if (n >= %d && rest %% %d == 0 && rest >= %d) {", M.least(width, count), MARK, width)
	t:line("size_t marks;")
	t:line("const size_t all = %s(s, dst, src, n, k, rest, &marks);", loops.name(loop, isa, "_through"))
	if insert then
		t:line("const size_t data = all - marks * %d;", MARK)
		t:line("marked = marks > 0 && all == rest + %d + (marks - 1) * %d;", MARK, period)
		t:line("dst += all;")
		advance "data"
	else
		t:line("dst += all - marks * %d;", MARK)
		advance "all"
	end
	t:line("continue;")
	t:close()
end

return M
