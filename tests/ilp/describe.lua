-- Mistakes in descriptions: each gives one complaint, file:line: what, expected …; what to do, and writes no file.
-- Then what the generator promises about its outputs. Run from the top of the source: luajit tests/ilp/describe.lua
package.path = "ilp/?.lua;tests/ilp/?.lua;" .. package.path
local main = require "gen.main"
local plan = require "gen.plan"
local common = require "describe.common"
local check, write, read, chain = common.check, common.write, common.read, common.chain
local complains, stage_mistake, chain_mistake = common.complains, common.stage_mistake, common.chain_mistake
local root, MAP, FOLD, STREAM = common.root, common.MAP, common.FOLD, common.STREAM
local map, fold, stream = common.map, common.fold, common.stream

-- The unchanged descriptions are right.
for name, text in pairs { map = MAP, fold = FOLD, stream = STREAM } do
	write("stages/probe.lua", text)
	write("chains/c.lua", chain '"copy", "probe"')
	common.is_right(name .. " as it should be")
end

stage_mistake("syntax", 7, "unexpected symbol", map("return big(w)", "return )"))
stage_mistake("no description", 1, "returns nothing", "local x = 1\n")
stage_mistake("a number instead", 1, "returns 7", "return 7\n")
stage_mistake("a chain instead", 1, "unknown name 'chain'", "return chain { name = 'x' }\n")
stage_mistake("no table", 1, "was given nothing", "return stage()\n")
stage_mistake("missing name", 1, "field 'name' is missing", map('\tname = "probe",\n', ""))
stage_mistake("missing apply", 1, "field 'apply' is missing", map("\tapply = function(w) return big(w) end,\n", ""))
stage_mistake("missing inverse", 1, "inverse is nothing", map('\tinverse = "self",\n', ""))
stage_mistake("missing standard", 1, "field 'standard' is missing", map('\tstandard = "none",\n', ""))
stage_mistake("name of another", 2, 'expected "probe"', map('"probe"', '"y"'))
stage_mistake("name no identifier", 2, "lower-case", map('"probe"', '"X-1"'))
stage_mistake("wrong type", 7, 'apply is "big"', map("function(w) return big(w) end", '"big"'))
stage_mistake("wrong kind", 4, 'kind is "mop"', map('"map"', '"mop"'))
stage_mistake("wrong unit", 5, "unit is 3", map("unit = 4", "unit = 3"))
stage_mistake("a word wider than its unit", 6, "word is 32 bits", map("unit = 4,", "unit = 2,\n\tword = 32,"))
stage_mistake("a table for one word", 7, "what apply returns is a table", map("big(w)", "{ w }"))
stage_mistake("one word of several", 8, "operand 1 of big() is a table", map("unit = 4,", "unit = 4,\n\tword = 16,"))
stage_mistake("wrong tail", 6, 'tail is "drop"', map('"pass"', '"drop"'))
stage_mistake("unknown field", 9, "unknown field 'inverted'",
	map('inverse = "self",', 'inverse = "self",\n\tinverted = 1,'))
stage_mistake("apply returns nothing", 7, "what apply returns is nothing", map("return big(w)", "big(w)"))
stage_mistake("apply returns a table", 7, "what apply returns is a table", map("return big(w)", "return { w }"))
stage_mistake("moves and changes", 8, "changes the data of a stage that moves",
	map("\ttail", "\tmoves = true,\n\ttail"))
