-- What stands behind a page about a chain: the graphs of its stages' functions, an operation a line, with the line of
-- the Lua that it comes from; and the C that a loop becomes.
local bit = require "bit"
local isa_table = require "gen.isa"
local loop = require "gen.loop"
local quad = require "gen.quad"

local M = {}

-- Graphs -----------------------------------------------------------------------------------------------------------

local FIELDS = { map = { "apply", "inverse" }, stream = { "block" }, reframe = { "mark" },
	recode = { "apply", "inverse", "unlast" }, stuff = {}, tap = {}, pad = {} }

-- The functions of a stage: { name, graph }. Those of a fold that are given plain numbers are shown for the neighbour.
local function functions(stage)
	local list = {}
	local function put(name, graph) list[#list + 1] = { name = name, graph = graph } end
	if (stage.state_words or 0) > 0 and stage.begin then put("begin", stage.begin) end
	if stage.kind == "fold" then
		if stage.serial then put("init", stage.init) end
		put("step", stage.step(1))
		if stage.merge then put("merge", stage.merge(1)) end
		put("finish", stage.finish)
		if stage.last then put("last", stage.last(1)) end
		if stage.join then put("join", stage.join) end
		return list
	end
	for _, name in ipairs(FIELDS[stage.kind]) do
		if type(stage[name]) == "table" and not (name == "inverse" and stage.inverse == stage.apply) then
			put(name, stage[name])
		end
	end
	return list
end

local function constant(value)
	if type(value) == "number" then return value < 10 and string.format("%d", value) or string.format("0x%x", value) end
	if quad.word(value) == value then return "0x" .. (quad.hex(value):gsub("^0+(%x)", "%1")) end
	return value < 10ULL and tostring(tonumber(value)) or "0x" .. bit.tohex(value, 16):gsub("^0+(%x)", "%1")
end

local function names_of(list, name)
	local names = {}
	for k, n in ipairs(list) do names[k] = name(n) end
	return table.concat(names, ", ")
end

-- A graph's operations: { line, text, depth }, and its results.
local function listing(graph)
	local list, names, count = {}, {}, 0
	for _, input in ipairs(graph.inputs) do names[input] = input.name end
	local function fresh(n)
		count = count + 1
		names[n] = "v" .. count
		return names[n]
	end
	local function name(n)
		if n.op == "const" then return constant(n.value) end
		return names[n.op == "out" and n.loop.vars[n.k] or n]
	end
	local function scope(nodes, depth)
		local function put(n, ...) list[#list + 1] = { line = n.line, depth = depth, text = string.format(...) } end
		for _, n in ipairs(nodes) do
			if n.op == "loop" then
				local init = names_of(n.init, name)
				for _, var in ipairs(n.vars) do fresh(var) end
				local vars = names_of(n.vars, name)
				put(n, "%s = %s", vars, init)
				put(n, "repeat_ %d times:", n.turns)
				scope(n.scope, depth + 1)
				depth = depth + 1
				put(n, "%s = %s", vars, names_of(n.results, name))
				depth = depth - 1
			else
				local args = names_of(n.args, name) .. (n.count and ", " .. (type(n.count) == "table" and "…" or n.count) or "")
				if n.op == "clmul" then -- as it is written: each with its half
					args = string.format("%s, %d, %s, %d", name(n.args[1]), n.count % 2, name(n.args[2]), math.floor(n.count / 2))
				end
				put(n, "%s = %s(%s)", fresh(n), n.op, args)
			end
		end
	end
	scope(graph.scope, 0)
	return list, names_of(graph.results, name)
end

-- The graphs of all stages of a chain, as plain values.
function M.table(plan)
	local list = {}
	for _, stage in ipairs(plan.chain.stages) do
		for _, f in ipairs(functions(stage)) do
			local operations, results = listing(f.graph)
			list[#list + 1] = { stage = stage.name, ["function"] = f.name, bits = f.graph.bits, file = stage.file,
				inputs = names_of(f.graph.inputs, function(n) return n.name end), operations = operations,
				results = results }
		end
	end
	return list
end

function M.text(graphs)
	local lines = {}
	for _, g in ipairs(graphs) do
		local file = g.file:match("[^/]*$")
		lines[#lines + 1] = string.format("\n  %s.%s(%s), words of %d bits", g.stage, g["function"], g.inputs, g.bits)
		for _, o in ipairs(g.operations) do
			lines[#lines + 1] = string.format("    %-24s %s%s", file .. ":" .. o.line, ("  "):rep(o.depth), o.text)
		end
		lines[#lines + 1] = string.format("    %-24s return %s", "", g.results)
	end
	return table.concat(lines, "\n") .. "\n"
end

-- C ----------------------------------------------------------------------------------------------------------------

-- The C functions of the loops, out of the file that holds them: a definition begins at the margin and ends with the
-- first brace that stands there. Loops with a stream, or a frame, are several functions. nil: none was found.
function M.code(source, loops, isa_name)
	local isa, heads, found = nil, {}, {}
	for _, one in ipairs(isa_table.list) do
		if one.name == isa_name then isa = one end
	end
	for _, l in ipairs(loops) do heads[loop.name(l, isa, "")] = true end
	local current
	for line in source:gmatch("([^\n]*)\n") do
		if not current then
			local name = line:match("^[%w_].-([%w_]+)%(") and not line:match(";$") and line:match("([%w_]+)%([^()]*%)%s*{?$")
			local base = name and name:gsub("_out$", ""):gsub("_near$", ""):gsub("_wide$", "")
			if base and (heads[base] or heads[(base:gsub("_body(_%w+)$", "%1"))]) and not name:match("_out$") then
				current = {}
			end
		end
		if current then
			current[#current + 1] = line
			if line == "}" then
				found[#found + 1], current = table.concat(current, "\n") .. "\n", nil
			end
		end
	end
	return #found > 0 and table.concat(found, "\n") or nil
end

return M
