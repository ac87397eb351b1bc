-- Mistakes in descriptions of maps that move bytes, of layouts, and of kinds that change the length; and in such as are
-- insecure. As describe.lua: luajit tests/ilp/describe_kinds.lua
package.path = "ilp/?.lua;tests/ilp/?.lua;" .. package.path
local main = require "gen.main"
local common = require "describe.common"
local check, write, chain, change = common.check, common.write, common.chain, common.change
local complains, stage_mistake, chain_mistake = common.complains, common.stage_mistake, common.chain_mistake
local MAP, map, stream = common.MAP, common.map, common.stream

-- Maps that move bytes.
local LAYOUT = [[
return stage {
	name = "probe",
	standard = "none",
	kind = "map",
	layout = { 4, 8, "12", 2, 2 },
	order = "big",
	tail = "pass",
}
]]
local function layout(from, to) return change(LAYOUT, from, to) end

stage_mistake("wrong unit of several words", 5, "unit is 516", map("unit = 4", "unit = 516"))
stage_mistake("a unit no words fit", 6, "word is 64 bits, expected a part",
	map("unit = 4,", "unit = 12,\n\tword = 64,"))
stage_mistake("a unit that is computed with", 8, "apply does more with its 28 bytes than to move them",
	change(map("unit = 4,", "unit = 28,\n\tword = 32,"), "return big(w)", "w[1] = add(w[1], 1) return w"))
stage_mistake("an inverse that computes", 9, "inverse does more with its 28 bytes",
	change(change(map("unit = 4,", "unit = 28,\n\tword = 32,"), "return big(w)", "return w"), '"self"',
		"function(w) w[1] = xor(w[1], 0) return w end"))
stage_mistake("a half of a byte that is cleared", 8, "apply does more with its 28 bytes",
	change(map("unit = 4,", "unit = 28,\n\tword = 32,"), "return big(w)", "w[1] = and_(w[1], 0xf0ffffff) return w"))
stage_mistake("a layout's number", 5, "part 2 of layout is 3", layout("8", "3"))
stage_mistake("a layout's bytes", 5, 'part 3 of layout is "0"', layout('"12"', '"0"'))
stage_mistake("a layout's table", 5, "part 1 of layout is a table", layout("4", "{ 4 }"))
stage_mistake("no zeros", 5, "part 2 of layout is a table", layout("8", "{ zeros = 0 }"))
stage_mistake("zeros and a half", 5, "part 2 of layout is a table", layout("8", "{ zeros = 1.5 }"))
stage_mistake("zeros and more", 5, "part 2 of layout is a table", layout("8", "{ zeros = 8, 3 }"))
stage_mistake("zeros by another name", 5, "part 2 of layout is a table", layout("8", "{ zeroes = 8 }"))
stage_mistake("a layout that is not filled", 5, "layout has 27 bytes", layout('"12"', '"11"'))
stage_mistake("a layout that is too long", 5, "layout has 516 bytes", layout('"12"', '"500"'))
stage_mistake("a layout of nothing", 5, "layout has 0 bytes", layout('4, 8, "12", 2, 2', ""))
stage_mistake("a layout with a hole", 5, "layout has nothing at place 2", layout("8", "nil"))
stage_mistake("a layout without an order", 1, "order is nothing", layout('\torder = "big",\n', ""))
stage_mistake("a layout and a function", 8, "unknown field 'apply'",
	layout('"pass",', '"pass",\n\tapply = function(w) return w end,'))
stage_mistake("a layout and a unit", 8, "unknown field 'unit'", layout('"pass",', '"pass",\n\tunit = 28,'))
local function arrays(n, from, to)
	return change(layout(from or "8", to or "8"), '"pass",', '"pass",\n\tarrays = ' .. n .. ",")
end
for _, n in ipairs { "1", "0", "-2", "2.5", "19", "0 / 0" } do
	stage_mistake(n .. " arrays", 8, "arrays is", arrays(n))
end
stage_mistake("arrays of a kind", 8, 'arrays is "2", expected a number', arrays '"2"')
stage_mistake("arrays of nothing", 5, "layout has 0 bytes", arrays(2, '4, 8, "12", 2, 2', ""))
stage_mistake("arrays that are not filled", 5, "layout has 54 bytes", arrays(2, '"12"', '"11"'))
stage_mistake("arrays without a layout", 6, "unknown field 'arrays'", map("unit = 4,", "unit = 4,\n\tarrays = 2,"))