stage_mistake("wrong inverse", 8, "inverse makes", map('"self"', "function(w) return add(w, 1) end"))
stage_mistake("not its own inverse", 7, "inverse makes", map("big(w)", "add(w, 1)"))
stage_mistake("global write", 7, "'t' is assigned as a global", map("return big(w)", "t = w return w"))
stage_mistake("global read", 7, "unknown name 'os'", map("return big(w)", "return os.time()"))
stage_mistake("no input and output", 7, "unknown name 'io'", map("return big(w)", 'io.write("x") return w'))
stage_mistake("no require", 1, "unknown name 'require'", 'local ffi = require "ffi"\n' .. MAP)
stage_mistake("operator", 7, "a Lua operator on a word", map("big(w)", "w + 1"))
stage_mistake("comparison", 7, "a Lua operator on a word", map("return big(w)", "if w < 7 then return w end return w"))
stage_mistake("field of a word", 7, "field 'x' of a word", map("big(w)", "w.x"))
stage_mistake("missing operand", 7, "operand 2 of add() is nothing", map("big(w)", "add(w)"))
stage_mistake("surplus operand", 7, "more than 2 operands", map("big(w)", "add(w, 1, 2)"))
stage_mistake("operand no word", 7, 'operand 2 of add() is "1"', map("big(w)", 'add(w, "1")'))
stage_mistake("operand too large", 7, "operand 2 of add() is 4294967296", map("big(w)", "add(w, 4294967296)"))
stage_mistake("operand negative", 7, "operand 2 of add() is -1", map("big(w)", "add(w, -1)"))
stage_mistake("operand broken", 7, "operand 2 of add() is 0.5", map("big(w)", "add(w, 0.5)"))
stage_mistake("count too large", 7, "operand 2 of rotl() is 32", map("big(w)", "rotl(w, 32)"))
stage_mistake("count a word", 7, "operand 2 of shl() is a word", map("big(w)", "shl(w, w)"))
stage_mistake("choice by data", 7, "choose() in apply", map("big(w)", "choose(w, w, big(w))"))
stage_mistake("operation outside", 1, "outside of the stage's functions", "local k = add(1, 2)\n" .. MAP)
stage_mistake("infinite loop", 7, "still running", map("return big(w)", "while true do end"))
stage_mistake("infinite loop at load", 1, "still running", "while true do end\n" .. MAP)
stage_mistake("endless recursion", 7, "overflow",
	map("return big(w)", "local function f(x) return 1 + f(x) end return f(w)"))
stage_mistake("string of all memory", 7, "method 'rep'", map("return big(w)", 'local s = ("x"):rep(1e9) return w'))
stage_mistake("index of nothing", 7, "attempt to index", map("return big(w)", "local t return t.x"))
stage_mistake("repeat no function", 7, "repeat_(3, 4", map("big(w)", "repeat_(3, 4, { w })[1]"))
stage_mistake("repeat no times", 7, "repeat_(0", map("big(w)", "repeat_(0, function(t) return t end, { w })[1]"))
stage_mistake("repeat without end", 7, "more than 2000000 operations",
	map("big(w)", "repeat_(1e15, function(t) return t end, { w })[1]"))
stage_mistake("repeat in repeat", 7, "more than 2000000 operations", map("big(w)",
	"repeat_(2000, function(t) return repeat_(2000, function(u) return { xor(u[1], 1) } end, t) end, { w })[1]"))
stage_mistake("repeat loses words", 7, "has 1 words, expected 2",
	map("big(w)", "repeat_(2, function(t) return { t[1] } end, { w, w })[1]"))
for what, text in pairs { ['"*/"'] = "*/ int pwned; /*", ['"/*"'] = "a /* b", ["a control character"] = "a\\nb",
		["a backslash"] = "a \\\\" } do
	stage_mistake("standard that is no comment", 3, what, map('"none"', '"' .. text .. '"'))
end
for _, zero in ipairs { "0.5", "-1", "1 / 0", "0 / 0", "2^60" } do
	stage_mistake("fold zero " .. zero, 7, "zero is", fold("zero = 0", "zero = " .. zero))
end
stage_mistake("unknown field that is a pattern", 1, "unknown field '('", map("\ttail", '\t["("] = 1,\n\ttail'))
stage_mistake("compiled", 1, "compiled Lua", string.dump(loadstring("return 1")))

stage_mistake("fold missing join", 1, "expected join() and no last()", (FOLD:gsub("\tjoin.*\n\tend,\n", "")))
stage_mistake("a keyed fold that is joined", 5, "params with tail \"zero\", expected none",
	(FOLD:gsub("unit = 4,", 'unit = 4, params = { { "key", 8 } }, begin = function(p) return { p.key[1] } end,')))
