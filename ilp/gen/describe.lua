-- Loads descriptions of stages and checks them: fields and their types, then what the functions
-- return, by tracing them into graphs, then the laws they must obey, by running them on numbers.
--
-- A stage is `return stage { … }` in a file of its name, with name, standard (what it follows, or "none"), kind
-- and, by kind:
--
--	map      changes the data unit by unit (1, 2, 4, 8, 16, 32 or 64 bytes; where functions only move bytes, or clear
--	         them, any multiple of 4 up to 512). apply(w, i, s) and inverse(w, i, s) return
--	         a word, or a table of words where `word` says that a unit has several (bits of one; default: the unit,
--	         64 at most). Words are as the machine loads them: big() and little() make their order that of a format.
--	         i is the number of the unit, as a word: of 8 bits, modulo 256. inverse is "self" when apply undoes
--	         itself, false when nothing does.
--	         tail = "pass": an incomplete last unit passes unchanged; "whole": there must be none.
--	         In the place of unit, word, functions and inverse: layout, the parts of a unit, as { 4, 8, 4, "8", 4 } has
--	         them: numbers of 2, 4, 8 or 16 bytes, and in quotes how many bytes stand between them. With it goes order
--	         ("big", "little"), that of numbers in the format: where the machine's is the other one, they are reversed;
--	         and arrays = n, if a unit is n of these, which become n of their first parts, n of their second, and so on.
--	         { zeros = 3 } stands for 3 bytes that are zeros in the format: they go as zeros, whatever memory has there;
--	         on the way in, what came is left there, to be looked at. Such a map stands first. (Of an incomplete last
--	         unit all bytes pass.)
--	         moves = true with unit 1 and apply the identity: here the data goes to its destination
--	fold     computes a value of the data, of `size` bytes. zero is the accumulator that adds nothing: a 64-bit word,
--	         or a table of such; init, that with which the data begins [zero]; or init(s), which gives it.
--	         step(acc, w, k, s) is acc with one unit more (4 bytes: w below 2^32; 8; 16: two words), which stands k units
--	         behind its last one; merge(a, b, k, s) is a, then b, which ends k units later; both with k a plain number, a
--	         power of 2 up to 128 / unit (units of 16 bytes: 32). steps(acc, w, k, s), where it is less work: acc with
--	         #w units more (2, 4, 8), each k units behind the one before. finish(acc, s) gives the value: a word, or two
--	         of 8 bytes; finish(acc, s, w), of the authenticator of a pair, with a last unit w before. order: how its
--	         bytes are sent ("big", "little", or "memory" for as the machine has them). With word = 128, units are one
--	         such word, and so are accumulators.
--	         tail = "zero": an incomplete last unit counts as if zeros followed, and units in any order, without params;
--	         then join(a, b, len_a) is the value of len_a bytes that came to a followed by such that came to b.
--	         tail = "last": last(acc, w, n, s) takes the last n bytes, which zeros follow in w. tail = "any": likewise,
--	         and it is right anywhere, not at the end only: the data may be cut where it is no unit
--	hash     a fold whose units, of 64 bytes, are folded one after another: init(s) is the accumulator with which the
--	         data begins, step(acc, w, s) that with one unit more, four words of 128 bits; finish(acc, s), size and order
--	         as of a fold. The data is filled up with a bit that is 1, zeros, and 64 bits, in that order, of how many
--	         bits it had and the `before` bytes that were folded before it [0]
--	stream   is xored to the data. block(s, i) gives the 16 words of 32 bits of block i, as memory is to hold them; with
--	         word = 128, one such word
--	pair     authenticated encryption: cipher, a stream, and authenticator, a fold, whose tag goes behind the data. Its
--	         parameters are the cipher's but for counter, of which counter = { bytes } is that of the data's first
--	         block. Of the keystream's block before that is the authenticator's parameter `before`; of the block of a
--	         nonce and a counter of zeros is `zero`. most: bytes of data before the counter comes round; of more, end
--	         says EFBIG. lengths(a, n) is the unit that ends what is authenticated: a bits that are associated with
--	         the data, and n of it
--	reframe  puts mark(i, s), words of 32 bits as memory is to hold them, before each run i of `every` bytes; the first
--	         behind first(s) bytes of data [0], `every` at most, a multiple of align [1]. Its inverse takes them out and
--	         compares them, in those bits of each byte that heed says [all], a list of bytes
--	recode   makes `to` bytes of `from`, 1 to 4 of each. apply(w) is given and returns a word of 32 bits that holds these
--	         as memory does, zeros behind them; inverse(w) returns { word, bad }, bad being 0 where apply makes such.
--	         Where `from` is more than 1, last(w, n) has the last n bytes of the data, fewer than that; and unlast(w), of
--	         the last `to` bytes, returns { word, how many of its bytes there are, bad }.
--	         In the place of all these: layout, as a map's, and { 3 } for a hole of 3 bytes, which is left out, and is
--	         zeros when it comes back; and order. An incomplete last unit of data counts as if zeros followed
--	stuff    takes zeros out of the data: it is cut at them, and after `run` bytes without one; before each piece goes
--	         its length, plus 1 (COBS: run = 254)
--	tap      shows the data to who asks for it, to debug: by the parameter NAME.sink (struct ilp_tap, ilp/run.h), after
--	         begin, which clears it
--	pad      fills up to a multiple of `to` bytes, with `least` (0, 1) or more. fill(k, n) is the k-th of n such bytes, a
--	         plain number; the last one tells n. Its inverse compares them and takes them off
--
-- With params, a list of { name, bytes }, and begin(p), a stage has a state of words: begin makes them of p.name[1
-- …], words as memory holds them, and functions are given them as s. They are of 32 bits, in a fold or a map of
-- 64-bit words of 64, of 128 where the stage's are; what fills none is filled with zeros. With expand(p), the state
-- begins with what that makes, once for a key. public = true: these parameters are no secrets, and neither is the
-- data for their sake. Where that is so of all that a chain has, its loops spare the time to clear what they leave in
-- memory.
--
-- like = "NAME" takes over what fields are not given from that stage, in the same folder.
--
-- The functions use the word operations of ops.lua, and Lua for what does not depend on the data. Constants from 2^53
-- on are written with ULL: Lua's own numbers have no more bits.
--
-- insecure = true says of a stage that what it protects is not safe by it: it is kept for what it was, and called
-- historic_… . A chain of such stages has to say the same.
--
-- Names are of a-z, 0-9 and _, and none that the C means something else by (names.lua): of stages x1, load, tile are
-- taken, of parameters words of C (more, last, int).
local field = require "gen.field"
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local graph = require "gen.graph"
local laws = require "gen.laws"
local pair = require "gen.pair"
local layout = require "gen.layout"
local move = require "gen.move"
local trace = require "gen.trace"

