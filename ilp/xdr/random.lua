-- Random values of each type, in C, for tests: NAME_random.c, which tests/xdr/random.h goes with. A table of all types
-- with what to try on them, and ilp_xdr_T_fill, which makes a value that has an encoding. The random numbers say how
-- long lists are, and stop what contains itself.
local types = require "xdr.types"
local text = require "xdr.text"
local code = require "xdr.code"
local show = require "xdr.show"

local M = {}

local fill = {}

local function fill_node(s, w, node, x)
	node = types.base(node)
	if types.WORDS[node.k] and not fill[node.k] then return fill.word(s, w, node, x) end
	fill[node.k](s, w, node, x)
end

local SMALL = { bool = "ilp_xdr_random_below(r, 2)",
	uchar = "ilp_xdr_random_below(r, 256)", ushort = "ilp_xdr_random_below(r, 65536)",
	char = "(int32_t)ilp_xdr_random_below(r, 256) - 128", short = "(int32_t)ilp_xdr_random_below(r, 65536) - 32768",
	int = "(int32_t)ilp_xdr_random_word(r)", uint = "ilp_xdr_random_word(r)" }

function fill.void() end
function fill.word(_, w, node, x)
	if SMALL[node.k] then return w:add("%s = %s;", x, SMALL[node.k]) end
	w:add("ilp_xdr_random_bytes(r, %s, sizeof %s);", code.address(x), x)
