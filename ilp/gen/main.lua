-- The generator: chains in, loops out.
--
--	luajit ilp/gen/main.lua [--out DIR] [--tests DIR] [--extent sample|full|survey] [--order little|big]
--		[--isa NAME,…] [--ways N] [--explain] [--times] [--] CHAIN…
--
-- CHAIN is a file, or the name of one in ilp/chains/. --out writes NAME.c and NAME.h of each chain, and chains.c, the
-- table of all that were named. --tests writes NAME_test.c and NAME.vec, what the descriptions come to on plain
-- numbers, for a machine of that byte order (default: this one's); how much of that there is, --extent says (default:
-- sample; test.lua). --isa makes loops of these instruction sets only, scalar among them, and --ways those of the
-- first N schedules only (layered, tiled, fused, streaming, partitions): quicker to compile. --explain prints a page
-- about each chain. --times says how much CPU time each part of the work took, on stderr.
-- Exit status: 0; 1: a mistake in a description, or a file that cannot be written; 2: usage.
--
-- As a module: require "gen.main" with ilp/ in package.path gives generate, outputs, explain and run.
local source = debug.getinfo(1, "S").source
local here = source:match("^@(.*)/gen/[^/]*$") or source:match("^@gen/") and "." or ".."
if not package.path:find(here .. "/?.lua", 1, true) then package.path = here .. "/?.lua;" .. package.path end

local chains = require "gen.chains"
local planner = require "gen.plan"
local names = require "gen.names"
local sandbox = require "gen.sandbox"
local emit = require "gen.emit"
local state = require "gen.state"
local isa_table = require "gen.isa"
local files = require "gen.files"

local M = {}
local complaints = sandbox.complaints

-- Little of what makes text is compiled to good purpose; the oracle's is (test.lua).
jit.off()

-- A chain's file, and the folders in which its stages are looked for: stages/ beside it, or beside its folder where
-- that is called chains/ (no other: what stands above a chain's folder may be anybody's); and ours.
local function find(chain)
	local file = chain:find("[/.]") and chain or here .. "/chains/" .. chain .. ".lua"
	local folder = file:match("^(.*)/[^/]*$") or "."
	local beside = (folder == "chains" and "." or folder:match("^(.*)/chains$") or folder) .. "/stages"
	local ours = here .. "/stages"
	local folders = beside == ours and { ours } or { beside, ours }
	return file, folders
end

local function plan(chain) return planner.plan(chains.load(find(chain))) end

local function loops(p, dir, counted)
	local base = dir .. "/" .. p.chain.name
	local text, heads = emit.source(p, counted)
	names.check(p, heads)
	return { { path = base .. ".h", content = state.header(p) }, { path = base .. ".c", content = text } }
end

