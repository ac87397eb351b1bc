-- Mutations of loops and of the conditions that guard them.
--
-- What a narrower loop after this one takes up is no fault: the result is the same, only slower. So loops are made to
-- run less only where nothing does (flow.lua).
local site = require "mutate.site"
local expression = require "mutate.expression"
local flow = require "mutate.flow"

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- Whether a loop changes what was before it, other than memory: doing something twice is seen then.
local function carries(r, s)
	local own = {}
	for _, inner in ipairs(r.statements) do
		if inner.kind == "declaration" and inner.first > s.first and inner.last <= s.last then
			for _, k in ipairs(inner.names) do own[text_at(r, k)] = true end
		end
	end
	for k = s.body[1].first, s.last do
		if r.tokens[k].kind == "id" and expression.is_assignment(text_at(r, k + 1)) and not own[text_at(r, k)] then
			return true
		end
	end
	return false
end

local function each(r, kinds, f)
	for _, s in ipairs(r.statements or {}) do
		if kinds[s.kind] and s.cond then f(s) end
	end
end

local function stride(r, add)
	each(r, { ["for"] = true }, function(s)
		if not s.step then return end
		for k = s.step[1], s.step[2] do
			local by = text_at(r, k - 1) == "+=" and k
			local number = by and flow.decimal(text_at(r, k))
			if number then
				add(site.replace(r, k, k, tostring(number * 2)))
				add(site.replace(r, k, k, tostring(number + math.max(1, math.floor(number / 4)))))
				if carries(r, s) and number > 1 then add(site.replace(r, k, k, tostring(math.floor(number / 2)))) end
			elseif by then
				add(site.replace(r, k, k, "2 * " .. text_at(r, k)))
			elseif text_at(r, k) == "++" then
				add(site.replace(r, k, k, " += 2"))
			end
		end
	end)
end

local SOFT = { [">"] = ">=", ["<"] = "<=" }
local HARD = { [">="] = ">", ["<="] = "<" }

-- Calls f with each comparison of s's condition: index, whether its number, if any, being smaller lets more run.
local function comparisons(r, s, f)
	for k = s.cond[1], s.cond[2] do
		local op = text_at(r, k)
		if (SOFT[op] or HARD[op]) and expression.is_binary(r, k) then
			f(k, op:sub(1, 1) == ">", k + 1 == s.cond[2] and flow.decimal(text_at(r, k + 1)))
		end
	end
end

local function longer(r, add)
	each(r, { ["for"] = true, ["while"] = true, ["if"] = true }, function(s)
		if s.kind == "if" and flow.guarded(r, s) then return end
		comparisons(r, s, function(k, above, number)
			-- An if of something above zero runs, then, over nothing; so does a loop over tiles, the last of which is
			-- as long as what is left.
			local tiles = s.step and text_at(r, s.step[2] - 1) == "+=" and not flow.decimal(text_at(r, s.step[2]))
			if SOFT[text_at(r, k)] and not tiles and not (s.kind == "if" and number == 0) then
				add(site.replace(r, k, k, SOFT[text_at(r, k)]))
			end
			if not number then return end
			local more = above and { math.floor(number / 4 * 3), math.floor(number / 2) } or { number + 1, number * 2 }
			for _, value in ipairs(more) do
				if value > 0 then add(site.replace(r, k + 1, k + 1, tostring(value))) end
			end
		end)
	end)
end

local function shorter(r, add)
	each(r, { ["for"] = true, ["while"] = true, ["if"] = true }, function(s)
		if flow.taken_up(r, s) then return end
		comparisons(r, s, function(k, above, number)
			if HARD[text_at(r, k)] then add(site.replace(r, k, k, HARD[text_at(r, k)])) end
			if above and number then
				add(site.replace(r, k + 1, k + 1, tostring(number + 1)))
			elseif number and number > 1 then
				add(site.replace(r, k + 1, k + 1, tostring(number - 1)))
			end
		end)
	end)
end

local function part(r, add)
	each(r, { ["for"] = true, ["while"] = true, ["if"] = true, ["do"] = true }, function(s)
		if flow.taken_up(r, s) then return end
		if s.kind == "if" then
			add(site.replace(r, s.cond[1], s.cond[2], "0"))
		else
			add(site.replace(r, s.first, s.last, ";"))
		end
	end)
end

M.list = {
	{ name = "stride", why = "a loop steps by another width than it works on", sites = stride },
	{ name = "bound-longer", why = "a loop or part runs once more than there are bytes for", sites = longer },
	{ name = "bound-shorter", why = "a loop or part runs once less, and nothing does the rest", sites = shorter },
	{ name = "part-dropped", why = "a loop or a guarded part, the tail mostly, does not run", sites = part },
}
return M
