-- Expressions of a region as tokens: which operator has two operands, where these begin and end, what is assigned.
local M = {}

local KEYWORDS = { ["return"] = true, ["case"] = true, ["sizeof"] = true, ["else"] = true, ["do"] = true }
local TYPES = { void = true, char = true, short = true, int = true, long = true, unsigned = true, signed = true,
	const = true, struct = true, volatile = true, float = true, double = true, bool = true }
local ASSIGN = { ["="] = true, ["+="] = true, ["-="] = true, ["*="] = true, ["/="] = true, ["%="] = true,
	["<<="] = true, [">>="] = true, ["&="] = true, ["|="] = true, ["^="] = true }
local UNARY = { ["-"] = true, ["+"] = true, ["~"] = true, ["!"] = true, ["*"] = true, ["&"] = true }
local OPENS = { ["("] = true, ["["] = true, ["{"] = true }

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end
local function kind_at(r, k) return r.tokens[k] and r.tokens[k].kind end

function M.is_assignment(text) return ASSIGN[text] == true end

function M.names_type(r, k)
	local text = text_at(r, k)
	return TYPES[text] or text:find("_t$") ~= nil or r.types ~= nil and r.types[text] == true
end

-- Whether the parenthesis that closes at k is a cast's, or a compound literal's type.
function M.is_cast(r, k)
	local open = r.partner[k]
	if text_at(r, k) ~= ")" or open + 1 == k then return false end
	if kind_at(r, open - 1) == "id" and not KEYWORDS[text_at(r, open - 1)] then return false end
	for j = open + 1, k - 1 do
		if kind_at(r, j) ~= "id" and text_at(r, j) ~= "*" then return false end
	end
	local after = text_at(r, k + 1)
	if after == "{" then return open > 1 and text_at(r, open - 1) ~= ")" end
	local kind = kind_at(r, k + 1)
	if not (kind == "id" or kind == "number" or after == "(" or UNARY[after]) then return false end
	return M.names_type(r, open + 1) or text_at(r, k - 1) == "*"
end

-- Whether token k can be the last of an operand.
function M.ends_operand(r, k)
	local text, kind = text_at(r, k), kind_at(r, k)
	if kind == "id" then return not KEYWORDS[text] and not M.names_type(r, k) end
	if kind == "number" then return true end
	if text == ")" then return not M.is_cast(r, k) end
	if text == "}" then return M.is_cast(r, r.partner[k] - 1) end
	return text == "]"
end

-- Whether operator k stands between two operands.
function M.is_binary(r, k)
	return kind_at(r, k) == "op" and M.ends_operand(r, k - 1) and k < #r.tokens
		and not (text_at(r, k) == "*" and text_at(r, k + 1):find("^[,)]?$"))
end

-- Where the operand that ends at k begins: names, members, subscripts, calls, casts and signs belong to it.
function M.left(r, k)
	while true do
		local text = text_at(r, k)
		if text == "]" or text == "}" or text == ")" then
			local open = r.partner[k]
			k = open
			local before = open - 1
			local callee = kind_at(r, before) == "id" and not KEYWORDS[text_at(r, before)]
			if text == "}" or text == "]" or text == ")" and (callee or text_at(r, before) == "]") then k = before end
			if k == open then break end
		elseif text_at(r, k - 1) == "->" or text_at(r, k - 1) == "." and k > 2 then
			k = k - 2
		else
			break
		end
	end
	while k > 1 do
		if M.is_cast(r, k - 1) then
			k = r.partner[k - 1]
		elseif UNARY[text_at(r, k - 1)] and not M.is_binary(r, k - 1) then
			k = k - 1
		else
			return k
		end
	end
	return k
end

-- Where the operand that begins at k ends.
function M.right(r, k)
	while UNARY[text_at(r, k)] or text_at(r, k) == "(" and M.is_cast(r, r.partner[k]) do
		k = (r.partner[k] or k) + 1
	end
	k = r.partner[k] or k
	while true do
		local after = text_at(r, k + 1)
		if after == "->" or after == "." then
			k = k + 2
		elseif OPENS[after] and (after ~= "{" or M.is_cast(r, k)) then
			k = r.partner[k + 1]
		else
			return k
		end
	end
end

-- The call whose arguments token k is among, nearest first: the index of its name and of its parenthesis; nil: none.
function M.call_around(r, k)
	local depth_open = k - 1
	while depth_open > 0 do
		local partner = r.partner[depth_open]
		if partner and partner < depth_open then
			depth_open = partner - 1
		elseif partner then
			local name = depth_open - 1
			if text_at(r, depth_open) == "(" and kind_at(r, name) == "id" and not KEYWORDS[text_at(r, name)]
					and not M.names_type(r, name) then
				return name, depth_open
			end
			if text_at(r, depth_open) ~= "(" then return nil end
			depth_open = depth_open - 1
		else
			if text_at(r, depth_open) == ";" then return nil end
			depth_open = depth_open - 1
		end
	end
	return nil
end

-- A place in memory or a variable, as text: s->ilp.pos, w[3]. k is its first token; returns the text and its last
-- token.
function M.place(r, k)
	local last = k
	while true do
		local after, index = text_at(r, last + 1), kind_at(r, last + 2)
		if (after == "->" or after == ".") and index == "id" then
			last = last + 2
		elseif after == "[" and index == "number" and text_at(r, last + 3) == "]" then
			last = last + 3
		else
			break
		end
	end
	local parts = {}
	for j = k, last do parts[#parts + 1] = text_at(r, j) end
	return table.concat(parts), last
end

-- What tokens from … to name and what they change: { used = { place = true }, written = { place = true } }. A call
-- may change what a pointer that it is given points at.
function M.effects(r, from, to)
	local e, k = { used = {}, written = {} }, from
	while k <= to do
		local before = text_at(r, k - 1)
		if kind_at(r, k) == "id" and before ~= "." and before ~= "->" and text_at(r, k + 1) ~= "(" then
			local place, last = M.place(r, k)
			e.used[place] = true
			local after = last + 1
			while text_at(r, after) == "[" do after = r.partner[after] + 1 end
			local param = r.params and r.params[place]
			if M.is_assignment(text_at(r, after)) or text_at(r, after):find("^[+-][+-]$") or before == "&" then
				e.written[place] = true
			elseif param and param.pointer and not param.const and M.call_around(r, k) then
				e.written[place] = true
			end
			k = last
		end
		k = k + 1
	end
	return e
end

local function touches(a, b)
	for place in pairs(a) do
		for other in pairs(b) do
			local short, long = place, other
			if #short > #long then short, long = long, short end
			if long:sub(1, #short) == short and not long:find("^[%w_]", #short + 1) then return true end
		end
	end
	return false
end

-- Whether the order of two pieces of code with these effects can matter.
function M.ordered(a, b)
	return touches(a.written, b.used) or touches(b.written, a.used)
end

return M
