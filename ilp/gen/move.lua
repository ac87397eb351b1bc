-- Maps that only move bytes, or clear them: where each byte of a unit comes from, and how vectors are made to hold them
-- so.
--
-- A unit need not fit a vector: so many vectors are taken at once that units fill them (a group). Bytes are moved
-- within 16 of them (a lane), which every instruction set with an instruction for it can; words of 32 bits that they
-- need of others are first brought there from wherever they are (gather.lua). Of a lane that needs more words than it
-- has room for, each word is made elsewhere, beside others that need the same, and then brought there.
local gather = require "gen.gather"
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

-- Vectors ----------------------------------------------------------------------------------------------------------

-- Vectors of that width that hold whole units.
function M.group(moved, width) return moved.unit / gcd(moved.unit, width) end

-- The word that stands at place k of a list of bytes, from 0, and whether its bytes are in the other order; nil where
-- these are not the bytes of one. Those that come from nowhere may be anything.
local function word_of(from, k)
	for _, turned in ipairs { false, true } do
		local word, one = nil, true
		for b = 0, 3 do
			local s = from[4 * k + b]
			local here = s and (turned and s + b - 3 or s - b) / 4
			one = one and (not s or here % 1 == 0 and here == (word or here))
			word = here or word
		end
		if one then return word or k, turned end
	end
end

