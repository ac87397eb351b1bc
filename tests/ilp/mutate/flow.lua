-- What is only a choice of speed: a wide loop's work that a narrower one after it would do as well.
local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- A decimal number's value and suffix.
function M.decimal(text)
	local digits, suffix = text:match("^(%d+)([uUlL]*)$")
	if not digits or #digits > 1 and digits:sub(1, 1) == "0" or #digits > 15 then return nil end
	return tonumber(digits), suffix
end

-- A condition without its numbers, and its last number.
local function shape(r, cond)
	local parts, width = {}, nil
	for k = cond[1], cond[2] do
		local number = M.decimal(text_at(r, k))
		width = number or width
		parts[#parts + 1] = number and "#" or text_at(r, k)
	end
	return table.concat(parts, " "), width
end

-- Statements that run after s, when it is not in a loop.
local function each_later(s, f)
	while s do
		for k = s.index + 1, #s.list do f(s.list[k]) end
		s = s.parent
		if s and (s.kind == "for" or s.kind == "while" or s.kind == "do") then return end
	end
end

-- Whether what s leaves undone is done by a narrower one after it.
function M.taken_up(r, s)
	local like, width = shape(r, s.cond)
	local found = false
	each_later(s, function(later)
		if later.cond and (later.kind == "for" or later.kind == "if") then
			local shape_later, narrower = shape(r, later.cond)
			found = found or shape_later == like and width ~= nil and narrower < width
		end
	end)
	return found
end

-- Whether all that an if does is in loops that look at the same condition again.
function M.guarded(r, s)
	local like = shape(r, s.cond)
	for _, inner in ipairs(r.statements) do
		if inner.kind == "for" and inner.cond and inner.first > s.first and inner.last <= s.last
				and shape(r, inner.cond) == like then
			return true
		end
	end
	return false
end

-- Whether a loop's condition is true when it is first looked at, an if around it having asked the same, and what it
-- leaves undone is taken up: to turn the condition round is to leave the loop out, then.
function M.only_skips(r, s)
	local around = s.parent and s.parent.kind == "block" and s.parent.parent
	if s.kind ~= "for" or not around or around.kind ~= "if" or not M.taken_up(r, s) then return false end
	for k = 1, s.index - 1 do
		if s.list[k].kind == "for" or s.list[k].kind == "while" then return false end
	end
	local inner, width = shape(r, s.cond)
	local outer, width_outer = shape(r, around.cond)
	return inner == outer and width == width_outer
end

-- Whether token k is in a condition that may be true or false without any difference but speed: of an if whose loops
-- look again, and whose bytes a narrower part after it takes up.
function M.is_indifferent(r, k)
	if not r.statements then return false end
	if not r.indifferent then
		r.indifferent = {}
		for _, s in ipairs(r.statements) do
			if s.kind == "if" and not s.orelse and M.guarded(r, s) and M.taken_up(r, s) then
				for j = s.cond[1], s.cond[2] do r.indifferent[j] = true end
			end
		end
	end
	return r.indifferent[k] == true
end

return M