local M = {}

M.BLOCK_WORDS = 16 -- that a stream makes at a time

local KEYED = { params = { "table", optional = true }, begin = { "function", optional = true },
	expand = { "function", optional = true }, public = { true, false, optional = true } }
local COMMON = { name = "string", standard = "string", insecure = { true, optional = true },
	like = { "string", optional = true },
	kind = { "map", "fold", "hash", "stream", "pair", "reframe", "recode", "stuff", "tap", "pad" } }
local FIELDS = {
	map = { unit = "number", word = { 8, 16, 32, 64, optional = true }, apply = "function",
		inverse = { "self", false, "function" }, moves = { true, false, optional = true }, tail = { "pass", "whole" } },
	fold = { unit = { 4, 8, 16 }, word = { 64, 128, optional = true }, zero = { "number", "table" },
		init = { "number", "table", "function", optional = true }, step = "function", steps = { "function", optional = true },
		merge = "function",
		finish = "function", size = { 2, 4, 8, 16 }, order = { "big", "little", "memory" }, tail = { "zero", "last", "any" },
		join = { "function", optional = true }, last = { "function", optional = true } },
	pair = pair.FIELDS,
	hash = { unit = { 64 }, init = "function", step = "function", finish = "function", size = { 16, 32 },
		order = { "big", "little" }, before = { "number", optional = true } },
	stream = { unit = { 16, 64 }, word = { 32, 128, optional = true }, block = "function" },
	reframe = { every = "number", mark = "function", first = { "function", optional = true },
		align = { "number", optional = true }, heed = { "table", optional = true } },
	recode = { from = "number", to = "number", apply = "function", inverse = "function",
		last = { "function", optional = true }, unlast = { "function", optional = true } },
	stuff = { run = "number" },
	tap = {},
	pad = { to = "number", least = { 0, 1 }, fill = "function" },
}
-- A map whose units are described by what stands in them.
local LAYOUTS = {
	map = { layout = "table", order = { "big", "little" }, tail = { "pass", "whole" },
		arrays = { "number", optional = true } },
	recode = { layout = "table", order = { "big", "little" } },
}
local UNKEYED = { pair = true, recode = true, stuff = true, tap = true, pad = true }

