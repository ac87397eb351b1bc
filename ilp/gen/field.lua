-- A description as a table of fields: reading its file, and complaints about what stands in it, each with the line of
-- the field that it is about.
local sandbox = require "gen.sandbox"

local M = {}

-- Where words stand that something is given to: lines that begin with them, and those where they stand behind others.
local function index(text)
	local lines, n = { first = {}, behind = {}, start = 1 }, 0
	for line in (text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		if line:match("^return ") then lines.start = n end
		local word = line:match("^%s*([%w_]+)%s*=")
		if word then lines.first[word] = lines.first[word] or n end
		for other in line:gsub("%-%-.*", ""):gmatch("[{,;]%s*([%w_]+)%s*=") do
			lines.behind[other] = lines.behind[other] or n
		end
	end
	return lines
end

-- The line on which a field is given; else that on which the description begins.
function M.line(d, field)
	d.lines = d.lines or index(d.text)
	return d.lines.first[field] or d.lines.behind[field] or d.lines.start
end

-- The line on which the word stands in quotes.
function M.line_of_word(d, word)
	local n = 0
	for text in (d.text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		if text:find('"' .. word .. '"', 1, true) and not text:match("^%s*name%s*=") then return n end
	end
	return M.line(d, "stages")
end

function M.fail(d, field, what, ...)
	sandbox.fail(d.file, M.line(d, field), what, ...)
end

local function keys(t)
	local names = {}
	for name in pairs(t) do names[#names + 1] = name end
	table.sort(names)
	return table.concat(names, ", ")
end

-- What a field must be: the name of a Lua type; or a list of the values that it may have, among which these stand for
-- any of their type, and `optional = true` lets it be missing.
local ANY = { ["function"] = true, table = true, number = true, string = true }
local function is_one_of(v, allowed)
	for _, a in ipairs(allowed) do
		local any = ANY[a]
		if any and type(v) == a or not any and v == a then return true end
	end
	return v == nil and allowed.optional
end

local function check_field(d, name, want)
	local v = d.fields[name]
	if type(want) == "table" then
		if is_one_of(v, want) then return end
		local list = {}
		for k, a in ipairs(want) do
			local any = ANY[a]
			list[k] = any and "a " .. a or type(a) == "string" and '"' .. a .. '"' or tostring(a)
		end
		M.fail(d, name, "%s is %s, expected %s; correct it", name, sandbox.show(v), table.concat(list, " or "))
	elseif v == nil then
		M.fail(d, name, "field '%s' is missing, expected a %s; add it", name, want)
	elseif type(v) ~= want then
		M.fail(d, name, "%s is %s, expected a %s; correct it", name, sandbox.show(v), want)
	end
end

-- In alphabetical order, so that the same mistake always gives the same message.
function M.check(d, want)
	local names = {}
	for name in pairs(want) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do check_field(d, name, want[name]) end
end

function M.check_known(d, ...)
	local all = {}
	for _, want in ipairs { ... } do
		for name in pairs(want) do all[name] = true end
	end
	for name in pairs(d.fields) do
		if not all[name] then
			M.fail(d, tostring(name), "unknown field '%s', expected one of %s; remove or correct it", tostring(name), keys(all))
		end
	end
end

-- What stands in a comment of the C must stay in it.
function M.check_comment(d, name)
	local v = d.fields[name]
	local what = v:find("%c") and "a control character" or v:find("*/", 1, true) and '"*/"'
		or v:find("/*", 1, true) and '"/*"' or v:find("\\$") and "a backslash at its end"
	if what then
		M.fail(d, name, "%s holds %s, expected text that may stand in a comment of the C; reword it", name, what)
	end
end

-- A list has no holes: what follows one would be left out. Returns its length.
function M.check_list(d, field, t)
	local n, odd = 0, nil
	for k in pairs(t) do
		n = n + 1
		odd = odd or (type(k) ~= "number" or k % 1 ~= 0) and k or nil
	end
	if odd ~= nil then
		M.fail(d, field, "%s has an entry '%s', expected places from 1 only; remove it", field, tostring(odd))
	end
	for k = 1, n do
		if t[k] == nil then
			M.fail(d, field, "%s has nothing at place %d, expected %d entries without holes; remove the hole", field, k, n)
		end
	end
	return n
end

function M.check_name(d)
	local base = d.file:match("([^/]*)%.lua$")
	if not d.fields.name:match("^[a-z][a-z0-9_]*$") then
		M.fail(d, "name", "name is %q, expected lower-case letters, digits and _; it becomes a C identifier", d.fields.name)
	elseif d.fields.name ~= base then
		M.fail(d, "name", "name is %q, expected %q as the file is called; rename one of them", d.fields.name,
			tostring(base))
	end
end

function M.check_integer(d, name, least, most, what)
	local v = d.fields[name]
	if type(v) ~= "number" or v % 1 ~= 0 or v < least or v > most then
		M.fail(d, name, "%s is %s, expected %s from %d to %d; correct it", name, sandbox.show(v), what, least, most)
	end
end

-- Runs the description file, whose last word must be `return KIND { … }`, and which may use these names besides,
-- known in a few words. nil: there is no such file.
function M.load(file, kind, names, known)
	local tag = {}
	local env = { [kind] = function(fields)
		if type(fields) ~= "table" then
			sandbox.fail_here("%s was given %s, expected a table of fields; write `return %s { name = …, … }`",
				kind, sandbox.show(fields), kind)
		end
		return { tag = tag, fields = fields }
	end }
	for name, f in pairs(names) do env[name] = f end
	local value, text = sandbox.load(file, env, known)
	if not text then return nil end
	if type(value) ~= "table" or rawget(value, "tag") ~= tag then
		sandbox.fail(file, 1, "the file returns %s, expected `return %s { … }`; add it at the end",
			sandbox.show(value), kind)
	end
	local fields = {} -- a copy: functions that run later may write to the table that was given
	for name, v in pairs(value.fields) do fields[name] = v end
	local d = { file = file, text = text, fields = fields }
	-- The line on which the function of that field begins; that of the field if it is none of this file.
	function d.line(field) return sandbox.begins(file, fields[field]) or M.line(d, field) end
	return d
end

return M
