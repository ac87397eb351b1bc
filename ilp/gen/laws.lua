-- The laws that a description must obey for loops to be made from it, tried on numbers: its functions come to what
-- their graphs come to, so that nothing but word operations decides; inverse undoes apply; a fold comes to the same
-- however its data is cut, ordered by lane, and joined.
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local number = require "gen.number"
local graph = require "gen.graph"

local M = {}

local bit = require "bit"

local SAMPLES = { 0, 1, 0x80, 0x01020304, 0x7fffffff, 0x80000000, 0xdeadbeef, 0xfffffffe, 0xffffffff }

local function run(d, bits, field, f)
	return ops.with(number.new(bits, "little"), function() return sandbox.run(d.file, d.line(field), f) end)
end

-- Graphs and functions ---------------------------------------------------------------------------------------------

-- A word that means something special to a description stands in it: every integer there, what is beside it and the
-- same in the other order of bytes, then some more.
local function words_of(d)
	local order, words, seen = number.new(32, "little"), {}, {}
	local function put(w)
		w = w % 2^32
		if not seen[w] then words[#words + 1] = w end
		seen[w] = true
	end
	local function put_all(w)
		for by = -1, 1 do
			put(w + by)
			put(order.big((w + by) % 2^32))
		end
	end
	for text in d.text:gmatch("%f[%w_][%x][%xxX]*") do
		local w = tonumber(text)
		if w and w % 1 == 0 and w < 2^53 then put_all(w) end
	end
	for _, w in ipairs(SAMPLES) do put(w) end
	local seed = 1
	for _ = 1, 8 do
		seed = seed * 48271 % 2147483647
		put(seed * 2 + seed % 2)
	end
	return words
end

-- Calls try(w, other) for those words, each with one that comes later or earlier.
local function each(d, try)
	local words = words_of(d)
	for k, w in ipairs(words) do try(w, words[(k * 7) % #words + 1]) end
end

-- The function of that field, called with words(…), and its graph come to the same. call makes a list of what the
-- function returns for the words.
local function agree(d, bits, field, call, tuples)
	local domain, g, f = number.new(bits, "little"), d[field], d.fields[field]
	local wants = {}
	for k, words in ipairs(tuples) do wants[k] = graph.evaluate(g, domain, words) end
	ops.with(domain, function()
		sandbox.run_long(d.file, d.line(field), function()
			for k, words in ipairs(tuples) do
				local got = call(f, words)
				for j, want in ipairs(wants[k]) do
					if got[j] ~= want then
						sandbox.fail(d.file, d.line(field), "%s gives 0x%s for the word 0x%s, but 0x%s when it is traced, "
							.. "expected the same; let word operations alone decide, not tables or what earlier calls left",
							field, bit.tohex(got[j]), bit.tohex(words[1]), bit.tohex(want))
					end
				end
			end
		end)
	end)
end

-- Of a function of words that returns one.
local function agree_plain(d, bits, field, n)
	local tuples = {}
	each(d, function(w, other)
		if n == 1 then
			tuples[#tuples + 1] = { w }
			return
		end
		for _, t in ipairs { { w, other, 1 }, { other, w, 2 }, { w, w, w } } do
			tuples[#tuples + 1] = { unpack(t, 1, n) }
		end
	end)
	agree(d, bits, field, function(f, words)
		for k, w in ipairs(words) do words[k] = ops.word(w, "an operand") end
		return { ops.word(f(unpack(words)), string.format("what %s returns", field)) }
	end, tuples)
end

function M.stream(d)
	local begins, blocks = {}, {}
	each(d, function(w, other)
		local function tuple(n, odd)
			local t = {}
			for k = 1, n do t[k] = k % 2 == odd and w or other end
			return t
		end
		for odd = 0, 1 do begins[#begins + 1] = tuple(d.param_bytes / 4, odd) end
		blocks[#blocks + 1] = tuple(d.state_words + 1, #blocks % 2)
	end)
	agree(d, 32, "begin", function(f, words)
		local p, at = {}, 0
		for _, param in ipairs(d.params) do
			local n = param.size / 4
			p[param.name] = { unpack(words, at + 1, at + n) }
			at = at + n
		end
		return ops.tuple(f(p), "what begin returns", d.state_words)
	end, begins)
	agree(d, 32, "block", function(f, words)
		return ops.tuple(f({ unpack(words, 1, d.state_words) }, words[d.state_words + 1]), "what block returns", 16)
	end, blocks)
end

-- Maps and folds ---------------------------------------------------------------------------------------------------

function M.map(d)
	local f = d.fields
	agree_plain(d, 32, "apply", 1)
	if d.inverse and d.inverse ~= d.apply then agree_plain(d, 32, "inverse", 1) end
	local back = f.inverse == "self" and f.apply or f.inverse
	if not back then return end
	for _, w in ipairs(SAMPLES) do
		local there, here
		run(d, 32, "apply", function() there = f.apply(w); here = back(there) end)
		if here ~= w then
			sandbox.fail(d.file, d.line(f.inverse == "self" and "apply" or "inverse"),
				"inverse makes 0x%x of apply's 0x%x, expected 0x%x again; correct either", here, there, w)
		end
	end
end

-- The fold of a list of bytes, finished.
function M.fold_bytes(f, bytes)
	local acc = f.zero
	for i = 1, #bytes, 4 do
		local w = 0
		for k = 3, 0, -1 do w = w * 256 + (bytes[i + k] or 0) end
		acc = f.step(acc, w)
	end
	return f.finish(acc)
end

local function part(bytes, from, to)
	local t = {}
	for i = from, to do t[#t + 1] = bytes[i] end
	return t
end

local function same(d, field, got, want, what, ...)
	if got ~= want then
		sandbox.fail(d.file, d.line(field), "%s: %s, expected %s; correct %s", string.format(what, ...),
			tostring(got), tostring(want), field)
	end
end

function M.fold(d)
	local f = d.fields
	agree_plain(d, 64, "step", 2)
	agree_plain(d, 64, "merge", 2)
	agree_plain(d, 64, "finish", 1)
	agree_plain(d, 64, "join", 3)
	local bytes, seed = {}, 1
	for i = 1, 25 do
		seed = (seed * 1103515245 + 12345) % 2^31
		bytes[i] = i <= 6 and 255 or math.floor(seed / 65536) % 256
	end
	run(d, 64, "step", function()
		local whole = M.fold_bytes(f, bytes)
		for _, cut in ipairs { 0, 1, 2, 4, 7, #bytes } do
			local a, b = M.fold_bytes(f, part(bytes, 1, cut)), M.fold_bytes(f, part(bytes, cut + 1, #bytes))
			same(d, "join", f.join(a, b, cut), whole, "joining %d and %d bytes", cut, #bytes - cut)
		end
		local x, y = f.step(f.step(f.zero, SAMPLES[4]), SAMPLES[7]), f.step(f.zero, SAMPLES[9])
		local all = f.step(x, SAMPLES[9])
		same(d, "merge", f.finish(f.merge(x, y)), f.finish(all), "merging two lanes")
		same(d, "merge", f.finish(f.merge(y, x)), f.finish(all), "merging two lanes in the other order")
		same(d, "merge", f.finish(f.merge(f.zero, x)), f.finish(x), "merging with zero")
		same(d, "step", f.finish(f.step(f.step(f.zero, SAMPLES[7]), SAMPLES[4])), f.finish(x), "the other order of words")
	end)
end

return M
