-- What became of the mutants, as tables for a reader and as JSON.
local M = {}

-- Counts of results by some key: rows in order of first appearance.
local function tally(results, key)
	local rows, order = {}, {}
	for _, s in ipairs(results) do
		local name = key(s)
		local row = rows[name]
		if not row then
			row = { name = name, made = 0, killed = 0, survived = 0, equivalent = 0, left = 0 }
			rows[name], order[#order + 1] = row, row
		end
		if s.verdict == "unbuilt" or s.verdict == "same" then
			row.left = row.left + 1
		elseif s.verdict == "equivalent" then
			row.equivalent = row.equivalent + 1
		else
			row.made = row.made + 1
			row[s.verdict] = row[s.verdict] + 1
		end
	end
	return order, rows
end

function M.totals(results)
	local _, rows = tally(results, function() return "all" end)
	return rows.all or { made = 0, killed = 0, survived = 0, equivalent = 0, left = 0 }
end

local FORMAT = "  %-28s %6s %7s %9s %11s %9s\n"

local function heading(out, name)
	out:write(FORMAT:format(name, "made", "killed", "survived", "equivalent", "left out"))
end

local function row(out, r) out:write(FORMAT:format(r.name, r.made, r.killed, r.survived, r.equivalent, r.left)) end

local function cut(text) return #text > 150 and text:sub(1, 147) .. "..." or text end

local function describe(out, s)
	local r = s.region
	out:write(string.format("  %s:%d: %s (%s, %s, %s)\n    %s\n      - %s\n      + %s\n", r.file, s.line, s.key, r.isa,
		r.direction, r.schedule, s.operator.why, cut(s.before), cut(s.after)))
	if s.explanation then out:write("      ", s.explanation.kind, ": ", s.explanation.why, "\n") end
end

-- All about a run: `operators` in order.
function M.write(out, results, operators, seconds)
	local _, rows = tally(results, function(s) return s.operator.name end)
	heading(out, "operator")
	for _, operator in ipairs(operators) do
		if rows[operator.name] then row(out, rows[operator.name]) end
	end
	for _, by in ipairs { "chain", "isa", "direction", "schedule", "by" } do
		out:write("\n")
		heading(out, by == "isa" and "target" or by == "by" and "seen by" or by)
		local list = tally(results, function(s)
			return by == "by" and (s.by and s.by .. ": " .. s.how or "nothing") or s[by] or s.region[by]
		end)
		table.sort(list, function(a, b) return a.name < b.name end)
		for _, r in ipairs(list) do row(out, r) end
	end
	local titles = { { "equivalent", "Equivalent, by tests/ilp/mutants.explained" }, { "survived", "Survivors" } }
	for _, title in ipairs(titles) do
		local any = false
		for _, s in ipairs(results) do
			if s.verdict == title[1] then
				if not any then out:write("\n", title[2], "\n") end
				any = true
				describe(out, s)
			end
		end
	end
	local all = M.totals(results)
	out:write(string.format("\n%d mutants, %d killed (%.1f %%), %d survived; %d more were equivalent, %d were the same "
		.. "machine code or no C; %d s\n", all.made, all.killed, all.made > 0 and 100 * all.killed / all.made or 0,
		all.survived, all.equivalent, all.left, seconds))
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

-- A table with [1], or an empty one, is a list; keys come in order.
local function json(value)
	if type(value) == "string" then
		return '"' .. value:gsub('[%c"\\]', function(c) return ESCAPES[c] or string.format("\\u%04x", c:byte()) end) .. '"'
	elseif type(value) ~= "table" then
		return tostring(value)
	end
	local parts = {}
	if value[1] or not next(value) then
		for k, item in ipairs(value) do parts[k] = json(item) end
		return "[" .. table.concat(parts, ",\n") .. "]"
	end
	local keys = {}
	for key in pairs(value) do keys[#keys + 1] = key end
	table.sort(keys)
	for k, key in ipairs(keys) do parts[k] = json(key) .. ": " .. json(value[key]) end
	return "{" .. table.concat(parts, ", ") .. "}"
end
M.encode = json

-- The same as a JSON text.
function M.json(results, seed, seconds)
	local mutants = {}
	for k, s in ipairs(results) do
		local r = s.region
		mutants[k] = { site = s.chain .. ":" .. s.key, file = r.file, line = s.line, operator = s.operator.name,
			chain = s.chain, ["function"] = r.name, target = r.isa, direction = r.direction, schedule = r.schedule,
			before = s.before, after = s.after, verdict = s.verdict, by = s.by, how = s.how,
			why = s.explanation and s.explanation.why }
	end
	local all = M.totals(results)
	return json { seed = seed, seconds = seconds, made = all.made, killed = all.killed, survived = all.survived,
		equivalent = all.equivalent, left_out = all.left, mutants = mutants } .. "\n"
end

return M
