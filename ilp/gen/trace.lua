-- The functions of a stage as graphs: each is run on symbols of words (graph.lua), which say what is done to them.
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local graph = require "gen.graph"

local M = {}

-- What a function is given is a shape: a list of { word = name, half = whether its upper half is 0 }, { words = name,
-- n = how many } and { plain = value }.
-- n = nil stands for no table at all but a word. Fills the shape with what take(name) gives.
local function arguments(shape, take)
	local list = {}
	for k, item in ipairs(shape) do
		if item.word then
			list[k] = take(item.word, item.half)
		elseif item.words then
			list[k] = {}
			for j = 1, item.n do list[k][j] = take(item.words .. "." .. j) end
		elseif item.params then
			list[k] = {}
			for _, p in ipairs(item.params) do
				list[k][p.name] = {}
				for j = 1, p.words do list[k][p.name][j] = take(p.name .. "." .. j) end
			end
		else
			list[k] = item.plain
		end
	end
	return list
end

-- The graph of that function of the stage. results(v) makes the list of words of what it returns.
function M.of(d, name, bits, shape, results)
	local domain = graph.new(bits)
	local g = { bits = bits, inputs = {}, scope = domain.scope }
	local given = arguments(shape, function(word, half)
		local input, handle = domain.input(word)
		input.half = half
		g.inputs[#g.inputs + 1] = input
		return handle
	end)
	ops.with(domain, function()
		sandbox.run(d.file, d.line(name), function(...) g.results = results(d.fields[name](...)) end,
			unpack(given, 1, #shape))
	end)
	-- Calls the function itself with these words.
	function g.call(words)
		local k = 0
		return results(d.fields[name](unpack(arguments(shape, function()
			k = k + 1
			return words[k]
		end), 1, #shape)))
	end
	g.field, g.file, g.line = name, d.file, d.line(name)
	local line = not (d.fields.insecure or d.fields.public) and graph.find(g.scope, "lookup")
	if line then
		sandbox.fail(d.file, line, "lookup() in %s, expected none where its time may tell a secret; compute it, or say "
			.. "public = true or insecure = true", name)
	end
	return g
end

-- What makes the list of words of what a function returns: one word, or a table of n.
function M.one(name)
	return function(v) return { ops.word(v, string.format("what %s returns", name)) } end
end
function M.many(name, n)
	return function(v) return ops.tuple(v, string.format("what %s returns", name), n) end
end
function M.word_or_words(name, n) return n and M.many(name, n) or M.one(name) end

function M.item(name, n) return n and { words = name, n = n } or { word = name } end

-- choose() has no meaning for a vector of words.
function M.no_choice(d, g)
	local line = graph.find(g.scope, "choose")
	if line then
		sandbox.fail(d.file, line, "choose() in %s, expected none in what vectors do; data must not decide here",
			g.field)
	end
	line = d.fields.kind ~= "map" and graph.find(g.scope, "lookup")
	if line then
		sandbox.fail(d.file, line, "lookup() in %s, expected none in what vectors do, but in a map; compute it", g.field)
	end
	return g
end

-- The graph of that function for a k or n, made once.
function M.family(d, name, make)
	local graphs = {}
	return function(k)
		graphs[k] = graphs[k] or M.no_choice(d, make(k))
		return graphs[k]
	end
end

return M
