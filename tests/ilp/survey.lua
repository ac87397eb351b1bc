-- Every ordered subset of one to four of eleven stages, of one to three of ten others, and of some more, as a chain:
-- the planner's verdict on each, and what judge.lua finds out by trying, must be the same. Run from the top of the
-- source:
--
--	luajit tests/ilp/survey.lua [PART OF]    the chains whose number leaves PART when it is divided by OF; a sample, 0
--	                                         40, when it is not said; 0 1 are all
--	luajit tests/ilp/survey.lua --legal      prints a line for each chain that is legal: its number, its stages
--	luajit tests/ilp/survey.lua --write DIR ISA,… WAYS NUMBER…
--	                                         writes the loops of these chains, for these instruction sets and of so many
--	                                         schedules, and their vectors: DIR/survey_0001.c, .h, .vec, and chains.c
--	                                         (survey.sh runs them)
--
-- The last line, when verdicts were compared, is `N passed, N failed`.
-- Room for the code of thousands of chains' stages: with less it is thrown away and made again, time after time.
require("jit.opt").start("sizemcode=1024", "maxmcode=16384", "maxtrace=10000")
package.path = "ilp/?.lua;" .. package.path
local chains = require "gen.chains"
local describe = require "gen.describe"
local planner = require "gen.plan"
local judge = require "gen.judge"
local emit = require "gen.emit"
local state = require "gen.state"
local files = require "gen.files"
local test = require "gen.test"
local main = require "gen.main"

-- Stages, of which so many at most make a chain: those that share loops; those that do not, beside some that do; and
-- pairs, of words of 32 and of 128 bits; and a hash; and marks that begin anywhere, beside a fold that is cut anywhere.
local LISTS = {
	{ most = 4, "xdr_u32", "xdr_u64", "guid", "chacha20", "inet_checksum", { "adler32", at = "tail" },
		{ "turned", at = "tail" }, { "fletcher32", at = "head" }, "pkcs7_pad", "mark12", "pairs12" },
	{ most = 3, "base64", "runs3", "holes40", "hexdump", "xdr_u64", "guid", { "adler32", at = "tail" },
		{ "fletcher32", at = "head" }, "pkcs7_pad", "mark12" },
	{ most = 3, "chacha20_poly1305", "xdr_u64", "guid", "inet_checksum", { "adler32", at = "tail" },
		{ "fletcher32", at = "head" }, "pkcs7_pad", "mark12", "base64" },
	{ most = 2, "aes128_gcm", "xdr_u32", "ghash", "aes128_ctr", { "adler32", at = "tail" }, "cobs" },
	{ most = 3, { "hmac_sha256", at = "tail" }, "aes128_ctr", "chacha20", "guid", "mark12", "pkcs7_pad",
		{ "fletcher32", at = "head" } },
	{ most = 3, "phase16", { "crc32c", at = "tail" }, "xdr_u32", "xdr_u64", "guid", "pkcs7_pad", "mark12",
		{ "adler32", at = "tail" }, { "fletcher32", at = "head" } },
}

local known, tried = {}, {}
local function find(name)
	for _, folder in ipairs { "tests/ilp/stages", "ilp/stages" } do
		local path = folder .. "/" .. name .. ".lua"
		known[path] = known[path] or describe.stage(path)
		if known[path] then return known[path] end
	end
end

