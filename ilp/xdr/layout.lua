-- Fixed layouts: what is as long in memory as on the wire, word for word, and differs in the order of bytes and in
-- padding alone. Such a value is
--	words   runs { kind, count }: w 4 bytes to be turned round, h 8, q 16, o 4 that stay as they are (opaque); c, b, a 4
--	        of which 3, 2, 1 are opaque, and padding behind them, which is zero on the wire
--	bytes   its size
--	checks  { at, what }: words that may hold some values only: "bool", a range of a small integer, or an enum's node
-- of an element of an array, or of fields that follow one another. It is converted by one call, however many there are.
local types = require "xdr.types"

local M = {}

-- A unit of more than one kind, or with something to check, is at most that long, as a layout of the generator's
-- (ilp/gen/layout.lua says why): what is longer is taken apart, an element of an array then goes by straight code, in
-- which runs of numbers of one size are loops. An opaque is one piece however long it is, with its padding.
M.UNIT = 512

local KIND = { int = "w", uint = "w", bool = "w", enum = "w", float = "w", short = "w", ushort = "w", char = "w",
	uchar = "w", hyper = "h", uhyper = "h", double = "h", quadruple = "q" }
M.BYTES = { w = 4, h = 8, q = 16, o = 4, a = 4, b = 4, c = 4 }
M.PADDING = { a = 3, b = 2, c = 1 }
local PADDED = { "a", "b", "c" } -- by opaque bytes
local CHECKED = { bool = true, short = true, ushort = true, char = true, uchar = true }

local function push(words, kind, count)
	local last = words[#words]
	if last and last[1] == kind then last[2] = last[2] + count else words[#words + 1] = { kind, count } end
end

-- An opaque that has padding.
local function is_opaque(words) return #words == 2 and words[1][1] == "o" and M.PADDING[words[2][1]] ~= nil end

local function fits(l) return l.bytes <= M.UNIT or #l.checks == 0 and (#l.words == 1 or is_opaque(l.words)) end

-- The padding: a list of { at, n }.
function M.pads(words)
	local list, at = {}, 0
	for _, run in ipairs(words) do
		local n = M.PADDING[run[1]]
		for k = 1, n and run[2] or 0 do list[#list + 1] = { at = at + 4 * k - n, n = n } end
		at = at + run[2] * M.BYTES[run[1]]
	end
	return list
end

-- b behind a; nil when that is too long for one layout.
function M.join(a, b)
	if not a or not b then return nil end
	local l = { words = {}, bytes = a.bytes + b.bytes, checks = {} }
	for _, part in ipairs { a, b } do
		local at = part == b and a.bytes or 0
		for _, run in ipairs(part.words) do push(l.words, run[1], run[2]) end
		for _, c in ipairs(part.checks) do l.checks[#l.checks + 1] = { at = c.at + at, what = c.what } end
	end
	return fits(l) and l or nil
end

local function times(l, n)
	if not l then return nil end
	if #l.words == 1 and #l.checks == 0 and not M.PADDING[l.words[1][1]] then
		return { words = { { l.words[1][1], l.words[1][2] * n } }, bytes = l.bytes * n, checks = {} }
	end
	if l.bytes * n > M.UNIT then return nil end
	local all = l
	for _ = 2, n do all = M.join(all, l) end
	return all
end

-- The layout of a node's values; nil when they have none.
function M.of(node)
	local form = types.form(node)
	if form.layout ~= nil then return form.layout or nil end
	local l
	if KIND[form.k] then
		l = { words = { { KIND[form.k], 1 } }, checks = {} }
		l.bytes = M.BYTES[KIND[form.k]]
		if form.k == "enum" or CHECKED[form.k] then l.checks[1] = { at = 0, what = form.k == "enum" and form or form.k } end
	elseif form.k == "opaque" then
		local bytes = types.padded(form.n)
		l = { words = {}, bytes = bytes, checks = {} }
		if form.n >= 4 then push(l.words, "o", math.floor(form.n / 4)) end
		if bytes > form.n then push(l.words, PADDED[form.n % 4], 1) end
	elseif form.k == "array" then
		l = times(M.of(form.of), form.n)
	elseif form.k == "struct" then
		l = M.of(form.fields[1].type)
		for k = 2, #form.fields do l = l and M.join(l, M.of(form.fields[k].type)) end
	end
	form.layout = l or false
	return l
end

-- The runs as they are moved: padding is as opaque as the rest.
function M.moved(words)
	local list = {}
	for _, run in ipairs(words) do push(list, M.PADDING[run[1]] and "o" or run[1], run[2]) end
	return list
end

-- A unit's words without what repeats: of two hypers one. Returns the runs and how often.
local function period(l)
	if #l.words == 1 then return { { l.words[1][1], 1 } }, l.words[1][2] end
	local flat = {}
	for _, run in ipairs(l.words) do
		for _ = 1, run[2] do flat[#flat + 1] = run[1] end
	end
	local text = table.concat(flat)
	for n = 1, #text / 2 do
		if #text % n == 0 and text:sub(1, n):rep(#text / n) == text then
			local words = {}
			for c in text:sub(1, n):gmatch "." do push(words, c, 1) end
			return words, #text / n
		end
	end
	return l.words, 1
end

-- A number of 32 bits that tells texts apart (FNV-1a).
local function hash(text)
	local h = 0x811c9dc5
	for c in text:gmatch "." do
		h = bit.bxor(h, c:byte())
		-- times 0x01000193, which a double has no room for at once
		h = bit.tobit(h * 0x193 + bit.lshift(h, 24))
	end
	return bit.tohex(h)
end

-- The unit of arrays of that layout: words, bytes, name (w2_h1; of a long one its beginning and a hash), chain (what
-- its stage and chain are called), and how many units an element has.
function M.unit(l)
	local words, times_ = period(l)
	local names, bytes = {}, 0
	for k, run in ipairs(words) do
		names[k] = run[1] .. run[2]
		bytes = bytes + M.BYTES[run[1]] * run[2]
	end
	local name = table.concat(names, "_")
	if #name > 40 then name = name:sub(1, 32):match "^(.*)_" .. "_x" .. hash(name) end
	return { words = words, name = name, chain = "xdr_" .. name, bytes = bytes }, times_
end

-- A set of units by name, as a list in order.
function M.sorted(units)
	local list = {}
	for _, unit in pairs(units) do list[#list + 1] = unit end
	table.sort(list, function(a, b) return a.name < b.name end)
	return list
end

return M
