-- Survivors that are explained, read from a file. An explanation is
--
--	equivalent|unseen OPERATOR[,OPERATOR...] CHAIN:FUNCTION
--		BEFORE => AFTER
--		why, in one line or more
--
-- where * stands for any text and # for a number; BEFORE and AFTER are what the report shows of the lines that change.
-- equivalent: the mutant does the same, or does it slower; it is no fault, and another takes its place. unseen: a fault
-- that no test sees, and why that is accepted.
local M = {}

local function pattern(text)
	local p = text:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*"):gsub("#", "%%d+")
	return "^" .. p .. "$"
end

local function head(line, n, file)
	local kind, operators, name = line:match("^(%a+) (%S+) (%S+)$")
	if kind ~= "equivalent" and kind ~= "unseen" then return nil end
	local set = {}
	for operator in operators:gmatch("[^,]+") do set[operator] = true end
	return { kind = kind, operators = set, name = pattern(name), line = n, file = file }
end

-- The explanations of a text; an error names `file` and the line. known: the operators, by name.
function M.parse(text, file, known)
	local list, n, entry = {}, 0, nil
	local function fail(what, expected)
		error(string.format("%s:%d: %s, expected %s; see tests/ilp/mutate/explained.lua", file, n, what, expected), 0)
	end
	for line in (text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		local indented = line:match("^\t(.+)$")
		if line:find("^%s*$") or line:find("^#") then
			if entry and not entry.why then fail("an explanation ends", "BEFORE => AFTER and why") end
			entry = nil
		elseif not indented then
			if entry then fail("two explanations without a line between", "an empty line") end
			entry = head(line, n, file)
			if not entry then fail("'" .. line .. "'", "equivalent|unseen OPERATOR CHAIN:FUNCTION") end
			for operator in pairs(entry.operators) do
				if operator ~= "*" and not known[operator] then fail("'" .. operator .. "'", "an operator (--list names them)") end
			end
			list[#list + 1] = entry
		elseif not entry then
			fail("an indented line", "equivalent|unseen OPERATOR CHAIN:FUNCTION before it")
		elseif not entry.before then
			local before, after = indented:match("^(.-) => (.*)$")
			if not before then fail("'" .. indented .. "'", "BEFORE => AFTER") end
			entry.before, entry.after = pattern(before), pattern(after)
		else
			entry.why = (entry.why and entry.why .. " " or "") .. indented
		end
	end
	if entry and not entry.why then fail("an explanation ends", "BEFORE => AFTER and why") end
	return list
end

function M.read(file, known)
	local f = io.open(file)
	if not f then error(file .. ": cannot be read", 0) end
	local text = f:read("*a")
	f:close()
	return M.parse(text, file, known)
end

local function names(entry, s)
	return (entry.operators["*"] or entry.operators[s.operator.name])
		and (s.chain .. ":" .. s.region.name):find(entry.name)
end
local function fits(entry, s, before, after)
	return names(entry, s) and before:find(entry.before) and after:find(entry.after)
end

-- The explanation of a site whose lines are shown as before and after; nil when there is none.
function M.find(list, s, before, after)
	for _, entry in ipairs(list) do
		if fits(entry, s, before, after) then return entry end
	end
end

-- An explanation that explains none of the sites; nil when there is none.
function M.stale(list, sites, show)
	local open, n = {}, #list
	for _, entry in ipairs(list) do open[entry] = true end
	for _, s in ipairs(sites) do
		if n == 0 then return nil end
		local before, after
		for entry in pairs(open) do
			if names(entry, s) then
				if not before then before, after = show(s) end
				if fits(entry, s, before, after) then open[entry], n = nil, n - 1 end
			end
		end
	end
	for _, entry in ipairs(list) do
		if open[entry] then return entry end
	end
end

return M
