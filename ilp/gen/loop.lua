-- Loops in C: one pass over the data for the steps of a loop (schedule.lua), whether that is one stage or a whole
-- chain.
--
-- Without a stream, a loop is one function, which works down from the widest vectors to pieces of a few bytes. With one
-- it is three: `_near` takes the keystream from memory, `_wide` makes it in registers, and the loop itself uses `_wide`
-- wherever a whole turn of it fits and begins with a block, `_near` elsewhere. In the place of `_wide`, beside folds in
-- order, stands `_piped`: it makes the next turn's keystream and does between the steps of that, which wait for each
-- other, what is to be done with the data of this turn. With a frame (marks in the data) it is a
-- driver, frame.lua, around a loop without it. A loop that stores by the caches has `_out` in its name; it does so
-- where the destination is aligned.
--
-- at is the place of the first byte in the ADU; at1, at2, … are the places behind the first, second, … frame of a
-- loop.
local fold = require "gen.fold"
local frame = require "gen.frame"
local isa_table = require "gen.isa"
local plan = require "gen.plan"
local prelude = require "gen.prelude"
local stream = require "gen.stream"
local turn = require "gen.turn"

local M = {}

-- Loops of steps beside which there is no other.
local ALONE = { recode = require "gen.recode", stuff = require "gen.stuff", tap = require "gen.tap" }

-- Parameters -------------------------------------------------------------------------------------------------------

local TYPES = { s = "struct chain *", dst = "uint8_t *", src = "const uint8_t *", n = "size_t ", have = "size_t " }
local function type_of(name)
	return TYPES[name] or (name:match("^at") and "uint64_t " or "const uint8_t *")
end

