-- Mutations of whole statements. Those that only wipe secrets change nothing that a test of results can see: they have
-- an operator of their own.
local site = require "mutate.site"
local expression = require "mutate.expression"
local secrets = require "mutate.secrets"

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- (void)x; is for the compiler.
local function is_void(r, part) return text_at(r, part[1]) == "(" and text_at(r, part[1] + 1) == "void" end

-- Calls f with each part of the expression statements that does something, and how many its statement has.
local function each_part(r, f)
	for _, s in ipairs(r.statements or {}) do
		for _, part in ipairs(s.kind == "expression" and s.parts or {}) do
			if not is_void(r, part) then f(s, part, secrets.is_secret(r, part[1])) end
		end
	end
end

local function drop(r, s, part)
	if #s.parts == 1 then return site.replace(r, s.first, s.last, ";") end
	return site.replace(r, part[1], part[2], "(void)0")
end

-- Which operator's it is to drop this part: the assignment's operator and what it is assigned to tell.
local function kind_of(r, part)
	local place, last = expression.place(r, part[1])
	local op = text_at(r, last + 1)
	if (op == "+=" or op == "-=" or op == "++" or op == "--") and (not place:find("%d$") or place:find("->", 1, true)) then
		return "counter"
	end
	return op == "=" and place:find("->", 1, true) and "state" or "statement"
end

local function dropper(kind)
	return function(r, add)
		each_part(r, function(s, part, wipe)
			if not wipe and kind_of(r, part) == kind then add(drop(r, s, part)) end
		end)
	end
end

local function twice(r, add)
	each_part(r, function(s, part, wipe)
		local _, last = expression.place(r, part[1])
		local op, again = text_at(r, last + 1), false
		for k = last + 2, part[2] do again = again or text_at(r, k) == text_at(r, part[1]) end
		if not wipe and #s.parts == 1 and expression.is_assignment(op) and (op ~= "=" or again) then
			add(site.after(r, s.last, " " .. site.text(r, s.first, s.last)))
		end
	end)
end

-- Statements of one form, such as those that add up one lane after the other, may stand in any order; so may calls of
-- one function.
local function form(r, s)
	local parts = {}
	if s.kind == "expression" and text_at(r, s.first + 1) == "(" then return text_at(r, s.first) end
	for k = s.first, s.last do
		local kind, text = r.tokens[k].kind, r.tokens[k].text
		parts[#parts + 1] = kind == "number" and "#" or kind == "id" and text:gsub("%d+$", "#") or text
	end
	return table.concat(parts, " ")
end

local function order(r, add)
	local simple = { expression = true, declaration = true }
	for _, s in ipairs(r.statements or {}) do
		local other = s.list[s.index + 1]
		if simple[s.kind] and other and simple[other.kind] and form(r, s) ~= form(r, other)
				and not (secrets.is_wipe(r, s.first) or secrets.is_wipe(r, other.first)) then
			local a, b = expression.effects(r, s.first, s.last), expression.effects(r, other.first, other.last)
			local needs = false
			for _, k in ipairs(s.names or {}) do needs = needs or b.used[text_at(r, k)] end
			if expression.ordered(a, b) and not needs then
				add(site.exchange(r, { s.first, s.last }, { other.first, other.last }))
			end
		end
	end
end

local function wipe(r, add)
	each_part(r, function(s, part, is)
		if is then add(drop(r, s, part)) end
	end)
	for _, s in ipairs(r.statements or {}) do
		if s.kind == "expression" and secrets.is_wipe(r, s.first) then
			add(site.before(r, s.last - 1, " / 2"))
		end
	end
end

M.list = {
	{ name = "statement-dropped", why = "a word not converted, not stored, not counted", sites = dropper "statement" },
	{ name = "counter-dropped", why = "a counter, place, length or sum not advanced", sites = dropper "counter" },
	{ name = "state-dropped", why = "what is carried to the next call not saved", sites = dropper "state" },
	{ name = "statement-twice", why = "a word converted twice, a length counted twice", sites = twice },
	{ name = "order", why = "two statements exchanged: a map after its fold, a value kept too late", sites = order },
	{ name = "wipe", why = "a secret, or half of it, left behind", sites = wipe, secrets = true },
}

return M
