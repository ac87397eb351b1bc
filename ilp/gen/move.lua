-- Maps that only move bytes, or clear them: where each byte of a unit comes from, and how vectors are made to hold them
-- so.
--
-- A unit need not fit a vector: so many vectors are taken at once that units fill them (a group). Bytes are moved
-- within 16 of them, which every instruction set with an instruction for it can; words of 32 bits that 16 bytes need of
-- others are first brought there from wherever they are, in the places of those that are not needed.
local isa_table = require "gen.isa"
local prelude = require "gen.prelude"

local M = {}

local LANE = 16

local function gcd(a, b) return b == 0 and a or gcd(b, a % b) end

-- Where bytes come from ----------------------------------------------------------------------------------------------

local ZERO = -1 -- the source of a byte that is cleared

-- Bytes in their places in memory, and of each whether a constant has ones or zeros there; nil if it has both.
local function masked(list, c, size, order)
	local out = {}
	for k = 1, size do
		local byte = tonumber(c / 256ULL ^ (order == "little" and k - 1 or size - k) % 256)
		if byte ~= 0 and byte ~= 255 then return nil end
		out[k] = byte == 0 and ZERO or list[k]
	end
	return out
end

-- For each byte of the unit, from 0, which one of the unit comes there on a machine of that order; nil if the graph
-- does more than that.
local function sources(graph, words, size, order)
	local bytes = {} -- of a node: which byte stands in each of its places in memory
	for j = 1, words do
		bytes[graph.inputs[j]] = {}
		for k = 1, size do bytes[graph.inputs[j]][k] = size * (j - 1) + k - 1 end
	end
	local function reversed(list)
		local out = {}
		for k = 1, size do out[k] = list[size + 1 - k] end
		return out
	end
	for _, n in ipairs(graph.scope) do
		local a, b = n.args and bytes[n.args[1]], n.args and bytes[n.args[2]]
		if n.op == "big" or n.op == "little" then
			bytes[n] = a and (n.op == order and a or reversed(a))
		elseif n.op == "by_order" then
			bytes[n] = order == "big" and a or order ~= "big" and b or nil
		elseif n.op == "and_" then
			local c = a and n.args[2] or n.args[1]
			bytes[n] = (a or b) and c.op == "const" and masked(a or b, c.value, size, order) or nil
		end
	end
	local from = {}
	for j, r in ipairs(graph.results) do
		if not bytes[r] then return nil end
		for k = 1, size do from[size * (j - 1) + k - 1] = bytes[r][k] end
	end
	return from
end

local known = setmetatable({}, { __mode = "k" })

-- The same for both orders of a graph with words of so many bytes: { unit, little, big }; or nil.
function M.of_graph(graph, words, size)
	if known[graph] == nil then
		local little, big = sources(graph, words, size, "little"), sources(graph, words, size, "big")
		known[graph] = little and { unit = words * size, little = little, big = big, plans = {} } or false
	end
	return known[graph] or nil
end

-- Of a step; nil where it is none, and where words are numbers by themselves, which need not be moved.
function M.of(step)
	local stage = step.stage
	if step.kind ~= "map" or stage.moves or stage.words == 1 then return nil end
	return M.of_graph(step.graph, stage.words, stage.bits / 8)
end

-- Vectors
-- --------------------------------------------------------------------------------------------------------------

-- Vectors of that width that hold whole units.
function M.group(moved, width) return moved.unit / gcd(moved.unit, width) end

-- The word that four bytes from `at` on are, and whether in the other order; nil if they are not one word's.
local function word_of(source, at)
	for _, swapped in ipairs { false, true } do
		local word, one = nil, true
		for b = 0, 3 do
			local s = source(at + b)
			local here = s and (swapped and s + b - 3 or s - b) / 4
			one = one and (not s or here % 1 == 0 and here == (word or here))
			word = here or word
		end
		if one then return word or at / 4, swapped end
	end
end

-- How 16 bytes from `at` on come together: { words, bytes, zeros }. words[k] is the word that is brought to place k,
-- bytes[b] the byte of these that goes to b, zeros[b] whether it is cleared; all from 0. nil where they need more words
-- than fit. exactly: words stand where they are wanted, and swapped[k] says whether their bytes are in the other order;
-- nil where that is not all.
local function lane(moved, order, at, exactly)
	local function source(b)
		local s = moved[order][b % moved.unit]
		return s ~= ZERO and b - b % moved.unit + s or nil
	end
	local l, place, count, whole, straight = { words = {}, bytes = {}, swapped = {}, zeros = {} }, {}, 0, true, true
	for k = 0, 3 do
		l.words[k], l.swapped[k] = word_of(source, at + 4 * k)
		whole, straight = whole and l.words[k] ~= nil, straight and not l.swapped[k]
	end
	for b = 0, LANE - 1 do l.bytes[b], l.zeros[b] = b, source(at + b) == nil end
	if exactly or whole and straight then return whole and l or nil end
	l.words = {}
	-- Those that are here already stay.
	for _, here in ipairs { true, false } do
		for b = at, at + LANE - 1 do
			local w = source(b) and math.floor(source(b) / 4)
			if w and not place[w] and (4 * w >= at and 4 * w < at + LANE) == here then
				if count == 4 then return nil end
				local k = w % 4
				while l.words[k] do k = (k + 1) % 4 end
				l.words[k], place[w], count = w, k, count + 1
			end
		end
	end
	for k = 0, 3 do l.words[k] = l.words[k] or at / 4 + k end
	for b = 0, LANE - 1 do
		local from = source(at + b)
		l.bytes[b] = from and 4 * place[math.floor(from / 4)] + from % 4 or b
	end
	return l
