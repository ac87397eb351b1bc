-- Graphs as C: statements for what is used more than once or belongs to a loop, expressions for the rest.
local bit = require "bit"
local graph_of = require "gen.graph"
local isa_table = require "gen.isa"
local prelude = require "gen.prelude"
local quad = require "gen.quad"
local text = require "gen.text"

local M = {}

local INFIX = { add = "+", sub = "-", mul = "*", xor = "^", and_ = "&", or_ = "|" }
local ORDER = { big = "BIG", little = "LITTLE" }
local SUFFIX = { [8] = "u", [16] = "u", [32] = "u", [64] = "ull" }

local counted = setmetatable({}, { __mode = "k" })
local function count_uses(graph)
	if counted[graph] then return counted[graph] end
	local uses = {}
	counted[graph] = uses
	local function use(n)
		uses[n] = (uses[n] or 0) + 1
		if n.op == "out" then uses[n.loop.vars[n.k]] = (uses[n.loop.vars[n.k]] or 0) + 1 end
	end
	local function scope_uses(scope)
		for k = #scope, 1, -1 do
			local n = scope[k]
			if n.op == "loop" then
				for place, r in ipairs(n.results) do
					if r ~= n.vars[place] then use(r) end -- else it stays what it is
				end
				scope_uses(n.scope)
				for _, r in ipairs(n.init) do use(r) end
			elseif uses[n] then
				for _, a in ipairs(n.args) do use(a) end
			end
		end
	end
	for _, r in ipairs(graph.results) do use(r) end
	scope_uses(graph.scope)
	return uses
end

-- The inputs that the graph's results depend on, by their place.
function M.used_inputs(graph)
	local uses, used = count_uses(graph), {}
	for k, input in ipairs(graph.inputs) do used[k] = uses[input] ~= nil end
	return used
end

-- What is to stand before it: x86's instructions for SHA-256 are of those that each take a hundred cycles where upper
-- halves of vectors are in use (Zen 3).
function M.clean(t, graph, isa)
	local sha = isa and isa.sha and (isa.widths[1] or 0) > 16
	if sha and (graph_of.find(graph.scope, "sha256") or graph_of.find(graph.scope, "sha256_su1")) then
		t:line("_mm256_zeroupper();")
	end
end

-- Strips outer parentheses that belong together.
local function bare(e) return e:find("^%b()$") and e:sub(2, -2) or e end

