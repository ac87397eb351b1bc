-- C as tokens, each with its place, so that a mutant is the same text but for what is meant.
--
-- A token: { kind = "id" | "number" | "string" | "char" | "op", text, from, to, line }; from and to are its bytes in
-- the text. One in a directive has directive = { name, line } too, the same table for all tokens of it.
local M = {}

-- Longest first.
local OPS = { "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=",
	"/=", "%=", "&=", "|=", "^=", "##" }

local function operator(text, at)
	for _, op in ipairs(OPS) do
		if text:sub(at, at + #op - 1) == op then return op end
	end
	return text:sub(at, at)
end

-- Where a preprocessing number ends: signs belong to it after an exponent's letter.
local function number_end(text, at)
	local hex = text:find("^0[xX]", at)
	local _, to = text:find("^[%w_.]+", at)
	while text:find(hex and "^[pP]" or "^[eE]", to) and text:find("^[+-]", to + 1) do
		_, to = text:find("^[+-][%w_.]*", to + 1)
	end
	return to
end

-- Where a string or character constant ends; nil when its line does first.
local function quoted_end(text, at)
	local quote, k = text:sub(at, at), at + 1
	while k <= #text do
		local c = text:sub(k, k)
		if c == quote then return k end
		if c == "\n" then return nil end
		k = k + (c == "\\" and 2 or 1)
	end
	return nil
end

-- What is at a byte that is no white space: its kind and its last byte.
local function scan(text, at)
	if text:find("^[%a_]", at) then
		return "id", select(2, text:find("^[%w_]+", at))
	elseif text:find("^%.?%d", at) then
		return "number", number_end(text, at)
	elseif text:find("^[\"']", at) then
		return text:sub(at, at) == '"' and "string" or "char", quoted_end(text, at)
	end
	return "op", at + #operator(text, at) - 1
end

-- The end of white space and comments at a byte, which may be none; nil and a problem.
local function skip(text, at)
	if text:find("^\\\r?\n", at) then return select(2, text:find("^\\\r?\n", at)) end
	if text:find("^[ \t\r\v\f]", at) then return select(2, text:find("^[ \t\r\v\f]+", at)) end
	if text:find("^//", at) then return select(2, text:find("^[^\n]*", at)) end
	if text:find("^/%*", at) then
		local _, to = text:find("*/", at + 2, true)
		if not to then return nil, "a comment that does not end" end
		return to
	end
	return at - 1
end

-- All tokens of a C text, in order. `file` is for complaints, which are errors.
function M.tokens(text, file)
	local list, at, line, directive, fresh = {}, 1, 1, nil, true
	local function fail(what) error(string.format("%s:%d: %s", file or "text", line, what), 0) end
	local function count(from, to)
		for _ in text:sub(from, to):gmatch("\n") do line = line + 1 end
	end
	while at <= #text do
		local past, problem = skip(text, at)
		if not past then fail(problem) end
		if past >= at then
			count(at, past)
			at = past + 1
		elseif text:sub(at, at) == "\n" then
			at, line, directive, fresh = at + 1, line + 1, nil, true
		else
			local kind, to = scan(text, at)
			if not to then fail("a constant whose quote does not end on its line") end
			if fresh and text:sub(at, to) == "#" then directive = { line = line } end
			local token = { kind = kind, text = text:sub(at, to), from = at, to = to, line = line, directive = directive }
			if directive and kind == "id" then directive.name = directive.name or token.text end
			list[#list + 1] = token
			at, fresh = to + 1, false
		end
	end
	return list
end

-- The partner of each bracket of a list of tokens, both ways; nil and the index of one that has none.
function M.partners(tokens)
	local close, partner, open = { ["("] = ")", ["["] = "]", ["{"] = "}" }, {}, {}
	for k, token in ipairs(tokens) do
		local text = token.kind == "op" and token.text
		if close[text] then
			open[#open + 1] = k
		elseif text == ")" or text == "]" or text == "}" then
			local from = table.remove(open)
			if not from or close[tokens[from].text] ~= text then return nil, k end
			partner[from], partner[k] = k, from
		end
	end
	if #open > 0 then return nil, open[#open] end
	return partner
end

return M
