-- The word operations of descriptions. They check what they are given, then ask the domain that is set while a
-- description's function runs: number.lua computes (the oracle), graph.lua records (what C is emitted from).
-- All words of one function have the same width: in a map that of its words, in a stream 32 bits and in a fold 64, or
-- 128 in both.
local sandbox = require "gen.sandbox"

local M = {}
local domain

local function word(v, op, which)
	local w = domain.word(v)
	if w == nil then
		sandbox.fail_here("operand %d of %s() is %s, expected a word "
			.. "(a result of word operations, or an integer from 0 to 2^%d - 1); correct it",
			which, op, sandbox.show(v), domain.bits)
	end
	return w
end

local function count(v, op, which)
	local whole = domain.bits == 128 and 8 or 1 -- vectors shift such words by whole bytes
	if type(v) ~= "number" or v % whole ~= 0 or v < 0 or v >= domain.bits then
		sandbox.fail_here("operand %d of %s() is %s, expected a plain number of bits from 0 to %d%s; correct it",
			which, op, sandbox.show(v), domain.bits - whole, whole > 1 and ", a multiple of 8" or "")
	end
	return v
end

-- That op may run now, and was not given more than it takes.
local function check_call(op, takes, surplus)
	if not domain then
		sandbox.fail_here("%s() outside of the stage's functions, expected inside of them; "
			.. "move it into apply, step, block, …", op)
	end
	if not domain[op] then
		sandbox.fail_here("%s() on words of %d bits, which have none, expected %s; write those", op, domain.bits,
			domain.bits == 128 and "xor(), and_(), or_(), shl(), shr(), rotl(), add32(), swap(), clmul(), AES's or SHA's"
			or "operations of these (ilp/gen/ops.lua)")
	end
	if surplus ~= nil then
		sandbox.fail_here("%s() was given more than %d operands, expected %d; remove some", op, takes, takes)
	end
end

-- The functions as the environment of a stage description holds them.
M.names = {}

-- add, sub, mul: modulo the width. choose (not in what vectors do: apply, inverse, step, merge, block): the second
-- where the first is not 0, else the third. These are called so often that what is wrong with a call is looked for only
-- when something is.
for _, op in ipairs { "add", "sub", "mul", "xor", "and_", "or_" } do
	M.names[op] = function(a, b, surplus)
		if surplus ~= nil or not domain or not domain[op] then check_call(op, 2, surplus) end
		local x, y = domain.word(a), domain.word(b)
		if x and y then return domain[op](x, y) end
		return domain[op](word(a, op, 1), word(b, op, 2))
	end
end
for _, op in ipairs { "rotl", "shl", "shr" } do
	M.names[op] = function(a, n, surplus)
		if surplus ~= nil or not domain or not domain[op] then check_call(op, 2, surplus) end
		return domain[op](domain.word(a) or word(a, op, 1), count(n, op, 2))
	end
end
-- The lists that were looked up in, as they were the first time, by the bits of a word.
local lists = setmetatable({}, { __mode = "k" })
local function list_of(t)
	local known = lists[t] or {}
	lists[t] = known
	if known[domain.bits] then return known[domain.bits] end
	local copy = {}
	for k = 1, 256 do
		local v = t[k]
		if type(v) ~= "number" or v % 1 ~= 0 or v < 0 or v >= 2^math.min(domain.bits, 53) then
			sandbox.fail_here("place %d of the list of lookup() is %s, expected 256 integers from 0 to 2^%d - 1; correct it", k,
				sandbox.show(v), domain.bits)
		end
		copy[k] = v
	end
	known[domain.bits] = copy
	return copy
end

-- lookup(a, t): what stands in a list of 256 numbers at the place, from 0, that the lowest 8 bits of a say. The time
-- that this takes tells them: it is for stages that are insecure or public.
function M.names.lookup(a, t, surplus)
	check_call("lookup", 2, surplus)
	if type(t) ~= "table" then
		sandbox.fail_here("operand 2 of lookup() is %s, expected a list of 256 numbers; correct it", sandbox.show(t))
	end
	return domain.lookup(word(a, "lookup", 1), list_of(t))
end
-- From the machine's order to most (big) or least (little) significant byte first, or back.
for _, op in ipairs { "big", "little" } do
	M.names[op] = function(a, surplus)
		check_call(op, 1, surplus)
		return domain[op](word(a, op, 1))
	end
