-- The functions of a type, in C: ilp_xdr_T_measure, _put, _get, _drop and _show, which do the work, and what the header
-- promises around them. No name of a file's is one of these: text.lua sees to it. A struct's body is a list of parts:
-- runs of fields that have one layout together, and fields that have none.
local types = require "xdr.types"
local layout = require "xdr.layout"
local text = require "xdr.text"
local run = require "xdr.run"

local M = {}

-- Parts of a struct: { layout =, field = the first, fields = }, { field = } where there is no layout. Not the tail.
local function parts(def)
	local list = {}
	for _, f in ipairs(def.type.fields) do
		if f ~= def.tail then
			local l = layout.of(f.type)
			local last = list[#list]
			local both = last and last.layout and layout.join(last.layout, l)
			if both then
				last.layout = both
				last.fields[#last.fields + 1] = f
			else
				list[#list + 1] = { layout = l, field = f, fields = { f } }
			end
		end
	end
	return list
end

local function limit(node) return node.max and string.format("%.0fU", node.max) or "UINT32_MAX" end

-- An expression's address, and a member of it: x may be (*pointer).
local function address(x) return x:match "^%(%*(.*)%)$" or "&" .. x end
local function dot(x, member)
	local pointer = x:match "^%(%*(.*)%)$"
	return pointer and pointer .. "->" .. member or x .. "." .. member
end

local function attempt(w, format, ...) w:when("(e = " .. format:format(...) .. ") != 0", "return e;") end

-- Each of the n elements of x at val, as `each`, in a loop.
local function for_each(w, count, each)
	w:add("for (uint32_t i = 0; i < %s; i++) {", count)
	each()
	w:add "}"
end

-- Measuring ------------------------------------------------------------------------------------------------------
-- A value's least size is counted by whoever it is in; here stands what comes on top, and what is to be checked.

local measure = { flat = true } -- flat: a value of a layout has no parts here

local function measure_node(s, w, node, x)
	local l = layout.of(node)
	if l then return run.check(w, l, "(const uint8_t *)" .. address(x), s.enums) end
	node = types.base(node)
	measure[node.k](s, w, node, x)
end

function measure.void() end
function measure.name(_, w, node, x)
	attempt(w, "ilp_xdr_%s_measure(%s, m)", node.def.c, address(x))
end

function measure.bytes(_, w, node, x)
	attempt(w, "ilp_xdr_grow_bytes(m, %s, %s, %s)", dot(x, "len"), limit(node), dot(x, "val"))
end
measure.string = measure.bytes

function measure.list(s, w, node, x)
	local _, min = types.size(node.of)
	local l = layout.of(node.of)
	attempt(w, "ilp_xdr_grow_list(m, %s, %s, %d, %s)", dot(x, "len"), limit(node), min, dot(x, "val"))
	if l and #l.checks == 0 then return end
	for_each(w, dot(x, "len"), function() measure_node(s, w, node.of, dot(x, "val[i]")) end)
end

function measure.array(s, w, node, x)
	for_each(w, node.n, function() measure_node(s, w, node.of, x .. "[i]") end)
end

function measure.optional(s, w, node, x)
	local _, min = types.size(node.of)
	w:add("if (%s) {", x)
	attempt(w, "ilp_xdr_grow(m, %d)", min)
	measure_node(s, w, node.of, "(*" .. x .. ")")
	w:add "}"
end

-- The arms of a union, each by what each(arm, expression) writes; otherwise: the line where no arm is right.
local function switch(w, def, each, otherwise)
	local t = def.type
	local by_value = t.kind == "enum" and types.members(types.form(t.disc.type))
	w:add("switch (v->%s) {", t.disc.c)
	local function arm(a)
		if a.name then each(a.type, string.format("v->u.%s", a.c), a) end
		w:add "break;"
	end
	for _, a in ipairs(t.arms) do
		for _, case in ipairs(a.cases) do
			local name = by_value and by_value[case.n].c
			w:add("case %s:", name or t.kind == "int" and case.n or string.format("%.0fU", case.n))
		end
		arm(a)
	end
	w:add "default:"
	if t.default then arm(t.default) else w:add(otherwise) end
	w:add "}"
end

function measure.union(s, w, def)
	local t = def.type
	measure_node(s, w, t.disc.type, "v->" .. t.disc.c)
	switch(w, def, function(node, x)
		local _, min = types.size(node)
		if min + 4 > def.min then attempt(w, "ilp_xdr_grow(m, %d)", min + 4 - def.min) end
		measure_node(s, w, node, x)
	end, "return -EBADMSG;")
end

function measure.struct(s, w, def)
	for _, part in ipairs(parts(def)) do
		if part.layout then
			if #part.layout.checks > 0 then w:add("at = ILP_XDR_FROM(v, %s, %s);", def.c, part.field.c) end
			run.check(w, part.layout, "at", s.enums)
		else
			measure_node(s, w, part.field.type, "v->" .. part.field.c)
		end
	end
	if not def.tail then return end
	w:when("!v->" .. def.tail.c, "break;")
	w:add("v = v->%s;", def.tail.c)
	attempt(w, "ilp_xdr_grow(m, %d)", def.min)
end

-- Putting --------------------------------------------------------------------------------------------------------

local put = { flat = true }

local function advance(w, n) w:add("at += %s;", n) end

local function put_node(s, w, node, x)
	local l = layout.of(node)
	if l then
		w:add("from = (const uint8_t *)%s;", address(x))
		run.move(w, l, "at", "from")
		run.pad(w, l, "at")
		return advance(w, l.bytes)
	end
	node = types.base(node)
	put[node.k](s, w, node, x)
end

function put.void() end
function put.name(_, w, node, x) w:add("at = ilp_xdr_%s_put(%s, at);", node.def.c, address(x)) end
function put.bytes(_, w, _, x) w:add("at = ilp_xdr_put_bytes(at, %s, %s);", dot(x, "len"), dot(x, "val")) end
put.string = put.bytes

-- Elements one after the other; those of a layout by a loop.
local function put_all(s, w, node, count, x)
	local l = layout.of(node)
	if not l then
		return for_each(w, count, function() put_node(s, w, node, x .. "[i]") end)
	end
	local n = tostring(count):match "^%d+$" and count or "(size_t)" .. count
	if run.loop(w, l, "true", "at", "(const uint8_t *)" .. x, n, s.units) then
		return advance(w, string.format("%s * %d", n, l.bytes))
	end
	for_each(w, count, function()
		run.pad(w, l, "at")
		advance(w, l.bytes)
	end)
end

function put.list(s, w, node, x)
	w:add("at = ilp_xdr_put(at, %s);", dot(x, "len"))
	put_all(s, w, node.of, dot(x, "len"), dot(x, "val"))
end

function put.array(s, w, node, x) put_all(s, w, node.of, node.n, x) end

function put.optional(s, w, node, x)
	w:add("at = ilp_xdr_put(at, %s != NULL);", x)
	w:add("if (%s) {", x)
	put_node(s, w, node.of, "(*" .. x .. ")")
	w:add "}"
end

function put.union(s, w, def)
	local t = def.type
	put_node(s, w, t.disc.type, "v->" .. t.disc.c)
	switch(w, def, function(node, x) put_node(s, w, node, x) end, "break;")
end

function put.struct(s, w, def)
	for _, part in ipairs(parts(def)) do
		local l = part.layout
		if l then
			w:add("from = ILP_XDR_FROM(v, %s, %s);", def.c, part.field.c)
			run.move(w, l, "at", "from")
			run.pad(w, l, "at")
			advance(w, l.bytes)
		else
			put_node(s, w, part.field.type, "v->" .. part.field.c)
		end
	end
	if not def.tail then return end
	w:add("at = ilp_xdr_put(at, v->%s != NULL);", def.tail.c)
	w:when("!v->" .. def.tail.c, "break;")
	w:add("v = v->%s;", def.tail.c)
end

-- Getting --------------------------------------------------------------------------------------------------------

local get = { flat = true }

local function get_run(s, w, l, to)
	w:when(string.format("ilp_xdr_left(in) < %d", l.bytes), "return -EBADMSG;")
	w:add("to = %s;", to)
	run.move(w, l, "to", "in->at")
	w:add("in->at += %d;", l.bytes)
	run.check(w, l, "to", s.enums)
	run.unpad(w, l, "to")
end

local function get_node(s, w, node, x)
	local l = layout.of(node)
	if l then return get_run(s, w, l, "(uint8_t *)" .. address(x)) end
	node = types.base(node)
	get[node.k](s, w, node, x)
end

function get.void() end
function get.name(_, w, node, x) attempt(w, "ilp_xdr_%s_get(%s, in)", node.def.c, address(x)) end
function get.bytes(_, w, node, x) attempt(w, "ilp_xdr_get_%s(in, %s, %s)", node.k, limit(node), address(x)) end
get.string = get.bytes

-- count elements to x, which are there if they have a layout.
local function get_all(s, w, node, count, x)
	local l = layout.of(node)
	if not l then
		return for_each(w, count, function() get_node(s, w, node, x .. "[i]") end)
	end
	local n = tostring(count):match "^%d+$" and count or "(size_t)" .. count
	w:add("to = (uint8_t *)%s;", x)
	run.loop(w, l, "false", "to", "in->at", n, s.units)
	w:add("in->at += %s * %d;", n, l.bytes)
	if #l.checks == 0 and #layout.pads(l.words) == 0 then return end
	for_each(w, count, function()
		run.check(w, l, "to", s.enums)
		run.unpad(w, l, "to")
		w:add("to += %d;", l.bytes)
	end)
end

function get.list(s, w, node, x)
	local _, min = types.size(node.of)
	attempt(w, "ilp_xdr_get_len(in, %s, %d, &n)", limit(node), min)
	w:add "if (n > 0) {"
	local val = dot(x, "val")
	w:add("%s = ilp_xdr_new%s(in, n, sizeof *%s, &e);", val, layout.of(node.of) and "_raw" or "", val)
	w:when("!" .. val, "return e;")
	w:add("%s = n;", dot(x, "len"))
	get_all(s, w, node.of, "n", dot(x, "val"))
	w:add "}"
end

function get.array(s, w, node, x)
	local l = layout.of(node.of)
	if l then w:when(string.format("ilp_xdr_left(in) < %d", l.bytes * node.n), "return -EBADMSG;") end
	get_all(s, w, node.of, node.n, x)
end

function get.optional(s, w, node, x)
	attempt(w, "ilp_xdr_get_bool(in, &n)")
	w:add "if (n) {"
	w:add("%s = ilp_xdr_new(in, 1, sizeof *%s, &e);", x, x)
	w:when("!" .. x, "return e;")
	get_node(s, w, node.of, "(*" .. x .. ")")
	w:add "}"
end

function get.union(s, w, def)
	local t = def.type
	get_node(s, w, t.disc.type, "v->" .. t.disc.c)
	switch(w, def, function(node, x) get_node(s, w, node, x) end, "return -EBADMSG;")
end

function get.struct(s, w, def)
	for _, part in ipairs(parts(def)) do
		if part.layout then
			get_run(s, w, part.layout, string.format("ILP_XDR_TO(v, %s, %s)", def.c, part.field.c))
		else
			get_node(s, w, part.field.type, "v->" .. part.field.c)
		end
	end
	if not def.tail then return end
	attempt(w, "ilp_xdr_get_bool(in, &n)")
	w:when("!n", "break;")
	w:add("v->%s = ilp_xdr_new(in, 1, sizeof *v, &e);", def.tail.c)
	w:when("!v->" .. def.tail.c, "return e;")
	w:add("v = v->%s;", def.tail.c)
end

-- Dropping: what a value points to is freed. ---------------------------------------------------------------------

local drop = {}

local function drop_node(s, w, node, x)
	local _, _, owns = types.size(node)
	if not owns then return end
	node = types.base(node)
	drop[node.k](s, w, node, x)
end

function drop.name(_, w, node, x) w:add("ilp_xdr_%s_drop(%s);", node.def.c, address(x)) end
function drop.bytes(_, w, _, x) w:add("free(%s);", dot(x, "val")) end
drop.string = drop.bytes

function drop.list(s, w, node, x)
	local _, _, owns = types.size(node.of)
	if owns then for_each(w, dot(x, "len"), function() drop_node(s, w, node.of, dot(x, "val[i]")) end) end
	w:add("free(%s);", dot(x, "val"))
end

function drop.array(s, w, node, x)
	for_each(w, node.n, function() drop_node(s, w, node.of, x .. "[i]") end)
end

function drop.optional(s, w, node, x)
	local _, _, owns = types.size(node.of)
	if owns then
		w:add("if (%s) {", x)
		drop_node(s, w, node.of, "(*" .. x .. ")")
		w:add "}"
	end
	w:add("free(%s);", x)
end

function drop.union(s, w, def)
	switch(w, def, function(node, x) drop_node(s, w, node, x) end, "break;")
end

function drop.struct(s, w, def)
	for _, f in ipairs(def.type.fields) do
		if f ~= def.tail then drop_node(s, w, f.type, "v->" .. f.c) end
	end
	if not def.tail then return end
	w:add("%s *const next = v->%s;", def.c, def.tail.c)
	w:when("v != first", "free(v);")
	w:when("!next", "break;")
	w:add "v = next;"
end

-- Functions ------------------------------------------------------------------------------------------------------

-- What a function declares, by the line that uses it.
local LOCALS = {
	{ "int e;", { "%(e = ", "&e%)" } },
	{ "uint32_t n;", { "&n%)" } },
	{ "const uint8_t *at;", { "^%s*at = ILP_XDR_FROM" } },
	{ "const uint8_t *from;", { "^%s*from = " } },
	{ "uint8_t *to;", { "^%s*to = " } },
}

local function has(w, pattern)
	for _, line in ipairs(w.lines) do
		if (" " .. line):find(pattern) then return true end
	end
	return false
end

-- A function around a body: it declares what the body uses. o: after, the last line; deep, what has the depth of a type
-- that may contain itself; tail, whether the body is a loop's over a list; arguments that the body may not use.
local function define(w, head, inside, o)
	w:add ""
	w:add("%s", head)
	w:add "{"
	local from = #w.lines
	for _, d in ipairs(LOCALS) do
		for _, pattern in ipairs(d[2]) do
			if has(inside, pattern) and w.lines[#w.lines] ~= "\t" .. d[1] then w:add("%s", d[1]) end
		end
	end
	if o.first then w:add("%s", o.first) end
	if #w.lines > from then w:add "" end
	for _, name in ipairs(o.arguments or {}) do
		if not has(inside, "[^%w_>.]" .. name .. "%f[^%w_]") and o.deep ~= name then w:add("(void)%s;", name) end
	end
	if o.deep then
		w:when(o.deep .. "->depth == 0", "return -EMSGSIZE;")
		w:add("%s->depth--;", o.deep)
	end
	if o.tail then w:add "for (;;) {" end
	w:append(inside)
	if o.tail then w:add "}" end
	if o.deep then w:add("%s->depth++;", o.deep) end
	if o.after then w:add(o.after) end
	w:add "}"
end

local HEAD = {
	measure = "static int ilp_xdr_%s_measure(const %s *v, struct ilp_xdr_measure *m)",
	put = "static uint8_t *ilp_xdr_%s_put(const %s *v, uint8_t *at)",
	get = "static int ilp_xdr_%s_get(%s *v, struct ilp_xdr_in *in)",
	drop = "static void ilp_xdr_%s_drop(%s *v)",
	show = "static void ilp_xdr_%s_show(const %s *v, const char *name, struct ilp_xdr_printer *p)",
}

-- The prototypes of all that M.define and show.lua write for it.
function M.prototypes(w, def)
	for _, what in ipairs { "measure", "put", "get", "drop", "show" } do
		if what ~= "drop" or def.owns then w:add("%s;", HEAD[what]:format(def.c, def.c)) end
	end
end

-- A definition's body by an operation: a struct's or union's own, else that of its node.
local function body(s, def, own, node_function)
	local w, t = text.writer(), def.type
	if own[t.k] and (t.k == "union" or t.k == "struct" and not (own.flat and layout.of(t))) then
		own[t.k](s, w, def)
	else
		node_function(s, w, t, t.k == "array" and not layout.of(t) and "v->at" or "(*v)")
	end
	return w
end

-- The working functions of a definition. s: units and enums, to be remembered.
function M.define(s, w, def)
	local tail = def.tail ~= nil
	define(w, HEAD.measure:format(def.c, def.c), body(s, def, measure, measure_node),
		{ tail = tail, deep = def.deep and "m", after = "return 0;", arguments = { "v", "m" } })
	define(w, HEAD.put:format(def.c, def.c), body(s, def, put, put_node), { tail = tail, after = "return at;" })
	define(w, HEAD.get:format(def.c, def.c), body(s, def, get, get_node),
		{ tail = tail, deep = def.deep and "in", after = "return 0;" })
	if def.owns then
		define(w, HEAD.drop:format(def.c, def.c), body(s, def, drop, drop_node),
			{ tail = tail, first = tail and string.format("%s *const first = v;", def.c) })
	end
end

-- What the header promises.
function M.public(w, def)
	local c, weak = def.c, def.known and "__attribute__((weak)) " or ""
	w:add ""
	w:add("%sint %s_encode(const %s *v, struct ilp_xdr_out *out)", weak, c, c)
	w:add "{"
	w:add("struct ilp_xdr_measure m = { .bytes = 0, .most = (size_t)(out->end - out->at), .depth = out->depth };")
	w:add("int e = ilp_xdr_grow(&m, %d);", def.min)
	w:add ""
	w:when(string.format("e || (e = ilp_xdr_%s_measure(v, &m)) != 0", c), "return e;")
	w:add("out->at = ilp_xdr_%s_put(v, out->at);", c)
	w:add "return 0;"
	w:add "}"
	w:add ""
	w:add("%sint %s_decode(%s *v, struct ilp_xdr_in *in)", weak, c, c)
	w:add "{"
	w:add "const struct ilp_xdr_in was = *in;"
	w:add ""
	w:add "memset(v, 0, sizeof *v);"
	w:add("const int e = ilp_xdr_%s_get(v, in);", c)
	w:add "if (e) {"
	w:add("%s_free(v);", c)
	w:add "*in = was;"
	w:add "}"
	w:add "return e;"
	w:add "}"
	w:add ""
	w:add("%ssize_t %s_wire_size(const %s *v)", weak, c, c)
	w:add "{"
	w:add("struct ilp_xdr_measure m = { .bytes = %d, .most = SIZE_MAX, .depth = ILP_XDR_DEPTH };", def.min)
	w:add ""
	w:add("return ilp_xdr_%s_measure(v, &m) ? SIZE_MAX : m.bytes;", c)
	w:add "}"
	w:add ""
	w:add("%svoid %s_free(%s *v)", weak, c, c)
	w:add "{"
	if def.owns then w:add("ilp_xdr_%s_drop(v);", c) end
	w:add "memset(v, 0, sizeof *v);"
	w:add "}"
	w:add ""
	w:add("%sint %s_print(const %s *v, FILE *to)", weak, c, c)
	w:add "{"
	w:add "struct ilp_xdr_printer p = { .to = to };"
	w:add ""
	w:add('ilp_xdr_%s_show(v, "%s", &p);', c, def.c)
	w:add "return ferror(to) ? -EIO : 0;"
	w:add "}"
end

M.switch, M.for_each, M.body, M.function_, M.HEAD, M.address, M.dot = switch, for_each, body, define, HEAD, address, dot

return M