-- Kinds that change the length, and what is insecure.
local RECODE = [[
return stage {
	name = "probe",
	standard = "none",
	kind = "recode",
	from = 2,
	to = 3,
	apply = function(w) return little(or_(and_(little(w), 0xff), shl(shr(little(w), 8), 16))) end,
	inverse = function(x) x = little(x) return { little(or_(and_(x, 255), and_(shr(x, 8), 0xff00))), and_(x, 0xff00) } end,
	last = function(w) return little(or_(little(w), 0x100)) end,
	unlast = function(w)
		w = little(w)
		local one = and_(shr(w, 8), 1)
		return { little(or_(and_(w, 0xff), and_(shr(w, 8), 0xff00))), sub(2, one), and_(w, choose(one, 0xfffe00, 0xff00)) }
	end,
}
]]
local function recode(from, to) return change(RECODE, from, to) end
local PACK = 'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "recode",\n'
	.. '\tlayout = { 4, { 3 }, "2" },\n\torder = "big",\n}\n'
for name, text in pairs { layout = LAYOUT, recode = RECODE, pack = PACK, number = layout('4, 8, "12", 2, 2', "4"),
	zeros = layout('"12"', "{ zeros = 12 }") } do
	write("stages/probe.lua", text)
	write("chains/c.lua", chain '"probe", "copy"')
	common.is_right(name .. " as it should be")
end
stage_mistake("recode of too much", 5, "from is 5, expected bytes from 1 to 4", recode("from = 2", "from = 5"))
stage_mistake("recode without a last", 1, "last is missing of units of 2 bytes", (RECODE:gsub("\tlast[^\n]*\n", "")))
stage_mistake("recode with a last too many", 9, "last is there of units of 1 bytes", recode("from = 2", "from = 1"))
stage_mistake("recode that makes too much", 7, "apply gives 0x", recode("to = 3", "to = 2"))
stage_mistake("recode that does not come back", 8, "inverse gives 0x",
	recode("and_(x, 255)", "and_(x, 127)"))
stage_mistake("recode that refuses its own", 8, "inverse gives 0x",
	recode("and_(x, 0xff00) } end", "and_(x, 0xff) } end"))
stage_mistake("recode that counts wrong", 10, "unlast gives 0x2 for the word 0x", recode("sub(2, one)", "2"))
stage_mistake("recode of one word", 8, "what inverse returns is one word",
	recode("x = little(x) return {", "do return x end return {"))
stage_mistake("a layout without a hole", 5, "layout has 6 bytes of which 6 go", change(PACK, "{ 3 }, ", ""))
stage_mistake("a layout of holes", 5, "layout has 3 bytes of which 0 go", change(PACK, '4, { 3 }, "2"', "{ 3 }"))
stage_mistake("a layout with zeros that is packed", 5, "part 2 of layout is a table",
	change(PACK, "{ 3 }", "{ zeros = 3 }"))
stage_mistake("a hole of nothing", 5, "part 2 of layout is a table", change(PACK, "{ 3 }", "{ 0 }"))
write("stages/probe.lua", PACK)
chain_mistake("structures behind what is refused", 3,
	"'probe' needs whole units of 9 bytes, but 'base64' leaves a length that is no multiple", chain '"base64", "probe"')
write("stages/probe.lua", layout('"12"', "{ zeros = 12 }"))
chain_mistake("zeros in what is enciphered", 3, "'probe' makes zeros of what memory has, but 'chacha20' has had other",
	chain '"copy", "chacha20", "probe"')
chain_mistake("zeros in a value", 3, "but 'inet_checksum' has had other",
	chain '{ "inet_checksum", at = "tail" }, "probe"')
chain_mistake("zeros behind a value that is asked for", 3, "but 'crc32c' has had other",
	chain '"crc32c", "probe", "copy"')