end
-- Of words of 128 bits: the sums of their four words of 32 bits; a round of AES on the state w, and the last one, which
-- mixes no columns; of SHA-256's schedule, sigma0 of the 5 words from a on, without a, added to a.
for _, op in ipairs { "add32", "aes", "aes_last", "sha256_su0" } do
	M.names[op] = function(a, b, surplus)
		check_call(op, 2, surplus)
		return domain[op](word(a, op, 1), word(b, op, 2))
	end
end
-- All bytes in the other order, or those of each of the four words.
for _, op in ipairs { "swap", "swap32" } do
	M.names[op] = function(a, surplus)
		check_call(op, 1, surplus)
		return domain[op](word(a, op, 1))
	end
end
-- Four rounds of SHA-256 (FIPS 180-4 (6.2.2)): a is the words A, B, E, F, from the highest on, b is C, D, G, H, and w
-- what is added in each round, the first of which is the lowest. sha256 is A, B, E, F then, and sha256_half C, D, G, H.
-- sha256_su1: the next four words of the schedule, of what sha256_su0 gave for the first 8 of 16, and the other 8.
for _, op in ipairs { "sha256", "sha256_half", "sha256_su1" } do
	M.names[op] = function(a, b, w, surplus)
		check_call(op, 3, surplus)
		return domain[op](word(a, op, 1), word(b, op, 2), word(w, op, 3))
	end
end
-- The product without carries of half i of a and half j of b; 0 is the lower one.
function M.names.clmul(a, i, b, j, surplus)
	check_call("clmul", 4, surplus)
	if i ~= 0 and i ~= 1 or j ~= 0 and j ~= 1 then
		sandbox.fail_here("clmul(…, %s, …, %s), expected the numbers of halves, 0 or 1; correct them", sandbox.show(i),
			sandbox.show(j))
	end
	return domain.clmul(word(a, "clmul", 1), word(b, "clmul", 3), i + 2 * j)
end
-- The product of the lower halves of two words of 64 bits.
function M.names.mul32(a, b, surplus)
	if domain and domain.bits ~= 64 then
		sandbox.fail_here("mul32() on words of %d bits, expected 64; write mul()", domain.bits)
	end
	check_call("mul32", 2, surplus)
	return domain.mul32(word(a, "mul32", 1), word(b, "mul32", 2))
end
-- big and little of the lower half of a word of 64 bits; the upper half of what comes out is 0.
for _, op in ipairs { "big32", "little32" } do
	M.names[op] = function(a, surplus)
		if domain and domain.bits ~= 64 then
			sandbox.fail_here("%s() on words of %d bits, expected 64; write %s()", op, domain.bits, string.sub(op, 1, -3))
		end
		check_call(op, 1, surplus)
		return domain[op](word(a, op, 1))
	end
end
-- One word or the other: no operation of descriptions, but of what is made for them (layout.lua).
function M.by_order(big, little) return domain.by_order(word(big, "by_order", 1), word(little, "by_order", 2)) end
function M.names.choose(c, a, b, surplus)
	check_call("choose", 3, surplus)
	return domain.choose(word(c, "choose", 1), word(a, "choose", 2), word(b, "choose", 3))
end

-- A tuple of words, from 1; n says how many, if that is known.
function M.tuple(t, what, n)
	if type(t) ~= "table" or domain.word(t) then
		sandbox.fail_here("%s is %s, expected a table of words; return one",
			what, domain.word(t) and "one word" or sandbox.show(t))
	end
	if n and #t ~= n then
		sandbox.fail_here("%s has %d words, expected %d; add or remove some", what, #t, n)
	end
	for k in pairs(t) do
		if type(k) ~= "number" or k % 1 ~= 0 or k < 1 or k > #t then
			sandbox.fail_here("%s has an entry '%s' beside words 1 to %d, expected words without holes; remove it",
				what, tostring(k), #t)
		end
	end
	local words = {}
	for k = 1, #t do
		words[k] = domain.word(t[k])
		if not words[k] then
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

-- repeat_(n, f, words): f n times over a tuple of words. A loop in the emitted C as well.
function M.names.repeat_(n, f, words, surplus)
	check_call("repeat_", 3, surplus)
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
