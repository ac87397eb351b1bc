-- Loads descriptions of stages and chains and checks them: fields and their types, then what the functions
-- return, by tracing them into graphs, then the laws they must obey, by running them on numbers.
--
-- A stage is `return stage { … }` in a file of its name, with name, standard (what it follows, or "none"), kind, unit
-- (bytes), and, by kind:
--
--	map     changes the data word by word. apply(w) and inverse(w) return a word; inverse is "self" when apply
--	        undoes itself, false when nothing does. tail = "pass": an incomplete last unit passes unchanged.
--	        unit 4; or 1 with moves = true and apply the identity: here the data goes to its destination
--	fold    computes a value of the data: words of 4 bytes into lanes of 64 bits, in any order. zero is an empty lane;
--	        step(acc, w) takes a word; merge(a, b) joins two lanes; finish(acc) gives the value; join(a, b, len_a) the
--	        value of len_a bytes that came to a followed by such that came to b. tail = "zero": an incomplete last
--	        word counts as if zeros followed
--	stream  is xored to the data. params lists { name, bytes }; begin(p) makes the words of a state of p.name[1 …],
--	        words as memory holds them; block(state, i) gives the 16 words of block i, as memory is to hold them.
--	        unit 64
--
-- The functions use the word operations of ops.lua, and Lua for what does not depend on the data.
-- A chain is `return chain { name =, stages = { … } }`, the stages in send order.
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local graph = require "gen.graph"
local laws = require "gen.laws"

local M = {}

M.HELD_MAX = 64    -- ILP_HELD_MAX of ilp/run.h
M.BLOCK_WORDS = 16 -- that a stream makes at a time

-- What a field must be: a Lua type, or the values it may have.
local COMMON = { name = "string", standard = "string", kind = { "map", "fold", "stream" }, unit = "number" }
local FIELDS = {
	map = { apply = "function", inverse = { "self", false, "function" }, moves = { true, false, optional = true },
		tail = { "pass" } },
	fold = { zero = "number", step = "function", merge = "function", finish = "function", join = "function",
		tail = { "zero" } },
	stream = { params = "table", begin = "function", block = "function" },
}
-- Bytes that a unit may have, and why.
local UNITS = {
	map = { [4] = true, expected = "4 (apply works on 32-bit words), or 1 if it only moves data" },
	fold = { [4] = true, expected = "4 (step takes 32-bit words)" },
	stream = { [64] = true, expected = "64 (block returns 16 words of 32 bits)" },
}
local CHAIN = { name = "string", stages = "table" }

