-- The statements of a function's body: as much of C's grammar as tells where each begins, ends and what it governs.
--
-- A statement: { kind, first, last, list, index, parent }, first and last being indices of tokens, list the list that
-- it is number index of, parent the statement around that list. By kind:
--	"block"                 body (a list)
--	"if" "while" "for" "switch" "do"
--	                        cond = { from, to } or nil, body (a list of one), orelse (a list of one) or nil;
--	                        for also step = { from, to } or nil
--	"return" "jump" "empty" "label"
--	"declaration"           names (a list of indices of tokens)
--	"expression"            parts: { from, to } between its commas
local M = {}

local JUMPS = { ["break"] = true, ["continue"] = true, ["goto"] = true }
local DECLARE = { const = true, struct = true, union = true, enum = true, static = true, unsigned = true, signed = true,
	volatile = true, register = true, typedef = true, extern = true, _Alignas = true }

-- The ranges between separators of tokens from … to, brackets being passed over; empty ones too.
function M.split(r, from, to, separator)
	local parts, start, k = {}, from, from
	while k <= to do
		local partner = r.partner[k]
		if partner and partner > k then
			k = partner
		elseif r.tokens[k].text == separator then
			parts[#parts + 1] = { start, k - 1 }
			start = k + 1
		end
		k = k + 1
	end
	parts[#parts + 1] = { start, to }
	return parts
end

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text end
local function is_id(r, k) return r.tokens[k] and r.tokens[k].kind == "id" end

local function semicolon(r, k)
	while text_at(r, k) ~= ";" do
		if not r.tokens[k] then error(r.name .. ": a statement without its semicolon", 0) end
		local partner = r.partner[k]
		k = (partner and partner > k and partner or k) + 1
	end
	return k
end

local function declares(r, k)
	if DECLARE[text_at(r, k)] then return true end
	if not is_id(r, k) then return false end
	local after = k + 1
	while text_at(r, after) == "*" do after = after + 1 end
	if not is_id(r, after) then return false end
	return after == k + 1 or text_at(r, after + 1):find("^[=;,%[]$") ~= nil
end

local function declared_names(r, from, to)
	local names = {}
	for _, part in ipairs(M.split(r, from, to, ",")) do
		local k = part[1]
		while k <= part[2] do
			local next_text = text_at(r, k + 1)
			if is_id(r, k) and (k == part[2] or next_text == "=" or next_text == "[") then
				names[#names + 1] = k
				break
			end
			k = (r.partner[k] and r.partner[k] > k and r.partner[k] or k) + 1
		end
	end
	return names
end

local statement

local function list(r, from, to, parent)
	local all, k = {}, from
	while k <= to do
		local s
		s, k = statement(r, k, parent)
		s.list, s.index = all, #all + 1
		all[#all + 1] = s
	end
	return all
end

local function single(r, k, parent)
	local s, after = statement(r, k, parent)
	local one = { s }
	s.list, s.index = one, 1
	return one, after
end

-- if, while, for and switch, whose parentheses come first.
local function control(r, k, s)
	local open = k + 1
	local close = r.partner[open]
	s.cond = { open + 1, close - 1 }
	if s.kind == "for" then
		local parts = M.split(r, open + 1, close - 1, ";")
		local function part(n) return parts[n] and parts[n][1] <= parts[n][2] and parts[n] or nil end
		s.init, s.cond, s.step = part(1), part(2), part(3)
	end
	local after
	s.body, after = single(r, close + 1, s)
	if s.kind == "if" and text_at(r, after) == "else" then s.orelse, after = single(r, after + 1, s) end
	s.last = after - 1
	return s, after
end

local function simple(r, k, s)
	s.last = semicolon(r, k)
	local text = text_at(r, k)
	if text == ";" then
		s.kind = "empty"
	elseif text == "return" then
		s.kind = "return"
	elseif JUMPS[text] then
		s.kind = "jump"
	elseif declares(r, k) then
		s.kind, s.names = "declaration", declared_names(r, k, s.last - 1)
	else
		s.kind, s.parts = "expression", M.split(r, k, s.last - 1, ",")
	end
	return s, s.last + 1
end

function statement(r, k, parent)
	local s = { first = k, parent = parent }
	r.statements[#r.statements + 1] = s
	local text = text_at(r, k)
	if text == "{" then
		s.kind, s.last = "block", r.partner[k]
		s.body = list(r, k + 1, s.last - 1, s)
		return s, s.last + 1
	elseif text == "if" or text == "while" or text == "for" or text == "switch" then
		s.kind = text
		return control(r, k, s)
	elseif text == "do" then
		s.kind = text
		local after
		s.body, after = single(r, k + 1, s)
		s.cond = { after + 2, r.partner[after + 1] - 1 }
		s.last = semicolon(r, after)
		return s, s.last + 1
	elseif text == "case" or text == "default" or is_id(r, k) and text_at(r, k + 1) == ":" then
		s.kind, s.last = "label", k
		while text_at(r, s.last) ~= ":" do s.last = s.last + 1 end
		return s, s.last + 1
	end
	return simple(r, k, s)
end

-- The body of a function: r.tokens from … to, without its braces. r.statements becomes the list of all, outer first.
function M.parse(r, from, to)
	r.statements = {}
	return list(r, from, to)
end

return M