stage_mistake("step no word", 8, "what step returns is a boolean", fold("return xor(acc, w)", "return true"))
stage_mistake("order of bytes in a lane", 8, "expected big32() or little32()", fold("xor(acc, w)", "xor(acc, big(w))"))
stage_mistake("order of 32 bits in a map", 7, "big32() on words of 32 bits", map("big(w)", "big32(w)"))
stage_mistake("fold unit", 5, "unit is 2", fold("unit = 4", "unit = 2"))
stage_mistake("fold zero", 7, "zero is", fold("zero = 0", 'zero = "0"'))
stage_mistake("join forgets parity", 11, "joining 1 and 24 bytes", fold("and_(len_a, 1)", "0"))
stage_mistake("merge loses a lane", 9, "shared among 2 accumulators",
	fold("xor(a, b) end,\n\tfinish", "a end,\n\tfinish"))
stage_mistake("order of words counts", 9, "shared among 2 accumulators", fold("xor(acc, w)", "xor(rotl(acc, 1), w)"))

stage_mistake("block returns 15", 11, "has 15 words, expected 16", stream("1, 16", "1, 15"))
stage_mistake("block returns nothing", 11, "what block returns is nothing", stream("\t\treturn out\n", ""))
stage_mistake("block returns a word", 9, "one word", stream("local out = {}", "do return s[1] end local out = {}"))
stage_mistake("begin returns nothing", 7, "what begin returns is nothing", stream("return { p.key[1] }", ""))
stage_mistake("no state", 7, "begin returns 0 words", stream("{ p.key[1] }", "{}"))
stage_mistake("unknown parameter", 7, "attempt to index", stream("p.key", "p.kay"))
stage_mistake("state that is not there", 10, "operand 1 of add() is nothing", stream("add(s[1]", "add(s[2]"))
stage_mistake("parameter of odd size", 6, "parameter 1 is not", stream('"key", 4', '"key", 5'))
chain_mistake("stages with a hole", 3, "stages has nothing at place 2",
	chain '"copy", [2] = nil, [3] = "inet_checksum"')
chain_mistake("a stage by name", 3, "stages has an entry 'x'", chain '"copy", x = "inet_checksum"')
stage_mistake("parameters with a hole", 6, "params has nothing at place 2",
	stream('{ { "key", 4 } }', '{ { "key", 4 }, nil, { "more", 4 } }'))
stage_mistake("state with a hole", 7, "beside words 1 to 1", stream("{ p.key[1] }", "{ p.key[1], nil, nil, [7] = 1 }"))
stage_mistake("no parameters", 6, "params is empty", stream('{ { "key", 4 } }', "{}"))
stage_mistake("stream unit", 5, "unit is 16", stream("unit = 64", "unit = 16"))

write("stages/probe.lua", map('"self"', "false"))
chain_mistake("no inverse for the way back", 3, "'probe' has no inverse", chain '"copy", "probe"')
chain_mistake("unknown stage", 3, "unknown stage 'nosuch'", chain '"copy", "nosuch"')
chain_mistake("copy twice", 3, "moves the data after", chain '"copy", "copy"')
chain_mistake("stage twice", 3, "'xdr_u32' stands twice", chain '"xdr_u32", "copy", "xdr_u32"')
chain_mistake("a value of no fold", 3, "'xdr_u32' has no value", chain '{ "xdr_u32", at = "tail" }')
chain_mistake("a value nowhere", 3, "stage 1 has at = \"front\"", chain '{ "inet_checksum", at = "front" }')
chain_mistake("more of a stage", 3, "stage 1 has an entry 'key'", chain '{ "inet_checksum", key = 1 }')
chain_mistake("whole units of any length", 3, "'guid' needs whole units of 16 bytes, but the length may be any",
	chain '"guid"')
chain_mistake("whole units behind others", 3, "but 'mpa_marker' leaves", chain '"pkcs7_pad", "mpa_marker", "guid"')
chain_mistake("marks in place", 3, "'mpa_marker' changes places in the data",
	'return chain {\n\tname = "c",\n\tstages = { "mpa_marker" },\n\tinplace = true,\n}\n')
chain_mistake("no stages", 3, "stages is empty", chain "")
chain_mistake("stage no name", 3, "stage 2 is 7", chain '"copy", 7')
chain_mistake("stage by path", 3, 'stage 2 is "../stages/probe"', chain '"copy", "../stages/probe"')
chain_mistake("stage cut by a zero", 3, "stage 2 is", chain '"copy", "probe.lua\\0"')
chain_mistake("chain syntax", 3, "expected", 'return chain {\n\tname = "c"\n\tstages = {},\n}\n')
chain_mistake("chain without name", 1, "field 'name' is missing", 'return chain {\n\tstages = { "copy" },\n}\n')
chain_mistake("chain field", 4, "unknown field 'keys'",
	'return chain {\n\tname = "c",\n\tstages = { "copy" },\n\tkeys = 1,\n}\n')
