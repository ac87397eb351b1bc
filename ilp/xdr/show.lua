-- The functions that print a type's values, in C: ilp_xdr_T_show; and the enums' names, ilp_xdr_T_name, and values,
-- ilp_xdr_T_listed.
local types = require "xdr.types"
local code = require "xdr.code"

local M = {}

local show = {}

-- x under a name, which is an expression of C.
local function show_node(s, w, node, x, name)
	node = types.base(node)
	if types.WORDS[node.k] and not show[node.k] then return show.int(s, w, node, x, name) end
	show[node.k](s, w, node, x, name)
end

local function quoted(name) return '"' .. name .. '"' end

function show.void() end
function show.int(_, w, _, x, name) w:add("ilp_xdr_print_int(p, %s, %s);", name, x) end
function show.uint(_, w, _, x, name) w:add("ilp_xdr_print_uint(p, %s, %s);", name, x) end
show.uhyper, show.ushort, show.uchar = show.uint, show.uint, show.uint
function show.bool(_, w, _, x, name) w:add('ilp_xdr_print_value(p, %s, %s ? "TRUE" : "FALSE");', name, x) end
function show.float(_, w, _, x, name) w:add("ilp_xdr_print_double(p, %s, (double)%s);", name, x) end
show.double = show.float
function show.quadruple(_, w, _, x, name) w:add("ilp_xdr_print_quadruple(p, %s, %s);", name, code.address(x)) end
function show.enum(s, w, node, x, name) -- of a definition's own
	w:add("ilp_xdr_print_value(p, %s, ilp_xdr_%s_name(%s));", name, s.def.c, x)
	return node
end
function show.name(_, w, node, x, name) w:add("ilp_xdr_%s_show(%s, %s, p);", node.def.c, code.address(x), name) end
function show.opaque(_, w, node, x, name) w:add("ilp_xdr_print_bytes(p, %s, %s, %d);", name, x, node.n) end

function show.bytes(_, w, _, x, name)
	w:add("ilp_xdr_print_bytes(p, %s, %s, %s);", name, code.dot(x, "val"), code.dot(x, "len"))
end

function show.string(_, w, _, x, name) w:add("ilp_xdr_print_string(p, %s, %s);", name, code.address(x)) end

local function all(s, w, node, count, x, name)
	w:add("ilp_xdr_print_open(p, %s, %s);", name, count)
	code.for_each(w, count, function() show_node(s, w, node, x .. "[i]", '"-"') end)
	w:add "p->indent--;"
end

function show.list(s, w, node, x, name) all(s, w, node.of, code.dot(x, "len"), code.dot(x, "val"), name) end
function show.array(s, w, node, x, name) all(s, w, node.of, node.n, x, name) end

function show.optional(s, w, node, x, name)
	w:add("if (%s) {", x)
	show_node(s, w, node.of, "(*" .. x .. ")", name)
	w:add "} else {"
	w:add('ilp_xdr_print_value(p, %s, "none");', name)
	w:add "}"
end

function show.union(s, w, def)
	local t = def.type
	w:add "ilp_xdr_print_open(p, name, -1);"
	show_node(s, w, t.disc.type, "v->" .. t.disc.c, quoted(t.disc.name))
	code.switch(w, def, function(node, x, arm)
		show_node(s, w, node, x .. (arm.inner or ""), quoted(arm.name))
	end, "break;")
	w:add "p->indent--;"
end

function show.struct(s, w, def)
	w:add "ilp_xdr_print_open(p, name, -1);"
	for _, f in ipairs(def.type.fields) do
		if f ~= def.tail then show_node(s, w, f.type, "v->" .. f.c, quoted(f.name)) end
	end
	w:add "p->indent--;"
	if not def.tail then return end
	w:when("!v->" .. def.tail.c, "break;")
	w:add("v = v->%s;", def.tail.c)
	w:add("name = %s;", quoted(def.tail.name))
end

-- ilp_xdr_T_show; s.def is the definition meanwhile.
function M.define(s, w, def)
	s.def = def
	local t = def.type
	local inside = code.body(s, def, show, function(_, i, node)
		show_node(s, i, node, (t.k == "array" or t.k == "opaque") and "v->at" or "(*v)", "name")
	end)
	code.function_(w, code.HEAD.show:format(def.c, def.c), inside, { tail = def.tail ~= nil })
end

-- The members of an enum by their values, without those that have the value of an earlier one.
local function members(def)
	local list = {}
	for _, m in pairs((types.members(def.type))) do list[#list + 1] = m end
	table.sort(list, function(a, b) return a.value.n < b.value.n end)
	return list
end
M.members = members

-- Of enums: their names; and whether a number is one of theirs, where that is asked for.
function M.enum(s, w, def)
	local list = members(def)
	w:add ""
	w:add("static const char *ilp_xdr_%s_name(%s n)", def.c, def.c)
	w:add "{"
	w:add "switch (n) {"
	for _, m in ipairs(list) do
		w:add("case %s:", m.c)
		w:add("return %s;", quoted(m.name))
	end
	w:add "default:"
	w:add 'return "?";'
	w:add "}"
	w:add "}"
	if not s.enums[def] then return end
	w:add ""
	w:add("static bool ilp_xdr_%s_listed(int32_t n)", def.c)
	w:add "{"
	local low, high = list[1], list[#list]
	if high.value.n - low.value.n + 1 == #list then
		w:add("return ilp_xdr_within(&n, %s, %s);", low.value.text, high.value.text)
	else
		w:add "switch (n) {"
		for _, m in ipairs(list) do w:add("case %s:", m.c) end
		w:add "return true;"
		w:add "default:"
		w:add "return false;"
		w:add "}"
	end
	w:add "}"
end

M.quoted = quoted

return M
