-- The parser of the XDR language: RFC 4506 (6.3) and what rpcgen takes beyond it: programs, `unsigned`, `long`, `short`
-- and `char`, `struct NAME` for a type, enum members without a value, constants by name; in the dialect of Stellar's
-- files namespaces and names like a::b. By recursive descent, with one token of look-ahead. Constants are computed
-- here, so they are defined before they are used; types may be used first, and are looked up afterwards (types.lua).
--
-- Nodes of types: { k = kind, … at = token }:
--	void; the kinds of SCALARS; name (name, scope); struct (fields); union (disc, arms, default); enum (members);
--	opaque (n); bytes (max); string (max); array (of, n); list (of, max); optional (of)
-- and a field, or arm, or definition, is { name =, type = a node, at = token }. max = nil: 2^32 - 1.
local scan = require "xdr.scan"

local M = {}

-- How deep bodies in bodies may be, and namespaces in namespaces.
M.DEEP = 32

local SCALARS = { float = "float", double = "double", quadruple = "quadruple", bool = "bool", int = "int",
	hyper = "hyper", long = "int", short = "short", char = "char" }
local UNSIGNED = { int = "uint", hyper = "uhyper", long = "uint", short = "ushort", char = "uchar" }

-- What may not name anything: RFC 4506 (6.2). Words that rpcgen alone knows (char, long, program) may.
local RESERVED = { void = true, opaque = true, string = true, unsigned = true, struct = true, union = true,
	enum = true, const = true, typedef = true, switch = true, case = true, default = true, float = true, double = true,
	quadruple = true, bool = true, int = true, hyper = true }

local declaration, body

local function name(p, what)
	local t = p.token
	if t.kind ~= "name" or RESERVED[t.text] then p:expected(what) end
	return p:take()
end

-- Names ----------------------------------------------------------------------------------------------------------

-- What C has, and libtirpc: rpcgen leaves these names alone. Of 32 bits on the wire, the small ones too.
M.BUILTIN = { names = {}, spaces = {}, prefix = "" }
for kind, names in pairs {
	int = "int32_t long_t", uint = "uint32_t u_int32_t u_int u_long rpcprog_t rpcvers_t rpcproc_t rpcprot_t rpcport_t",
	hyper = "int64_t longlong_t quad_t", uhyper = "uint64_t u_int64_t u_longlong_t u_quad_t", bool = "bool_t",
	short = "int16_t", ushort = "uint16_t u_int16_t u_short", char = "int8_t", uchar = "uint8_t u_int8_t u_char",
} do
	for text in names:gmatch "%S+" do M.BUILTIN.names[text] = { kind = "type", builtin = true, type = { k = kind } } end
end

-- Words of rpcgen's language that are none of RFC 4506's (6.2): a file may call a type of its own so.
for _, text in ipairs { "long", "short", "char" } do
	M.BUILTIN.names[text] = { kind = "type", builtin = true, free = true, type = { k = SCALARS[text] } }
end

-- The definition or constant that a name means, seen from a scope.
function M.find(scope, text)
	local first, rest = text:match("^(.-)::(.*)$")
	if first then
		while scope do
			local inner = scope.spaces[first]
			if inner then return M.find_in(inner, rest) end
			scope = scope.outer
		end
		return nil
	end
	while scope do
		if scope.names[text] then return scope.names[text] end
		scope = scope.outer
	end
end

function M.find_in(scope, text)
	local first, rest = text:match("^(.-)::(.*)$")
	if not first then return scope.names[text] end
	return scope.spaces[first] and M.find_in(scope.spaces[first], rest)
end

local function define(p, t, what)
	local scope = p.scope
	local before = scope.names[t.text]
	if before and before.kind ~= "line" then
		scan.fail(t, "'%s' is defined a second time, expected a new name; the first is at %s:%d:%d", t.text, before.at.file,
			before.at.line, before.at.column)
	end
	what.at, what.name, what.c = t, t.text, scope.prefix .. t.text
	scope.names[t.text] = what
	return what
end