chain_mistake("no operations in chains", 1, "unknown name 'add'", "local x = add(1, 2)\n" .. chain '"copy"')
do
	local ok, message = main.generate(root .. "/chains/none.lua", root .. "/out")
	check(not ok and message:find("none.lua:1: no such file, expected", 1, true), "no such chain", message)
	ok, message = main.generate(root .. "/chains", root .. "/out")
	check(not ok and message:find("chains:1: no regular file, expected a description; ", 1, true), "a folder", message)
	os.execute("mkfifo " .. root .. "/chains/pipe.lua")
	ok, message = main.generate(root .. "/chains/pipe.lua", root .. "/out")
	check(not ok and message:find("pipe.lua:1: no regular file", 1, true), "a pipe that never begins", message)
	os.execute("ln -s loop.lua " .. root .. "/chains/loop.lua")
	ok, message = main.generate(root .. "/chains/loop.lua", root .. "/out")
	check(not ok and message:find("loop.lua:1: Too many levels of symbolic links, expected", 1, true),
		"a file that cannot be opened", message)
end

-- Data must not decide: a word that is compared, looked into or asked for its parts cannot be traced.
for what, does in pairs {
	["a word is compared"] = "if w == 0xdeadbeef then return 0 end return w",
	["a word is compared "] = "if 0xdeadbeef ~= w then return w end return 0",
	["a word is compared,"] = "if big(w) == w then return w end return 0",
	["field 'op' of a word"] = 'if w.op == "input" then return w end return big(w)',
	["field 'line' of a word"] = "w.line = 7 return w",
	["a Lua operator on a word"] = "for k = 1, #w do w = big(w) end return w",
	["expected Lua that runs"] = "for k in ipairs(w) do return w end return w",
} do
	stage_mistake("data decides: " .. does, 7, what:gsub(" $", ""), map("return big(w)", does))
end
stage_mistake("data decides by a table", 8, "apply gives 0x7 for the word 0xdeadbeef, but 0xdeadbeef",
	"local t = { [0xdeadbeef] = 7 }\n" .. map("big(w)", "t[w] or w"))
stage_mistake("data decides the inverse", 10, "inverse gives 0x7 for the word 0x",
	"local t = { [0x12345679] = 7 }\n\n" .. map('"self"', "function(w) return t[w] or big(w) end"))
stage_mistake("data decides a block", 9, "block gives 0x",
	"local t = { [99] = 7 }\n" .. stream("add(s[1], i)", "add(t[i] or s[1], i)"))
stage_mistake("data decides a state", 8, "begin gives 0x7 for the word 0x63, but 0x63",
	"local t = { [99] = 7 }\n" .. stream("{ p.key[1] }", "{ t[p.key[1]] or p.key[1] }"))
stage_mistake("what earlier calls left decides", 9, "step gives 0x",
	"local n = 0\n" .. fold("return xor(acc, w)", "n = n + 1 return n % 50 > 0 and xor(acc, w) or acc"))

-- Numbers that are no words.
stage_mistake("a constant of too many bits", 7, "11400714819323199488 without ULL",
	map("return big(w)", "return xor(w, 0x9e3779b97f4a7c15)"))
stage_mistake("a signed number", 7, "operand 2 of xor() is 5LL", map("return big(w)", "return xor(w, 5LL)"))

-- Limits of memory and time.
stage_mistake("strings that double", 7, "'..' joins strings",
	map("return big(w)", 'local s = "x" while true do s = s .. s end return w'))
stage_mistake("strings joined within", 1, "'..' joins strings",
	"local function f() return function(a) return a .. a end end\n" .. MAP)
stage_mistake("tables without end", 7, "more than 256 MB",
	map("return big(w)", "local t = {} for i = 1, 7000 do t[i] = i end "
		.. "local u = {} while true do u[#u + 1] = { unpack(t) } end"))