-- The line on which a field is given; else that on which the description begins.
local function line_of(d, field)
	local n, first = 0, 1
	for text in (d.text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		if text:match("^%s*([%w_]+)%s*=") == field then return n end
		if text:match("^return ") then first = n end
	end
	return first
end

-- The line on which the word stands in quotes.
local function line_of_word(d, word)
	local n = 0
	for text in (d.text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		if text:find('"' .. word .. '"', 1, true) and not text:match("^%s*name%s*=") then return n end
	end
	return line_of(d, "stages")
end

local function fail(d, field, what, ...)
	sandbox.fail(d.file, line_of(d, field), what, ...)
end

local function keys(t)
	local names = {}
	for name in pairs(t) do names[#names + 1] = name end
	table.sort(names)
	return table.concat(names, ", ")
end

local function is_one_of(v, allowed)
	for _, a in ipairs(allowed) do
		if a == "function" and type(v) == a or a ~= "function" and v == a then return true end
	end
	return v == nil and allowed.optional
end

local function check_field(d, name, want)
	local v = d.fields[name]
	if type(want) == "table" then
		if is_one_of(v, want) then return end
		local list = {}
		for k, a in ipairs(want) do
			list[k] = (type(a) == "string" and a ~= "function") and '"' .. a .. '"' or tostring(a)
		end
		fail(d, name, "%s is %s, expected %s; correct it", name, sandbox.show(v), table.concat(list, " or "))
	elseif v == nil then
		fail(d, name, "field '%s' is missing, expected a %s; add it", name, want)
	elseif type(v) ~= want then
		fail(d, name, "%s is %s, expected a %s; correct it", name, sandbox.show(v), want)
	end
end

-- What stands in a comment of the C must stay in it.
local function check_comment(d, name)
	local v = d.fields[name]
	local what = v:find("%c") and "a control character" or v:find("*/", 1, true) and '"*/"'
		or v:find("/*", 1, true) and '"/*"' or v:find("\\$") and "a backslash at its end"
	if what then
		fail(d, name, "%s holds %s, expected text that may stand in a comment of the C; reword it", name, what)
	end
end

-- A list has no holes: what follows one would be left out. Returns its length.
local function check_list(d, field, t)
	local n, odd = 0, nil
	for k in pairs(t) do
		n = n + 1
		odd = odd or (type(k) ~= "number" or k % 1 ~= 0) and k or nil
	end
	if odd == nil then
		for k = 1, n do
			if t[k] == nil then
				fail(d, field, "%s has nothing at place %d, expected %d entries without holes; remove the hole", field, k, n)
			end
		end
		return n
	end
	fail(d, field, "%s has an entry '%s', expected places from 1 only; remove it", field, tostring(odd))
end

-- In alphabetical order, so that the same mistake always gives the same message.
local function check_fields(d, want)
	local names = {}
	for name in pairs(want) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do check_field(d, name, want[name]) end
end

local function check_known(d, ...)
	for name in pairs(d.fields) do
		local known, all = false, {}
		for _, want in ipairs { ... } do
			known = known or want[name] ~= nil
			for n in pairs(want) do all[n] = true end
		end
		if not known then
			fail(d, tostring(name), "unknown field '%s', expected one of %s; remove or correct it", tostring(name), keys(all))
		end
	end
end

local function check_name(d)
	local base = d.file:match("([^/]*)%.lua$")
	if not d.fields.name:match("^[a-z][a-z0-9_]*$") then
		fail(d, "name", "name is %q, expected lower-case letters, digits and _; it becomes a C identifier", d.fields.name)
	elseif d.fields.name ~= base then
		fail(d, "name", "name is %q, expected %q as the file is called; rename one of them", d.fields.name, tostring(base))
	end
end

-- Runs the description file, whose last word must be `return KIND { … }`.
local function load(file, kind, names)
	local tag = {}
	local env = { [kind] = function(fields)
		if type(fields) ~= "table" then
			sandbox.fail_here("%s was given %s, expected a table of fields; write `return %s { name = …, … }`",
				kind, sandbox.show(fields), kind)
		end
		return { tag = tag, fields = fields }
	end }
	for name, f in pairs(names) do env[name] = f end
	local value, text = sandbox.load(file, env)
	if not text then return nil end
	if type(value) ~= "table" or rawget(value, "tag") ~= tag then
		sandbox.fail(file, 1, "the file returns %s, expected `return %s { … }`; add it at the end",
			sandbox.show(value), kind)
	end
	local fields = {} -- a copy: functions that run later may write to the table that was given
	for name, v in pairs(value.fields) do fields[name] = v end
	local d = { file = file, text = text, fields = fields }
	-- The line on which the function of that field begins; that of the field if it is none of this file.
	function d.line(field) return sandbox.begins(file, fields[field]) or line_of(d, field) end
	return d
end

-- Graphs ---------------------------------------------------------------------------------------------------------

-- Traces field of the stage: build(domain) gives the arguments and lists the inputs; results says what is expected.
local function trace(d, field, bits, inputs, check)
	local domain = graph.new(bits)
	local g = { bits = bits, inputs = {}, scope = domain.scope }
	local function fresh(name)
		local input, handle = domain.input(name)
		g.inputs[#g.inputs + 1] = input
		return handle
	end
	local arguments = {}
	for k, input in ipairs(inputs) do
		arguments[k] = type(input) == "function" and input(fresh) or fresh(input)
	end
	ops.with(domain, function()
		sandbox.run(d.file, d.line(field), function(...) g.results = check(d.fields[field](...)) end, unpack(arguments))
	end)
	return g
end

local function one_word(d, field)
	return function(v) return { ops.word(v, string.format("what %s returns", field)) } end
end

-- choose() has no meaning for a vector of words.
local function no_choice(d, field, g)
	local line = graph.find(g.scope, "choose")
	if line then
		sandbox.fail(d.file, line, "choose() in %s, expected only in finish and join; data must not decide here", field)
	end
	return g
end

local check = {}

function check.map(d)
	local f = d.fields
	d.apply = no_choice(d, "apply", trace(d, "apply", 32, { "w" }, one_word(d, "apply")))
	d.moves = f.moves or false
	if d.moves and not graph.is_identity(d.apply) then
		fail(d, "apply", "apply changes the data of a stage that moves it, expected function(w) return w end; "
			.. "make it a stage of its own")
	end
	if d.moves and f.unit == 1 then
		d.unit = 1
	elseif f.unit ~= 4 then
		fail(d, "unit", "unit is %s, expected %s; correct it", tostring(f.unit), UNITS.map.expected)
	end
	if f.inverse == "self" then
		d.inverse = d.apply
	elseif f.inverse then
		d.inverse = no_choice(d, "inverse", trace(d, "inverse", 32, { "w" }, one_word(d, "inverse")))
	end
	laws.map(d)
end

function check.fold(d)
	local zero = d.fields.zero
	if zero % 1 ~= 0 or zero < 0 or zero >= 2^53 then
		fail(d, "zero", "zero is %s, expected an integer from 0 to 2^53 - 1; correct it", tostring(zero))
	end
	local function fold(field, inputs)
		local g = trace(d, field, 64, inputs, one_word(d, field))
		local line = graph.find(g.scope, "big") or graph.find(g.scope, "little")
		if line then
			sandbox.fail(d.file, line, "big() or little() in %s, "
				.. "expected in map and stream only (lanes have no order of bytes); remove it", field)
		end
		return g
	end
	d.step = no_choice(d, "step", fold("step", { "acc", "w" }))
	d.merge = no_choice(d, "merge", fold("merge", { "a", "b" }))
	d.finish = fold("finish", { "acc" })
	d.join = fold("join", { "a", "b", "len_a" })
	laws.fold(d)
end

local function check_params(d)
	d.params, d.param_bytes = {}, 0
	if check_list(d, "params", d.fields.params) == 0 then
		fail(d, "params", "params is empty, expected { { \"key\", 32 }, … }; add the key")
	end
	for k, p in ipairs(d.fields.params) do
		local name, size = type(p) == "table" and p[1], type(p) == "table" and p[2]
		if type(name) ~= "string" or not name:match("^[a-z][a-z0-9_]*$") or type(size) ~= "number"
		or size < 4 or size > 128 or size % 4 ~= 0 then
			fail(d, "params",
				"parameter %d is not { name, bytes }, expected a name and a multiple of 4 up to 128; correct it", k)
		end
		for _, other in ipairs(d.params) do
			if other.name == name then
				fail(d, "params", "parameter '%s' is given twice, expected each name once; rename one", name)
			end
		end
		d.params[k] = { name = name, size = size }
		d.param_bytes = d.param_bytes + size
	end
	d.fields.params = {} -- a copy, as the fields are
	for k, p in ipairs(d.params) do d.fields.params[k] = { p.name, p.size } end
end

function check.stream(d)
	check_params(d)
	local function params(fresh)
		local p = {}
		for _, param in ipairs(d.params) do
			p[param.name] = {}
			for k = 1, param.size / 4 do p[param.name][k] = fresh(param.name .. "." .. k) end
		end
		return p
	end
	d.begin = trace(d, "begin", 32, { params }, function(v) return ops.tuple(v, "what begin returns") end)
	d.state_words = #d.begin.results
	if d.state_words < 1 or d.state_words > 64 then
		fail(d, "begin", "begin returns %d words, expected 1 to 64; keep no more state", d.state_words)
	end
	local function state(fresh)
		local s = {}
		for k = 1, d.state_words do s[k] = fresh("state." .. k) end
		return s
	end
	d.block = no_choice(d, "block", trace(d, "block", 32, { state, "i" }, function(v)
		return ops.tuple(v, "what block returns", M.BLOCK_WORDS)
	end))
	laws.stream(d)
end

-- What the generator knows of a stage: file, name, kind, unit, standard, the description's own functions in
-- fields, and a graph of each of them under the same name.
function M.stage(file)
	local d = load(file, "stage", ops.names)
	if not d then return nil end
	check_fields(d, COMMON)
	check_fields(d, FIELDS[d.fields.kind])
	check_known(d, COMMON, FIELDS[d.fields.kind])
	check_name(d)
	check_comment(d, "standard")
	d.name, d.kind, d.unit, d.standard = d.fields.name, d.fields.kind, d.fields.unit, d.fields.standard
	if d.kind ~= "map" and not UNITS[d.kind][d.unit] then
		fail(d, "unit", "unit is %s, expected %s; correct it", tostring(d.unit), UNITS[d.kind].expected)
	end
	check[d.kind](d)
	return d
end

-- A chain: file, name, and its stages in send order. Stages are looked for in each of the folders.
function M.chain(file, folders)
	local d = load(file, "chain", {})
	if not d then
		sandbox.fail(file, 1, "no such file, expected a chain description; see ilp/chains/")
	end
	check_fields(d, CHAIN)
	check_known(d, CHAIN)
	check_name(d)
	d.name, d.stages = d.fields.name, {}
	if check_list(d, "stages", d.fields.stages) == 0 then
		fail(d, "stages", "stages is empty, expected names of stages in send order; add \"copy\"")
	end
	for k, name in ipairs(d.fields.stages) do
		-- Not a path: a file of anywhere could be read, and told of in complaints.
		if type(name) ~= "string" or not name:match("^[a-z][a-z0-9_]*$") then
			fail(d, "stages", "stage %d is %s, expected the name of a stage (lower-case letters, digits and _); correct it",
				k, sandbox.show(name))
		end
		for _, folder in ipairs(folders) do
			d.stages[k] = d.stages[k] or M.stage(folder .. "/" .. name .. ".lua")
		end
		if not d.stages[k] then
			sandbox.fail(file, line_of_word(d, name),
				"unknown stage '%s', expected a file of that name in %s; correct the name or describe the stage",
				name, table.concat(folders, " or "))
		end
	end
	return d
end

-- Complains about stage name of chain d.
function M.fail_stage(d, name, what, ...)
	sandbox.fail(d.file, line_of_word(d, name), what, ...)
end

return M
