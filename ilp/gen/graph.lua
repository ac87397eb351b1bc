-- The word operations on symbolic words: running a description's function records what it does, as a graph.
--
-- A graph is { bits, inputs, scope, results }. scope lists the operations in the order in which they were done; an
-- operation is { op, args, line }. A loop is { op = "loop", turns, init, vars, scope, results }: vars stand for the
-- words within it, and { op = "out", loop, k } for word k after it. Constants and inputs stand in no scope.
--
-- What the description holds of a word is a handle without content: it cannot be looked into, and Lua asks us when it
-- is compared, so that a choice by data, which a graph cannot record, is not taken silently.
local ffi = require "ffi"
local new = require "table.new"
local number = require "gen.number"
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

-- A function that is told of so many more operations.
local function meter()
	local work = 0
	return function(operations)
		work = work + operations
		if work > WORK then
			sandbox.fail_here("more than %d operations, as often as repeat_() does them, expected fewer; repeat less", WORK)
		end
	end
end

-- Those that operation does, which folds constants, and those that know a machine's order of bytes, which none can.
local ORDERED = { big = true, little = true, big32 = true, little32 = true, by_order = true }
local PLAIN = { "add", "sub", "mul", "mul32", "xor", "and_", "or_", "choose", "add32", "swap", "swap32", "aes",
	"aes_last", "sha256", "sha256_half", "sha256_su0", "sha256_su1" }
local function name_operations(d, plain, operation, ordered)
	for _, op in ipairs(PLAIN) do
		d[op] = plain[op] and function(...) return operation(op, { ... }) end
	end
	for _, op in ipairs { "rotl", "shl", "shr", "lookup" } do
		d[op] = plain[op] and function(a, count) return operation(op, { a }, count) end
	end
	d.clmul = plain.clmul and function(a, b, halves) return operation("clmul", { a, b }, halves) end
	for op in pairs(ORDERED) do
		d[op] = plain[op] and function(...) return ordered(op, { ... }) end
	end
end

-- Whether all operations of a scope have operands that are known, and come to the same on every machine. Says so of
-- each in known.
local function all_known(scope, known)
	local function are(words)
		for _, w in ipairs(words) do
			if w.op ~= "const" and not known[w.op == "out" and w.loop or w] then return false end
		end
		return true
	end
	for _, n in ipairs(scope) do
		if n.op ~= "loop" then
			if ORDERED[n.op] or not are(n.args) then return false end
		else
			for _, var in ipairs(n.vars) do known[var] = true end
			if not (are(n.init) and all_known(n.scope, known) and are(n.results)) then return false end
		end
		known[n] = true
	end
	return true
end

