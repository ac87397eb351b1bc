-- Graphs as C: statements for what is used more than once or belongs to a loop, expressions for the rest.
local M = {}

local INFIX = { add = "+", sub = "-", xor = "^", and_ = "&", or_ = "|" }

local function count_uses(graph)
	local uses = {}
	local function use(n) uses[n] = (uses[n] or 0) + 1 end
	local function scope_uses(scope)
		for k = #scope, 1, -1 do
			local n = scope[k]
			if n.op == "loop" then
				for _, r in ipairs(n.results) do use(r) end
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

-- Writes the statements of the graph to t and returns its results as C expressions.
--	names   C expression of each input, in their order
--	type    C type of a word
--	prefix  of the temporaries' names, so that several graphs may stand in one block
--	isa     entry of isa.lua, for lowerings; NULL in 64-bit words
function M.emit(t, graph, names, type, prefix, isa)
	local uses, text, home, counter = count_uses(graph), {}, {}, 0
	for k, input in ipairs(graph.inputs) do text[input] = names[k] end

	local scalar = type == "uint32_t" or type == "uint64_t"
	local function constant(v)
		local digits = string.format(v < 10 and "%d" or "0x%x", v)
		return digits .. (graph.bits == 64 and "ull" or "u")
	end
	-- A constant beside a vector is taken for each lane; one that stands alone must be made a vector.
	local function operand(n, beside)
		if n.op ~= "const" then return text[n] end
		if scalar or beside and beside.op ~= "const" then return constant(n.value) end
		return string.format("SPLAT(%s, %s)", type, constant(n.value))
	end
	local function rotate(n, x)
		if isa and isa.rotl_by_bytes and type ~= "uint32_t" and n.count % 8 == 0 and n.count > 0 then
			return string.format("ROTL%d_%s(%s)", n.count, type, x)
		end
		return string.format("ROTL(%s, %d)", x, n.count)
	end
	local function expression(n)
		if INFIX[n.op] then
			local a, b = n.args[1], n.args[2]
			return string.format("(%s %s %s)", operand(a, b), INFIX[n.op], operand(b, a))
		end
		local a = operand(n.args[1])
		if n.op == "shl" then return string.format("(%s << %d)", a, n.count) end
		if n.op == "shr" then return string.format("(%s >> %d)", a, n.count) end
		if n.op == "rotl" then return rotate(n, a) end
		if n.op == "big" then return string.format("BIG(%s, %s)", type, a) end
		if n.op == "little" then return string.format("LITTLE(%s, %s)", type, a) end
		return string.format("(%s ? %s : %s)", a, operand(n.args[2]), operand(n.args[3]))
	end
	local function fresh()
		counter = counter + 1
		return prefix .. counter
	end
	local function bare(e) return (e:gsub("^%((.*)%)$", function(inner)
		-- Strips the outer parentheses only if they belong together.
		local depth = 0
		for c in inner:gmatch("[()]") do
			depth = depth + (c == "(" and 1 or -1)
			if depth < 0 then return "(" .. inner .. ")" end
		end
		return inner
	end)) end

	local scope_statements
	local function loop_statements(loop)
		for k, var in ipairs(loop.vars) do
			text[var] = fresh()
			t:line("%s %s = %s;", type, text[var], operand(loop.init[k]))
		end
		t:open("for (unsigned turn = 0; turn < %d; turn++) {", loop.turns)
		scope_statements(loop.scope)
		-- A word that only changes its place is read before it is overwritten.
		local value = {}
		for k, r in ipairs(loop.results) do
			value[k] = bare(operand(r))
			if r.op == "var" and r ~= loop.vars[k] then
				value[k] = fresh()
				t:line("const %s %s = %s;", type, value[k], text[r])
			end
		end
		for k, var in ipairs(loop.vars) do
			if loop.results[k] ~= var then t:line("%s = %s;", text[var], value[k]) end
		end
		t:close()
	end
	function scope_statements(scope)
		for _, n in ipairs(scope) do home[n] = scope end
		-- An operation that is used once, in the same scope, is written where it is used.
		local inlined = {}
		for _, n in ipairs(scope) do
			for _, a in ipairs(n.op == "loop" and {} or n.args) do
				if uses[n] and uses[a] == 1 and home[a] == scope then inlined[a] = true end
			end
		end
		for _, n in ipairs(scope) do
			if n.op == "loop" then
				loop_statements(n)
			elseif uses[n] then
				text[n] = expression(n)
				if not inlined[n] and (uses[n] > 1 or scope ~= graph.scope) then
					local name = fresh()
					t:line("const %s %s = %s;", type, name, bare(text[n]))
					text[n] = name
				end
			end
		end
	end

	-- What comes out of a loop has the name of its variable.
	setmetatable(text, { __index = function(_, n)
		return n.op == "out" and text[n.loop.vars[n.k]] or nil
	end })
	scope_statements(graph.scope)
	local results = {}
	for k, r in ipairs(graph.results) do results[k] = bare(operand(r)) end
	return results
end

return M
