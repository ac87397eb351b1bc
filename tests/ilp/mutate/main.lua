-- Mutants of generated loops: makes faults in them, systematically, and shows how many the tests see.
--
--	luajit tests/ilp/mutate/main.lua [--count N] [--seed N] [--chain NAME]... [--operator NAME]... [--site SITE]
--		[--list] [--print] [--json FILE] [--build DIR] [--gen DIR] [--cc CC] [--jobs N] [--explained FILE]
--
-- Run from the top of the source after `make tests`. --count mutants are drawn by --seed; --site is one of those that
-- --list names, and --print writes its C instead of running it. Exit status: 0; 1: fewer than 99 of 100 were killed, or
-- a survivor is not in --explained; 2: usage, or what is to be mutated does not pass its own tests.
--
-- source.lua reads the C, operators/ say what can be done to it, sample.lua draws, run.lua compiles and runs,
-- killers.lua knows the programs, report.lua says what came of it.
local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local tests = here:match("^(.*)/mutate$") or here .. "/.."
if not package.path:find(tests .. "/?.lua", 1, true) then package.path = tests .. "/?.lua;" .. package.path end
package.path = tests .. "/../../ilp/?.lua;" .. package.path

local source = require "mutate.source"
local site = require "mutate.site"
local sample = require "mutate.sample"
local operators = require "mutate.operators"
local explained = require "mutate.explained"
local runner = require "mutate.run"
local report = require "mutate.report"

local M = {}

local ENOUGH = 0.99

local USAGE = "usage: luajit tests/ilp/mutate/main.lua [--count N] [--seed N] [--chain NAME]... [--operator NAME]... "
	.. "[--site SITE]\n\t[--list] [--print] [--json FILE] [--build DIR] [--gen DIR] [--cc CC] [--jobs N] "
	.. "[--explained FILE]\n"

local FLAGS = { list = true, print = true }
local NUMBERS = { count = true, seed = true, jobs = true }
local LISTS = { chain = true, operator = true }
local WORDS = { site = true, json = true, build = true, gen = true, cc = true, explained = true }

function M.defaults()
	return { count = 300, seed = 1, chain = {}, operator = {}, build = "build/gcc", gen = "build/gen", cc = "gcc",
		explained = tests .. "/mutants.explained", here = here }
end

-- Options of a command line; nil and a problem.
function M.parse(arguments)
	local o, k = M.defaults(), 1
	while k <= #arguments do
		local name, value = arguments[k]:match("^%-%-([%l]+)$"), arguments[k + 1]
		if FLAGS[name] then
			o[name], k = true, k - 1
		elseif not (NUMBERS[name] or LISTS[name] or WORDS[name]) then
			return nil, arguments[k] .. " is not an option"
		elseif not value then
			return nil, arguments[k] .. " needs a value"
		elseif NUMBERS[name] then
			o[name] = value:match("^%d+$") and #value < 10 and tonumber(value)
			if not o[name] or o[name] == 0 then
				return nil, arguments[k] .. " is '" .. value .. "', expected a number from 1 on"
			end
		elseif LISTS[name] then
			table.insert(o[name], value)
		else
			o[name] = value
		end
		k = k + 2
	end
	if o.print and not o.site then return nil, "--print is for one --site" end
	for _, name in ipairs(o.operator) do
		if not operators.by_name[name] then return nil, "operator '" .. name .. "' is none of those that --list names" end
	end
	return o
end