-- Word operations, whose own work looks at no line, do not hide a loop without end: those that come to a constant,
-- those that are recorded, and those that are no constant on every machine.
for _, does in ipairs { "while true do add(1, 2) end", "for i = 1, 1e12 do w = add(w, 1) end",
	"while true do big(w) end", "while true do repeat_(1, function(t) return t end, { 1 }) end" } do
	stage_mistake("no end: " .. does, 7, "still running after 2000000 instructions",
		map("return big(w)", does .. " return w"))
end
stage_mistake("insertion at a place", 7, "table.insert() was given 3 operands",
	map("return big(w)", "local t = {} for i = 1, 400000 do table.insert(t, 1, i) end return w"))
stage_mistake("removal at a place", 7, "table.remove() was given 2 operands",
	map("return big(w)", "table.remove({ 1, 2 }, 1) return big(w)"))
-- Limits of what loops need: of state, of what waits, of what comes at the end.
do
	local names = {}
	for k = 1, 6 do
		names[k] = '"wide' .. k .. '"'
		write("stages/wide" .. k .. ".lua", string.format('return stage { name = "wide%d", standard = "none", '
			.. 'kind = "stream", unit = 64,\nparams = { { "key", 128 } },\n'
			.. "begin = function(p) local s = {} for k = 1, 64 do s[k] = p.key[1] end return s end,\n"
			.. "block = function(s) return { unpack(s, 1, 16) } end }\n", k))
	end
	write("chains/c.lua", chain(table.concat(names, ", ")))
	complains("a state that is too large", "chains/c.lua", 3,
		"the state of this chain has 8896 bytes, expected 8192 at most")
	write("stages/probe.lua", 'return stage { name = "probe", standard = "none", kind = "reframe", every = 1,\n'
		.. "mark = function() local m = {} for k = 1, 16 do m[k] = k end return m end }\n")
	write("chains/c.lua", chain '"copy", { "inet_checksum", at = "tail" }, "probe"')
	complains("too much at the end", "chains/c.lua", 3, "bytes may come when the data ends, expected 4096 at most")
end

-- As many frames as one likes, and loops within loops: the C knows all that it uses.
do
	local names = {}
	for k = 1, 10 do
		names[k] = '"mark' .. string.char(96 + k) .. '"'
		write("stages/mark" .. string.char(96 + k) .. ".lua", string.format('return stage { name = "mark%s", standard = '
			.. '"none", kind = "reframe", every = %d,\nmark = function() return { 7 } end }\n', string.char(96 + k), 4096))
	end
	write("stages/probe.lua", stream("add(s[1], i)", "add(s[1], i)"))
	write("chains/c.lua", chain(table.concat(names, ", ") .. ', "probe"'))
	local ok, message = main.generate(root .. "/chains/c.lua", root .. "/out")
	check(ok, "ten frames", message)
	local f = io.open(root .. "/out/c.c")
	local c = f and f:read("*a") or ""
	if f then f:close() end
	os.remove(root .. "/out/c.c")
	check(c:find("uint64_t at10[,)]") or not c:find("at10", 1, true), "places behind ten frames", "at10 is not declared")
	local deep = "w"
	for _ = 1, 24 do deep = "repeat_(1, function(t) return { xor(t[1], " .. deep .. ") } end, { w })[1]" end
	write("stages/probe.lua", map('"self"', "false"):gsub("big%(w%)", deep))
	write("chains/c.lua", chain '"copy", "probe"')
	complains("loops within loops", "chains/c.lua", 3, "'probe' has no inverse")
	-- What two stages keep would have one name in C.
	write("stages/probe.lua", stream("add(s[1], i)", "add(s[1], i)"))
	write("stages/probe_state.lua", (FOLD:gsub('"probe"', '"probe_state"')))
	write("chains/c.lua", chain '"copy", "probe", "probe_state"')
	complains("members of one name", "chains/c.lua", 3, "two things would both be 'probe_state' in C")
	write("stages/copy.lua", (MAP:gsub('"probe"', '"copy"')))
	write("chains/c.lua", chain '"copy"')
	complains("a copy that moves nothing", "stages/copy.lua", 2, "name is \"copy\"")
	os.remove(root .. "/stages/copy.lua")
	write("chains/immintrin.lua", (chain '"copy"':gsub('"c"', '"immintrin"')))
	ok, message = main.generate(root .. "/chains/immintrin.lua", root .. "/out")
	check(not ok and message:find("immintrin.lua:2: name is \"immintrin\", expected none of a file", 1, true),
		"a chain called as a header", message)