local one, many, word_or_words, item = trace.one, trace.many, trace.word_or_words, trace.item

-- Kinds ----------------------------------------------------------------------------------------------------------

local function check_params(d, bits)
	local least = math.min(bits / 8, bits == 128 and 4 or 8)
	d.params, d.param_bytes = {}, 0
	if field.check_list(d, "params", d.fields.params) == 0 then
		field.fail(d, "params", "params is empty, expected { { \"key\", 32 }, … }; add the key")
	end
	for k, p in ipairs(d.fields.params) do
		local name, size = type(p) == "table" and p[1], type(p) == "table" and p[2]
		if type(name) ~= "string" or not name:match("^[a-z][a-z0-9_]*$") or type(size) ~= "number"
		or size < least or size > 128 or size % least ~= 0 then
			field.fail(d, "params",
				"parameter %d is not { name, bytes }, expected a name and a multiple of %d up to 128; correct it", k, least)
		end
		for _, other in ipairs(d.params) do
			if other.name == name then
				field.fail(d, "params", "parameter '%s' is given twice, expected each name once; rename one", name)
			end
		end
		d.params[k] = { name = name, size = size, words = math.ceil(size / (bits / 8)) }
		d.param_bytes = d.param_bytes + size
	end
	d.fields.params = {} -- a copy, as the fields are
	for k, p in ipairs(d.params) do d.fields.params[k] = { p.name, p.size } end
end

-- The state that begin makes; none without params.
local function check_keyed(d, bits, must)
	d.state_bits, d.state_words, d.expand_words = bits, 0, 0
	if d.fields.params == nil and d.fields.begin == nil and not must then return end
	if d.fields.params == nil or d.fields.begin == nil then
		local missing = d.fields.params == nil and "params" or "begin"
		field.fail(d, missing, "field '%s' is missing, expected params and begin together; add it", missing)
	end
	check_params(d, bits)
	d.begin = trace.of(d, "begin", bits, { { params = d.params } }, many "begin")
	laws.agree(d, d.begin)
	d.state_words = #d.begin.results
	if d.fields.expand then
		d.expand = trace.of(d, "expand", bits, { { params = d.params } }, many "expand")
		laws.agree(d, d.expand)
		d.expand_words = #d.expand.results
		d.state_words = d.state_words + d.expand_words
	end
	if d.state_words < 1 or d.state_words > 64 then
		field.fail(d, "begin", "%s %d words, expected 1 to 64; keep no more state",
			d.expand and "begin and expand return" or "begin returns", d.state_words)
	end
end

local check = {}

-- What the layout says, as if it was said by a function.
local function from_layout(d)
	local f, line = d.fields, d.line
	d.layout, f.unit = layout.of_map(d)
	f.word, d.unit = layout.bits(d.layout), f.unit
	d.kept, d.kept_here = layout.kept(d.layout, f.word, "to"), layout.kept(d.layout, f.word, "at")
	if next(d.kept) == nil then d.kept = nil end
	f.apply = layout.apply(d.layout, f.word, f.order, d.kept)
	f.inverse = (d.kept or f.arrays) and layout.apply(d.layout, f.word, f.order, nil, true) or "self"
	function d.line(name) return line((name == "apply" or name == "inverse") and "layout" or name) end
