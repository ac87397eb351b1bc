-- Mutations of operators and operands.
local site = require "mutate.site"
local expression = require "mutate.expression"
local statement = require "mutate.statement"
local flow = require "mutate.flow"

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- Tokens that the operators of loops.lua are about: the steps of for.
local function steps(r)
	local inside = {}
	for _, s in ipairs(r.statements or {}) do
		for k = (s.step or { 1 })[1], (s.step or { 1, 0 })[2] do inside[k] = true end
	end
	return inside
end

local function each(r, f)
	for k = (r.open or 0) + 1, #r.tokens do f(k, r.tokens[k].text, r.tokens[k].kind) end
end

local OTHERS = { ["+"] = { "-" }, ["-"] = { "+" }, ["^"] = { "|", "&" }, ["&"] = { "|" }, ["|"] = { "&" },
	["<<"] = { ">>" }, [">>"] = { "<<" }, ["/"] = { "*" }, ["%"] = { "/" }, ["+="] = { "-=" }, ["-="] = { "+=" },
	["^="] = { "|=" }, ["&&"] = { "||" }, ["||"] = { "&&" } }

local function operator(r, add)
	local step = steps(r)
	each(r, function(k, text)
		if not OTHERS[text] or step[k] or not (text:find("=") or expression.is_binary(r, k)) then return end
		for _, other in ipairs(OTHERS[text]) do add(site.replace(r, k, k, other)) end
	end)
end

local EXCHANGED = { ["-"] = true, ["/"] = true, ["%"] = true, ["<<"] = true, [">>"] = true }

local function operands(r, add)
	each(r, function(k, text)
		if not EXCHANGED[text] or not expression.is_binary(r, k) then return end
		local a, b = { expression.left(r, k - 1), k - 1 }, { k + 1, expression.right(r, k + 1) }
		if site.text(r, a[1], a[2]) ~= site.text(r, b[1], b[2]) then add(site.exchange(r, a, b)) end
	end)
end

local HIGHER = { ["*"] = true, ["/"] = true, ["%"] = true }

local function term(r, add)
	each(r, function(k, text)
		if not (text == "+" or text == "-") or not expression.is_binary(r, k) then return end
		local left, right = expression.left(r, k - 1), expression.right(r, k + 1)
		if HIGHER[text_at(r, right + 1)] or HIGHER[text_at(r, left - 1)] then return end
		-- A number left out is the offset operator's.
		if r.tokens[right].kind ~= "number" or right > k + 1 then add(site.replace(r, k, right, "")) end
		local first = r.params and r.params[text_at(r, left)]
		if text == "+" and not (first and first.pointer) and text_at(r, left - 1):find("^[,(=]$") then
			add(site.replace(r, left, k, ""))
		end
	end)
end

-- x1 for x2: a name that ends in a number becomes the neighbour's, when that was named before.
local function vector(r, add)
	local known, declared = {}, {}
	for _, s in ipairs(r.statements or {}) do
		for _, k in ipairs(s.names or {}) do declared[k] = true end
	end
	each(r, function(k, text, kind)
		local before, after = text_at(r, k - 1), text_at(r, k + 1)
		if kind ~= "id" or before == "." or before == "->" or after == "(" then return end
		local base, digits = text:match("^(.-)(%d+)$")
		local number = tonumber(digits)
		if number and base ~= "" and not declared[k] and not expression.is_assignment(after) then
			for _, other in ipairs { base .. number + 1, base .. number - 1 } do
				if known[other] then
					add(site.replace(r, k, k, other))
					break
				end
			end
		end
		if declared[k] then known[text] = true end
	end)
end

-- One buffer for another of the same bytes.
local function buffer(r, add)
	if not r.params then return end
	each(r, function(k, text, kind)
		local p = r.params[text]
		local before = text_at(r, k - 1)
		if kind ~= "id" or not p or not p.pointer or before == "." or before == "->" then return end
		if not expression.call_around(r, k) then return end
		for _, other in ipairs(r.params) do
			if other.pointer and other.type == p.type and other ~= p then add(site.replace(r, k, k, other.name)) end
		end
	end)