end

-- Functions that are not the file's own, and names of types instead of functions.
stage_mistake("inverse of ours", 8, "was given more than 1", map('"self"', "little"))
stage_mistake("apply of ours", 7, "was given more than 2", map("function(w) return big(w) end", "shl"))
stage_mistake("apply of Lua's", 7, "expected", map("function(w) return big(w) end", "math.floor"))
stage_mistake("inverse is a word", 8, 'inverse is "function"', map('"self"', '"function"'))
stage_mistake("step of ours", 8, "was given more than 2", fold("function(acc, w) return xor(acc, w) end", "rotl"))

-- What goes wrong only after many calls, while the test is written: told as any mistake, and soon.
for what, does in pairs {
	["still running after 200000000 instructions"] = "while true do end",
	["method 'rep'"] = '("x"):rep(1e9)',
	["attempt to index"] = "i = i.x.y",
	["operand 2 of add() is -1"] = "i = add(i, -1)",
	["has 0 words, expected 16"] = "return {}",
} do
	write("stages/probe.lua", "local n = 0\n" .. stream("\t\treturn out",
		"\t\tn = n + 1\n\t\tif n > 150 then " .. does .. " end\n\t\treturn out"))
	write("chains/c.lua", chain '"copy", "probe"')
	os.execute(string.format("luajit ilp/gen/main.lua --tests %s/out %s/chains/c.lua 2>%s/log", root, root, root))
	local message = read(root .. "/log")
	local line = does == "return {}" and 9 or 13
	check(message:find(string.format("%s/stages/probe.lua:%d: ", root, line), 1, true) == 1
		and message:find(what, 1, true), "late: " .. what, message)
end
write("chains/c.lua", chain '"copy", "nosuch"')

-- Outputs: the same for the same input, untouched when the same, whole or not at all.
do
	check(main.generate("xdr_copy_sum", root .. "/out"), "a chain by name")
	local first = read(root .. "/out/xdr_copy_sum.c")
	os.execute("touch -d '2001-01-01' " .. root .. "/out/xdr_copy_sum.c")
	check(main.generate("ilp/chains/xdr_copy_sum.lua", root .. "/out"), "again")
	check(read(root .. "/out/xdr_copy_sum.c") == first, "the same text again")
	local age = io.popen("date +%Y -r " .. root .. "/out/xdr_copy_sum.c"):read("*l")
	check(age == "2001", "what is the same is untouched", age)
	-- For those who load what they do not know: the same as text, and a limit to all of it, our own work among it.
	local outputs, name = main.outputs("xdr_copy_sum", 1e9)
	check(outputs and name == "xdr_copy_sum" and #outputs == 2 and outputs[1].path == "xdr_copy_sum.h"
		and outputs[2].path == "xdr_copy_sum.c" and outputs[2].content == first, "outputs as text")
	jit.off()
	for _, limit in ipairs { 1000, 50000, 100000 } do
		local none, message = main.outputs("ilp/chains/xdr_copy_sum.lua", limit)
		local what = string.format("ilp/chains/xdr_copy_sum.lua:1: takes more than %d instructions", limit)
		check(not none and message:find(what, 1, true), "a limit of " .. limit, message)
	end
	write("stages/probe.lua", map("return big(w)", "for _ = 1, 3e5 do end return big(w)"))
	write("chains/c.lua", chain '"copy", "probe"')
	local all, problem = main.outputs(root .. "/chains/c.lua", 1e6)
	check(not all and problem:find("takes more than 1000000 instructions", 1, true), "a limit, within a stage", problem)
	all, problem = main.outputs(root .. "/chains/c.lua", 1e9)
	check(all, "no limit is left behind", problem)
	jit.on()
	local ok, message = main.generate("copy_sum", root .. "/nowhere")
	check(not ok and message:find("make the folder first: mkdir -p " .. root .. "/nowhere", 1, true),
		"a folder that is not there", message)
	check(io.popen("ls " .. root .. "/out | grep -c new"):read("*l") == "0", "no temporary file stays")
end