end
function fill.enum(_, w, node, x)
	local names = {}
	for k, m in ipairs(show.members(node.def)) do names[k] = m.c end
	w:list("static const int32_t all[] = {", names, ",", " };")
	w:add("%s = (%s)all[ilp_xdr_random_below(r, %d)];", x, node.def.c, #names)
end
function fill.name(_, w, node, x) w:add("ilp_xdr_%s_fill(%s, r);", node.def.c, code.address(x)) end
function fill.opaque(_, w, node, x) w:add("ilp_xdr_random_bytes(r, %s, %d);", x, node.n) end

local function length(w, node, x)
	w:add("%s = ilp_xdr_random_len(r, %s);", code.dot(x, "len"),
		node.max and string.format("%.0fU", node.max) or "UINT32_MAX")
end

function fill.bytes(_, w, node, x)
	length(w, node, x)
	w:add("%s = ilp_xdr_random_new(%s, 1);", code.dot(x, "val"), code.dot(x, "len"))
	w:add("ilp_xdr_random_%s(r, %s, %s);", node.k == "string" and "letters" or "bytes", code.dot(x, "val"),
		code.dot(x, "len"))
end
fill.string = fill.bytes

function fill.list(s, w, node, x)
	local val = code.dot(x, "val")
	length(w, node, x)
	w:add("%s = ilp_xdr_random_new(%s, sizeof *%s);", val, code.dot(x, "len"), val)
	code.for_each(w, code.dot(x, "len"), function() fill_node(s, w, node.of, val .. "[i]") end)
end

function fill.array(s, w, node, x)
	code.for_each(w, node.n, function() fill_node(s, w, node.of, x .. "[i]") end)
end

function fill.optional(s, w, node, x)
	w:add("%s = ilp_xdr_random_more(r) ? ilp_xdr_random_new(1, sizeof *%s) : NULL;", x, x)
	w:add("if (%s) {", x)
	fill_node(s, w, node.of, "(*" .. x .. ")")
	w:add "}"
end

-- Discriminants: of the cases, and of what falls to the default.
function fill.union(s, w, def)
	local t = def.type
	local cases, list, taken = {}, {}, {}
	for _, arm in ipairs(t.arms) do
		for _, case in ipairs(arm.cases) do
			cases[#cases + 1], taken[case.n] = case.n, true
		end
	end
	if t.default then
		for _, n in ipairs(t.values or { 4711, 0, 1, 2147483647 }) do
			if not taken[n] then cases[#cases + 1] = n end
		end
	end
	for k, n in ipairs(cases) do list[k] = string.format("%.0f", n):gsub("^%-2147483648$", "-2147483647 - 1") end
	local number = t.kind == "uint" and "uint32_t" or "int32_t"
	w:list("static const " .. number .. " all[] = {", list, ",", " };")
	w:add("v->%s = (%s)all[ilp_xdr_random_below(r, %d)];", t.disc.c, t.kind == "enum" and types.form(t.disc.type).def.c
		or t.kind == "bool" and "ilp_xdr_bool_t" or number, #list)
	code.switch(w, def, function(node, x, arm) fill_node(s, w, node, x .. (arm.inner or "")) end, "break;")
end

function fill.struct(s, w, def)
	for _, f in ipairs(def.type.fields) do
		if f ~= def.tail then fill_node(s, w, f.type, "v->" .. f.c) end
	end
	if not def.tail then return end
	w:add("v->%s = ilp_xdr_random_more(r) ? ilp_xdr_random_new(1, sizeof *v) : NULL;", def.tail.c)
	w:when("!v->" .. def.tail.c, "break;")
	w:add("v = v->%s;", def.tail.c)
end

local function define(s, w, def)
	local t = def.type
	local inside = code.body(s, def, fill, function(_, i, node)
		fill_node(s, i, node, (t.k == "array" or t.k == "opaque") and "v->at" or "(*v)")
	end)
	if def.deep then
		local deep = text.writer()
		deep:add "r->deep++;"
		deep:append(inside)
		deep:add "r->deep--;"
		inside = deep
	end
	code.function_(w, string.format("static void ilp_xdr_%s_fill(%s *v, struct random *r)", def.c, def.c), inside,
		{ tail = def.tail ~= nil })
end

-- The functions of a type as the table has them.
local function untyped(w, c)
	local list = { { "void", "", "void *v, struct random *r", "v, r" }, { "int", "encode",
		"const void *v, struct ilp_xdr_out *out", "v, out" }, { "int", "decode", "void *v, struct ilp_xdr_in *in", "v, in" },
		{ "size_t", "wire_size", "const void *v", "v" }, { "void", "free", "void *v", "v" },
		{ "int", "print", "const void *v, FILE *to", "v, to" } }
	for _, f in ipairs(list) do
		local call = f[2] == "" and "ilp_xdr_" .. c .. "_fill" or c .. "_" .. f[2]
		w:add ""
		w:add("static %s ilp_xdr_%s_any%s(%s)", f[1], c, f[2], f[3])
		w:add "{"
		w:add("%s%s(%s);", f[1] == "void" and "" or "return ", call, f[4])
		w:add "}"
	end
end

function M.file(list, o)
	local w, s = text.writer(), {}
	w:add("/* Generated by tcpu xdr --random from %s: do not edit. */", o.sources)
	w:add '#include "tests/xdr/random.h"'
	w:add ""
	w:add('#include "%s.h"', o.name)
	w:add ""
	w:add '#pragma GCC diagnostic ignored "-Wshadow"'
	w:add ""
	for _, def in ipairs(list) do
		if def.kind == "type" then w:add("static void ilp_xdr_%s_fill(%s *v, struct random *r);", def.c, def.c) end
	end
	for _, def in ipairs(list) do
		if def.kind == "type" then
			define(s, w, def)
			if not def.known then untyped(w, def.c) end
		end
	end
	w:add ""
	w:add("const struct ilp_xdr_type %s_types[] = {", o.name:gsub("-", "_"))
	for _, def in ipairs(list) do
		if def.kind == "type" and not def.known then
			local any = "ilp_xdr_" .. def.c .. "_any"
			w:list("{ ", { '"' .. def.c .. '"', "sizeof(" .. def.c .. ")", any, any .. "encode", any .. "decode",
				any .. "wire_size", any .. "free", any .. "print" }, ",", " },")
		end
	end
	w:add "{ 0 }"
	w:add "};"
	return w:text()
end

return M
