-- The laws that a description must obey for loops to be made from it, tried on numbers: its functions come to what
-- their graphs come to, so that nothing but word operations decides; inverse undoes apply; a fold comes to the same
-- however its units are shared among accumulators, and its data cut and joined.
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local number = require "gen.number"
local graph = require "gen.graph"
local bit = require "bit"

local M = {}

local SAMPLES = { 0, 1, 0x80, 0x01020304, 0x7fffffff, 0x80000000, 0xdeadbeef, 0xfffffffe, 0xffffffff }

-- Runs f, which calls functions of the stage, the first being that of the field.
local function within(d, bits, field, f)
	return ops.with(number.new(bits, "little"), function() return sandbox.run_long(d.file, d.line(field), f) end)
end

local function generator(seed)
	return function()
		seed = seed * 48271 % 2147483647
		return seed * 2 + seed % 2
	end
end

-- A word that means something special to a description stands in it: every integer there, what is beside it and the
-- same in the other order of bytes, then some more.
local function words_of(d, bits)
	local order, words, seen = number.new(32, "little"), {}, {}
	local function put(w)
		w = w % 2^math.min(bits, 32)
		if not seen[w] then words[#words + 1] = w end
		seen[w] = true
	end
	for text in d.text:gmatch("%f[%w_][%x][%xxX]*") do
		local w = tonumber(text)
		if w and w % 1 == 0 and w < 2^53 then
			for by = -1, 1 do
				put(w + by)
				put(order.big((w + by) % 2^32))
			end
		end
	end
	for _, w in ipairs(SAMPLES) do put(w) end
	local next = generator(1)
	for _ = 1, 8 do put(next()) end
	return words
end

local function hex(w)
	return type(w) == "number" and string.format("%x", w) or bit.tohex(w, 16)
end

-- The function and its graph come to the same, on so many words that a large graph does not take too long.
local WORK = 3000
function M.agree(d, g)
	local domain, tuples, wants = number.new(g.bits, "little"), {}, {}
	local words = words_of(d, g.bits)
	for k = 1, math.min(#words, 60, math.max(4, math.floor(WORK / graph.size(g.scope)))) do
		for shift = 0, 1 do
			local t = {}
			for j = 1, #g.inputs do
				t[j] = domain.word(words[(k * (j % 2 == shift and 1 or 7) + (j % 3) * shift) % #words + 1])
			end
			tuples[#tuples + 1] = t
		end
	end
	for k, t in ipairs(tuples) do wants[k] = graph.evaluate(g, domain, t) end
	within(d, g.bits, g.field, function()
		for k, t in ipairs(tuples) do
			local got = g.call(t)
			for j, want in ipairs(wants[k]) do
				if got[j] ~= want then
					sandbox.fail(d.file, d.line(g.field), "%s gives 0x%s for the word 0x%s, but 0x%s when it is traced, "
						.. "expected the same; let word operations alone decide, not tables or what earlier calls left",
						g.field, hex(got[j]), hex(t[1] or 0), hex(want))
				end
			end
		end
	end)
end

function M.begin(d) M.agree(d, d.begin) end

-- State words for trials: what begin makes of some parameters.
local function state(d)
	local domain, words, next = number.new(d.state_bits, "little"), {}, generator(7)
	if d.state_words == 0 then return {} end
	for k = 1, d.param_bytes / (d.state_bits / 8) do words[k] = domain.word(next()) end
	return graph.evaluate(d.begin, domain, words)
end

function M.map(d)
	M.agree(d, d.apply)
	if not d.inverse then return end
	if d.inverse ~= d.apply then M.agree(d, d.inverse) end
	local domain, s, next = number.new(d.bits, "little"), state(d), generator(3)
	for k = 1, #SAMPLES + 16 do
		local w, i = {}, domain.word((k * 5) % 251)
		for j = 1, d.words do
			w[j] = domain.word((k <= #SAMPLES and SAMPLES[(k + j) % #SAMPLES + 1] or next()) % 2^math.min(d.bits, 32))
		end
		local function run(g, words)
			local all = { unpack(words) }
			all[#all + 1] = i
			for _, word in ipairs(s) do all[#all + 1] = domain.word(word) end
			return graph.evaluate(g, domain, all)
		end
		local there = run(d.apply, w)
		local here = run(d.inverse, there)
		for j = 1, d.words do
			if here[j] ~= w[j] then
				sandbox.fail(d.file, d.line(d.fields.inverse == "self" and "apply" or "inverse"),
					"inverse makes 0x%s of apply's 0x%s, expected 0x%s again; correct either", hex(here[j]), hex(there[j]),
					hex(w[j]))
			end
		end
	end
end

-- Folds ----------------------------------------------------------------------------------------------------------

-- What the trials of a fold need: step, merge and finish on lists of words.
local function trial(d)
	local domain, s = number.new(64, "little"), state(d)
	local t = { zero = {}, init = {} }
	for k, z in ipairs(d.zero) do t.zero[k], t.init[k] = domain.word(z), domain.word(d.init[k]) end
	local function run(g, ...)
		local all = {}
		for _, list in ipairs { ... } do
			for _, w in ipairs(list) do all[#all + 1] = w end
		end
		for _, w in ipairs(s) do all[#all + 1] = w end
		return graph.evaluate(g, domain, all)
	end
	function t.step(acc, w, k) return run(d.step(k), acc, w) end
	function t.merge(a, b, k) return run(d.merge(k), a, b) end
	function t.finish(acc) return run(d.finish, acc) end
	t.word = domain.word
	return t
end

local function same(d, field, got, want, what, ...)
	for k = 1, #want do
		if got[k] ~= want[k] then
			sandbox.fail(d.file, d.line(field), "%s: %s, expected %s; correct %s", string.format(what, ...),
				tostring(got[k]), tostring(want[k]), field)
		end
	end
end

-- n units, shared among `ways` accumulators in turn, come to the same as one after another.
local function interleaved(d, t, units, ways, want)
	local acc = {}
	for a = 1, ways do acc[a] = a < ways and t.zero or t.init end
	for k, w in ipairs(units) do
		local a = (k - 1) % ways + 1
		acc[a] = t.step(acc[a], w, ways)
	end
	local all, distance = acc, ways / 2
	while distance >= 1 do
		local halves = {}
		for a = 1, distance do halves[a] = t.merge(all[a], all[a + distance], distance) end
		all, distance = halves, distance / 2
	end
	same(d, "merge", t.finish(all[1]), want, "%d units shared among %d accumulators", #units, ways)
end

local function joins(d)
	local f, bytes, next = d.fields, {}, generator(1)
	for i = 1, 25 do bytes[i] = i <= 6 and 255 or next() % 256 end
	local function fold(from, to)
		local acc = f.zero
		for i = from, to, d.unit do
			local w = number.new(64, "little").word(0)
			for k = d.unit - 1, 0, -1 do w = w * 256 + (i + k <= to and bytes[i + k] or 0) end
			acc = f.step(acc, w, 1)
		end
		return f.finish(acc)
	end
	within(d, 64, "step", function()
		local whole = fold(1, #bytes)
		for _, cut in ipairs { 0, 1, 2, 4, 7, #bytes } do
			local a, b = fold(1, cut), fold(cut + 1, #bytes)
			same(d, "join", { f.join(a, b, cut) }, { whole }, "joining %d and %d bytes", cut, #bytes - cut)
		end
	end)
end

function M.fold(d)
	for _, k in ipairs { 1, 8 } do
		M.agree(d, d.step(k))
		M.agree(d, d.merge(k))
	end
	M.agree(d, d.finish)
	local t, next, units = trial(d), generator(11), {}
	for k = 1, 32 do
		units[k] = {}
		for j = 1, d.words do
			local high = d.unit > 4 and t.word(k <= 3 and 0xffffffff or next()) or t.word(0)
			units[k][j] = high * 0x100000000ULL + t.word(k <= 3 and 0xffffffff or next())
		end
	end
	local acc = t.init
	for _, w in ipairs(units) do acc = t.step(acc, w, 1) end
	local want = t.finish(acc)
	for _, ways in ipairs { 1, 2, 8, math.max(16, 128 / d.unit) } do interleaved(d, t, units, ways, want) end
	same(d, "merge", t.finish(t.merge(t.zero, acc, 1)), want, "merging with zero")
	if d.join then
		M.agree(d, d.join)
		same(d, "merge", t.finish(t.merge(acc, t.zero, 1)), want, "merging zero with what is there")
		joins(d)
	else
		for _, n in ipairs { 1, d.unit / 2, d.unit - 1 } do M.agree(d, d.last(n)) end
	end
end

return M