local function append(list, more)
	for _, item in ipairs(more) do list[#list + 1] = item end
end

-- Writes the chain's .c and .h into dir. Returns true, or nil and a message.
function M.generate(chain, dir)
	local outputs, problem = complaints(function() return loops(plan(chain), dir) end)
	if not outputs then return nil, problem end
	return files.write(outputs)
end

-- What generate would write, as { { path = its name, content = }, … }, and the chain's name; or nil and a message.
-- For an application that loads a description of which it knows nothing (ilp/load.h): all of it takes no more than
-- that many instructions, unless they are compiled (jit.off). counted: loops that count loads and stores.
function M.outputs(chain, limit, counted)
	return complaints(sandbox.bounded, chain, limit, function()
		local p = plan(chain)
		local outputs = loops(p, ".", counted)
		for _, out in ipairs(outputs) do out.path = out.path:match("[^/]*$") end
		return outputs, p.chain.name
	end)
end

-- A page about the chain as text, and the same as a table of plain values; or nil and a message.
function M.explain(chain)
	return complaints(function()
		local explain = require "gen.explain"
		local page = explain.table(plan(chain))
		return explain.text(page), page
	end)
end

-- The graphs of the chain's stages, as text and as a table; or nil and a message.
function M.graphs(chain)
	return complaints(function()
		local listing = require "gen.listing"
		local graphs = listing.table(plan(chain))
		return listing.text(graphs), graphs
	end)
end

-- The C of the fused loops of a direction, for the best of the instruction sets of those names for which the chain has
-- loops; or nil and a message.
function M.code(chain, direction, isas)
	return complaints(function()
		local listing = require "gen.listing"
		local p = plan(chain)
		local isa = isa_table.best(isas, p.quads)
		for _, s in ipairs(isa and require("gen.schedule").list(p[direction]) or {}) do
			if s.name == "fused" then
				local text = listing.code(emit.source(p), s.loops, isa.name)
				if text then return text end
			end
		end
		return nil, string.format("%s: %s has no loop for %s", chain, direction, table.concat(isas, ", "))
	end)
end

local function usage(problem)
	io.stderr:write(problem, "\nusage: luajit ilp/gen/main.lua ",
		"[--out DIR] [--tests DIR] [--extent sample|full|survey] [--order little|big]\n\t",
		"[--isa NAME,…] [--ways N] [--explain] [--times] [--] CHAIN…\n")
	return 2
end

-- The instruction sets of those names, between commas, in their order; or nil and what is wrong.
function M.isas(text)
	local wanted, list, all = {}, {}, {}
	for name in (text .. ","):gmatch("([^,]*),") do wanted[name] = true end
	for _, isa in ipairs(isa_table.list) do
		if wanted[isa.name] then list[#list + 1], wanted[isa.name] = isa, nil end
		all[#all + 1] = isa.name
	end
	local other = next(wanted)
	if other then return nil, string.format("--isa: '%s', expected of %s", other, table.concat(all, ", ")) end
	if list[1] ~= isa_table.ends then
		return nil, string.format("--isa %s: expected %s among them; add it", text, isa_table.ends.name)
	end
	return list
end

local VALUED = { out = true, tests = true, order = true, extent = true, isa = true, ways = true }
local EXTENTS = { sample = "SAMPLE", full = "FULL", survey = "SURVEY" }

-- What is wrong with the values of options, if anything; makes of them what they stand for.
local function check_values(o)
	if o.order ~= "little" and o.order ~= "big" then return "--order is little or big" end
	if not EXTENTS[o.extent] then return "--extent is sample, full or survey" end
	if o.isa then
		local problem
		o.isas, problem = M.isas(o.isa)
		if problem then return problem end
	end
	local ways = o.ways and tonumber(o.ways)
	if o.ways and not (ways and ways >= 3 and ways % 1 == 0) then return "--ways is a number, 3 or more" end
	o.ways = ways
	if #o.chains == 0 then return "no chain was named" end
	if not (o.out or o.tests or o.explain) then return "nothing to do: give --out, --tests or --explain" end
end

local function parse(arguments)
	local o, k = { chains = {}, order = require("ffi").abi("le") and "little" or "big", extent = "sample" }, 1
	local ended -- "--" ends the options
	while k <= #arguments do
		local a = arguments[k]
		local name = not ended and a:match("^%-%-(.*)$")
		if name == "" then
			ended = true
		elseif name == "explain" or name == "times" then
			o[name] = true
		elseif VALUED[name] then
			k = k + 1
			o[name] = arguments[k]
			if not o[name] then return nil, a .. " needs a value" end
		elseif name then
			return nil, a .. " is not an option"
		else
			o.chains[#o.chains + 1] = a
		end
		k = k + 1
	end
	local problem = check_values(o)
	if problem then return nil, problem end
	return o
end

-- f, and for --times how long it took.
local function timed(o, what, f, ...)
	local from = os.clock()
	local result, more = f(...)
	if o.times then io.stderr:write(string.format("%8.2f ms  %s\n", (os.clock() - from) * 1000, what)) end
	return result, more
end

-- The plans of the chains; no two may be of one name, since they would be the same files and symbols.
local function plans_of(o)
	local plans, seen = {}, {}
	for k, chain in ipairs(o.chains) do
		local p = timed(o, "describe " .. chain, plan, chain)
		local c = p.chain
		if seen[c.name] then
			sandbox.fail(c.file, c.line("name"), "chain '%s' is named twice, the first being %s, expected each name once; "
				.. "leave one out or rename it", c.name, seen[c.name])
		end
		plans[k], seen[c.name] = p, c.file
	end
	for _, p in ipairs(plans) do
		local c, tested = p.chain, p.chain.name:match("^(.*)_test$")
		if seen[tested or ""] then
			sandbox.fail(c.file, c.line("name"), "chain '%s' is called as the test of '%s', expected another name; rename it",
				c.name, tested)
		end
	end
	return plans
end

local function outputs_of(o)
	local outputs, plans = {}, plans_of(o)
	if o.out then
		for _, p in ipairs(plans) do
			p.isas, p.ways = o.isas, o.ways
			append(outputs, timed(o, "emit " .. p.chain.name, loops, p, o.out))
		end
		append(outputs, { { path = o.out .. "/chains.c", content = emit.list(plans) } })
	end
	if o.tests then
		local test = require "gen.test"
		local function tests(p) return test.outputs(p, o.tests, o.order, test[EXTENTS[o.extent]]) end
		for _, p in ipairs(plans) do append(outputs, timed(o, "test " .. p.chain.name, tests, p)) end
	end
	return outputs
end

-- The command. Returns its exit status.
function M.run(arguments)
	local o, problem = parse(arguments)
	if not o then return usage(problem) end
	if o.explain then
		for _, chain in ipairs(o.chains) do
			local page, more = M.explain(chain)
			if not page then
				problem = more
				break
			end
			io.write(page)
		end
	end
	local outputs, done
	if not problem then outputs, problem = complaints(outputs_of, o) end
	if outputs then done, problem = timed(o, "write", files.write, outputs) end
	if done then return 0 end
	io.stderr:write(problem, "\n")
	return 1
end

if ... ~= "gen.main" then os.exit(M.run(arg)) end
return M
