-- Every ordered subset of one to four of nine stages as a chain: the planner's verdict on each, and what judge.lua finds
-- out by trying, must be the same. Run from the top of the source:
--
--	luajit tests/ilp/survey.lua [PART OF]    only the chains whose number leaves PART when it is divided by OF
--
-- Its last line is `N passed, N failed`.
package.path = "ilp/?.lua;" .. package.path
local describe = require "gen.describe"
local planner = require "gen.plan"
local judge = require "gen.judge"

local STAGES = { "xdr_u32", "xdr_u64", "guid", "chacha20", "inet_checksum", { "adler32", at = "tail" },
	{ "fletcher32", at = "head" }, "pkcs7_pad", "mark12" }

local known, tried = {}, {}
local function find(name)
	for _, folder in ipairs { "tests/ilp/stages", "ilp/stages" } do
		local path = folder .. "/" .. name .. ".lua"
		known[path] = known[path] or describe.stage(path)
		if known[path] then return known[path] end
	end
end

local function chain_of(places)
	local d = { name = "survey", file = "survey", text = "", stages = {}, at = {}, inplace = false }
	for k, place in ipairs(places) do
		local e = STAGES[place]
		local name = type(e) == "table" and e[1] or e
		d.stages[k], d.at[k] = find(name), type(e) == "table" and e.at or "value"
	end
	return d
end

local function name_of(chain)
	local names = {}
	for k, stage in ipairs(chain.stages) do names[k] = stage.name end
	return table.concat(names, " ")
end

-- All ordered subsets of at most four: calls f with the places of each.
local function each(f)
	local function extend(places, used)
		if #places > 0 then f(places) end
		if #places == 4 then return end
		for p = 1, #STAGES do
			if not used[p] then
				used[p], places[#places + 1] = true, p
				extend(places, used)
				used[p], places[#places] = nil, nil
			end
		end
	end
	extend({}, {})
end

local order = require("ffi").abi("le") and "little" or "big"
local passed, failed, number, kinds = 0, 0, 0, {}
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
				problem = (problem and problem .. "; " or "") .. string.format("%s: the planner says %s, trying says %d", direction, plan[direction].verdict,
					found[direction])
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

local part, of = tonumber(arg[1]), tonumber(arg[2]) or 1
each(function(places)
	number = number + 1
	if not part or number % of == part then check(chain_of(places)) end
end)
local list = {}
for kind in pairs(kinds) do list[#list + 1] = kind end
table.sort(list)
for _, kind in ipairs(list) do print(string.format("%6d %s", kinds[kind], kind)) end
print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and 0 or 1)