end

-- Names of 64 bits, other than lengths, which no test has beyond 32 bits of.
local function narrow(r, add)
	local wide, declared = {}, {}
	for _, p in ipairs(r.params or {}) do wide[p.name] = p.type == "uint64_t" and not p.pointer end
	for _, s in ipairs(r.statements or {}) do
		for _, k in ipairs(s.names or {}) do
			declared[k] = true
			if text_at(r, s.names[1] - 1) == "uint64_t" then wide[text_at(r, k)] = true end
		end
	end
	each(r, function(k, text, kind)
		local before, after = text_at(r, k - 1), text_at(r, k + 1)
		if kind ~= "id" or not wide[text] or before == "." or before == "->" or declared[k] then return end
		if before == ")" and expression.is_cast(r, k - 1) or expression.is_assignment(after) then return end
		add(site.replace(r, k, k, "(uint32_t)" .. text))
	end)
end

local function choice(r, add)
	each(r, function(k, text)
		if text ~= "?" then return end
		local colon, depth = k + 1, 0
		while text_at(r, colon) ~= ":" or depth > 0 do
			if text_at(r, colon) == "?" then depth = depth + 1 end
			if text_at(r, colon) == ":" then depth = depth - 1 end
			colon = (r.partner[colon] and r.partner[colon] > colon and r.partner[colon] or colon) + 1
			if colon > #r.tokens then return end
		end
		add(site.before(r, k, "&& 1 || 1 "))
		add(site.before(r, k, "&& 0 "))
	end)
end

local FLIPPED = { ["=="] = "!=", ["!="] = "==", ["<"] = ">=", [">="] = "<", [">"] = "<=", ["<="] = ">" }

local function compare(r, add)
	local skip = {}
	for _, s in ipairs(r.statements or {}) do
		if s.cond and flow.only_skips(r, s) then
			for k = s.cond[1], s.cond[2] do skip[k] = true end
		end
	end
	each(r, function(k, text)
		if FLIPPED[text] and not skip[k] and expression.is_binary(r, k) then add(site.replace(r, k, k, FLIPPED[text])) end
	end)
end

-- Arguments that are names, beside each other.
local function arguments(r, add)
	each(r, function(k, text, kind)
		if text ~= "(" or k < 2 or r.tokens[k - 1].kind ~= "id" or not r.partner[k] then return end
		if select(2, expression.call_around(r, k + 1)) ~= k or r.partner[k] == k + 1 or kind ~= "op" then return end
		local parts = statement.split(r, k + 1, r.partner[k] - 1, ",")
		for n = 1, #parts - 1 do
			local a, b = parts[n], parts[n + 1]
			local function named(part)
				return part[1] <= part[2] and r.tokens[part[1]].kind == "id" and not expression.names_type(r, part[1])
			end
			if named(a) and named(b) and site.text(r, a[1], a[2]) ~= site.text(r, b[1], b[2]) then
				add(site.exchange(r, a, b))
			end
		end
	end)
end

M.list = {
	{ name = "operator", why = "another operation: - for +, | for ^", sites = operator },
	{ name = "operands", why = "the operands of what does not commute exchanged", sites = operands },
	{ name = "arguments", why = "two arguments exchanged", sites = arguments },
	{ name = "term", why = "a term left out: the place, the skip, the bytes held", sites = term },
	{ name = "vector", why = "another vector or word: x1 for x2", sites = vector },
	{ name = "buffer", why = "another buffer: src for dst or tmp", sites = buffer },
	{ name = "narrow", why = "32 bits of what has 64", sites = narrow },
	{ name = "choice", why = "one of two values always", sites = choice },
	{ name = "compare", why = "a comparison the other way round", sites = compare },
}

return M