-- The words that are needed for n places from k on: a list, beside those that are there.
local function words_of(from, k, n, there)
	local list, seen = {}, {}
	for _, w in ipairs(there or list) do seen[w] = true end
	for b = 4 * k, 4 * (k + n) - 1 do
		local w = from[b] and math.floor(from[b] / 4)
		if w and not seen[w] then seen[w], list[#list + 1] = true, w end
	end
	return list
end

-- Makes the word at place k elsewhere: in the box, a lane behind the group, to which that adds the fewest words that it
-- needs, of four; a new one, if none has room.
local function put_in_box(boxes, from, size, k)
	local box, fewest = nil, nil
	for _, b in ipairs(boxes) do
		local more = words_of(from, k, 1, b.words)
		if b.made < 4 and #b.words + #more <= 4 and (not fewest or #more < #fewest) then box, fewest = b, more end
	end
	if not box then
		box, fewest = { at = size + LANE * #boxes, made = 0, words = {} }, words_of(from, k, 1)
		boxes[#boxes + 1] = box
	end
	for _, w in ipairs(fewest) do table.insert(box.words, w) end
	for b = 0, 3 do
		local at = box.at + 4 * box.made + b
		from[at], from[4 * k + b] = from[4 * k + b], at
	end
	box.made = box.made + 1
end

-- Whether a lane of the vector needs more words than it has room for.
local function crowded(from, first, n)
	for k = first, first + n - 1, 4 do
		if #words_of(from, k, 4) > 4 then return true end
	end
	return false
end

-- How a group comes to be: { from = where each byte comes from, zeros = whether it is cleared, made = how many vectors
-- of boxes there are }, these standing behind those of the group; nil where that takes bytes to be moved.
local function planned(moved, order, width, bytes)
	local size, n, from, zeros, boxes = M.group(moved, width) * width, width / 4, {}, {}, {}
	for b = 0, size - 1 do
		local source = moved[order][b % moved.unit]
		if source == ZERO then zeros[b] = true else from[b] = b - b % moved.unit + source end
	end
	for first = 0, size / 4 - 1, n do
		local through = crowded(from, first, n)
		for k = first, first + n - 1 do
			local word, turned = word_of(from, k)
			if not word and not bytes then return nil end
			if through and bytes and (turned or not word) then put_in_box(boxes, from, size, k) end
		end
	end
	return { from = from, zeros = zeros, made = math.ceil(#boxes * LANE / width) }
end

local function plan(moved, order, width, isa)
	local key = order .. width .. (isa.bytes and "b" or "")
	if moved.plans[key] == nil then moved.plans[key] = planned(moved, order, width, isa.bytes) or false end
	return moved.plans[key]
end

-- Whether vectors of that instruction set can do it.
function M.fits(moved, isa)
	for _, width in ipairs(isa.widths) do
		if not (plan(moved, "little", width, isa) and plan(moved, "big", width, isa)) then return false end
	end
	return true
end

-- Their C ------------------------------------------------------------------------------------------------------------

local function numbers(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

local function swapped(y, V, n, turned)
	local some = 0
	for k = 0, n - 1 do some = some + (turned[k] and 1 or 0) end
	if some == 0 then return y end
	local all = string.format("%s_%s(%s)", prelude.use "SWAP_SHIFTS", V, y)
	if some == n then return all end
	local mask = numbers(n, function(k) return turned[k] and "~0u" or "0" end)
	return string.format("(%s & (%s){ %s }) | (%s & ~(%s){ %s })", all, V, mask, y, V, mask)
end

-- The words that n places from `first` on need, in their lanes: those that are there already stay.
local function in_lanes(from, first, n)
	local words = {}
	for lane = 0, n - 1, 4 do
		local list = words_of(from, first + lane, 4)
		for _, here in ipairs { true, false } do
			for _, w in ipairs(list) do
				if (w >= first + lane and w < first + lane + 4) == here then
					local k = w % 4
					while words[lane + k] do k = (k + 1) % 4 end
					words[lane + k] = w
				end
			end
		end
	end
	return words
end

-- The C of the vector at place `first`, of those in xs.
local function vector(g, xs, from, first, isa, width)
	local V, n, words, turned, whole = isa_table.type(width, 32), width / 4, {}, {}, true
	for k = 0, n - 1 do
		words[k], turned[k] = word_of(from, first + k)
		whole = whole and words[k] and not (turned[k] and isa.bytes)
	end
	if whole then return swapped(g:of(xs, words, true).name, V, n, turned) end
	local y = g:of(xs, in_lanes(from, first, n), false)
	local function place(b)
		local source = from[4 * first + b]
		if not source then return -1 end
		for k = (b - b % LANE) / 4, n - 1 do
			if y.at[k] == math.floor(source / 4) then return 4 * k + source % 4 end
		end
		error "a word is not where it was brought"
	end
	return string.format("%s(%s, %s)", prelude.use("BYTES_%s", V), y.name, numbers(width, place))
end

-- The lane in which a word is needed; false where that is more than one.
local function lanes_of(from, n, count)
	local lanes = {}
	for k = 0, n * count - 1, 4 do
		local lane = k % n / 4
		for _, w in ipairs(words_of(from, k, 4)) do lanes[w] = (lanes[w] == nil or lanes[w] == lane) and lane end
	end
	return lanes
end

-- What is cleared of the vector at place `first`.
local function cleared(z, zeros, first, V, width)
	local some = false
	local ones = numbers(width, function(b)
		some = some or zeros[4 * first + b]
		return zeros[4 * first + b] and 0 or 255
	end)
	return some and string.format("(%s) & (%s)(%s){ %s }", z, V, prelude.use(isa_table.type(width, 8)), ones) or z
end

local function emit(t, p, isa, width, xs, fresh)
	local V, n, all = isa_table.type(width, 32), width / 4, {}
	local g, lanes = gather.new(t, V, n, fresh), lanes_of(p.from, n, #xs + p.made)
	local function add(list, name, v)
		local x = { name = name, at = {} }
		for k = 0, n - 1 do x.at[k] = n * (v - 1) + k end
		list[#list + 1] = x
	end
	for v, name in ipairs(xs) do add(all, name, v) end
	all = g:sorted(all, lanes)
	local made = {}
	for v = #xs + 1, #xs + p.made do
		local name = fresh "m"
		t:line("const %s %s = %s;", V, name, vector(g, all, p.from, n * (v - 1), isa, width))
		add(made, name, v)
	end
	for _, x in ipairs(g:sorted(made, lanes)) do all[#all + 1] = x end
	local results = {}
	for v = 1, #xs do
		local z = cleared(vector(g, all, p.from, n * (v - 1), isa, width), p.zeros, n * (v - 1), V, width)
		results[v] = fresh "z"
		t:line("const %s %s = %s;", V, results[v], z)
	end
	for v, z in ipairs(results) do t:line("%s = %s;", xs[v], z) end
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
