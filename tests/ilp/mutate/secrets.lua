-- Which code only wipes secrets, or says how much is to be wiped. A test of results sees nothing of it.
local expression = require "mutate.expression"

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

function M.is_wipe(r, k) return text_at(r, k):find("wipe") ~= nil and text_at(r, k + 1) == "(" end

-- Calls f with each part of the region's simple statements: first token, last token, the declared name's index or nil.
local function each_part(r, f)
	for _, s in ipairs(r.statements) do
		if s.kind == "expression" then
			for _, part in ipairs(s.parts) do f(part[1], part[2]) end
		elseif s.kind == "declaration" then
			f(s.first, s.last, s.names[1])
		elseif s.kind == "return" then
			f(s.first, s.last)
		elseif s.cond then
			f(s.cond[1], s.cond[2])
		end
	end
end

-- Names that are arguments of a wipe, and nowhere used but to set themselves.
local function lengths(r)
	local only = {}
	each_part(r, function(from, to)
		for k = from + 2, M.is_wipe(r, from) and to or 0 do
			if r.tokens[k].kind == "id" then only[text_at(r, k)] = true end
		end
	end)
	each_part(r, function(from, to, declared)
		local own = M.is_wipe(r, from) or only[text_at(r, from)] and expression.is_assignment(text_at(r, from + 1))
		for k = from, own and 0 or to do
			if k ~= declared then only[text_at(r, k)] = nil end
		end
	end)
	return only
end

-- Whether token k is in such code.
function M.is_secret(r, k)
	if not r.statements then return false end
	if not r.secret then
		r.secret = {}
		local only = lengths(r)
		each_part(r, function(from, to, declared)
			if M.is_wipe(r, from) or only[text_at(r, from)] or declared and only[text_at(r, declared)] then
				for j = from, to do r.secret[j] = true end
			end
		end)
	end
	return r.secret[k] == true
end

return M