-- A name with its namespaces: a::b.
local function path(p, what)
	local t = name(p, what)
	local names = { t.text }
	while p.stellar and p:is "::" do
		p:take()
		names[#names + 1] = name(p, "a name").text
		if #names > M.DEEP + 1 then
			scan.fail(t, "a name in more than %d namespaces, expected fewer; correct it", M.DEEP)
		end
	end
	return t, table.concat(names, "::")
end

-- Values: { n = as a number (exact below 2^53), text = as C has it } -------------------------------------------------

-- Unless the file has its own.
local BOOLS = { TRUE = { value = { n = 1, text = "1" } }, FALSE = { value = { n = 0, text = "0" } } }

local function constant(p)
	local t, text = path(p, "a number or the name of a constant")
	local c = M.find(p.scope, text) or BOOLS[text]
	if not c then
		scan.fail(t, "'%s' is not defined, expected a constant or a member of an enum; define it before it is used", text)
	end
	if c.pending then
		scan.fail(t, "'%s' is not known yet, expected a number; define it before it is used", text)
	elseif not c.value then
		scan.fail(t, "'%s' is a type, expected a constant; correct the name", text)
	elseif not c.value.n then
		scan.fail(t, "'%s' is a string, expected a number; correct the name", text)
	end
	return c.value
end

local function value(p)
	if p.token.kind == "number" then return scan.number(p:take()) end
	if p.token.kind == "name" and not RESERVED[p.token.text] then return constant(p) end
	p:expected("a number", "the name of a constant")
end

local function size(p, least, what)
	local t = p.token
	local v = value(p)
	if v.n < least or v.n > 4294967295 then
		scan.fail(t, "%s of %s, expected %d to 4294967295; correct it", what, t.text, least)
	end
	return v.n
end

local function int32(p, t, v, signed)
	local low, high = -2147483648, signed and 2147483647 or 4294967295
	if v.n < low or v.n > high then
		scan.fail(t, "%s does not fit, expected %d to %d; correct it", t.text, low, high)
	end
	return v
end

-- Types ----------------------------------------------------------------------------------------------------------

local function enum_body(p, t)
	local node, last = { k = "enum", members = {}, at = t, scope = p.scope }, -1
	p:want "{"
	repeat
		local m = name(p, "the name of a member")
		local v = { n = last + 1 }
		if p:is "=" then
			p:take()
			local n = p.token
			v = int32(p, n, value(p), true)
		end
		last = v.n
		if last > 2147483647 then scan.fail(m, "'%s' would be 2147483648, expected a value; give it one", m.text) end
		local member = define(p, m, { value = { n = v.n, text = scan.c_number(v.n) }, member = true })
		node.members[#node.members + 1] = member
	until not p:comma "}"
	p:want "}"
	return node
end

local function unique(seen, t, what)
	if seen[t.text] then
		scan.fail(t, "a second %s '%s', expected another name; the first is at line %d", what, t.text, seen[t.text].line)
	end
	seen[t.text] = t
end

local function struct_body(p, t)
	local node, seen = { k = "struct", fields = {}, at = t }, {}
	p:want "{"
	repeat
		local f = declaration(p)
		if f.type.k == "void" then scan.fail(f.at, "void in a struct, expected a field; remove it") end
		unique(seen, f.at, "field")
		node.fields[#node.fields + 1] = f
		p:want ";"
	until p:is "}"
	p:want "}"
	return node
end

-- The cases before an arm; in an arm's cases a number or constant, each with the token that gave it.
local function cases(p, seen)
	local list = {}
	while p:is "case" do
		p:take()
		local t = p.token
		local v = int32(p, t, value(p), false)
		if seen[v.n] then
			scan.fail(t, "case %s is %d, as the one at line %d, expected another value; remove one", t.text, v.n,
				seen[v.n].line)
		end
		seen[v.n] = t
		list[#list + 1] = { n = v.n, at = t }
		p:want ":"
	end
	return list
end

local function union_body(p, t)
	local node, seen, names = { k = "union", arms = {}, at = t }, {}, {}
	p:want "switch"
	p:want "("
	node.disc = declaration(p)
	p:want ")"
	p:want "{"
	if not p:is "case" then p:expected() end
	while p:is "case" do
		local list = cases(p, seen)
		local arm = declaration(p)
		if arm.name then unique(names, arm.at, "arm") end
		arm.cases = list
		node.arms[#node.arms + 1] = arm
		p:want ";"
	end
	if p:is "default" then
		p:take()
		p:want ":"
		node.default = declaration(p)
		if node.default.name then unique(names, node.default.at, "arm") end
		p:want ";"
	end
	if not p:is "}" then p:expected() end
	p:want "}"
	return node
end

local BODIES = { struct = struct_body, union = union_body, enum = enum_body }

-- A body, no deeper in others than DEEP.
function body(p, t)
	p.deep = p.deep + 1
	if p.deep > M.DEEP then
		scan.fail(t, "%s in more than %d others, expected fewer; give the inner one a name", t.text, M.DEEP)
	end
	local node = BODIES[t.text](p, t)
	p.deep = p.deep - 1
	return node
end

local function type_name(p)
	local t, text = path(p, "a type")
	return { k = "name", name = text, scope = p.scope, at = t }
end

local function type_specifier(p)
	local t = p.token
	if t.kind ~= "name" then p:expected "a type" end
	if t.text == "unsigned" then
		p:take()
		local kind = p.token.kind == "name" and UNSIGNED[p.token.text]
		if kind then
			local width = p:take().text
			if (width == "long" or width == "short") and p:is "int" then p:take() end
		else
			p:may("int", "hyper", "long", "short", "char")
		end
		return { k = kind or "uint", at = t }
	elseif SCALARS[t.text] then
		p:take()
		if (t.text == "long" or t.text == "short") and p:is "int" then
			p:take()
		elseif M.BUILTIN.names[t.text] then
			return { k = "name", name = t.text, scope = p.scope, at = t }
		end
		return { k = SCALARS[t.text], at = t }
	elseif BODIES[t.text] then
		p:take()
		-- As C, and rpcgen, refer to a type.
		if p.token.kind == "name" and p.token.text ~= "switch" then return type_name(p) end
		return body(p, t)
	end
	if RESERVED[t.text] then p:expected "a type" end
	return type_name(p)
end

-- What stands behind a name: an array's length or a list's limit.
local function brackets(p, must)
	if p:is "[" then
		p:take()
		local n = size(p, 1, "an array")
		p:want "]"
		return "[", n
	end
	if not p:is "<" then
		if must then p:expected() end
		return nil
	end
	p:take()
	local max = not p:is ">" and size(p, 0, "a limit") or nil
	p:want ">"
	return "<", max
end

-- A declaration: { name =, type =, at = }; of void no name.
function declaration(p)
	local t = p.token
	if p:is "void" then
		p:take()
		return { type = { k = "void", at = t }, at = t }
	elseif p:is "opaque" then
		p:take()
		local n = name(p, "a name")
		local bracket, count = brackets(p, true)
		local kind = bracket == "[" and "opaque" or "bytes"
		return { name = n.text, at = n, type = { k = kind, n = count, max = count, at = t } }
	elseif p:is "string" then
		p:take()
		local n = name(p, "a name")
		if not p:is "<" then p:expected() end
		local _, max = brackets(p)
		return { name = n.text, at = n, type = { k = "string", max = max, at = t } }
	end
	local node = type_specifier(p)
	local optional = p:is "*"
	if optional then p:take() end
	local n = name(p, "a name")
	if optional then return { name = n.text, at = n, type = { k = "optional", of = node, at = t } } end
	local bracket, count = brackets(p)
	if bracket == "[" then
		node = { k = "array", of = node, n = count, at = t }
	elseif bracket == "<" then
		node = { k = "list", of = node, max = count, at = t }
	end
	return { name = n.text, at = n, type = node }
end

-- Definitions ----------------------------------------------------------------------------------------------------

local function add(p, def)
	p.defs[#p.defs + 1] = def
end

local define_kind = {}

-- A constant that is another one, perhaps a later one.
local function pending(p, n)
	local t, text = path(p, "a constant")
	local def = define(p, n, { kind = "const", pending = text, scope = p.scope, token = t })
	p.pending[#p.pending + 1] = def
	add(p, def)
end

function define_kind.const(p)
	local n = name(p, "the name of a constant")
	p:want "="
	local t = p.token
	if t.kind == "string" then
		add(p, define(p, n, { kind = "const", value = { text = p:take().text, at = t } }))
		return
	elseif t.kind == "name" and not RESERVED[t.text] and not M.find(p.scope, t.text) and not BOOLS[t.text] then
		return pending(p, n)
	end
	p:may "a string"
	local v = value(p)
	add(p, define(p, n, { kind = "const", value = { n = v.n, text = v.text, at = t } }))
end

function define_kind.typedef(p)
	local d = declaration(p)
	if not d.name then scan.fail(d.at, "typedef void, expected a declaration with a name; remove it") end
	-- typedef struct NAME NAME; says nothing.
	if d.type.k == "name" and d.type.name == d.name then return end
	local known = M.BUILTIN.names[d.name]
	if known and not known.free then
		local k = d.type.k == "name" and M.BUILTIN.names[d.type.name] and M.BUILTIN.names[d.type.name].type.k or d.type.k
		if known.type.k ~= k then
			scan.fail(d.at, "'%s' would be another type than C's, expected one of that size; name it otherwise", d.name)
		end
		return
	end
	add(p, define(p, d.at, { kind = "type", type = d.type }))
end

local function tagged(keyword)
	return function(p, t)
		local n = name(p, "the name of the " .. keyword)
		add(p, define(p, n, { kind = "type", type = body(p, t) }))
	end
end
define_kind.struct, define_kind.union, define_kind.enum = tagged "struct", tagged "union", tagged "enum"

-- rpcgen's programs, of which the numbers are told. Names of procedures are unique within a version (RFC 5531 (12.3)):
-- one that has another number in a later version is called VERSION_NAME there.
local function number(p, program, t, v, version)
	local before = p.scope.names[t.text]
	if before and before.value and before.value.n == v.n then return end
	if before and before.version and version then
		t = setmetatable({ text = version.text .. "_" .. t.text }, { __index = t })
	end
	program[#program + 1] = define(p, t, { value = v, version = version })
end

local function result_or_argument(p, program)
	if p:is "void" or p:is "string" or p:is "opaque" then
		p:take()
	else
		program.types[#program.types + 1] = type_specifier(p)
	end
	if p:is "*" then p:take() end
end

local function procedure(p, program, version, seen)
	result_or_argument(p, program)
	local n = name(p, "the name of a procedure")
	unique(seen, n, "procedure")
	p:want "("
	repeat
		if not p:is ")" then result_or_argument(p, program) end
		if p.token.kind == "name" then name(p, "the name of an argument") end
		if p:is "<" then brackets(p) end
	until not p:comma ")"
	p:want ")"
	p:want "="
	local t = p.token
	number(p, program, n, int32(p, t, value(p), false), version)
	p:want ";"
end

function define_kind.program(p)
	local n = name(p, "the name of the program")
	local program = { kind = "program", types = {} } -- and its numbers
	p:want "{"
	repeat
		if not p:is "version" then p:expected() end
		p:take()
		local v = name(p, "the name of the version")
		p:want "{"
		local seen = {}
		repeat procedure(p, program, v, seen) until p:is "}"
		p:want "}"
		p:want "="
		local t = p.token
		number(p, program, v, int32(p, t, value(p), false))
		p:want ";"
	until p:is "}"
	p:want "}"
	p:want "="
	local t = p.token
	program.value = int32(p, t, value(p), false)
	add(p, define(p, n, program))
end

local definition

local function namespace(p, t)
	local outer = p.scope
	local n = name(p, "the name of the namespace")
	p.deep = p.deep + 1
	if p.deep > M.DEEP then scan.fail(t, "more than %d namespaces in each other, expected fewer", M.DEEP) end
	local inner = outer.spaces[n.text]
	if not inner then
		inner = { names = {}, spaces = {}, outer = outer, prefix = outer.prefix .. n.text .. "_" }
		outer.spaces[n.text] = inner
	end
	p.scope = inner
	if p:is "::" then
		namespace(p, p:take())
	else
		p:want "{"
		while not p:is "}" do definition(p) end
		p:want "}"
	end
	p.scope, p.deep = outer, p.deep - 1
end

function definition(p)
	local t = p.token
	if t.kind == "name" and t.text == "namespace" and p.stellar then
		p:take()
		namespace(p, t)
		if p:is ";" then p:take() end
		return
	end
	local begin = t.kind == "name" and define_kind[t.text]
	if not begin then
		p:expected("typedef", "enum", "struct", "union", "const", "program", p.stellar and "namespace" or nil)
	end
	p:take()
	begin(p, t)
	p:want ";"
end

-- A line for the C. If it defines a number for the preprocessor, or a sum of such, that is a constant for us as well.
local function line(p, t)
	p.defs[#p.defs + 1] = { kind = "line", text = t.text, at = t }
	local text, sum = t.text:match "^#%s*define%s+([%a_][%w_]*)%s+([%w_+%-]+)%s*$"
	if not text or p.scope.names[text] or not sum:match "^%-?%w[%w_]*[%w_+]*$" then return end
	local n = 0
	for term in sum:gmatch "[^+]+" do
		local c = M.find(p.scope, term)
		if not term:match "^%-?%d" and not (c and c.value and c.value.n) then return end
		n = n + (c and c.value or scan.number(setmetatable({ text = term }, { __index = t }))).n
	end
	p.scope.names[text] = { kind = "line", name = text, at = t, value = { n = n, text = scan.c_number(n) } }
end

-- What constants come to that are other ones: each link of a chain is looked at once.
local function settle(list)
	for _, def in ipairs(list) do
		local links, to = {}, def
		while to.pending do
			local found = not to.seen and M.find(to.scope, to.pending)
			if not found or not (found.value or found.pending) then
				scan.fail(to.token, "'%s' is no constant, expected one, or a number; define it", to.pending)
			end
			to.seen = true
			links[#links + 1], to = to, found
		end
		for _, link in ipairs(links) do link.value, link.pending = to.value, nil end
	end
end

-- Definitions of a source, in its order, into defs; scope: { names, spaces, prefix }, in which they are.
function M.source(p, scope, defs)
	p.scope, p.defs, p.deep, p.pending, p.line = scope, defs, 0, {}, line
	p:take()
	while p.token.kind ~= "end" do definition(p) end
	settle(p.pending)
end

function M.scope(prefix, outer) return { names = {}, spaces = {}, prefix = prefix, outer = outer or M.BUILTIN } end

return M
