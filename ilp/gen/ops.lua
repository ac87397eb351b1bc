-- The word operations of descriptions. They check what they are given, then ask the domain that is set while a
-- description's function runs: number.lua computes (the oracle), graph.lua records (what C is emitted from).
-- All words of one function have the same width: 32 bits in map and stream, 64 in fold.
local sandbox = require "gen.sandbox"

local M = {}
local domain

local OPERANDS = {
	add = { "word", "word" },   -- modulo the width
	sub = { "word", "word" },
	xor = { "word", "word" },
	and_ = { "word", "word" },
	or_ = { "word", "word" },
	rotl = { "word", "count" },
	shl = { "word", "count" },
	shr = { "word", "count" },
	big = { "word" },           -- from the machine's order to most significant byte first, or back
	little = { "word" },        -- the same, least significant byte first
	choose = { "word", "word", "word" }, -- the second where the first is not 0, else the third; finish and join only
}

local expected = {}

function expected.word(v, op, which)
	local w = domain.word(v)
	if w == nil then
		sandbox.fail_here("operand %d of %s() is %s, expected a word (a result of word operations, or an integer from 0 to 2^%d - 1); correct it",
			which, op, sandbox.show(v), domain.bits)
	end
	return w
end

function expected.count(v, op, which)
	if type(v) ~= "number" or v % 1 ~= 0 or v < 0 or v >= domain.bits then
		sandbox.fail_here("operand %d of %s() is %s, expected a plain number of bits from 0 to %d; correct it",
			which, op, sandbox.show(v), domain.bits - 1)
	end
	return v
end

-- A tuple of words, from 1; n says how many, if that is known.
function M.tuple(t, what, n)
	if type(t) ~= "table" or domain.word(t) then
		sandbox.fail_here("%s is %s, expected a table of words; return one", what, domain.word(t) and "one word" or sandbox.show(t))
	end
	if n and #t ~= n then
		sandbox.fail_here("%s has %d words, expected %d; add or remove some", what, #t, n)
	end
	local words = {}
	for k = 1, #t do
		words[k] = domain.word(t[k])
		if words[k] == nil then
			sandbox.fail_here("word %d of %s is %s, expected a word; correct it", k, what, sandbox.show(t[k]))
		end
	end
	return words
end

function M.word(v, what)
	local w = domain.word(v)
	if w == nil then
		sandbox.fail_here("%s is %s, expected a word; return the result of a word operation", what, sandbox.show(v))
	end
	return w
end

local function inside(op)
	if not domain then
		sandbox.fail_here("%s() outside of the stage's functions, expected inside of them; move it into apply, step, block, …", op)
	end
end

-- The functions as the environment of a stage description holds them.
M.names = {}
for op, operands in pairs(OPERANDS) do
	M.names[op] = function(...)
		inside(op)
		if select("#", ...) ~= #operands then
			sandbox.fail_here("%s() was given %d operands, expected %d; add or remove some", op, select("#", ...), #operands)
		end
		local given = { ... }
		for k, kind in ipairs(operands) do given[k] = expected[kind](given[k], op, k) end
		return domain[op](unpack(given))
	end
end

-- repeat_(n, f, words): f n times over a tuple of words. A loop in the emitted C as well.
function M.names.repeat_(n, f, words)
	inside("repeat_")
	if type(n) ~= "number" or n % 1 ~= 0 or n < 1 or type(f) ~= "function" then
		sandbox.fail_here("repeat_(%s, %s, …), expected a number of turns, a function, and a table of words; correct it",
			sandbox.show(n), sandbox.show(f))
	end
	words = M.tuple(words, "what repeat_() begins with")
	return domain.repeat_(n, function(t)
		return M.tuple(f(t), "what the function of repeat_() returns", #words)
	end, words)
end

-- Runs f with the word operations of the given domain.
function M.with(d, f)
	local outer = domain
	domain = d
	local result = { pcall(f) }
	domain = outer
	if not result[1] then error(result[2], 0) end
	return unpack(result, 2, table.maxn(result))
end

return M