-- What is legal compiles, under the flags of build.mk.
local FLAGS = "-std=gnu17 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -D_GNU_SOURCE -I. -c -o /dev/null "
local function compiles(name, list)
	write("chains/c.lua", chain(list))
	local ok, message = main.generate(root .. "/chains/c.lua", root .. "/out")
	check(ok, name .. " (generated)", message)
	check(ok and os.execute((os.getenv "CC" or "cc") .. " " .. FLAGS .. root .. "/out/c.c") == 0, name .. " (compiled)")
	os.remove(root .. "/out/c.c")
	os.remove(root .. "/out/c.h")
end
for _, list in ipairs { '"copy"', '"copy", "xdr_u32"', '"xdr_u32", "copy"', '"copy", "chacha20"', '"chacha20", "copy"',
		'"inet_checksum", "copy"', '"inet_checksum", "copy", "xdr_u32"', '"chacha20", "copy", "xdr_u32"' } do
	compiles("the chain " .. list, list)
end

-- Names that are legal in Lua but mean something in C.
local names = require "gen.names"
local function stage_named(name, text)
	write("stages/" .. name .. ".lua", (text:gsub('"probe"', '"' .. name .. '"')))
end
for _, name in ipairs { "int", "double", "ilp", "s", "n", "at", "dst", "src", "x", "x0", "chain", "run", "schedule",
		"tmp", "ks", "v256", "uint32_t", "x0_probe_1", "ilp_fold", "linux" } do
	stage_named(name, FOLD)
	write("chains/c.lua", chain('"copy", "' .. name .. '"'))
	complains("fold called " .. name, "stages/" .. name .. ".lua", 2, "means nothing in the C")
end
for _, name in ipairs { "long", "uint8_t", "chain", "unix" } do
	stage_mistake("parameter called " .. name, 6, "is a word of the C", (STREAM:gsub("key", name)))
end
stage_mistake("parameter twice", 6, "'key' is given twice", stream('{ "key", 4 }', '{ "key", 4 }, { "key", 8 }'))
for _, name in ipairs { "parity_upper_0", "parity_step" } do
	stage_named("parity", FOLD)
	stage_named(name, FOLD)
	compiles("parity and " .. name, '"copy", "parity", "' .. name .. '"')
end
stage_named("swap", map('"self"', "function(w) return big(w) end"))
stage_named("swap_inverse", MAP)
write("chains/c.lua", chain '"swap", "swap_inverse"')
complains("swap and swap_inverse", "chains/c.lua", 3, "would both be 'swap_inverse'")
stage_named("sum_", FOLD)
compiles("names that do not meet", '"copy", "sum_", "parity"')
for _, name in ipairs { "send_layered", "send_end", "recv_fused" } do
	stage_named(name, FOLD)
	write("chains/c.lua", chain('"copy", "' .. name .. '"'))
	complains("fold called " .. name, "stages/" .. name .. ".lua", 2, "means nothing in the C")