write("chains/c.lua", chain '"copy", "probe", "inet_checksum", "chacha20"')
common.is_right "zeros before all that looks at the data"
write("stages/probe.lua", change(layout('"12"', '"9", { zeros = 3 }'), '"pass",', '"pass",\n\tarrays = 2,'))
common.is_right "zeros in arrays"
stage_mistake("a stuffing of nothing", 5, "run is 0, expected bytes from 1 to 254",
	'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "stuff",\n\trun = 0,\n}\n')
stage_mistake("keys of a tap", 5, "unknown field 'params'",
	'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "tap",\n\tparams = { { "key", 4 } },\n}\n')
stage_mistake("insecure without the name", 2, "expected historic_…", map("\ttail", "\tinsecure = true,\n\ttail"))
local LIST = "local T = {}\nfor k = 1, 256 do T[k] = (k * 5 + 3) % 256 end\n"
stage_mistake("a table where time tells", 9, "lookup() in apply, expected none where its time may tell",
	LIST .. map("big(w)", "xor(w, lookup(w, T))"))
stage_mistake("a table in a stream", 12, "lookup() in block, expected none in what vectors do",
	LIST .. change(stream("add(s[1], i)", "lookup(add(s[1], i), T)"), "unit = 64,", "unit = 64, public = true,"))
stage_mistake("a short table", 9, "place 256 of the list of lookup() is nothing",
	"local T = {}\nfor k = 1, 255 do T[k] = k end\n" .. change(map("big(w)", "lookup(w, T)"), "unit = 4,",
		"unit = 4, public = true,"))
stage_mistake("no table", 7, "operand 2 of lookup() is 5", map("big(w)", "lookup(w, 5)"))
write("stages/historic_probe.lua",
	(MAP:gsub('"probe"', '"historic_probe"'):gsub("\ttail", "\tinsecure = true,\n\ttail")))
chain_mistake("insecure unawares", 3, "'historic_probe' is insecure, expected a chain that knows",
	chain '"copy", "historic_probe"')
chain_mistake("insecure for nothing", 4, "insecure is true of a chain whose stages are not",
	'return chain {\n\tname = "c",\n\tstages = { "copy" },\n\tinsecure = true,\n}\n')
chain_mistake("insecure = false", 4, "insecure is a boolean, expected true",
	'return chain {\n\tname = "c",\n\tstages = { "copy" },\n\tinsecure = false,\n}\n')
for _, list in ipairs { "recode", "stuff" } do
	write("stages/probe.lua", list == "recode" and RECODE
		or 'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "stuff",\n\trun = 9,\n}\n')
	chain_mistake(list .. " in place", 3, "'probe' changes places in the data",
		'return chain {\n\tname = "c",\n\tstages = { "probe" },\n\tinplace = true,\n}\n')
end

