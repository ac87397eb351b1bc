-- What types mean, once all of them are read: names looked up, sizes, what contains itself, in which order C wants
-- them. Works on the nodes of parse.lua, and leaves in a definition
--	type    its node: never a struct, union or enum within another, since those become definitions of their own
--	fixed   bytes of its encoding, where all values have the same
--	min     bytes of its shortest encoding
--	owns    whether its values point to memory
--	deep    whether it is among those that contain one another by way of pointers, and nothing but the depth of a value
--	        says how far; of a name for a pointer or a list not, unless there is nothing else to count
--	tail    a struct's last field, when it is an optional struct of the same type: a list, to be walked in a loop
-- and in a name's node def, and in an enum's. What is read here may be hostile: nothing recurses deeper than DEEP.
local scan = require "xdr.scan"
local parse = require "xdr.parse"

local M = {}

M.DEEP = 500         -- types in types
M.LARGEST = 2 ^ 30   -- bytes of a type of fixed size

local WORDS = { int = 4, uint = 4, bool = 4, float = 4, short = 4, ushort = 4, char = 4, uchar = 4, hyper = 8,
	uhyper = 8, double = 8, quadruple = 16 }
M.WORDS = WORDS

function M.padded(n) return n + (-n) % 4 end

-- What a node comes to, without the names that typedefs put before it: a scalar, opaque, …, or the name of a
-- definition that is a struct, union, enum or has a form of its own in C.
function M.base(node)
	local steps = 0
	while node.k == "name" and (node.def.type.k == "name" or WORDS[node.def.type.k]) do
		node, steps = node.def.type, steps + 1
		if steps > M.DEEP then
			scan.fail(node.at, "a name for a name for … more than %d times, or in a circle; expected a type", M.DEEP)
		end
	end
	return node
end

-- The same, and into the definition: never a name.
function M.form(node)
	node = M.base(node)
	return node.k == "name" and node.def.type or node
end

-- Looking up -----------------------------------------------------------------------------------------------------

