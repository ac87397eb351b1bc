-- The word operations on symbolic words: running a description's function records what it does, as a graph.
--
-- A graph is { bits, inputs, scope, results }. scope lists the operations in the order in which they were done; an
-- operation is { op, args, line }. A loop is { op = "loop", turns, init, vars, scope, results }: vars stand for the
-- words within it, and { op = "out", loop, k } for word k after it. Constants and inputs stand in no scope.
--
-- What the description holds of a word is a handle without content: it cannot be looked into, and Lua asks us when it
-- is compared, so that a choice by data, which a graph cannot record, is not taken silently.
local ffi = require "ffi"
local sandbox = require "gen.sandbox"

local M = {}
local Word = {}

for _, event in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "concat", "len", "lt", "le", "call" } do
	Word["__" .. event] = function()
		sandbox.fail_here("a Lua operator on a word, expected word operations; write add(), xor(), … instead")
	end
end
function Word.__eq(a, b)
	if type(a) == "nil" or type(b) == "nil" then return false end -- asks whether there is one
	sandbox.fail_here("a word is compared, expected the same operations for all data; write and_(), choose(), … instead")
end
function Word.__index(_, field)
	sandbox.fail_here("field '%s' of a word, expected a word to be used whole; give a table of words if several are meant",
		tostring(field))
end
Word.__newindex = Word.__index
local handle = ffi.metatype("struct { int : 32; }", Word)

-- Operations that a graph may come to, those of a loop as often as it turns: they are computed to try the laws.
local WORK = 2e6

function M.new(bits)
	local d = { bits = bits, scope = {} }
	local times, work = 1, 0 -- how often what is recorded now will run; operations so far
	local nodes = {} -- of each handle

	local function node(n)
		n.line = sandbox.line() or 0
		return n
	end
	local function give(n)
		local h = handle()
		nodes[h] = n
		return h
	end
	local function spend(operations)
		work = work + times * operations
		if work > WORK then
			sandbox.fail_here("more than %d operations, as often as repeat_() does them, expected fewer; repeat less", WORK)
		end
	end
	local function record(n)
		spend(1)
		d.scope[#d.scope + 1] = n
		return n
	end

	-- An input, and the handle of it.
	function d.input(name)
		local n = node { op = "input", name = name }
		return n, give(n)
	end
	-- The node of a handle or of a number.
	function d.word(v)
		if type(v) == "cdata" then return nodes[v] end
		if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^math.min(bits, 53) then
			return node { op = "const", value = v }
		end
	end
	for _, op in ipairs { "add", "sub", "xor", "and_", "or_", "big", "little", "choose" } do
		d[op] = function(...) return give(record(node { op = op, args = { ... } })) end
	end
	for _, op in ipairs { "rotl", "shl", "shr" } do
		d[op] = function(a, count) return give(record(node { op = op, args = { a }, count = count })) end
	end
	function d.repeat_(turns, f, words)
		local loop = node { op = "loop", turns = turns, init = words, vars = {}, scope = {} }
		local given, outer, once = {}, d.scope, times
		for k = 1, #words do
			loop.vars[k] = node { op = "var" }
			given[k] = give(loop.vars[k])
		end
		d.scope, times = loop.scope, times * turns
		spend(1 + #words) -- the turn itself
		loop.results = f(given)
		d.scope, times = outer, once
		record(loop)
		local out = {}
		for k = 1, #words do out[k] = give(node { op = "out", loop = loop, k = k }) end
		return out
	end
	return d
end

-- What the graph comes to for these words, in a domain that computes (number.lua).
function M.evaluate(graph, domain, words)
	local value = {}
	for k, input in ipairs(graph.inputs) do value[input] = domain.word(words[k]) end
	local function of(n)
		if n.op == "const" then return domain.word(n.value) end
		if n.op == "out" then return value[n.loop.vars[n.k]] end
		return value[n]
	end
	local function scope(list)
		for _, n in ipairs(list) do
			if n.op == "loop" then
				local now = n.init
				for _ = 1, n.turns do
					local words_now = {}
					for k, w in ipairs(now) do words_now[k] = of(w) end
					for k, var in ipairs(n.vars) do value[var] = words_now[k] end
					scope(n.scope)
					now = n.results
				end
				local after = {}
				for k, w in ipairs(now) do after[k] = of(w) end
				for k, var in ipairs(n.vars) do value[var] = after[k] end
			else
				local a = n.args
				value[n] = domain[n.op](of(a[1]), n.count or a[2] and of(a[2]), a[3] and of(a[3]))
			end
		end
	end
	scope(graph.scope)
	local results = {}
	for k, r in ipairs(graph.results) do results[k] = of(r) end
	return results
end

-- The graph is the function that gives back its only input.
function M.is_identity(graph)
	return #graph.results == 1 and graph.results[1] == graph.inputs[1]
end

-- The graph is one operation on its inputs, in their order.
function M.is_only(graph, op)
	local r = graph.results[1]
	return #graph.scope == 1 and r.op == op and r.args[1] == graph.inputs[1] and r.args[2] == graph.inputs[2]
end

-- Whether an operation occurs, also within loops; the line where, if so.
function M.find(scope, op)
	for _, n in ipairs(scope) do
		if n.op == op then return n.line end
		local within = n.op == "loop" and M.find(n.scope, op)
		if within then return within end
	end
end

return M
