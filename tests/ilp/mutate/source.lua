-- A generated C file as regions that can be mutated: the bodies of its functions and of its macros.
--
-- A region: { kind = "function" | "macro", name, tokens, partner, file, line }; of a function also
--	params                  by name: { type, pointer, const }, and in order
--	body, statements        statement.lua
--	open                    the index of the body's brace
--	isa                     what its target attribute asks of the processor; "plain"
--	direction, schedule     which it serves, by the names of the functions that call it; "both", "several"
-- Names are only for reports and for spreading the sample: operators do not look at them.
local isa_table = require "gen.isa"
local token = require "mutate.token"
local statement = require "mutate.statement"

local M = {}

local function slice(list, from, to)
	local out = {}
	for k = from, to do out[#out + 1] = list[k] end
	return out
end

-- Which lines the compiler sees: a copy in which each line of code is a mark goes through its preprocessor.
function M.live_lines(text, cc)
	local lines, n, inside, path = {}, 0, false, os.tmpname()
	for line in (text .. "\n"):gmatch("(.-)\n") do
		n = n + 1
		local directive = inside or line:find("^%s*#%s*if") or line:find("^%s*#%s*el") or line:find("^%s*#%s*endif")
		inside = directive and line:find("\\$") ~= nil
		lines[n] = directive and line or "mutate_line " .. n
	end
	local f = assert(io.open(path, "wb"))
	f:write(table.concat(lines, "\n"), "\n")
	f:close()
	local live, pipe = {}, assert(io.popen(string.format("%s -E -P -xc '%s'", cc, path)))
	for k in pipe:read("*a"):gmatch("mutate_line (%d+)") do live[tonumber(k)] = true end
	pipe:close()
	os.remove(path)
	return live
end

-- The parameters between two parentheses.
local function parameters(r, from, to)
	local params = {}
	if to < from then return params end
	for _, part in ipairs(statement.split(r, from, to, ",")) do
		local p = { pointer = false, const = false }
		for k = part[1], part[2] do
			local text = r.tokens[k].text
			if text == "const" then
				p.const = p.const or not p.pointer
			elseif text == "*" or text == "[" then
				p.pointer = true
			elseif r.tokens[k].kind == "id" and text ~= "struct" then
				if p.type then p.name = text else p.type = text end
			end
		end
		if p.name then
			params[#params + 1] = p
			params[p.name] = p
		end
	end
	return params
end

local function target_of(tokens)
	for k, t in ipairs(tokens) do
		if (t.text == "target" or t.text == "__target__") and tokens[k + 2] and tokens[k + 2].kind == "string" then
			return tokens[k + 2].text:sub(2, -2)
		end
	end
end

-- A region of tokens from … to of a list, of which `open` is the brace.
local function make_function(list, from, open, to, macros)
	local r = { kind = "function", tokens = slice(list, from, to), line = list[from].line }
	local problem
	r.partner, problem = token.partners(r.tokens)
	if not r.partner then error(string.format("line %d: a bracket without its partner", r.tokens[problem].line), 0) end
	r.open = open - from + 1
	local close = r.open - 1
	while close > 0 and not r.partner[close] do close = close - 1 end
	local paren = r.partner[close]
	if close < 1 or not paren or r.tokens[paren - 1].kind ~= "id" then return nil end
	r.name = r.tokens[paren - 1].text
	r.params = parameters(r, paren + 1, close - 1)
	local head = slice(r.tokens, 1, r.open - 1)
	r.isa = target_of(head)
	r.returns = true
	for k = 1, paren - 1 do
		local macro = macros[r.tokens[k].text]
		if macro and not r.isa then r.isa = target_of(macro.tokens) end
		if r.tokens[k].text == "void" then r.returns = false end
	end
	r.isa = r.isa or "plain"
	r.body = statement.parse(r, r.open + 1, #r.tokens - 1)
	return r
end

-- The macro of a #define's tokens, from its # on; nil when it has no body.
local function make_macro(list)
	local name, first = list[3], 4
	if not name then return nil end
	local r = { kind = "macro", name = name.text, line = name.line, arguments = {}, isa = "any" }
	if list[4] and list[4].text == "(" and list[4].from == name.to + 1 then
		while list[first].text ~= ")" do
			if list[first].kind == "id" then r.arguments[#r.arguments + 1] = list[first].text end
			first = first + 1
		end
		first = first + 1
	end
	r.tokens = slice(list, first, #list)
	r.partner = token.partners(r.tokens)
	if #r.tokens == 0 or not r.partner then return nil end
	return r
end

local function split_directives(tokens)
	local code, macros, k = {}, {}, 1
	while k <= #tokens do
		local directive, start = tokens[k].directive, k
		if directive then
			while tokens[k + 1] and tokens[k + 1].directive == directive do k = k + 1 end
			if directive.name == "define" then
				local r = make_macro(slice(tokens, start, k))
				-- The same name in another branch of #if is the same to us.
				if r then
					macros[#macros + 1] = r
					macros[r.name] = macros[r.name] or r
				end
			end
		else
			code[#code + 1] = tokens[k]
		end
		k = k + 1
	end
	return code, macros
end

local function functions_of(code, macros)
	local partner, problem = token.partners(code)
	if not partner then error(string.format("line %d: a bracket without its partner", code[problem].line), 0) end
	local all, start, k = {}, 1, 1
	while k <= #code do
		local text = code[k].text
		if text == "{" and code[k - 1] and (code[k - 1].text == ")" or code[k - 1].kind == "id")
				and code[start].text ~= "typedef" then
			local r = make_function(code, start, k, partner[k], macros)
			k = partner[k]
			if r then
				all[#all + 1] = r
				start = k + 1
			end
		elseif text == ";" then
			start = k + 1
		else
			k = partner[k] and partner[k] > k and partner[k] or k
		end
		k = k + 1
	end
	return all
end

-- The names that typedefs give.
local function typedefs(code)
	local types, inside = {}, false
	for k, t in ipairs(code) do
		if t.text == "typedef" then
			inside = true
		elseif inside and t.kind == "id" and code[k + 1] and (code[k + 1].text == "__attribute__"
				or code[k + 1].text:find("^[;(%[]$")) then
			types[t.text], inside = true, false
		end
	end
	return types
end

-- Macros that an occurrence of a macro makes by pasting: SWAP_ ## T of its argument T.
local function pasted(r, k, macro, macros, visit)
	for j = 2, #macro.tokens - 1 do
		if macro.tokens[j].text == "##" then
			for n, argument in ipairs(macro.arguments) do
				if argument == macro.tokens[j + 1].text and r.tokens[k + 1] and r.tokens[k + 1].text == "(" then
					local part = statement.split(r, k + 2, r.partner[k + 1] - 1, ",")[n]
					local made = part and part[1] == part[2] and macro.tokens[j - 1].text .. r.tokens[part[1]].text
					if macros[made] then visit(macros[made]) end
				end
			end
		end
	end
end

-- Notes in users[macro or function] which functions use it: directly, or through macros.
local function find_users(functions, macros, by_name)
	local users = {}
	for _, f in ipairs(functions) do
		local seen = {}
		local function visit(r)
			if seen[r] then return end
			seen[r] = true
			users[r] = users[r] or {}
			if r ~= f then users[r][#users[r] + 1] = f end
			if r.kind == "function" and r ~= f then return end
			for k, t in ipairs(r.tokens) do
				if t.kind == "id" then
					local macro = macros[t.text]
					if macro then
						visit(macro)
						pasted(r, k, macro, macros, visit)
					elseif by_name[t.text] then
						visit(by_name[t.text])
					end
				end
			end
		end
		visit(f)
	end
	return users
end

-- The one of words that what reaches r has in its name; `many` when it is several.
local function serves(r, users, words, many)
	local found, seen = {}, {}
	local function climb(f)
		if seen[f] then return end
		seen[f] = true
		local own
		for _, word in ipairs(words) do
			if ("_" .. f.name .. "_"):find("_" .. word .. "_", 1, true) then own = word end
		end
		if own then
			found[own] = true
		else
			for _, user in ipairs(users[f] or {}) do climb(user) end
		end
	end
	climb(r)
	local one = next(found)
	if one and next(found, one) then return many end
	return one or many
end

-- What all users of a macro ask of the processor.
local function common_isa(list)
	local isa
	for _, f in ipairs(list) do
		if isa and f.isa ~= isa then return "any" end
		isa = f.isa
	end
	return isa
end

-- The regions of a C text. `file` is its name, for complaints; `live` says which lines count (live_lines), all when
-- nil.
-- Functions that nothing in the file names are kept: their address may be what the file is for.
function M.regions(text, file, live)
	local tokens = {}
	for _, t in ipairs(token.tokens(text, file)) do
		if not live or t.directive or live[t.line] then tokens[#tokens + 1] = t end
	end
	local code, macros = split_directives(tokens)
	local ok, functions = pcall(functions_of, code, macros)
	if not ok then error((file or "text") .. ": " .. functions, 0) end
	local by_name, all, types = {}, {}, typedefs(code)
	for _, f in ipairs(functions) do by_name[f.name] = f end
	local users = find_users(functions, macros, by_name)
	for _, r in ipairs(macros) do
		if (not live or live[r.line]) and users[r] and #users[r] > 0 and not target_of(r.tokens) then
			r.isa = common_isa(users[r])
			all[#all + 1] = r
		end
	end
	for _, r in ipairs(functions) do all[#all + 1] = r end
	for _, r in ipairs(all) do
		r.file, r.text, r.types = file, text, types
		r.direction = serves(r, users, { "send", "recv" }, "both")
		r.schedule = serves(r, users, { "layered", "tiled", "fused" }, "several")
	end
	return all
end

-- Whether code of that target attribute runs on a processor that has these instruction sets, by their names; true when
-- it cannot be told.
function M.runs(target, here)
	for _, isa in ipairs(isa_table.list) do
		if isa.target == target then return here[isa.name] or false end
	end
	return true
end

return M
