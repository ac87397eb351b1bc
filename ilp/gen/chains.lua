-- Loads descriptions of chains.
--
-- A chain is `return chain { name =, stages = { … } }` in a file of its name, the stages in send order: names, or
-- { name, at = "tail" } and { name, at = "head" } for a fold whose value goes with the data, behind it or before it,
-- and is compared on the way in. inplace = true: source and destination may be the same memory, in calls
-- that hold nothing back (ilp/run.h). insecure = true: of stages that are so.
local describe = require "gen.describe"
local field = require "gen.field"
local pair = require "gen.pair"
local sandbox = require "gen.sandbox"

local M = {}

local CHAIN = { name = "string", stages = "table", inplace = { true, false, optional = true },
	insecure = { true, optional = true } }

-- An entry of a chain's stages: its name, and where its value goes.
local function entry(d, k)
	local e = d.fields.stages[k]
	local name, at = e, "value"
	if type(e) == "table" then
		name, at = e[1], e.at or "value"
		for key in pairs(e) do
			if key ~= 1 and key ~= "at" then
				field.fail(d, "stages", "stage %d has an entry '%s', expected { name, at = … }; remove it", k, tostring(key))
			end
		end
	end
	-- Not a path: a file of anywhere could be read, and told of in complaints.
	if type(name) ~= "string" or not name:match("^[a-z][a-z0-9_]*$") then
		field.fail(d, "stages", "stage %d is %s, expected the name of a stage (lower-case letters, digits and _); correct it",
			k, sandbox.show(name))
	end
	if at ~= "value" and at ~= "tail" and at ~= "head" then
		field.fail(d, "stages", "stage %d has at = %s, expected \"value\", \"tail\" or \"head\"; correct it", k,
			sandbox.show(at))
	end
	return name, at
end

-- A stage more. A pair is two stages, with the tag behind the data. There is one at most: data is associated with that.
function M.put(d, stage, at, find)
	local list = { stage }
	if stage.kind == "pair" then
		if d.pair then
			M.fail_stage(d, stage.name, "'%s' is a pair as '%s' is, expected one in a chain; remove one", stage.name,
				d.pair.name)
		end
		d.pair, list = stage, { pair.parts(stage, find, describe.trace_tag) }
	end
	for k, one in ipairs(list) do
		d.stages[#d.stages + 1], d.at[#d.at + 1] = one, k == 2 and "tail" or at
	end
end

-- A chain: file, name, its stages in send order, and at, where the value of each goes. find(name) gives a stage, or
-- nil and where it was looked for.
function M.of(d, find)
	field.check(d, CHAIN)
	field.check_known(d, CHAIN)
	field.check_name(d)
	d.name, d.stages, d.at, d.inplace = d.fields.name, {}, {}, d.fields.inplace or false
	if field.check_list(d, "stages", d.fields.stages) == 0 then
		field.fail(d, "stages", "stages is empty, expected names of stages in send order; add \"copy\"")
	end
	local insecure
	for k = 1, #d.fields.stages do
		local name, at = entry(d, k)
		local stage, where = find(name)
		if not stage then
			sandbox.fail(d.file, field.line_of_word(d, name),
				"unknown stage '%s', expected a file of that name in %s; correct the name or describe the stage", name, where)
		end
		if at ~= "value" and stage.kind ~= "fold" then
			M.fail_stage(d, name, "'%s' has no value to put at the %s of the data, expected a fold; remove at", name, at)
		end
		if stage.insecure and not d.fields.insecure then
			M.fail_stage(d, name, "'%s' is insecure, expected a chain that knows; name another stage, or add insecure = true",
				name)
		end
		insecure = insecure or stage.insecure
		M.put(d, stage, at, find)
	end
	if d.fields.insecure and not insecure then
		field.fail(d, "insecure", "insecure is true of a chain whose stages are not, expected one that is; remove it")
	end
	d.insecure = insecure
	return d
end

-- The chain of that file. Stages are looked for in each of the folders; those in known, by file, are not read again.
function M.load(file, folders, known)
	local d = field.load(file, "chain", {})
	if not d then
		sandbox.fail(file, 1, "no such file, expected a chain description; see ilp/chains/")
	end
	known = known or {}
	return M.of(d, function(name)
		for _, folder in ipairs(folders) do
			local path = folder .. "/" .. name .. ".lua"
			known[path] = known[path] or describe.stage(path)
			if known[path] then return known[path] end
		end
		return nil, table.concat(folders, " or ")
	end)
end

-- Complains about stage name of chain d.
function M.fail_stage(d, name, what, ...)
	sandbox.fail(d.file, field.line_of_word(d, name), what, ...)
end

return M