end

local function check_unit(d)
	local unit = d.fields.unit
	if unit ~= 1 and unit ~= 2 and (unit < 4 or unit % 4 ~= 0 or unit > layout.MOST) then
		field.fail(d, "unit", "unit is %s, expected 1, 2 or a multiple of 4 up to %d; correct it", sandbox.show(unit),
			layout.MOST)
	end
	d.bits = d.fields.word or unit <= 8 and unit * 8 or unit % 8 == 0 and 64 or 32
	d.words = unit * 8 / d.bits
	if d.words < 1 then
		field.fail(d, "word", "word is %d bits, expected no more than the unit's %d; correct it", d.bits, unit * 8)
	elseif d.words % 1 ~= 0 then
		field.fail(d, "word", "word is %d bits, expected a part of the unit's %d; correct it", d.bits, unit * 8)
	end
end

-- Vectors are told how to move bytes of any unit, but not how to compute with its words.
local function check_moves(d, g)
	local unit = d.fields.unit
	if (unit > 64 or 64 % unit ~= 0) and not move.of_graph(g, d.words, d.bits / 8) then
		sandbox.fail(d.file, g.line, "%s does more with its %d bytes than to move them, expected a unit of 1, 2, 4, 8, 16, "
			.. "32 or 64 for that; fill the unit up, or let another stage compute", g.field, unit)
	end
	return g
end

function check.map(d)
	local f = d.fields
	if f.layout then from_layout(d) end
	check_unit(d)
	d.moves, d.whole = f.moves or false, f.tail == "whole"
	check_keyed(d, d.bits == 64 and 64 or 32)
	if d.state_words > 0 and d.bits < 32 then
		field.fail(d, "params", "params with words of %d bits, expected 32 or 64 to be keyed; use a unit of 4", d.bits)
	end
	local n = d.words > 1 and d.words or nil
	local shape = { item("w", n), { word = "i" }, { words = "s", n = d.state_words } }
	local function way(name)
		return check_moves(d, trace.no_choice(d, trace.of(d, name, d.bits, shape, word_or_words(name, n))))
	end
	d.apply = way "apply"
	if d.moves and not (graph.is_identity(d.apply) and f.unit == 1) then
		field.fail(d, "apply", "apply changes the data of a stage that moves it, expected unit 1 and "
			.. "function(w) return w end; make it a stage of its own")
	end
	if f.inverse == "self" then
		d.inverse = d.apply
	elseif f.inverse then
		d.inverse = way "inverse"
	end
	laws.map(d)
end

local function trace_finish(d, acc, state)
	local shape = { acc, state, d.pair and { word = "a" }, d.pair and { word = "n" } }
	d.finish = trace.of(d, "finish", d.bits, shape, word_or_words("finish", d.value_words > 1 and d.value_words or nil))
end

local function trace_last(d, acc, state, w)
	local graphs = {}
	function d.last(n)
		graphs[n] = graphs[n] or trace.of(d, "last", d.bits, { acc, w, { plain = n }, state },
			word_or_words("last", d.acc_words))
		return graphs[n]
	end
end

local function check_fold_tail(d, acc, state, w)
	local f = d.fields
	local needs = f.tail == "zero" and "join" or "last"
	local other = f.tail == "zero" and "last" or "join"
	d.anywhere = f.tail ~= "last"
	if not f[needs] or f[other] then
		field.fail(d, f[needs] and other or needs, "tail is %q, expected %s() and no %s() with it; correct one of them",
			f.tail, needs, other)
	end
	if needs == "join" then
		if d.state_words > 0 then
			field.fail(d, "params", "params with tail \"zero\", expected none: values are joined without them; "
				.. "make tail \"last\"")
		end
		if d.acc_words or f.unit > 8 or d.value_words > 1 or f.init ~= nil then
			field.fail(d, "tail", "tail is \"zero\" of a fold of several words or with init, expected \"last\"; describe last()")
		end
		d.join = trace.of(d, "join", 64, { { word = "a" }, { word = "b" }, { word = "len_a" } }, one "join")
	else
		trace_last(d, acc, state, w)
	end