-- Marks that begin somewhere, folds that are cut anywhere and begin as the state says.
do
	local reframe = 'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "reframe",\n\tevery = 16,\n'
		.. '\talign = 8,\n\tparams = { { "key", 4 } }, public = true,\n\tbegin = function(p) return { p.key[1] } end,\n'
		.. "\tfirst = function(s) return and_(s[1], 8) end,\n\tmark = function(i, s) return { i, s[1] } end,\n}\n"
	local cut = 'return stage {\n\tname = "probe",\n\tstandard = "none",\n\tkind = "fold",\n\tunit = 8,\n\ttail = "any",\n'
		.. "\tzero = 0,\n\tinit = function() return 7 end,\n\tstep = function(acc, w) return xor(acc, sum(w)) end,\n"
		.. "\tmerge = function(a, b) return xor(a, b) end,\n\tlast = function(acc, w) return xor(acc, sum(w)) end,\n"
		.. '\tfinish = function(acc) return acc end,\n\tsize = 8,\n\torder = "big",\n}\n'
	local sum = "local function sum(w) for k = 1, 3 do w = xor(w, rotl(w, 4 * 2 ^ k)) end return and_(w, 255) end\n"
	local function broken(text, from, to) return sum .. change(text, from, to) end
	for name, text in pairs { marks = reframe, fold = sum .. cut } do
		write("stages/probe.lua", text)
		write("chains/c.lua", chain '"probe", "copy"')
		common.is_right(name .. " as they should be")
	end
	stage_mistake("a first mark too far", 9, "first gives 24 bytes, expected a multiple of 8 up to 16",
		change(reframe, "and_(s[1], 8)", "and_(s[1], 24)"))
	stage_mistake("a first mark at no multiple", 9, "first gives", change(reframe, "and_(s[1], 8)", "and_(s[1], 12)"))
	stage_mistake("an align of nothing", 6, "align is 0, expected bytes from 1 to 16",
		change(reframe, "align = 8", "align = 0"))
	stage_mistake("an align of what begins at once", 6, "align is there without first",
		change(reframe, "\tfirst = function(s) return and_(s[1], 8) end,\n", ""))
	for heed, name in pairs { ["{ 255 }"] = "short", ["{ 1, 2, 3, 4, 5, 6, 7, 256 }"] = "wide" } do
		stage_mistake("a mark's bits, too " .. name, 6, "heed is no list of 8 numbers from 0 to 255",
			change(reframe, "\talign = 8", "\theed = " .. heed .. ", align = 8"))
	end
	stage_mistake("a first mark that tells of a key", 9, "first is made of secrets",
		change(reframe, " public = true,", ""))
	stage_mistake("data decides the first mark", 10, "first gives 0x8 for the word",
		"local t = { [99] = 8 }\n" .. change(reframe, "and_(s[1], 8)", "t[s[1]] or and_(s[1], 8)"))
	stage_mistake("a last that is right at the end only", 12, "1 bytes cut off 17:",
		broken(cut, "last = function(acc, w) return", "last = function(acc, w) acc = rotl(acc, 1) return"))
	stage_mistake("a beginning of two words", 9, "what init returns is a table",
		broken(cut, "return 7", "return { 7, 7 }"))
	stage_mistake("a beginning that is no word", 9, "what init returns is nothing", broken(cut, "return 7", "return"))
	stage_mistake("what earlier calls left decides a beginning", 10, "init gives 0x",
		"local n = 0\n" .. broken(cut, "return 7", "n = n + 1 return n"))
	write("stages/probe.lua", change(change(reframe, "align = 8", "align = 4"), "and_(s[1], 8)", "and_(s[1], 12)"))
	write("chains/c.lua", chain '"xdr_u64", "probe", "copy"')
	local _, page = main.explain(common.root .. "/chains/c.lua")
	local why = page and page.directions[1].reasons[1]
	check(why and why:find("units of 8 bytes of 'xdr_u64' straddle the first mark of 'probe', which may be at any "
		.. "multiple of 4", 1, true), "first marks that tear words", why)
end

-- Units that only far apart come together.
do
	write("stages/probe.lua", layout('"12"', '"236"'))
	write("chains/c.lua", chain '"probe", "copy"')
	common.is_right "units of 252 bytes"
	write("stages/probe.lua", layout('"12"', '"492"'))
	common.is_right "units of 508 bytes"
	write("stages/probe.lua", layout('"12"', '"236"'))
	write("stages/line.lua", (map("unit = 4,", "unit = 64,\n\tword = 32,"):gsub('"probe"', '"line"'):gsub(
		"return big%(w%)", "local t = { unpack(w) } t[1] = xor(w[1], 1) return t")))
	write("chains/c.lua", chain '"probe", "line", "copy"')
	complains("units of 252 and of 64 bytes", "chains/c.lua", 3,
		"8064 bytes may wait for a unit of 4032, in which those of all stages are whole, expected 1024 at most")
end


-- What an explanation warns of, and why there are two loops.
do
	local text, page = main.explain("historic_safer_copy_sum")
	check(text:find("INSECURE: 'historic_safer' protects nothing", 1, true) and page.stages[3].insecure, "insecure", text)
	text, page = main.explain("tests/ilp/chains/text_head.lua")
	check(text:find("DEBUG: 'hexdump' shows the data to whoever sets hexdump.sink", 1, true) and page.stages[2].debug,
		"a tap", text)
	local reasons = page.directions[1].reasons
	check(reasons[1] == "'base64' changes the length of units: 'hexdump' is in another loop"
		and reasons[2] == "'hexdump' shows the data to who debugs: 'fletcher32' is in another loop", "cuts", reasons[1])
	text = main.explain("copy_sum")
	check(not text:find("INSECURE", 1, true) and not text:find("DEBUG", 1, true), "nothing to warn of", text)
end

common.done "ilp kinds"