-- The lists that are looked up in, once for a file: their texts, and the name of each by its text.
local lists
function M.list(t, bits)
	local most = math.max(unpack(t))
	local T = most < 256 and 8 or most < 65536 and 16 or bits
	local made = string.format("static const uint%d_t %%s[256] = {\n\t%s\n};\n", T, table.concat(t, ", "))
	if not lists[made] then
		lists[made] = "list_" .. #lists + 1
		lists[#lists + 1] = string.format(made, lists[made])
	end
	return lists[made]
end
function M.lists() return table.concat(lists) end

-- What is being written. uses: how often an operation is used; text: the C expression of each that has one; home: the
-- scope an operation stands in.
local Writer = {}
Writer.__index = Writer

function Writer:fresh()
	self.counter = self.counter + 1
	return self.prefix .. self.counter
end

-- What comes out of a loop has the name of the loop's variable.
function Writer:name_of(n)
	return n.op == "out" and self.text[n.loop.vars[n.k]] or self.text[n]
end

-- A constant beside a vector is taken for each lane; one that stands alone must be made a vector.
function Writer:operand(n, beside)
	if n.op ~= "const" then return self:name_of(n) end
	if self.graph.bits == 128 then
		local w = quad.word(n.value)
		return string.format("CONST_%s(0x%sull, 0x%sull)", self.type, bit.tohex(w.high), bit.tohex(w.low))
	end
	local small = type(n.value) == "number" and n.value < 10 or type(n.value) ~= "number" and n.value < 10ULL
	local c = (small and tostring(tonumber(n.value)) or "0x" .. (type(n.value) == "number" and string.format("%x", n.value)
		or bit.tohex(n.value, 16):gsub("^0+", ""))) .. SUFFIX[self.graph.bits]
	if self.scalar or beside and beside.op ~= "const" then return c end
	return string.format(prelude.use "SPLAT" .. "(%s, (uint%d_t)%s)", self.type, self.graph.bits, c)
end

function Writer:rotate(x, count)
	if count == 0 then return x end
	local bits = self.graph.bits
	if bits == 32 and self.isa and self.isa.bytes and not self.scalar and count % 8 == 0 then
		return string.format("%s(%s)", prelude.use("ROTL%d_%s", count, self.type), x)
	end
	return string.format("%s(%s, %d)", prelude.use(bits == 32 and "ROTL" or "ROTL" .. bits), x, count)
end

-- Whether a word of 64 bits is known to have an upper half of zeros. What is found out is kept: a graph is no tree.
local function is_half(n)
	if n.half ~= nil then return n.half end
	local a, b = unpack(n.args or {})
	if n.op == "const" then n.half = tonumber(n.value) < 2^32
	elseif n.op == "and_" then n.half = is_half(a) or is_half(b)
	elseif n.op == "or_" or n.op == "xor" then n.half = is_half(a) and is_half(b)
	else n.half = n.op == "big32" or n.op == "little32" or n.op == "shr" and n.count >= 32 end
	return n.half
end

-- The bytes of x in the order that op says; of its lower half if that is 32 bits. n: the operation that x is.
function Writer:ordered(op, x, n)
	local half = op:match("^(.*)32$")
	local name = ORDER[half or op]
	if self.graph.bits == 8 then return x end
	-- Without an instruction that moves bytes: by shifts.
	if not self.scalar and not self.isa.bytes then name = name .. "_SHIFTS" end
	local words = half and (self.scalar and "uint32_t" or self.type:gsub("^d", "v")) or self.type
	prelude.use(name)
	prelude.use((self.scalar or self.isa.bytes) and "SWAP_" .. words or "SWAP_SHIFTS")
	if not half then return string.format("%s(%s, %s)", name, self.type, x) end
	if not is_half(n) then x = string.format("(%s & 0xffffffffull)", x) end
	if self.scalar then return string.format("((uint64_t)%s(uint32_t, (uint32_t)(%s)))", name, x) end
	return string.format("((%s)%s(%s, (%s)(%s)))", self.type, name, words, words, x)
end

-- Macros of quad.h.
function Writer:quad(n)
	local x, T = self:operand(n.args[1]), self.type
	local y = n.args[2] and self:operand(n.args[2])
	if n.op:match "^sha256" then -- by instructions, or not
		local z = n.args[3] and ", " .. self:operand(n.args[3]) or ""
		if T == "ilp_quad" or self.isa.sha then return string.format("%s_%s(%s, %s%s)", n.op:upper(), T, x, y, z) end
		return string.format("((%s)%s_ilp_quad(%s, %s%s))", T, n.op:upper(), x, y, z)
	elseif n.op == "shl" or n.op == "shr" or n.op == "rotl" then
		return n.count == 0 and x or string.format("%s_%s(%s, %d)", n.op:upper(), T, x, n.count / 8)
	elseif n.op == "clmul" then
		return string.format("CLMUL_%s(%s, %d, %s, %d)", T, x, n.count % 2, y, math.floor(n.count / 2))
	elseif n.op == "swap" or n.op == "swap32" then
		return string.format("%s(%s)", prelude.use("%s_%s", n.op:upper(), T), x)
	end
	return string.format("%s_%s(%s, %s)", n.op:upper(), T, x, y)
end

function Writer:expression(n)
	local a, b = n.args[1], n.args[2]
	local e
	if self.graph.bits == 128 and not INFIX[n.op] and not ORDER[n.op] then return self:quad(n) end
	if INFIX[n.op] then
		-- The product of two words of 16 bits is beyond an int, which C would make of them.
		local wide = n.op == "mul" and self.scalar and self.graph.bits == 16 and "(uint32_t)" or ""
		e = string.format("(%s%s %s %s)", wide, self:operand(a, b), INFIX[n.op], self:operand(b, a))
	else
		local x = self:operand(a)
		if n.op == "shl" then
			e = string.format("(%s << %d)", x, n.count)
		elseif n.op == "shr" then
			e = string.format("(%s >> %d)", x, n.count)
		elseif n.op == "rotl" then
			e = self:rotate(x, n.count)
		elseif n.op == "mul32" then
			e = string.format("%s(%s, %s)", prelude.use("MUL32_%s", self.type), x, self:operand(b))
		elseif n.op == "lookup" then
			e = string.format("((%s)%s[%s & 0xff])", self.type, M.list(n.count, self.graph.bits), x)
		elseif n.op == "by_order" then
			e = string.format("%s(%s, %s)", prelude.use "BY_ORDER", x, self:operand(b))
		elseif n.op == "choose" then
			e = string.format("ilp_select(%s, %s, %s)", x, self:operand(b), self:operand(n.args[3]))
			if self.graph.bits < 64 then e = string.format("(%s)%s", self.type, e) end
		else
			return self:ordered(n.op, x, a)
		end
	end
	-- C computes with int what is narrower.
	if self.scalar and self.graph.bits < 32 then e = string.format("((%s)%s)", self.type, e) end
	return e
end

-- Whether a loop uses nothing that was made before it. Found out once: it is asked for many times.
function M.is_closed(loop)
	if loop.closed ~= nil then return loop.closed end
	local own = {}
	local function all(words)
		for _, w in ipairs(words) do
			if w.op ~= "const" and not own[w.op == "out" and w.loop or w] then return false end
		end
		return true
	end
	local function inside(one)
		for _, var in ipairs(one.vars) do own[var] = true end
		for _, n in ipairs(one.scope) do
			if not all(n.op == "loop" and n.init or n.args) or n.op == "loop" and not inside(n) then return false end
			own[n] = true
		end
		return all(one.results)
	end
	loop.closed = inside(loop)
	return loop.closed
end

-- A statement that comes from that line of the description.
function Writer:statement(n, format, ...)
	if self.graph.file and n.line > 0 and n.line ~= self.next then self.t:from(n.line, self.graph.file) end
	self.next = n.line + 1
	self.t:line(format, ...)
end

function Writer:loop(loop)
	local apart, turn = self.apart and M.is_closed(loop)
	if apart then
		turn = self:turn_function(loop)
		local array, init = self:fresh(), {}
		for k, var in ipairs(loop.vars) do
			self.text[var] = string.format("%s[%d]", array, k - 1)
			init[k] = bare(self:operand(loop.init[k]))
		end
		self:statement(loop, "%s %s[%d] = { %s };", self.type, array, #init, table.concat(init, ", "))
		turn = string.format("%s(%s);", turn, array)
	else
		for k, var in ipairs(loop.vars) do
			self.text[var] = self:fresh()
			self:statement(loop, "%s %s = %s;", self.type, self.text[var], bare(self:operand(loop.init[k])))
			if not self.uses[var] then self.t:line("(void)%s;", self.text[var]) end
		end
	end
	local function turns(head, last, inside)
		self.next = nil
		self.t:open(head, last)
		if apart then self:statement(loop, turn) else self:turn(loop) end
		if inside then
			self.t:home()
			inside(self.t)
		end
		self.t:close()
		self.next = nil
	end
	local inside = apart and self.apart.inside
	if inside then
		self.apart.inside = nil
		-- What goes inside may have such loops of its own.
		self.t:line("unsigned piece = 0;")
		turns("for (; piece < %s; piece++) {", self.apart.turns, inside)
		turns("for (; piece < %d; piece++) {", loop.turns)
	else
		turns("for (unsigned turn = 0; turn < %d; turn++) {", loop.turns)
	end
end

-- What a loop does in a turn.
function Writer:turn(loop)
	self:scope(loop.scope)
	-- A word that only changes its place is read before it is overwritten.
	local value = {}
	for k, r in ipairs(loop.results) do
		value[k] = bare(self:operand(r))
		if r.op == "var" and r ~= loop.vars[k] then
			value[k] = self:fresh()
			self.t:line("const %s %s = %s;", self.type, value[k], self.text[r])
		end
	end
	for k, var in ipairs(loop.vars) do
		if loop.results[k] ~= var then self.t:line("%s = %s;", self.text[var], value[k]) end
	end
end

-- A function of it, on an array of the words that go from turn to turn. It is written once for a type.
function Writer:turn_function(loop)
	local above, name = self.apart.above, string.format("%s_%s_%s", self.apart.name, self.type, self.isa.name)
	if above[name] then return name end
	above[name] = true
	local outer = self.t
	self.t, self.next = above, nil
	above:func(string.format("%sstatic inline __attribute__((always_inline)) void %s(%s *v)",
		isa_table.attribute(self.isa), name, self.type))
	for k, var in ipairs(loop.vars) do self.text[var] = string.format("v[%d]", k - 1) end
	self:turn(loop)
	above:home()
	above:endfunc()
	self.t, self.next = outer, nil
	return name
end

-- The operations of a scope that are used once, by another of them: they are written where they are used.
function Writer:inlined(scope)
	local inlined = {}
	for _, n in ipairs(scope) do self.home[n] = scope end
	for _, n in ipairs(scope) do
		for k, a in ipairs(n.op == "loop" and {} or n.args) do
			-- Of what it is asked by, compilers know too much where they see how it was made: they warn.
			if n.op == "choose" and k == 1 then self.named[a] = true
			elseif self.uses[n] and self.uses[a] == 1 and self.home[a] == scope then inlined[a] = true end
		end
	end
	return inlined
end

function Writer:scope(scope)
	local inlined = self:inlined(scope)
	for _, n in ipairs(scope) do
		if n.op == "loop" then
			self:loop(n)
		elseif self.uses[n] then
			self.text[n] = self:expression(n)
			if self.each or self.named[n] or not inlined[n] and (self.uses[n] > 1 or scope ~= self.graph.scope) then
				local name = self:fresh()
				self:statement(n, "const %s %s = %s;", self.type, name, bare(self.text[n]))
				self.text[n] = name
			end
		end
	end
end

-- What was written before, by all that it depends on: the same graph stands in many loops.
local written
function M.begin() written, lists = setmetatable({}, { __mode = "k" }), {} end

local function write(graph, names, type, prefix, isa, apart)
	local t = text.new()
	local w = setmetatable({ t = t, graph = graph, type = type, prefix = prefix, isa = isa, counter = 0,
		apart = apart and apart.above and apart, each = apart and apart.each,
		uses = count_uses(graph), text = {}, home = {}, named = {}, scalar = type:match("^[ui]") ~= nil }, Writer)
	for k, input in ipairs(graph.inputs) do w.text[input] = names[k] end
	w:scope(graph.scope)
	local results = {}
	for k, r in ipairs(graph.results) do results[k] = bare(w:operand(r)) end
	-- What is done with the results comes from where they do.
	local last = graph.results[1]
	local line = last and last.op ~= "input" and last.line > 0 and last.line or graph.line
	if graph.file and line ~= w.next then t:from(line, graph.file) end
	return { lines = t.lines, results = results }
end

-- Writes the statements of the graph to t and returns its results as C expressions. The lines are those of the
-- description from here on; when the results are written, t:home() ends that.
--	names   C expression of each input, in their order
--	type    C type of a word
--	prefix  of the temporaries' names, so that several graphs may stand in one block
--	isa     entry of isa.lua, for lowerings; nil where there are none
--	apart   { above, name, turns, inside }: what a loop does in a turn is a function of that name, written to `above`;
--	        and inside(t) writes what else stands in so many turns of the first. { each = true }: a statement for each
--	        operation
function M.emit(t, graph, names, type, prefix, isa, apart)
	local known = written[graph] or {}
	written[graph] = known
	local key = table.concat(names, ",", 1, #graph.inputs) .. ";" .. type .. prefix .. (isa and isa.bytes and "b" or "")
		.. (isa and isa.sha and "s" or "")
	local one = not apart and known[key] or write(graph, names, type, prefix, isa, apart)
	if not apart then known[key] = one end
	t:append(one.lines)
	return { unpack(one.results) }
end

return M