end

-- The vectors of a group: for each { words, bytes, swapped, zeros }, of the whole vector; or nil.
local function vectors(moved, order, width, exactly)
	local list = {}
	for v = 0, M.group(moved, width) - 1 do
		local one = { words = {}, bytes = {}, swapped = {}, zeros = {} }
		for at = 0, width - LANE, LANE do
			local l = lane(moved, order, v * width + at, exactly)
			if not l then return nil end
			for k = 0, 3 do one.words[at / 4 + k], one.swapped[at / 4 + k] = l.words[k], l.swapped[k] end
			for b = 0, LANE - 1 do
				one.bytes[at + b], one.zeros[at + b] = at + l.bytes[b], l.zeros[b]
				one.clears = one.clears or l.zeros[b]
			end
		end
		list[v + 1] = one
	end
	return list
end

local function plan(moved, order, width, isa)
	local key = order .. width .. (isa.bytes and "b" or "")
	if moved.plans[key] == nil then moved.plans[key] = vectors(moved, order, width, not isa.bytes) or false end
	return moved.plans[key]
end

-- Whether vectors of that instruction set can do it.
function M.fits(moved, isa)
	for _, width in ipairs(isa.widths) do
		if not (plan(moved, "little", width, isa) and plan(moved, "big", width, isa)) then return false end
	end
	return true
end

local function numbers(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

local function in_place(list, first)
	for k = 0, #list do
		if list[k] ~= first + k then return false end
	end
	return true
end

-- The C of a vector of these words, each counted through the vectors xs: of two of these at a time.
local function gathered(t, xs, V, words, fresh)
	local n, of, seen = #words + 1, {}, {} -- the vectors they come from
	for k = 0, n - 1 do
		local v = math.floor(words[k] / n) + 1
		if not seen[v] then of[#of + 1], seen[v] = v, true end
	end
	local current, here = xs[of[1]], { [of[1]] = true }
	for j = 2, math.max(#of, 2) do
		local other, y = of[j] or of[1], fresh "y"
		local list = numbers(n, function(k)
			local v = math.floor(words[k] / n) + 1
			if here[v] then return j == 2 and words[k] % n or k end
			return v == other and n + words[k] % n or -1
		end)
		t:line("const %s %s = __builtin_shufflevector(%s, %s, %s);", V, y, current, xs[other], list)
		current, here[other] = y, true
	end
	return current
end

local function swapped(y, V, one)
	local some, count = 0, #one.swapped + 1
	for k = 0, count - 1 do some = some + (one.swapped[k] and 1 or 0) end
	if some == 0 then return y end
	local all = string.format("%s_%s(%s)", prelude.use "SWAP_SHIFTS", V, y)
	if some == count then return all end
	local mask = numbers(count, function(k) return one.swapped[k] and "~0u" or "0" end)
	return string.format("(%s & (%s){ %s }) | (%s & ~(%s){ %s })", all, V, mask, y, V, mask)
end

local function emit(t, list, isa, width, xs, fresh)
	local V, n, results = isa_table.type(width, 32), width / 4, {}
	for v, one in ipairs(list) do
		local y = in_place(one.words, n * (v - 1)) and xs[v] or gathered(t, xs, V, one.words, fresh)
		results[v] = y
		if not isa.bytes then
			results[v] = swapped(y, V, one)
		elseif not in_place(one.bytes, 0) then
			results[v] = string.format("%s(%s, %s)", prelude.use("BYTES_%s", V), y,
				numbers(width, function(b) return one.bytes[b] end))
		end
		if one.clears then
			local ones = numbers(width, function(b) return one.zeros[b] and 0 or 255 end)
			results[v] = string.format("(%s) & (%s)(%s){ %s }", results[v], V, prelude.use(isa_table.type(width, 8)), ones)
		end
	end
	for v, r in ipairs(results) do
		local z = r ~= xs[v] and fresh "z"
		if z then t:line("const %s %s = %s;", V, z, r) end
		results[v] = z or r
	end
	for v, r in ipairs(results) do
		if r ~= xs[v] then t:line("%s = %s;", xs[v], r) end
	end
end

local function same(a, b)
	for k = 0, #a do
		if a[k] ~= b[k] then return false end
	end
	return true
end

-- Moves the bytes of a group of vectors; fresh(prefix) gives names that are not taken.
function M.emit(t, moved, isa, width, xs, fresh)
	local x86 = isa.guard == "defined(__x86_64__)"
	if x86 or same(moved.little, moved.big) then
		return emit(t, plan(moved, "little", width, isa), isa, width, xs, fresh)
	end
	t:raw("#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__")
	emit(t, plan(moved, "little", width, isa), isa, width, xs, fresh)
	t:raw("#else")
	emit(t, plan(moved, "big", width, isa), isa, width, xs, fresh)
	t:raw("#endif")
end

return M
