-- The word operations on symbolic words: running a description's function records what it does, as a graph.
--
-- A graph is { bits, inputs, scope, results }. scope lists the operations in the order in which they were done; an
-- operation is { op, args, line }. A loop is { op = "loop", turns, init, vars, scope, results }: vars stand for the
-- words within it, and { op = "out", loop, k } for word k after it. Constants and inputs stand in no scope.
local sandbox = require "gen.sandbox"

local M = {}
local Word = {}

for _, event in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "concat", "lt", "le" } do
	Word["__" .. event] = function()
		sandbox.fail_here("a Lua operator on a word, expected word operations; write add(), xor(), … instead")
	end
end
function Word.__index(_, field)
	sandbox.fail_here("field '%s' of a word, expected a word to be used whole; give a table of words if several are meant",
		tostring(field))
end

function M.new(bits)
	local d = { bits = bits, scope = {} }

	local function node(n)
		n.line = sandbox.line() or 0
		return setmetatable(n, Word)
	end
	local function record(n)
		d.scope[#d.scope + 1] = n
		return n
	end

	function d.input(name) return node { op = "input", name = name } end
	function d.word(v)
		if getmetatable(v) == Word then return v end
		if type(v) == "number" and v % 1 == 0 and v >= 0 and v < 2^math.min(bits, 53) then
			return node { op = "const", value = v }
		end
	end
	for _, op in ipairs { "add", "sub", "xor", "and_", "or_", "big", "little", "choose" } do
		d[op] = function(...) return record(node { op = op, args = { ... } }) end
	end
	for _, op in ipairs { "rotl", "shl", "shr" } do
		d[op] = function(a, count) return record(node { op = op, args = { a }, count = count }) end
	end
	function d.repeat_(turns, f, words)
		local loop = node { op = "loop", turns = turns, init = words, vars = {}, scope = {} }
		local given, outer = {}, d.scope
		for k = 1, #words do
			loop.vars[k] = node { op = "var" }
			given[k] = loop.vars[k]
		end
		d.scope = loop.scope
		loop.results = f(given)
		d.scope = outer
		record(loop)
		local out = {}
		for k = 1, #words do out[k] = node { op = "out", loop = loop, k = k } end
		return out
	end
	return d
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
