-- Code for fixed layouts (layout.lua): from memory to the wire or back, padding, and words that may hold some values
-- only. This is where loops of the generator's come in: M.loop calls them, loops.lua describes them.
local layout = require "xdr.layout"

local M = {}

local UNROLLED = 8 -- words of a kind that are written one by one
local CALL = { w = "ilp_xdr_words", h = "ilp_xdr_hypers", o = "ilp_xdr_opaques" }

local function offset(at, n) return n == 0 and at or string.format("%s + %d", at, n) end

-- Moves a value of that layout from an address to another, and its padding as it is.
function M.move(w, l, to, from)
	local at = 0
	for _, run in ipairs(layout.moved(l.words)) do
		local kind, count = run[1], run[2]
		if CALL[kind] and (count > UNROLLED or kind == "o" and count > 1) then
			w:add("%s(%s, %s, %d);", CALL[kind], offset(to, at), offset(from, at), count)
		else
			for k = 0, count - 1 do
				local o = at + k * layout.BYTES[kind]
				w:add("ilp_xdr_%s(%s, %s);", kind, offset(to, o), offset(from, o))
			end
		end
		at = at + count * layout.BYTES[kind]
	end
end

-- Moves count values, an expression of type size_t, out of memory or into it: by a loop of the library's where numbers
-- of one size are all there is, else by one of the file's own, which units remembers by name. Returns whether padding
-- has become zeros on the way out: not where an opaque is so long that its padding is no work.
function M.loop(w, l, out, to, from, count, units)
	local unit, times = layout.unit(l)
	local n = times > 1 and string.format("%s * %d", count, times) or count
	local call = #unit.words == 1 and CALL[unit.words[1][1]]
	if unit.bytes > layout.UNIT then
		w:add("ilp_xdr_opaques(%s, %s, %s * %d);", to, from, n, unit.bytes / 4)
		return false
	elseif call then
		w:add("%s(%s, %s, %s);", call, to, from, n)
	else
		units[unit.name] = unit
		w:add("ilp_xdr_each_%s(%s, %s, %s, %s);", unit.name, out, to, from, n)
	end
	return true
end

-- So many units fill vectors of 16 bytes; and how many are so long that a loop is worth its call.
local LONG = 64 -- as code.h has it
local function filling(bytes)
	local whole = 1
	while whole * bytes % 16 ~= 0 do whole = whole * 2 end
	return whole, math.ceil(LONG / (whole * bytes)) * whole
end

-- The functions that M.loop calls: a loop of the generator's for what fills vectors, straight code for the rest, which
-- a loop would do piece by piece.
function M.loops(w, units)
	for _, unit in ipairs(layout.sorted(units)) do
		local whole, least = filling(unit.bytes)
		w:add ""
		w:add("extern const struct ilp_chain ilp_chain_%s; /* %s.c */", unit.chain, unit.chain)
		w:add("static void ilp_xdr_each_%s(bool out, uint8_t *to, const uint8_t *from, size_t n)", unit.name)
		w:add "{"
		w:add("static struct ilp_xdr_loop loop = { .chain = &ilp_chain_%s };", unit.chain)
		w:add ""
		w:add("if (n >= %d) {", least)
		w:add("const size_t bytes = (n - n %% %d) * %d;", whole, unit.bytes)
		w:add ""
		w:add "ilp_xdr_run(&loop, out, to, from, bytes);"
		w:add "to += bytes;"
		w:add "from += bytes;"
		w:add("n %%= %d;", whole)
		w:add "}"
		w:add("for (; n > 0; n--, to += %d, from += %d) {", unit.bytes, unit.bytes)
		M.move(w, unit, "to", "from")
		for _, pad in ipairs(layout.pads(unit.words)) do
			w:when("out", string.format("memset(%s, 0, %d);", offset("to", pad.at), pad.n))
		end
		w:add "}"
		w:add "}"
	end
end

local RANGE = { bool = "0, 1", char = "-128, 127", uchar = "0, 255", short = "-32768, 32767", ushort = "0, 65535" }

-- Returns -EBADMSG if words in memory, of a value at that address, are none of those that they may be. enums remembers
-- whose values are asked for.
function M.check(w, l, at, enums)
	if #l.checks == 0 then return end
	local list = {}
	for k, c in ipairs(l.checks) do
		if RANGE[c.what] then
			list[k] = string.format("ilp_xdr_within(%s, %s)", offset(at, c.at), RANGE[c.what])
		else
			local def = c.what.def
			enums[def] = true
			list[k] = string.format("ilp_xdr_%s_listed(ilp_xdr_int_at(%s))", def.c, offset(at, c.at))
		end
	end
	if #list == 1 then return w:when("!" .. list[1], "return -EBADMSG;") end
	w:list("if (!(", list, " &&", "))")
	w.depth = w.depth + 1
	w:add "return -EBADMSG;"
	w.depth = w.depth - 1
end

-- Padding of a value at that address: zeros on the wire; and as it came, in memory.
function M.pad(w, l, at)
	for _, pad in ipairs(layout.pads(l.words)) do w:add("memset(%s, 0, %d);", offset(at, pad.at), pad.n) end
end

function M.unpad(w, l, at)
	for _, pad in ipairs(layout.pads(l.words)) do
		w:when(string.format("!ilp_xdr_padded(in, %s, %d)", offset(at, pad.at), pad.n), "return -EBADMSG;")
	end
end

return M