end

-- An accumulator that is given as a number or a list of numbers.
local function check_words(d, name)
	local v, words = d.fields[name], {}
	if type(v) ~= "table" then v = { v } else field.check_list(d, name, v) end
	for k, w in ipairs(v) do
		if type(w) ~= "number" or w % 1 ~= 0 or w < 0 or w >= 2^53 then
			field.fail(d, name, "%s is %s, expected integers from 0 to 2^53 - 1; correct it", name, sandbox.show(w))
		end
		words[k] = w
	end
	return words
end

-- What is taken from memory is 32 bits there, whatever the lanes are.
local function only_halves(d)
	for _, g in ipairs { d.step(1), d.last and d.last(1) or d.join } do
		local line = graph.find(g.scope, "big") or graph.find(g.scope, "little")
		if line then
			sandbox.fail(d.file, line, "big() or little() in %s, expected big32() or little32() where units are of 4 bytes; "
				.. "write those", g.field)
		end
	end
end

function check.fold(d)
	local f = d.fields
	d.acc_words = type(f.zero) == "table" and field.check_list(d, "zero", f.zero) or nil
	d.zero = check_words(d, "zero")
	d.init = f.init == nil and d.zero or type(f.init) ~= "function" and check_words(d, "init") or nil
	if d.init and #d.init ~= #d.zero or #d.zero < 1 or #d.zero > 8 then
		field.fail(d, "init", "zero has %d words and init %d, expected the same, 1 to 8; correct one of them", #d.zero,
			#d.init)
	end
	d.bits = f.word or 64
	if d.bits == 128 and f.unit ~= 16 then
		field.fail(d, "word", "word is 128 bits with a unit of %d bytes, expected a unit of 16; correct it", f.unit)
	end
	d.size, d.order, d.value_words = f.size, f.order, math.max(1, f.size * 8 / d.bits)
	d.words = f.unit * 8 > d.bits and 2 or 1
	check_keyed(d, d.bits)
	local acc, state = item("acc", d.acc_words), { words = "s", n = d.state_words }
	d.init = d.init or trace.of(d, "init", d.bits, { state }, word_or_words("init", d.acc_words))
	local w = item("w", d.words > 1 and d.words or nil)
	w.half = f.unit == 4
	local results = d.acc_words
	d.step = trace.family(d, "step", function(k)
		return trace.of(d, "step", d.bits, { acc, w, { plain = k }, state }, word_or_words("step", results))
	end)
	if f.steps then
		if d.words > 1 then
			field.fail(d, "steps", "steps of units of %d words, expected one; leave it out", d.words)
		end
		local of = {}
		function d.steps(k, n)
			of[n] = of[n] or trace.family(d, "steps", function(distance)
				return trace.of(d, "steps", d.bits, { acc, { words = "w", n = n }, { plain = distance }, state },
					word_or_words("steps", results))
			end)
			return of[n](k)
		end
	end
	d.merge = trace.family(d, "merge", function(k)
		return trace.of(d, "merge", d.bits, { item("a", results), item("b", results), { plain = k }, state },
			word_or_words("merge", results))
	end)
	trace_finish(d, acc, state)
	check_fold_tail(d, acc, state, w)
	d.step(1)
	d.merge(1)
	if f.unit == 4 then only_halves(d) end
	laws.fold(d)
end

-- A fold that is `serial`.
function check.hash(d)
	d.kind, d.serial, d.bits, d.words = "fold", true, 128, 4
	d.size, d.order, d.value_words, d.before = d.fields.size, d.fields.order, d.fields.size / 16, d.fields.before or 0
	if d.before % 64 ~= 0 or d.before < 0 or d.before > 2^32 then
		field.fail(d, "before", "before is %s, expected whole units of 64 bytes; correct it", sandbox.show(d.before))
	end
	check_keyed(d, 128)
	local state = { words = "s", n = d.state_words }
	d.init = trace.of(d, "init", 128, { state }, many "init")
	d.acc_words, d.zero = #d.init.results, {}
	if d.acc_words < 1 or d.acc_words > 4 then
		field.fail(d, "init", "init returns %d words, expected 1 to 4; fold to fewer", d.acc_words)
	end
	for k = 1, d.acc_words do d.zero[k] = 0 end
	local acc = item("acc", d.acc_words)
	d.step = trace.family(d, "step", function()
		return trace.of(d, "step", 128, { acc, item("w", 4), state }, many("step", d.acc_words))
	end)
	trace_finish(d, acc, state)
	for _, g in ipairs { d.init, d.step(1), d.finish } do laws.agree(d, g) end
end

function check.pair(d) pair.check(d) end

-- The fold of a pair: finish and last are its own.
function M.trace_tag(d)
	local acc, state = item("acc", d.acc_words), { words = "s", n = d.state_words }
	trace_finish(d, acc, state)
	trace_last(d, acc, state, item("w", d.words > 1 and d.words or nil))
	laws.agree(d, d.finish)
end

function check.stream(d)
	d.bits = d.fields.word or 32
	local unit = d.bits == 128 and 16 or 4 * M.BLOCK_WORDS
	if d.fields.unit ~= unit then
		field.fail(d, "unit", "unit is %d, expected %d of words of %d bits; correct it", d.fields.unit, unit, d.bits)
	end
	check_keyed(d, d.bits, true)
	d.block = trace.no_choice(d, trace.of(d, "block", d.bits, { { words = "s", n = d.state_words }, { word = "i" } },
		d.bits == 128 and one "block" or many("block", M.BLOCK_WORDS)))
	laws.agree(d, d.block)
end

-- A list of so many bytes.
local function check_bytes(d, name, count)
	local list, good = d.fields[name], true
	for k = 1, math.max(count, field.check_list(d, name, list)) do
		local byte = list[k]
		good = good and k <= count and type(byte) == "number" and byte % 1 == 0 and byte >= 0 and byte < 256
	end
	if not good then
		field.fail(d, name, "%s is no list of %d numbers from 0 to 255, expected one; correct it", name, count)
	end
	return list
end

function check.reframe(d)
	local f = d.fields
	field.check_integer(d, "every", 1, 65536, "bytes")
	d.every, d.bits = f.every, 32
	check_keyed(d, 32)
	local state = { words = "s", n = d.state_words }
	d.mark = trace.of(d, "mark", 32, { { word = "i" }, state }, many "mark")
	d.size = 4 * #d.mark.results
	if d.size < 4 or d.size > 64 then
		field.fail(d, "mark", "mark returns %d words, expected 1 to 16; make it that long", d.size / 4)
	end
	laws.agree(d, d.mark)
	d.heed = f.heed and check_bytes(d, "heed", d.size)
	if f.first and d.state_words > 0 and not f.public then
		field.fail(d, "first", "first is made of secrets, expected public = true: where marks stand, time tells; add it")
	end
	if f.first then
		d.align = f.align or 1
		if f.align then field.check_integer(d, "align", 1, d.every, "bytes") end
		d.first = trace.of(d, "first", 32, { state }, one "first")
		laws.first(d)
	elseif f.align then
		field.fail(d, "align", "align is there without first, expected both; add first, or remove align")
	end
end

function check.recode(d)
	local f = d.fields
	d.bits, d.state_words = 32, 0
	if f.layout then
		d.layout, d.from, d.to = layout.of_recode(d)
		d.unit = d.from
		return
	end
	field.check_integer(d, "from", 1, 4, "bytes")
	field.check_integer(d, "to", 1, 4, "bytes")
	d.from, d.to, d.unit = f.from, f.to, f.from
	for _, name in ipairs { "last", "unlast" } do
		if (f[name] ~= nil) ~= (f.from > 1) then
			field.fail(d, name, "%s %s of units of %d bytes, expected it %s; %s it", name,
				f[name] and "is there" or "is missing", f.from, f.from > 1 and "for incomplete ones" or "of longer ones only",
				f.from > 1 and "describe" or "remove")
		end
	end
	d.apply = trace.no_choice(d, trace.of(d, "apply", 32, { { word = "w" } }, one "apply"))
	d.inverse = trace.no_choice(d, trace.of(d, "inverse", 32, { { word = "w" } }, many("inverse", 2)))
	d.last = {}
	for n = 1, f.from - 1 do
		d.last[n] = trace.of(d, "last", 32, { { word = "w" }, { plain = n } }, one "last")
	end
	d.unlast = f.unlast and trace.of(d, "unlast", 32, { { word = "w" } }, many("unlast", 3))
	laws.recode(d)
end

function check.stuff(d)
	field.check_integer(d, "run", 1, 254, "bytes")
	d.run = d.fields.run
end

-- What a tap is told to show it to is no secret, and makes no state.
function check.tap(d) d.params, d.param_bytes = { { name = "sink", size = 16 } }, 16 end

function check.pad(d)
	local f = d.fields
	field.check_integer(d, "to", 2, 64, "bytes")
	d.to, d.least, d.rows = f.to, f.least, {}
	d.most = d.to - 1 + d.least
	local by_last = {}
	sandbox.run(d.file, d.line "fill", function()
		for n = 1, d.most do
			d.rows[n] = {}
			for k = 1, n do
				local byte = f.fill(k, n)
				if type(byte) ~= "number" or byte % 1 ~= 0 or byte < 0 or byte > 255 then
					sandbox.fail_here("fill(%d, %d) is %s, expected a number from 0 to 255; correct it", k, n,
						sandbox.show(byte))
				end
				d.rows[n][k] = byte
			end
			local last = d.rows[n][n]
			d.ambiguous = d.ambiguous or by_last[last] and string.format("its last byte does not tell whether "
				.. "it is one of %d or of %d", by_last[last], n)
			by_last[last] = n
		end
	end)
	if d.least == 0 then d.ambiguous = "there may be none, which the data cannot tell" end
end

-- Fields that are not given are those of the stage that it is like, in the same folder.
local function inherit(d)
	local like = d.fields.like
	if like == nil then return end
	if type(like) ~= "string" or not like:match("^[a-z][a-z0-9_]*$") then
		field.fail(d, "like", "like is %s, expected the name of a stage; correct it", sandbox.show(like))
	end
	local base = field.load(d.file:match("^(.*/)") .. like .. ".lua", "stage", ops.names)
	if not base or base.fields.like ~= nil then
		field.fail(d, "like", "like is %q, expected a stage in the same folder that is like no other; correct it", like)
	end
	for name, v in pairs(base.fields) do
		if d.fields[name] == nil then d.fields[name] = v end
	end
	d.fields.like = nil
end

-- What the generator knows of a stage: file, name, kind, standard, the description's own functions in
-- fields, and a graph of each of them under the same name.
function M.stage(file)
	local d = field.load(file, "stage", ops.names)
	if not d then return nil end
	inherit(d)
	field.check(d, COMMON)
	local kind = d.fields.kind
	local fields = d.fields.layout ~= nil and LAYOUTS[kind] or FIELDS[kind]
	local keyed = fields ~= LAYOUTS[kind] and not UNKEYED[kind] and KEYED or {}
	field.check(d, fields)
	field.check(d, keyed)
	field.check_known(d, COMMON, fields, keyed)
	field.check_name(d)
	field.check_comment(d, "standard")
	d.insecure = d.fields.insecure
	if d.insecure and not d.fields.name:match("^historic_") then
		field.fail(d, "name", "name is %q of a stage that is insecure, expected historic_…, so that whoever reads it "
			.. "is told; rename it", d.fields.name)
	end
	d.name, d.kind, d.unit, d.standard = d.fields.name, kind, d.fields.unit or 1, d.fields.standard
	check[kind](d)
	return d
end

return M