-- repeat_, of a domain d whose own functions and numbers are in `own`.
local function name_loop(d, own)
	local node, give = own.node, own.give
	-- The words after a loop; one over constants is none.
	local after = sandbox.unseen(function(loop)
		local out, handles = {}, {}
		for k = 1, #loop.vars do out[k] = node { op = "out", loop = loop, k = k } end
		if all_known({ loop }, {}) then
			local values = M.evaluate({ inputs = {}, scope = { loop }, results = out }, own.plain, {}, 1)
			for k, value in ipairs(values) do out[k] = node { op = "const", value = value[1] } end
		else
			own.record(loop)
		end
		for k, n in ipairs(out) do handles[k] = give(n) end
		return handles
	end)
	function d.repeat_(turns, f, words)
		local loop = node { op = "loop", turns = turns, init = words, vars = {}, scope = {} }
		local given, outer, once = {}, d.scope, own.times
		for k = 1, #words do
			loop.vars[k] = node { op = "var" }
			given[k] = give(loop.vars[k])
		end
		d.scope, own.times = loop.scope, own.times * turns
		own.spend(own.times * (1 + #words)) -- the turn itself
		loop.results = f(given)
		d.scope, own.times = outer, once
		return after(loop)
	end
end

function M.new(bits)
	local d = { bits = bits, scope = {} }
	local nodes = {} -- of each handle
	-- plain: for what is the same in every order. times: how often what is recorded now will run.
	local own = { plain = number.new(bits, "little"), times = 1, spend = meter() }
	local plain = own.plain

	local function node(n)
		n.line = sandbox.line() or 0
		return n
	end
	local function give(n)
		local h = handle()
		nodes[h] = n
		return h
	end
	local function record(n)
		own.spend(own.times)
		d.scope[#d.scope + 1] = n
		return n
	end
	own.node, own.give, own.record = node, give, record

	-- An input, and the handle of it.
	function d.input(name)
		local n = node { op = "input", name = name }
		return n, give(n)
	end
	-- The node of a handle or of a number.
	local constant = sandbox.unseen(function(v)
		local w = plain.word(v)
		return w and node { op = "const", value = w }
	end)
	function d.word(v) return nodes[v] or constant(v) end
	-- The operation's handle; that of a constant where it can be known now.
	local operation = sandbox.unseen(function(op, args, count)
		local values = {}
		for k, a in ipairs(args) do
			if a.op ~= "const" then return give(record(node { op = op, args = args, count = count })) end
			values[k] = a.value
		end
		values[#args + 1] = count
		return give(node { op = "const", value = plain[op](unpack(values)) })
	end)
	name_operations(d, plain, operation, sandbox.unseen(function(op, args)
		return give(record(node { op = op, args = args }))
	end))
	name_loop(d, own)
	return d
end

-- What f comes to for each of n: its operands are lists, but for a count.
local function apply(f, n, a, b, c, count)
	local out = new(n, 0)
	if count and b then
		for k = 1, n do out[k] = f(a[k], b[k], count) end
	elseif count then
		for k = 1, n do out[k] = f(a[k], count) end
	elseif c then
		for k = 1, n do out[k] = f(a[k], b[k], c[k]) end
	elseif b then
		for k = 1, n do out[k] = f(a[k], b[k]) end
	else
		for k = 1, n do out[k] = f(a[k]) end
	end
	return out
end

-- What the graph comes to in a domain that computes (number.lua), n times at once, since looking up an operation takes
-- longer than doing it: words[j] is the list of the n words of input j, and so are the results.
function M.evaluate(graph, domain, words, n)
	local value = {}
	for k, input in ipairs(graph.inputs) do value[input] = words[k] end
	local function of(node)
		if node.op == "out" then return value[node.loop.vars[node.k]] end
		if not value[node] then -- a constant
			local w, all = domain.word(node.value), new(n, 0)
			for k = 1, n do all[k] = w end
			value[node] = all
		end
		return value[node]
	end
	local scope
	local function loop(node)
		local now = node.init
		for turn = 0, node.turns do
			local after = {}
			for k, w in ipairs(now) do after[k] = of(w) end
			for k, var in ipairs(node.vars) do value[var] = after[k] end
			if turn < node.turns then scope(node.scope) end
			now = node.results
		end
	end
	function scope(list)
		for k = 1, #list do
			local node = list[k]
			if node.op == "loop" then
				loop(node)
			else
				local args = node.args
				local a, b, c = args[1], args[2], args[3]
				value[node] = apply(domain[node.op], n, value[a] or of(a), b and (value[b] or of(b)), c and of(c), node.count)
			end
		end
	end
	scope(graph.scope)
	local results = {}
	for k, r in ipairs(graph.results) do results[k] = of(r) end
	return results
end

-- The graph is a function that gives back its first inputs.
function M.is_identity(graph)
	for k, r in ipairs(graph.results) do
		if r ~= graph.inputs[k] then return false end
	end
	return true
end

-- The graph is one operation on its inputs, in their order.
function M.is_only(graph, op)
	local r = graph.results[1]
	return #graph.results == 1 and #graph.scope == 1 and r.op == op and r.args[1] == graph.inputs[1]
		and r.args[2] == graph.inputs[2]
end

-- Operations, those of a loop as often as it turns.
function M.size(scope)
	local n = 1
	for _, one in ipairs(scope) do n = n + (one.op == "loop" and one.turns * M.size(one.scope) or 1) end
	return n
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