end
stage_named("probe", STREAM:gsub("key", "n"))
compiles("a parameter of one letter", '"copy", "probe"')
-- The table of such names is whole: no word of the emitter's is missing.
do
	local missing = {}
	for _, file in ipairs { "tests/ilp/chains/two_loops.lua", "ilp/chains/xdr_chacha20_copy_sum.lua" } do
		check(main.generate(file, root .. "/out"))
		local base = root .. "/out/" .. file:match("([^/]*)%.lua$")
		local text = (read(base .. ".c") .. read(base .. ".h")):gsub("/%*.-%*/", ""):gsub('"[^"]*"', ""):gsub("#line", "")
		for stage in read(file):match("stages = (%b{})"):gmatch("[%w_]+") do
			text = text:gsub("[%w_]*" .. stage .. "[%w_]*", "")
		end
		for _, given in ipairs { "key", "nonce", "counter", "seed" } do
			text = text:gsub("%f[%w_]" .. given .. "%f[^%w_]", "")
		end
		for word in text:gmatch("%f[%w_]%l[%l%d_]*%f[^%w_]") do
			if not (names.taken(word) or word:match("^send_") or word:match("^recv_")) then missing[#missing + 1] = word end
		end
	end
	check(#missing == 0, "emitter's words that a stage may be called", table.concat(missing, " "))
end

-- Lines are told truly: after those of a description, the file goes on where it is; and there is what was named.
do
	check(main.generate("xdr_chacha20_copy_sum", root .. "/out"))
	local text, n, own, theirs, wrong = read(root .. "/out/xdr_chacha20_copy_sum.c"), 0, 0, 0, nil
	for line in text:gmatch("(.-)\n") do
		n = n + 1
		local number, file = line:match('^#line (%d+) "(.*)"$')
		if file == "xdr_chacha20_copy_sum.c" then
			own = own + 1
			if tonumber(number) ~= n + 1 then wrong = wrong or line .. " on line " .. n end
		elseif file then
			theirs = theirs + 1
			if not read(file) then wrong = wrong or file end
		end
	end
	check(own > 100 and theirs > own and not wrong, "#line", wrong)
	write("stages/swap.lua", "\n\n" .. (MAP:gsub("probe", "swap")))
	write("chains/c.lua", chain '"swap"')
	check(main.generate(root .. "/chains/c.lua", root .. "/out"))
	check(read(root .. "/out/c.c"):find("#line 9 \"" .. root .. "/stages/swap.lua\"\n\t+x0 = BIG"), "#line of a stage")
end

-- Chains that would be the same files.
do
	local function complaint(arguments, what)
		os.execute(string.format("luajit ilp/gen/main.lua --out %s/out %s 2>%s/log", root, arguments, root))
		local message = read(root .. "/log")
		check(message:match("^[^:]*:%d+: .*expected .*; ") and message:find(what, 1, true), arguments, message)
	end
	complaint("copy_sum copy_sum", "'copy_sum' is named twice")
	assert(os.execute("mkdir -p " .. root .. "/other") == 0)
	write("chains/c.lua", chain '"copy"')
	write("other/c.lua", chain '"copy"')
	write("chains/c_test.lua", (chain '"copy"':gsub('"c"', '"c_test"')))
	write("chains/chains.lua", (chain '"copy"':gsub('"c"', '"chains"')))
	write("chains/stdint.lua", (chain '"copy"':gsub('"c"', '"stdint"')))
	complaint(root .. "/chains/c.lua " .. root .. "/other/c.lua", "'c' is named twice")
	complaint(root .. "/chains/c.lua " .. root .. "/chains/c_test.lua", "called as the test of 'c'")
	complaint(root .. "/chains/chains.lua", 'name is "chains"')
	complaint(root .. "/chains/stdint.lua", 'name is "stdint"')
end

-- Explanations.
do
	local text, page = main.explain("xdr_chacha20_copy_sum")
	check(text and page.verdict == "one loop" and page.unit == 4 and page.block == 64, "explain", text)
	local fused = page.directions[1].schedules[3]
	check(fused.loads == 1 and fused.stores == 1 and fused.scratch == 0, "fused touches each word once")
	local layered = page.directions[1].schedules[1]
	check(layered.loads == 4 and layered.stores == 3 and layered.scratch == 1, "layered sends in four passes")
	text, page = main.explain("tests/ilp/chains/two_loops.lua")
	check(text and page.verdict == "2 loops"
		and page.directions[1].reasons[1]:find("units of 8 bytes of 'xdr_u64' straddle the 4 bytes that 'mark12'", 1, true),
		"explain a cut", text)
	check(main.explain("tests/ilp/chains/nosuch.lua") == nil, "explain what is not there")
	check(plan.lcm(4, 6) == 12, "lcm")
end

-- The command's exit status.
do
	local function status(arguments)
		return os.execute("luajit ilp/gen/main.lua " .. arguments .. " >/dev/null 2>&1") / 256
	end
	check(status("--out " .. root .. "/out copy_sum") == 0, "status of success")
	write("chains/c.lua", chain '"copy", "nosuch"')
	check(status("--out " .. root .. "/out " .. root .. "/chains/c.lua") == 1, "status of a mistake")
	check(status("") == 2, "status without arguments")
	check(status("--outt x copy_sum") == 2, "status of an unknown option")
	check(status("copy_sum") == 2, "status of nothing to do")
	check(status("--out") == 2, "status of a missing value")
	check(status("--out " .. root .. "/out -- copy_sum") == 0, "status of a chain after --")
	check(status("--out " .. root .. "/out -- --explain copy_sum") == 1, "status of a chain called --explain")
end

common.done "ilp descriptions"