-- The coordinates that a loop must be told, beyond those that its own frames lead to.
local function places(loop, near)
	local used, most = {}, 0
	for _, step in ipairs(loop.steps) do
		local c = step.coord - loop.coord
		if step.kind == "stream" and not near or turn.counts(step) or step.reframes or step.kind == "tap" then
			-- Back to the first one that can be told from.
			while loop.led[c] do c = c - 1 end
			used[c], most = true, math.max(most, c)
		end
	end
	local list = {}
	for c = 0, most do
		if used[c] then list[#list + 1] = c == 0 and "at" or "at" .. c end
	end
	return list
end

local function needs_state(loop, near)
	for _, step in ipairs(loop.steps) do
		local map = step.kind == "map" and turn.keyed(step)
		if step.kind == "fold" or step.kind == "stream" and not near or map or step.reframes or step.alone then
			return true
		end
	end
	return false
end

-- What a loop is handed: only what it uses.
function M.parameters(loop, suffix)
	local near, list = suffix:match("^_near") ~= nil, {}
	local function add(name, used)
		if used then list[#list + 1] = name end
	end
	add("s", needs_state(loop, near))
	for _, name in ipairs(places(loop, near)) do add(name, true) end
	add("dst", loop.writes)
	add("src", true)
	for _, step in ipairs((near or suffix == "_piped") and loop.streams or {}) do add("ks_" .. step.name, true) end
	add("have", suffix == "_piped") -- bytes of it
	add("n", true)
	return list
end

function M.uses(loop, name)
	for _, parameter in ipairs(M.parameters(loop, "")) do
		if parameter == name then return true end
	end
	return false
end

function M.name(loop, isa, suffix) return loop.name .. "_" .. isa.name .. suffix end

function M.head(loop, isa, suffix)
	local list = M.parameters(loop, suffix)
	for k, name in ipairs(list) do list[k] = type_of(name) .. name end
	-- What `_piped` spills is to stand below the caller's frame, not in it: calls of few bytes would use as much stack.
	local own = suffix == "_piped" and "__attribute__((noinline)) " or ""
	if own ~= "" and isa.registers == 16 then own = prelude.use "MIXED" .. " " .. own end
	return string.format("%sstatic %s%s %s(%s)", isa_table.attribute(isa), own, loop.resizes and "size_t" or "void",
		M.name(loop, isa, suffix), table.concat(list, ", "))
end

-- The call of a loop. given: C expressions for parameters that are called otherwise where the call stands.
function M.call(loop, isa, suffix, given)
	local list = M.parameters(loop, suffix)
	for k, name in ipairs(list) do list[k] = given[name] or name end
	return string.format("%s(%s)", M.name(loop, isa, suffix), table.concat(list, ", "))
end

-- Moves all that a loop is handed on by m bytes.
function M.advance(loop, suffix, m)
	local list = {}
	for _, name in ipairs(M.parameters(loop, suffix)) do
		if name ~= "s" and not name:match("^ks_") then list[#list + 1] = name .. (name == "n" and " -= " or " += ") .. m end
	end
	return table.concat(list, ", ") .. ";"
end

-- Light loops ------------------------------------------------------------------------------------------------------

-- f(stage) for each fold of a kind: whether accumulators last; nil: both.
local function each_fold(loop, f, lasting)
	for _, step in ipairs(loop.steps) do
		if step.kind == "fold" and (lasting == nil or fold.lasts(step.stage) == lasting) then f(step.stage) end
	end
end

local function folds_in_order(loop)
	local any = false
	each_fold(loop, function(stage) any = any or fold.in_order(stage) end)
	return any
end

-- Whether some fold takes several vectors at once.
local function several(loop)
	local any = false
	each_fold(loop, function(stage) any = any or stage.steps ~= nil end)
	return any
end

local function place(j, width) return "i" .. (j > 0 and " + " .. j * width or "") end

-- One turn over count vectors at src + i. All loads come first: dst may be src.
local function emit_turn(t, loop, isa, width, count, main, store)
	local V, xs = isa_table.type(width, 32), {}
	for j = 0, count - 1 do
		xs[j + 1] = "x" .. j
		t:line("%s%s x%d = LOAD_DATA(%s, src + %s);", loop.changes and "" or "const ", V, j, V, place(j, width))
	end
	turn.vectors(t, loop, isa, width, xs, "i", function(step, j)
		return string.format("LOAD(%s, ks_%s + %s)", V, step.name, place(j - 1, width))
	end, main)
	if loop.writes then
		for j = 0, count - 1 do t:line("%s(dst + %s, x%d);", store or "STORE_DATA", place(j, width), j) end
	end
end

local function emit_turns(t, loop, isa, width, count, main, store)
	t:open("for (; n - i >= %d; i += %d) {", width * count, width * count)
	emit_turn(t, loop, isa, width, count, main, store)
	t:close()
end

-- Vectors of a turn of the main loop. In each turn all accumulators of a fold in order come equally often; and as many
-- as are taken at once, where that fits.
function M.unroll(loop, isa, width)
	local group = turn.group(loop, width)
	local count = group * math.max(1, math.floor(isa.unroll / group))
	each_fold(loop, function(stage)
		if stage.steps then
			count = fold.SEVERAL % group == 0 and math.max(count, fold.SEVERAL) or count
		elseif fold.in_order(stage) and not stage.serial then -- whole units are in the group already
			count = plan.lcm(count, stage.words * fold.sums(stage, isa))
		end
	end)
	return count
end

-- The loops of a width: the main one, where the width has one, then single vectors, or as few as there must be at
-- once; neither where main is all. They share the accumulators of folds whose units count in any order; those of the
-- others are the main loop's, since unit by unit goes on from what these come to.
local function emit_width(t, loop, isa, width, main, store)
	local count, few = M.unroll(loop, isa, width), turn.group(loop, width)
	local single = main ~= "all" and not (main and few >= count)
	local function declare(stage) fold.declare(t, stage, width, main and fold.sums(stage, isa) or 1) end
	local function reduce(stage) fold.reduce(t, stage, isa, width, main and fold.sums(stage, isa) or 1) end
	-- What narrower vectors take at once, they bring together sooner.
	local least = single and several(loop) and width > 16 and 16 * fold.SEVERAL + width or 0
	t:open("if (n - i >= %d) {", math.max(width * (single and few or count), least))
	turn.declare(t, loop, width)
	each_fold(loop, declare, true)
	if main then
		local apart = false
		each_fold(loop, function() apart = true end, false)
		if apart then
			t:open("if (n - i >= %d) {", width * count)
			each_fold(loop, declare, false)
		end
		emit_turns(t, loop, isa, width, count, true, store)
		if apart then
			each_fold(loop, reduce, false)
			t:close()
		end
	end
	if single and several(loop) then
		for c = main and count / 2 or count, 2 * few, -1 do
			if count % c == 0 and c % few == 0 then emit_turns(t, loop, isa, width, c, false, store) end
		end
	end
	if single then emit_turns(t, loop, isa, width, few, false, store) end
	each_fold(loop, reduce, true)
	t:close()
end

-- What is no whole vector, piece by piece; and the last bytes, where the data may end within a piece.
local function emit_pieces(t, loop, isa, whole)
	local piece = turn.piece(loop)
	local words = turn.piece_words(loop, piece)
	local function steps(rest)
		if words and not rest then
			t:line("%s x;", piece.T)
			for k, w in ipairs(words) do t:line("%s = LOAD_DATA(%s, src + i + %d);", w, words.T, (k - 1) * words.size) end
		else
			t:line("%s%s x = %s;", (loop.changes or not piece.plain) and "" or "const ", piece.T, rest
				and string.format("LOAD_DATA_LAST(%s, src + i, n - i)", piece.T)
				or string.format("LOAD_DATA(%s, src + i)", piece.T))
		end
		turn.piece_steps(t, loop, isa, piece, function(step, T, offset)
			local from = string.format("ks_%s + i%s", step.name, offset > 0 and " + " .. offset or "")
			if not rest then return string.format("LOAD(%s, %s)", T, from) end
			local size = tonumber(T:match("%d+")) / 8
			if size == piece.bytes then return string.format("LOAD_LAST(%s, %s, n - i)", T, from) end
			local left = offset > 0 and string.format("n - i - %d", offset) or "n - i"
			local here = string.format("%s < %d ? %s : %d", left, size, left, size)
			if offset > 0 then here = string.format("n - i < %d ? 0 : %s", offset, here) end
			return string.format("LOAD_LAST(%s, %s, %s)", T, from, here)
		end, rest)
		if loop.writes and words and not rest then
			for k, w in ipairs(words) do t:line("STORE_DATA(dst + i + %d, %s);", (k - 1) * words.size, w) end
		elseif loop.writes then
			t:line(rest and "STORE_DATA_LAST(dst + i, x, n - i);" or "STORE_DATA(dst + i, x);")
		end
	end
	t:open("for (; n - i >= %d; i += %d) {", piece.bytes, piece.bytes)
	steps()
	t:close()
	-- The data's end goes through each step by itself (pipe.lua).
	local ends = isa == isa_table.ends_of(isa, t.by_row) and #loop.steps == 1
	if ends and loop.unit < piece.bytes or whole % piece.bytes ~= 0 then
		t:open("if (i < n) {")
		steps "n - i"
		t:close()
	end
end

-- Whether vectors may leave something: what the loop is given is no multiple of what the narrowest do at once.
local function leaves(loop, widths, whole)
	local least = #widths > 0 and widths[#widths] * turn.group(loop, widths[#widths]) or math.huge
	return whole % least ~= 0 or loop.unit % least ~= 0
end

local function emit_light(t, loop, isa, suffix, whole)
	turn.reset()
	t:func(M.head(loop, isa, suffix))
	t:line("size_t i = 0;")
	each_fold(loop, function(stage) fold.open(t, stage, isa) end)
	local widths = turn.widths(loop, isa)
	local pieces = leaves(loop, widths, whole)
	local smaller = #widths > 1 or #widths > 0 and pieces -- one look at all of it
	for k, width in ipairs(widths) do
		emit_width(t, loop, isa, width, k == 1)
		if k == 1 and smaller then t:open("if (i < n) {") end
	end
	if pieces then emit_pieces(t, loop, isa, whole) end
	if smaller then t:close() end
	each_fold(loop, function(stage) fold.close(t, stage) end)
	t:endfunc()
end

-- The same, but its main loop stores by the caches: up to where the destination is aligned, and after the last whole
-- turn, the loop itself is called.
local function emit_light_out(t, loop, isa, suffix)
	local width = isa.widths[1]
	local whole = width * M.unroll(loop, isa, width)
	turn.reset()
	t:func(M.head(loop, isa, suffix .. "_out"))
	local few = turn.group(loop, width)
	if few > 1 and loop.unit % width ~= 0 then
		t:line("size_t lead = -(uintptr_t)dst %% %d;", width)
		t:line("for (unsigned k = 1; lead %% %d != 0 && k < %d; k++)", loop.unit, few)
		t:line("\tlead += %d;", width)
	else
		t:line("const size_t lead = -(uintptr_t)dst %% %d;", width)
	end
	t:line("")
	t:open("if (lead %% %d != 0 || n < lead + %d) {", loop.unit, whole)
	t:line("%s;", M.call(loop, isa, suffix, {}))
	t:line("return;")
	t:close()
	t:open("if (lead > 0) {")
	t:line("%s;", M.call(loop, isa, suffix, { n = "lead" }))
	t:line("%s", M.advance(loop, suffix, "lead"))
	t:close()
	t:line("const size_t all = n;")
	t:line("size_t i = 0;")
	t:open("{")
	t:line("n -= n %% %d;", whole)
	each_fold(loop, function(stage) fold.open(t, stage, isa) end)
	emit_width(t, loop, isa, width, "all", prelude.use("STREAM_%s%d", isa.name, width))
	each_fold(loop, function(stage) fold.close(t, stage) end)
	t:line("n = all;")
	t:close()
	t:line("if (i < n)")
	local given = {}
	for _, name in ipairs(M.parameters(loop, suffix)) do
		if name ~= "s" then given[name] = name == "n" and "n - i" or name .. " + i" end
	end
	t:line("\t%s;", M.call(loop, isa, suffix, given))
	t:endfunc()
end

-- Loops with streams -----------------------------------------------------------------------------------------------

-- Whether the keystream may stay in registers: a single one, beside steps that need no neighbours of a vector, and
-- folds in order only if these and their accumulators are few.
local function stays(loop, isa)
	if #turn.widths(loop, isa) == 0 or #loop.streams ~= 1 then return false end
	local group = turn.group(loop, isa.widths[1])
	if not stream.quads(loop.streams[1].stage) then return group == 1 and not folds_in_order(loop) end
	return group == 1 or fold.SEVERAL % group == 0 and stream.widest(loop.streams[1].stage, isa).vectors % group == 0
end

-- What makes most of a loop's first keystream.
local function widest(loop, isa) return stream.widest(loop.streams[1].stage, isa) end

-- n is a multiple of what the widest kernel makes, and the place of the stream begins a block.
local function emit_wide(t, loop, isa, out)
	local step, one = loop.streams[1], widest(loop, isa)
	local width, bytes = one.width, one.bytes
	local V = isa_table.type(width, 32)
	turn.reset()
	t:func(M.head(loop, isa, out and "_wide_out" or "_wide"))
	each_fold(loop, function(stage) fold.open(t, stage, isa) end)
	turn.declare(t, loop, width)
	each_fold(loop, function(stage) fold.declare(t, stage, width, fold.sums(stage, isa)) end)
	t:open("for (size_t i = 0; i < n; i += %d) {", bytes)
	t:line("%s w[%d];", V, one.vectors)
	t:line("%s(s->%s_state, (uint32_t)((%s + i) / %d), w);", stream.kernel_name(step.stage, isa, one), step.name,
		turn.place(loop, step), step.stage.unit)
	local function load(j) t:line("%s x%d = LOAD_DATA(%s, src + i + %d);", V, j, V, j * width) end
	local function store(j)
		t:line("%s(dst + i + %d, x%d);", out and prelude.use("STREAM_%s%d", isa.name, width) or "STORE_DATA", j * width, j)
	end
	local xs, keys = {}, {}
	stream.in_order(t, step.stage, one, function(j, key)
		load(j)
		if several(loop) or turn.group(loop, width) > 1 then
			xs[j + 1], keys[j + 1] = "x" .. j, key
		else
			turn.vectors(t, loop, isa, width, { "x" .. j }, "i + " .. j * width, function() return key end, true, j)
			store(j)
		end
	end)
	for k = 1, #xs, fold.SEVERAL do
		turn.vectors(t, loop, isa, width, { unpack(xs, k, k + fold.SEVERAL - 1) }, "i + " .. (k - 1) * width,
			function(_, j) return keys[k + j - 1] end, true, 0)
	end
	for j = 0, #xs - 1 do store(j) end
	t:close()
	each_fold(loop, function(stage) fold.reduce(t, stage, isa, width, fold.sums(stage, isa)) end)
	each_fold(loop, function(stage) fold.close(t, stage) end)
	t:endfunc()
end

-- Vectors that `_piped` does in each turn of the loop in the stream's block, and in how many turns it has done all;
-- nil where there is no such loop, and for what keeps its keystream in registers.
local function pieces(loop, isa)
	local turns = #loop.streams == 1 and stream.turns(loop.streams[1].stage)
	if not turns or #turn.widths(loop, isa) == 0 or not folds_in_order(loop) then return nil end
	local group = turn.group(loop, widest(loop, isa).width)
	local count = widest(loop, isa).vectors / group
	if count % 1 ~= 0 then return nil end -- steps that want other vectors at once than there are
	local each = 1
	while count / each > turns do each = each * 2 end
	return each * group, count / each
end

-- Whether it has a form on any machine.
local function anywhere(loop, has)
	for _, isa in ipairs(isa_table.list) do
		if has(loop, isa) then return true end
	end
	return false
end
function M.is_piped(loop) return anywhere(loop, pieces) end
function M.is_streamed(loop) return anywhere(loop, M.streams_out) end

-- The place of the stream begins a block, and n is more than the bytes of keystream that are there, whole pieces.
local function emit_piped(t, loop, isa)
	local step, one = loop.streams[1], widest(loop, isa)
	local width, bytes = one.width, one.bytes
	local V = isa_table.type(width, 32)
	local count = pieces(loop, isa)
	turn.reset()
	local function all(f) each_fold(loop, f) end
	-- The vectors of one piece, at i + j, the keystream of which is at now + j.
	local function piece(u)
		local xs = {}
		u.above = t.above
		for k = 0, count - 1 do
			xs[k + 1] = "y" .. k
			u:line("%s y%d = LOAD_DATA(%s, src + i + j + %d);", V, k, V, k * width)
		end
		turn.vectors(u, loop, isa, width, xs, "i + j", function(_, k)
			return string.format("LOAD(%s, now + j + %d)", V, (k - 1) * width)
		end, "single")
		for k = 0, count - 1 do u:line("STORE_DATA(dst + i + j + %d, y%d);", k * width, k) end
	end
	t:func(M.head(loop, isa, "_piped"))
	local at, unit, name = turn.place(loop, step), step.stage.unit, step.name
	t:line("uint8_t *const keys = s->%s_ahead.bytes; /* of two turns */", name)
	t:line("const uint8_t *now = ks_%s;", name)
	t:line("size_t i = 0;")
	all(function(stage) fold.open(t, stage, isa) end)
	turn.declare(t, loop, width)
	all(function(stage) fold.declare(t, stage, width, 1) end)
	t:open("while (n - i > have) {")
	t:line("uint8_t *const next = keys + (now < keys + %d ? %d : 0);", bytes, bytes)
	t:line("const unsigned pieces = (unsigned)(have / %d);", count * width)
	t:line("%s w[%d];", V, one.vectors)
	t:open("{")
	stream.emit_block(t, step.stage, isa, width, "s->" .. name .. "_state", string.format(
		"(uint32_t)((%s + i + have) / %d)", at, unit), "pieces", function(u)
			u:line("const size_t j = piece * %d;", count * width)
			piece(u)
		end)
	t:close()
	stream.transpose(t, width, function(k, vector) t:line("STORE(next + %d, %s);", k * width, vector) end)
	t:line("i += have, now = next, have = %d;", bytes)
	t:close()
	t:line("s->%s_ahead.from = %s + i, s->%s_ahead.to = %s + i + have;", name, at, name, at)
	t:line("s->%s_ahead.at = (uint32_t)(now - keys);", name)
	t:line("size_t j = 0;")
	t:open("for (; n - i - j >= %d; j += %d) {", count * width, count * width)
	piece(t)
	t:close()
	all(function(stage) fold.reduce(t, stage, isa, width, 1) end)
	t:line("const size_t rest = n - i - j;")
	t:line("n -= rest;")
	all(function(stage) fold.close(t, stage) end)
	t:line("if (rest > 0)")
	t:line("\t%s;", M.call(loop, isa, "_near", { dst = "dst + n", src = "src + n", ["ks_" .. step.name] = "now + j",
		n = "rest" }))
	t:endfunc()
end

-- The keystreams of the data to come, m bytes at most but a unit at least, and how much there is of each. most: no more
-- than that is made of what is not there.
local function emit_keystreams(t, loop, isa, most)
	for _, step in ipairs(loop.streams) do
		local name = step.name
		t:line("size_t have_%s;", name)
		t:line("const uint8_t *const ks_%s = %s(s, %s, %s, %d, &have_%s);", name, stream.ahead_name(step.stage, isa),
			turn.place(loop, step), most and string.format("m < %d ? m : %d", most, most) or "m", loop.unit, name)
	end
end

local function emit_call_near(t, loop, isa)
	for _, step in ipairs(loop.streams) do t:line("m = m < have_%s ? m : have_%s;", step.name, step.name) end
	if loop.unit > 1 then
		t:line("if (m < n)")
		t:line("\tm -= m %% %d;", loop.unit)
	end
	t:line("%s;", M.call(loop, isa, "_near", { n = "m" }))
end

-- What is there already is used first where there is little data.
local function emit_call_wide(t, loop, isa, out)
	local first, one = loop.streams[1], widest(loop, isa)
	local whole, at = one.bytes, turn.place(loop, first)
	t:open("if (%s %% %d == 0 && n >= %d && (n >= %d || !%s(s, %s))) {", at, first.stage.unit, whole, 4 * whole,
		stream.has_name(first.stage), at)
	t:line("m -= n %% %d;", whole)
	if out then
		t:line("if ((uintptr_t)dst %% %d == 0)", one.width)
		t:line("\t%s;", M.call(loop, isa, "_wide_out", { n = "m" }))
		t:line("else")
		t:line("\t%s;", M.call(loop, isa, "_wide", { n = "m" }))
	else
		t:line("%s;", M.call(loop, isa, "_wide", { n = "m" }))
	end
end

-- Of a keystream that is less than half in use a narrower kernel makes less.
local function emit_call_piped(t, loop, isa)
	local first, whole = loop.streams[1], widest(loop, isa).bytes
	local have, piece = "have_" .. first.name, pieces(loop, isa) * widest(loop, isa).width
	t:line("const size_t half = (size_t)(ks_%s - s->%s_ahead.bytes) %% %d; /* where in one it begins */", first.name,
		first.name, whole)
	t:open("if (%s %% %d == 0 && n > %s + %d && %s %% %d == 0 && half + %s <= %d) {", turn.place(loop, first),
		first.stage.unit, have, whole / 2, have, piece, have, whole)
	t:line("const size_t last = (n - %s) %% %d;", have, whole)
	t:line("m = last <= %d ? n - last : n;", whole / 2)
	t:line("%s;", M.call(loop, isa, "_piped", { n = "m", have = have }))
end

-- Chooses between `_wide`, or `_piped`, and `_near`, which takes keystream that is made ahead.
local function emit_driver(t, loop, isa, out)
	local wide, piped = stays(loop, isa), pieces(loop, isa) ~= nil
	t:func(M.head(loop, isa, out and "_out" or ""))
	t:open("while (n > 0) {")
	t:line("size_t m = n;")
	if piped then emit_keystreams(t, loop, isa, widest(loop, isa).bytes) end
	if wide then emit_call_wide(t, loop, isa, out) elseif piped then emit_call_piped(t, loop, isa) end
	if wide or piped then
		t:close(" else {")
		t.depth = t.depth + 1
	end
	if not piped then emit_keystreams(t, loop, isa) end
	emit_call_near(t, loop, isa)
	if wide or piped then t:close() end
	t:line("%s", M.advance(loop, "", "m"))
	t:close()
	t:endfunc()
end

-- Fewer bytes than that do not come to a main loop, nor to another one of as many vectors.
function M.main_bytes(loop, isa)
	local widths = turn.widths(loop, isa)
	local least = #loop.streams > 0 and stays(loop, isa) and widest(loop, isa).bytes
		or widths[1] and widths[1] * M.unroll(loop, isa, widths[1]) or math.huge
	for _, width in ipairs(widths) do
		local group = turn.group(loop, width)
		if group > isa.unroll then least = math.min(least, width * group) end
	end
	return least
end

-- All ------------------------------------------------------------------------------------------------------------

-- Whether the loop has a form that stores by the caches on that instruction set.
function M.streams_out(loop, isa)
	return loop.writes and not loop.reframes and not loop.alone and not loop.only_moves and isa.stores ~= nil
		and #turn.widths(loop, isa) > 0
		and (#loop.streams == 0 or stays(loop, isa))
end

-- done: the loops that are there already. whole: the bytes that a loop is given are a multiple of that, but for the one
-- of the instruction set that ends the data. out: also in a form that stores by the caches.
function M.emit(t, loop, isa, done, whole, out)
	local key = loop.name .. " " .. isa.name
	if not done[key] then
		done[key] = true
		if loop.alone then return ALONE[loop.alone.kind].emit(M, t, loop, isa) end
		if loop.reframes then return frame.emit(t, loop, isa, done, whole) end
		t:line("/* %s */", table.concat(loop.names, ", then "))
		if #loop.streams == 0 then
			emit_light(t, loop, isa, "", whole)
		else
			emit_light(t, loop, isa, "_near", whole)
			if stays(loop, isa) then emit_wide(t, loop, isa) end
			if pieces(loop, isa) then emit_piped(t, loop, isa) end
			emit_driver(t, loop, isa)
		end
	end
	if out and M.streams_out(loop, isa) and not done[key .. " out"] then
		done[key .. " out"] = true
		t:line("/* %s, past the caches */", table.concat(loop.names, ", then "))
		if #loop.streams == 0 then
			emit_light_out(t, loop, isa, "")
		else
			emit_wide(t, loop, isa, true)
			emit_driver(t, loop, isa, true)
		end
	end
end

frame.loops(M)
return M