-- In place wherever that can be.
local function chain_of(list, places, number)
	local name = string.format("survey_%04d", number)
	local d = { name = name, file = name, text = "", fields = {}, stages = {}, at = {}, inplace = true }
	function d.line() return 1 end
	for _, place in ipairs(places) do
		local e = list[place]
		local stage = type(e) == "table" and e[1] or e
		local at = type(e) == "table" and e.at or "value"
		chains.put(d, find(stage), at, find)
		local kind = d.stages[#d.stages].kind
		if kind == "reframe" or kind == "recode" or kind == "stuff" or at == "head" then d.inplace = false end
	end
	return d
end

local function name_of(chain) return state.stage_names(chain, " ") end

-- All ordered subsets: calls f with the chain and its number.
local function each(f, wanted)
	local number = 0
	local function extend(list, places, used)
		if #places > 0 then
			number = number + 1
			if wanted(number) then f(chain_of(list, places, number), number) end
		end
		if #places == list.most then return end
		for p = 1, #list do
			if not used[p] then
				used[p], places[#places + 1] = true, p
				extend(list, places, used)
				used[p], places[#places] = nil, nil
			end
		end
	end
	for _, list in ipairs(LISTS) do extend(list, {}, {}) end
end

local order = require("ffi").abi("le") and "little" or "big"
local passed, failed, kinds = 0, 0, {}
local function count(kind) kinds[kind] = (kinds[kind] or 0) + 1 end

local function check(chain)
	local plan, found = planner.judge(chain), judge.judge(chain, order, tried)
	local problem
	if plan.illegal then
		count "illegal"
		if not found.illegal then problem = "the planner says illegal (" .. plan.illegal .. ")" end
	elseif found.illegal then
		problem = "it is illegal: " .. found.why
	else
		count(plan.send.verdict .. " out, " .. plan.recv.verdict .. " in")
		for _, direction in ipairs { "send", "recv" } do
			if #plan[direction].segments ~= found[direction] then
				problem = (problem and problem .. "; " or "") .. string.format("%s: the planner says %s, trying says %d",
					direction, plan[direction].verdict, found[direction])
			end
		end
	end
	if problem then
		failed = failed + 1
		if failed <= 20 then print(name_of(chain) .. ": " .. problem) end
	else
		passed = passed + 1
	end
end

local function verdicts(part, of)
	each(check, function(number) return number % of == part end)
	local list = {}
	for kind in pairs(kinds) do list[#list + 1] = kind end
	table.sort(list)
	for _, kind in ipairs(list) do print(string.format("%6d %s", kinds[kind], kind)) end
	print(string.format("%d passed, %d failed", passed, failed))
	return failed == 0 and 0 or 1
end

local function legal()
	each(function(chain, number)
		if not planner.judge(chain).illegal then print(number .. " " .. name_of(chain)) end
	end, function() return true end)
	return 0
end

local function write(dir, isas, ways, numbers)
	local wanted, plans, outputs = {}, {}, {}
	for _, n in ipairs(numbers) do wanted[tonumber(n)] = true end
	each(function(chain)
		local plan = planner.plan(chain)
		local base = dir .. "/" .. plan.chain.name
		plan.isas, plan.ways = isas, ways
		plans[#plans + 1] = plan
		outputs[#outputs + 1] = { path = base .. ".h", content = state.header(plan) }
		outputs[#outputs + 1] = { path = base .. ".c", content = emit.source(plan) }
		outputs[#outputs + 1] = { path = base .. ".vec", content = test.vectors(plan.chain, order, test.SURVEY) }
	end, function(number) return wanted[number] end)
	outputs[#outputs + 1] = { path = dir .. "/chains.c", content = emit.list(plans) }
	local done, problem = files.write(outputs)
	if not done then io.stderr:write(problem, "\n") end
	return done and 0 or 1
end

local function usage(problem)
	io.stderr:write(problem, "; the head of tests/ilp/survey.lua says what there is\n")
	return 2
end

local function run(first, ...)
	if first == "--legal" then return legal() end
	if first == "--write" then
		local dir, names, ways = ...
		local isas, problem = main.isas(names or "")
		if not isas then return usage(problem) end
		return write(dir, isas, tonumber(ways), { select(4, ...) })
	end
	local part, of = tonumber(first or 0), tonumber((...) or 40)
	if not part or not of or part < 0 or part >= of then return usage "expected two numbers, PART below OF" end
	return verdicts(part, of)
end

os.exit(run(...))