-- The chains of a directory of generated C: those with a test.
local function chains_of(gen)
	local list, pipe = {}, assert(io.popen("ls " .. gen .. "/*_test.c 2>/dev/null"))
	for path in pipe:lines() do list[#list + 1] = path:match("([^/]*)_test%.c$") end
	pipe:close()
	return list
end

-- The instruction sets that this processor has.
local function isas_here(build)
	local names, pipe = {}, assert(io.popen(build .. "/bin/tcpu isa"))
	for line in pipe:lines() do names[line:match "^[* ] (%S+) .* has it  " or ""] = true end
	pipe:close()
	if not names.scalar then error(build .. "/bin/tcpu does not say what this CPU has; run `make tests`", 0) end
	return names
end

local function read(path)
	local f = io.open(path, "rb")
	if not f then error(path .. ": cannot be read, expected a chain's C; run `make tests`, and see --chain", 0) end
	local text = f:read("*a")
	f:close()
	return text
end

local function chosen_operators(o)
	if #o.operator == 0 then return operators.list end
	local list = {}
	for k, name in ipairs(o.operator) do list[k] = operators.by_name[name] end
	return list
end

-- All sites of the chains, the chains' texts, and the names of those that have a site.
function M.sites(o)
	local all, texts, chains = {}, {}, #o.chain > 0 and o.chain or chains_of(o.gen)
	if #chains == 0 then error(o.gen .. ": no chain there, expected NAME.c and NAME_test.c; run `make tests`", 0) end
	local here_runs, with, isas = {}, {}, isas_here(o.build)
	for _, chain in ipairs(chains) do
		local path = o.gen .. "/" .. chain .. ".c"
		texts[chain] = read(path)
		local regions = {}
		for _, r in ipairs(source.regions(texts[chain], path, source.live_lines(texts[chain], o.cc))) do
			if here_runs[r.isa] == nil then here_runs[r.isa] = source.runs(r.isa, isas) end
			if here_runs[r.isa] then regions[#regions + 1] = r end
		end
		for _, s in ipairs(site.all(regions, chosen_operators(o))) do
			s.chain = chain
			if not o.site or o.site == chain .. ":" .. s.key then
				all[#all + 1] = s
				if with[#with] ~= chain then with[#with + 1] = chain end
			end
		end
	end
	if o.site and #all == 0 then error("site '" .. o.site .. "' is none of those that --list names", 0) end
	for isa, runs in pairs(here_runs) do
		if not runs then io.stderr:write("left out: code for ", isa, ", which this processor does not run\n") end
	end
	return all, texts, with
end

local function list(sites)
	for _, s in ipairs(sites) do
		local before, after = site.show(s)
		io.write(string.format("%s:%s\t%s:%d\t%s\t%s\n", s.chain, s.key, s.region.file, s.line, before, after))
	end
end

-- Progress for whoever waits.
local function watcher(count, results)
	local terminal = os.execute("test -t 2") == 0
	return function()
		local all = report.totals(results)
		local line = string.format("%d of %d: %d killed, %d survived; %d more left out", all.made, count, all.killed,
			all.survived, all.left + all.equivalent)
		if terminal then
			io.stderr:write("\r  ", line, " ")
		elseif #results % 25 == 0 then
			io.stderr:write("  ", line, "\n")
		end
	end, function()
		if terminal then io.stderr:write("\n") end
	end
end

local function explain(s, explanations)
	s.before, s.after = site.show(s)
	local entry = explained.find(explanations, s, s.before, s.after)
	if s.verdict == "survived" then
		s.explanation = entry
		if entry and entry.kind == "equivalent" then s.verdict = "equivalent" end
	elseif s.verdict == "killed" and entry then
		io.stderr:write(string.format("\n%s: killed by %s, but explained as '%s': correct the explanation\n", s.key, s.by,
			entry.kind))
	end
end

-- Draws, runs, and draws again for what came to nothing. Returns the sites that were run, in order of drawing. `also`,
-- if any, is then called with the runner.
function M.mutants(o, also)
	local sites, texts, chains = M.sites(o)
	local explanations = explained.read(o.explained, operators.by_name)
	local stale = #o.chain == 0 and #o.operator == 0 and not o.site
		and explained.stale(explanations, sites, site.show)
	if stale then
		error(string.format("%s:%d: explains no mutant, expected one of those that --list names; remove it", stale.file,
			stale.line), 0)
	end
	local run = runner.new(o, texts, chains)
	local able = {}
	for _, s in ipairs(sites) do
		if not s.operator.secrets or run:sees_secrets(s.chain) then able[#able + 1] = s end
	end
	if #able < #sites then
		io.stderr:write(string.format("left out: %d sites of wipe: no test of secrets for their chains\n", #sites - #able))
	end
	local draw, results, drawn = sample.new(able, o.seed), {}, {}
	local watch, finish = watcher(o.count, results)
	repeat
		local batch = {}
		while #batch < o.count - report.totals(results).made do
			local s = draw:next()
			if not s then break end
			batch[#batch + 1], drawn[#drawn + 1] = s, s
		end
		run:run(batch, function(s)
			explain(s, explanations)
			results[#results + 1] = s
			watch()
		end)
		for _, s in ipairs(batch) do
			if s.verdict ~= "killed" and s.verdict ~= "survived" then draw:discard(s) end
		end
	until #batch == 0
	finish()
	if also then also(run) end
	run:close()
	return drawn
end

-- Whether the tests see enough: nearly all, and for each of the others it is known why not.
function M.enough(results)
	local all = report.totals(results)
	for _, s in ipairs(results) do
		if s.verdict == "survived" and not s.explanation then return false end
	end
	return all.made > 0 and all.killed >= ENOUGH * all.made
end

local function command(o)
	if o.list or o.print then
		local sites = M.sites(o)
		if o.print then io.write(site.apply(sites[1])) else list(sites) end
		return 0
	end
	local start = os.time()
	local results = M.mutants(o)
	local seconds = os.difftime(os.time(), start)
	report.write(io.stdout, results, operators.list, seconds)
	if o.json then
		local f = assert(io.open(o.json, "wb"))
		assert(f:write(report.json(results, o.seed, seconds)))
		assert(f:close())
	end
	return M.enough(results) and 0 or 1
end

-- The command. Returns its exit status.
function M.run(arguments)
	local o, problem = M.parse(arguments)
	if not o then
		io.stderr:write(problem, "\n", USAGE)
		return 2
	end
	local ok, status = pcall(command, o)
	if ok then return status end
	io.stderr:write(tostring(status), "\n")
	return 2
end

if ... ~= "mutate.main" then os.exit(M.run(arg)) end
return M
