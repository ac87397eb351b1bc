-- The laws that a description must obey for loops to be made from it, tried on numbers: its functions come to what
-- their graphs come to, so that nothing but word operations decides; inverse undoes apply; a fold comes to the same
-- however its units are shared among accumulators, and its data cut and joined.
local octets = require "gen.bytes"
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local number = require "gen.number"
local graph = require "gen.graph"
local quad = require "gen.quad"
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
	d.trials = d.trials or {}
	if d.trials[bits] then return d.trials[bits] end
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
	d.trials[bits] = words
	return words
end

local function hex(w)
	return type(w) == "number" and string.format("%x", w) or quad.word(w) ~= w and bit.tohex(w, 16) or quad.hex(w)
end

-- The function and its graph come to the same, on so many words that a large graph does not take too long. A word of up
-- to 32 bits is a Lua number: a table may be asked by it, so that there must be many. Of wider ones, by which none can
-- be asked, there need only be calls enough to see whether they leave something.
local NARROW, WIDE = { work = 3000, least = 4 }, { work = 300, least = 2 }
function M.agree(d, g)
	local domain, words, tuples, columns = number.new(g.bits, "little"), words_of(d, g.bits), {}, {}
	local trials = g.bits >= 64 and WIDE or NARROW
	for k = 1, math.min(#words, 60, math.max(trials.least, math.floor(trials.work / graph.size(g.scope)))) do
		for shift = 0, 1 do
			local t = {}
			for j = 1, #g.inputs do
				local at = k * (j % 2 == shift and 1 or 7) + (j % 3) * shift
				t[j] = domain.word(words[at % #words + 1])
				if g.bits == 128 then -- what is done is done to all of it
					for by = 1, 3 do t[j] = domain.or_(domain.shl(t[j], 32), domain.word(words[(at + 5 * by) % #words + 1])) end
				end
			end
			tuples[#tuples + 1] = t
		end
	end
	for j = 1, #g.inputs do
		columns[j] = {}
		for k, t in ipairs(tuples) do columns[j][k] = t[j] end
	end
	local wants = graph.evaluate(g, domain, columns, #tuples)
	within(d, g.bits, g.field, function()
		for k, t in ipairs(tuples) do
			local got = g.call(t)
			for j = 1, #wants do
				local want = wants[j][k]
				if got[j] ~= want then
					sandbox.fail(d.file, d.line(g.field), "%s gives 0x%s for the word 0x%s, but 0x%s when it is traced, "
						.. "expected the same; let word operations alone decide, not tables or what earlier calls left",
						g.field, hex(got[j]), hex(t[1] or 0), hex(want))
				end
			end
		end
	end)
end

local function times(w, n)
	local words = {}
	for k = 1, n do words[k] = w end
	return words
end

-- What begin makes of words(j) for the j-th of the parameters' words, each a list of n.
local function state_of(d, domain, n, words)
	if d.state_words == 0 then return {} end
	local params = {}
	for j = 1, #d.begin.inputs do params[j] = words(j) end
	local state = d.expand and graph.evaluate(d.expand, domain, params, n) or {}
	for _, w in ipairs(graph.evaluate(d.begin, domain, params, n)) do state[#state + 1] = w end
	return state
end

-- A function of lists of words, each list one input's, that tries a graph on those and on a state: what begin makes of
-- some parameters.
local function trial(d, domain)
	local next = generator(7)
	local state = state_of(d, domain, 1, function() return { domain.word(next()) } end)
	return function(g, inputs)
		local all, n = { unpack(inputs) }, inputs[1] and #inputs[1] or 1
		for _, w in ipairs(state) do all[#all + 1] = times(w[1], n) end
		return graph.evaluate(g, domain, all, n)
	end
end

function M.map(d)
	M.agree(d, d.apply)
	if not d.inverse then return end
	if d.inverse ~= d.apply then M.agree(d, d.inverse) end
	local domain, next, all = number.new(d.bits, "little"), generator(3), {}
	local run = trial(d, domain)
	for j = 1, d.words + 1 do all[j] = {} end
	for k = 1, #SAMPLES + 16 do
		for j = 1, d.words do
			local w = k <= #SAMPLES and SAMPLES[(k + j) % #SAMPLES + 1] or next()
			all[j][k] = domain.word(w % 2^math.min(d.bits, 32))
			-- What is a zero in the format has to be one in memory, to come back.
			local kept = d.kept and d.kept_here[j]
			if kept then all[j][k] = domain.and_(all[j][k], kept.little) end
		end
		all[d.words + 1][k] = domain.word((k * 5) % 251) -- the number of the unit
	end
	local there = run(d.apply, all)
	there[d.words + 1] = all[d.words + 1]
	local here = run(d.inverse, there)
	for k = 1, #all[1] do
		for j = 1, d.words do
			if here[j][k] ~= all[j][k] then
				sandbox.fail(d.file, d.line(d.fields.inverse == "self" and "apply" or "inverse"),
					"inverse makes 0x%s of apply's 0x%s, expected 0x%s again; correct either", hex(here[j][k]),
					hex(there[j][k]), hex(all[j][k]))
			end
		end
	end
end

-- The first mark stands where it may, whatever the parameters are.
function M.first(d)
	M.agree(d, d.first)
	local domain, words = number.new(32, "little"), words_of(d, 32)
	local state = state_of(d, domain, #words, function(j)
		local list = {}
		for k = 1, #words do list[k] = words[(k * j) % #words + 1] end
		return list
	end)
	for _, first in ipairs(graph.evaluate(d.first, domain, state, #words)[1]) do
		if first > d.every or first % d.align ~= 0 then
			sandbox.fail(d.file, d.line "first", "first gives %d bytes, expected a multiple of %d up to %d; correct it, or "
				.. "align", first, d.align, d.every)
		end
	end
end

-- What is recoded comes back, an incomplete unit too, and neither way makes more bytes than it may.
function M.recode(d)
	local from, to, domain = d.from, d.to, number.new(32, "little")
	local function run(g, w) return graph.evaluate(g, domain, { { w } }, 1) end
	local function check(name, got, want, w)
		if got ~= want then
			sandbox.fail(d.file, d.line(name), "%s gives 0x%s for the word 0x%s, expected 0x%s; correct it, or what it undoes",
				name, hex(got), hex(w), hex(want))
		end
	end
	local function back(g, made, w, n)
		local name, there = g.field, run(made, w)[1][1]
		check(made.field, there, there % 2^(8 * to), w)
		local here = run(g, there)
		local count = #here == 3 and here[2][1] or n
		check(name, here[1][1], w, there)
		check(name, count, n, there)
		check(name, here[#here][1], 0, there)
	end
	M.agree(d, d.apply)
	M.agree(d, d.inverse)
	for _, g in ipairs(d.last) do M.agree(d, g) end
	if d.unlast then M.agree(d, d.unlast) end
	for _, w in ipairs(words_of(d, 32)) do
		back(d.inverse, d.apply, w % 2^(8 * from), from)
		for n = 1, d.unlast and from or 0 do back(d.unlast, d.last[n] or d.apply, w % 2^(8 * n), n) end
		local any = w % 2^(8 * to)
		for _, g in ipairs { d.inverse, d.unlast } do
			local made = run(g, any)[1][1]
			check(g.field, made, made % 2^(8 * from), any)
		end
	end
end

-- Folds ----------------------------------------------------------------------------------------------------------

-- Accumulators and units are lists of words, a list for each of their words: so many are stepped, or merged, at once.
local function part(lists, from, to)
	local some = {}
	for j, list in ipairs(lists) do some[j] = { unpack(list, from, to) } end
	return some
end
local function both(a, b)
	local all = { unpack(a) }
	for _, list in ipairs(b) do all[#all + 1] = list end
	return all
end

-- What the trials of a fold need: step, merge and finish.
local function fold_trial(d)
	local domain = number.new(d.bits, "little")
	local run, t = trial(d, domain), { word = domain.word }
	-- A unit's word, of some numbers of 32 bits.
	function t.unit(high, low, more)
		if d.bits == 64 then return d.unit > 4 and high * 0x100000000ULL + low or t.word(low) end
		return domain.or_(domain.shl(domain.word(more * 0x100000000ULL + high), 64), domain.word(low))
	end
	function t.step(acc, w, k) return run(d.step(k), both(acc, w)) end
	function t.steps(acc, w, k) return run(d.steps(k, #w), both(acc, w)) end
	function t.merge(a, b, k) return run(d.merge(k), both(a, b)) end
	function t.last(acc, w, n) return run(d.last(n), both(acc, w)) end
	function t.finish(acc) return run(d.finish, acc) end
	-- n of them, of which the last has what the data begins with, if that is wanted.
	function t.accumulators(n, begins)
		local acc, initial = {}, d.init.results and run(d.init, {})
		for j, z in ipairs(d.zero) do
			acc[j] = times(domain.word(z), n)
			if begins then acc[j][n] = initial and initial[j][1] or domain.word(d.init[j]) end
		end
		return acc
	end
	return t
end

local function same(d, field, got, want, what, ...)
	for j = 1, #want do
		if got[j][1] ~= want[j][1] then
			sandbox.fail(d.file, d.line(field), "%s: 0x%s, expected 0x%s; correct %s", string.format(what, ...),
				hex(got[j][1]), hex(want[j][1]), field)
		end
	end
end

-- What n units come to that are shared among `ways` accumulators in turn.
local function interleaved(t, units, ways)
	local acc = t.accumulators(ways, true)
	for k = 1, #units[1], ways do acc = t.step(acc, part(units, k, k + ways - 1), ways) end
	local distance = ways / 2
	while distance >= 1 do
		acc = t.merge(part(acc, 1, distance), part(acc, distance + 1, 2 * distance), distance)
		distance = distance / 2
	end
	return acc
end

-- Units come to the same among each of these numbers of accumulators. Returns what that is, and its value.
local function shared(d, t, units, numbers)
	local one, want
	for _, ways in ipairs(numbers) do
		local acc = interleaved(t, units, ways)
		local value = t.finish(acc)
		one, want = one or acc, want or value
		same(d, "merge", value, want, "%d units shared among %d accumulators", #units[1], ways)
	end
	return one, want
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
			same(d, "join", { { f.join(a, b, cut) } }, { { whole } }, "joining %d and %d bytes", cut, #bytes - cut)
		end
	end)
end

-- Data comes to the same wherever it is cut.
local function cuts(d, t)
	local next, bytes, size = generator(5), {}, math.min(d.unit, d.bits / 8)
	for i = 1, 2 * d.unit + 1 do bytes[i] = next() % 256 end
	-- The accumulator after those from one place to another.
	local function fold(acc, from, to)
		for i = from, to, d.unit do
			local unit, w = octets.part(bytes, i, math.min(i + d.unit - 1, to)), {}
			for j = 1, d.words do w[j] = { t.word(octets.load(unit, size * (j - 1) + 1, size, "little")) } end
			acc = #unit == d.unit and t.step(acc, w, 1) or t.last(acc, w, #unit)
		end
		return acc
	end
	local initial = t.accumulators(1, true)
	local want = t.finish(fold(initial, 1, #bytes))
	for _, cut in ipairs { 1, d.unit / 2, d.unit - 1, d.unit + 1 } do
		same(d, "last", t.finish(fold(fold(initial, 1, cut), cut + 1, #bytes)), want, "%d bytes cut off %d", cut, #bytes)
	end
end

function M.fold(d)
	for _, k in ipairs { 1, 8 } do
		M.agree(d, d.step(k))
		M.agree(d, d.merge(k))
	end
	M.agree(d, d.finish)
	if d.init.results then M.agree(d, d.init) end
	local t, next, units = fold_trial(d), generator(11), {}
	for j = 1, d.words do units[j] = {} end
	for k = 1, 32 do
		for j = 1, d.words do
			local function word() return (k <= 3 and 0xffffffff or next()) + 0ULL end
			units[j][k] = t.unit(word(), word(), word())
		end
	end
	-- Few accumulators take long, one step after another; many need many units.
	local zero, most = t.accumulators(1), math.max(16, 128 / d.unit)
	local acc, want = shared(d, t, part(units, 1, 16), { 1, 2, 8 })
	shared(d, t, units, { 8, most })
	same(d, "merge", t.finish(t.merge(zero, acc, 1)), want, "merging with zero")
	for _, n in ipairs(d.steps and { 2, 4, 8 } or {}) do
		M.agree(d, d.steps(1, n))
		local one, some = acc, {}
		for k = 1, n do one, some[k] = t.step(one, part(units, k, k), 2), part(units, k, k)[1] end
		same(d, "steps", t.steps(acc, some, 2), one, "%d units at once", n)
	end
	if d.join then
		M.agree(d, d.join)
		same(d, "merge", t.finish(t.merge(acc, zero, 1)), want, "merging zero with what is there")
		joins(d)
	else
		for _, n in ipairs { 1, d.unit / 2, d.unit - 1 } do M.agree(d, d.last(n)) end
		if d.anywhere then cuts(d, t) end
	end
end

return M