local function resolve(node, unit)
	if node.k == "name" and not node.def then
		local def = parse.find(node.scope, node.name)
		if not def then
			scan.fail(node.at, "'%s' is not defined, expected a type; define it, or give its file first", node.name)
		elseif def.kind ~= "type" then
			scan.fail(node.at, "'%s' is no type, expected one; correct the name", node.name)
		end
		if def.known and not def.wanted and unit.queue then
			def.wanted = true
			unit.queue[#unit.queue + 1] = def
		end
		if def.builtin then node.k, node.n = def.type.k, nil else node.def = def end
	end
end

local INLINE = { struct = true, union = true, enum = true }

-- A struct, union or enum within a definition becomes one of its own.
local function hoist(node, unit, name, c)
	if not INLINE[node.k] then return node end
	local def = { kind = "type", name = name, c = c, type = node, at = node.at, inner = true }
	unit.queue[#unit.queue + 1] = def
	unit.inner[#unit.inner + 1] = def
	return { k = "name", name = name, def = def, at = node.at }
end

local function walk(holder, key, unit, name, c)
	local node = holder[key]
	node = hoist(node, unit, name, c)
	holder[key] = node
	if node.of then
		node.of = hoist(node.of, unit, name, c)
		resolve(node.of, unit)
	end
	resolve(node, unit)
end

local function walk_def(def, unit)
	local t = def.type
	local function field(f)
		local name = f.name or "void"
		walk(f, "type", unit, def.name .. "." .. name, def.c .. "_" .. name)
	end
	for _, f in ipairs(t.fields or {}) do field(f) end
	if t.k == "union" then
		field(t.disc)
		for _, arm in ipairs(t.arms) do field(arm) end
		if t.default then field(t.default) end
	end
	if t.k == "enum" then t.def = def end
	if t.of then walk(t, "of", unit, def.name .. ".item", def.c .. "_item") end
	resolve(t, unit)
end

-- Sizes ----------------------------------------------------------------------------------------------------------

local size -- of a node: its fixed size or nil, its least size, whether it owns memory

local function add(def, sum, n)
	if not sum or not n then return nil end
	if sum + n > M.LARGEST then
		scan.fail(def.at, "'%s' would have more than %d bytes, expected fewer; make an array a list", def.name, M.LARGEST)
	end
	return sum + n
end

local compute = {}

function compute.struct(def, t, deep)
	local fixed, min, owns = 0, 0, false
	for _, f in ipairs(t.fields) do
		local f_fixed, f_min, f_owns = size(f.type, def, deep)
		fixed, min, owns = add(def, fixed, f_fixed), add(def, min, f_min), owns or f_owns
	end
	return fixed, min, owns
end

function compute.union(def, t, deep)
	local least, owns
	local function arm(a)
		local _, min, o = size(a.type, def, deep)
		least, owns = math.min(least or min, min), owns or o
	end
	for _, a in ipairs(t.arms) do arm(a) end
	if t.default then arm(t.default) end
	return nil, 4 + least, owns or false
end

function compute.enum() return 4, 4, false end
function compute.void() return 0, 0, false end
function compute.opaque(_, t) return M.padded(t.n), M.padded(t.n), false end
local function pointer() return nil, 4, true end
compute.bytes, compute.string, compute.list, compute.optional = pointer, pointer, pointer, pointer

function compute.array(def, t, deep)
	local fixed, min, owns = size(t.of, def, deep)
	return fixed and add(def, 0, fixed * t.n), add(def, 0, min * t.n), owns
end

function M.complete(def, deep)
	if def.min then return end
	if def.open then
		scan.fail(def.at, "'%s' contains itself, expected an optional or a list somewhere on the way; add * or < >", def.name)
	end
	if deep > M.DEEP then
		scan.fail(def.at, "'%s' is more than %d types deep, expected fewer; define inner types first", def.name, M.DEEP)
	end
	def.open = true
	def.fixed, def.min, def.owns = size(def.type, def, deep)
	def.open = nil
end

function size(node, def, deep)
	if WORDS[node.k] then return WORDS[node.k], WORDS[node.k], false end
	if node.k == "name" then
		M.complete(node.def, deep + 1)
		return node.def.fixed, node.def.min, node.def.owns
	end
	return compute[node.k](def, node, deep)
end

function M.size(node) return size(node, nil, 0) end

-- Unions ---------------------------------------------------------------------------------------------------------

local DISC = { int = true, uint = true, bool = true }

local function check_case(def, kind, by_value, case)
	local n = case.n
	if kind == "enum" and not by_value[n] or kind == "bool" and n ~= 0 and n ~= 1 then
		scan.fail(case.at, "case %s is no value of the discriminant, expected one of its own; correct it", case.at.text)
	elseif kind == "int" and n > 2147483647 or kind == "uint" and n < 0 then
		scan.fail(case.at, "case %s does not fit the discriminant of '%s'; correct it", case.at.text, def.name)
	end
end

-- An enum's members by their values, the first of each; and its values, in the order of the file.
function M.members(enum)
	if not enum.by_value then
		enum.by_value, enum.values = {}, {}
		for _, m in ipairs(enum.members) do
			if not enum.by_value[m.value.n] then
				enum.by_value[m.value.n] = m
				enum.values[#enum.values + 1] = m.value.n
			end
		end
	end
	return enum.by_value, enum.values
end

-- What the discriminant may be, and that each case is such a value. t.kind: int, uint, bool or enum; t.values: those
-- that an enum or bool has, in order.
local function check_union(def)
	local t = def.type
	local form = M.form(t.disc.type)
	t.kind = form.k
	if not DISC[t.kind] and t.kind ~= "enum" then
		scan.fail(t.disc.at, "'%s' chooses an arm, expected an int, an unsigned int, a bool or an enum; correct its type",
			t.disc.name or "void")
	end
	local by_value
	if t.kind == "enum" then
		by_value, t.values = M.members(form)
	elseif t.kind == "bool" then
		t.values = { 0, 1 }
	end
	for _, arm in ipairs(t.arms) do
		for _, case in ipairs(arm.cases) do check_case(def, t.kind, by_value, case) end
	end
end

-- What contains itself -------------------------------------------------------------------------------------------

-- The last field of a list's struct.
local function find_tail(def)
	local t = def.type
	if t.k ~= "struct" then return end
	local last = t.fields[#t.fields]
	local form = M.form(last.type)
	if form.k == "optional" then
		local of = M.base(form.of)
		if of.k == "name" and of.def == def then def.tail = last end
	end
end

-- The definitions that one refers to, by pointers too, but for what a loop does.
local function edges(def)
	local list = {}
	local function add_node(node)
		if node.k == "name" then list[#list + 1] = node.def end
		if node.of then add_node(node.of) end
	end
	local t = def.type
	for _, f in ipairs(t.fields or {}) do
		if f ~= def.tail then add_node(f.type) end
	end
	for _, arm in ipairs(t.arms or {}) do add_node(arm.type) end
	if t.default then add_node(t.default.type) end
	if t.k == "name" or t.of then add_node(t) end
	return list
end

local function has_body(def) return def.type.k == "struct" or def.type.k == "union" end

-- Marks what is deep: Tarjan's strongly connected components, with a stack of its own.
local function find_deep(defs)
	local index, stack, work = 0, {}, {}
	local function enter(def)
		index = index + 1
		def.index, def.low, def.stacked = index, index, true
		stack[#stack + 1] = def
		work[#work + 1] = { def = def, edges = edges(def), next = 1 }
	end
	local function leave(w)
		local def = w.def
		work[#work] = nil
		if work[#work] then work[#work].def.low = math.min(work[#work].def.low, def.low) end
		if def.low ~= def.index then return end
		local members, bodies = {}, false
		repeat
			local member = stack[#stack]
			stack[#stack] = nil
			member.stacked = nil
			members[#members + 1] = member
			bodies = bodies or has_body(member)
		until member == def
		for _, member in ipairs(members) do
			member.deep = (#members > 1 or member.loop) and (has_body(member) or not bodies)
		end
	end
	for _, def in ipairs(defs) do
		if not def.index then enter(def) end
		while #work > 0 do
			local w = work[#work]
			local to = w.edges[w.next]
			w.next = w.next + 1
			if not to then
				leave(w)
			elseif not to.index then
				enter(to)
			elseif to.stacked then
				w.def.low = math.min(w.def.low, to.index)
				if to == w.def then to.loop = true end
			end
		end
	end
end

-- Order ----------------------------------------------------------------------------------------------------------

-- Definitions as C wants them: what is contained first, and what a pointer points to unless it is a struct of the
-- file's, of which C need know the name alone.
local function order(unit, def, list, deep)
	if def.placed then return end
	def.placed = true
	if deep > M.DEEP then
		scan.fail(def.at, "'%s' is more than %d types deep, expected fewer; define inner types first", def.name, M.DEEP)
	end
	local function visit(node, behind)
		local def_ = node.k == "name" and node.def
		if def_ and (def_.inner or not (behind and M.tagged(def_))) then order(unit, def_, list, deep + 1) end
		if node.of then visit(node.of, node.k ~= "array") end
	end
	local t = def.type
	for _, f in ipairs(t.fields or {}) do visit(f.type) end
	if t.disc then visit(t.disc.type) end
	for _, arm in ipairs(t.arms or {}) do visit(arm.type) end
	if t.default then visit(t.default.type) end
	visit(t)
	list[#list + 1] = def
end

-- Whether C has a struct of that name.
function M.tagged(def)
	local k = def.type.k
	return k == "struct" or k == "union" or k == "opaque" or k == "array" or k == "list"
end

-- defs: of the files, in their order. Returns all there is to write in C's order, lines and constants among it.
function M.resolve(defs)
	local unit = { queue = {}, inner = {} }
	for _, def in ipairs(defs) do
		if def.kind == "type" then unit.queue[#unit.queue + 1] = def end
		for _, node in ipairs(def.kind == "program" and def.types or {}) do resolve(node, {}) end
	end
	local k = 1
	while unit.queue[k] do
		walk_def(unit.queue[k], unit)
		k = k + 1
	end
	for _, def in ipairs(unit.queue) do M.base({ k = "name", def = def }) end
	for _, def in ipairs(unit.queue) do M.complete(def, 0) end
	for _, def in ipairs(unit.queue) do
		if def.type.k == "union" then check_union(def) end
		find_tail(def)
	end
	find_deep(unit.queue)
	local list = {}
	for _, def in ipairs(unit.queue) do
		if def.known then order(unit, def, list, 0) end
	end
	for _, def in ipairs(defs) do
		if def.kind == "type" then order(unit, def, list, 0) else list[#list + 1] = def end
	end
	return list
end

return M
