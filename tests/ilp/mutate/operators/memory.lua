-- Mutations that touch memory which is not theirs, or a byte of what is.
local site = require "mutate.site"

local statement = require "mutate.statement"
local decimal = require("mutate.flow").decimal

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- A function that reads src and knows its length: names of the pointers to bytes, of what it may write too.
local function buffers(r)
	local found = {}
	for _, p in ipairs(r.params or {}) do
		if p.pointer and p.type == "uint8_t" then
			local role = p.const and "src" or "dst"
			found[role] = found[role] or p.name
		elseif p.type == "size_t" and not p.pointer then
			found.n = found.n or p.name
		end
	end
	return found
end

-- At the beginning of a function that has those parameters.
local function at_start(roles, format)
	return function(r, add)
		local b = buffers(r)
		for role in roles:gmatch("%w+") do
			if not b[role] then return end
		end
		add(site.after(r, r.open, " " .. format:gsub("%w+", function(word) return b[word] end)))
	end
end

-- At the end of a function that returns nothing, when what is read was read.
local function source(r, add)
	local b = buffers(r)
	if b.src and b.n and r.kind == "function" and not r.returns then
		add(site.before(r, #r.tokens, string.format("if (%s > 0) ((uint8_t *)%s)[0] ^= 1; ", b.n, b.src)))
	end
end

-- Calls f with each statement that is a call whose first argument names a pointer that may be written through:
-- statement, first argument, the loop around, if any.
local function each_store(r, f)
	for _, s in ipairs(r.statements or {}) do
		local open = s.first + 1
		if s.kind == "expression" and #s.parts == 1 and text_at(r, open) == "(" and r.partner[open] == s.last - 1 then
			local parts = statement.split(r, open + 1, s.last - 2, ",")
			local p = parts[1][1] <= parts[1][2] and r.params[text_at(r, parts[1][1])]
			local stored = parts[2] and parts[2][1] == parts[2][2] and r.tokens[parts[2][1]].kind == "id"
				and not r.params[text_at(r, parts[2][1])]
			if p and p.pointer and not p.const and p.type == "uint8_t" and stored then
				local loop = s.parent
				while loop and loop.kind ~= "for" do loop = loop.parent end
				f(s, parts[1], parts[2], loop)
			end
		end
	end
end

-- What the loop's step adds.
local function width(r, loop)
	if not loop or not loop.step then return nil end
	local number = text_at(r, loop.step[2] - 1) == "+=" and decimal(text_at(r, loop.step[2]))
	return number
end

local function overrun(r, add)
	each_store(r, function(s, to, _, loop)
		local by = width(r, loop)
		if not by then return end
		local again = site.text(r, s.first, to[2]) .. " + " .. by .. site.text(r, to[2] + 1, s.last)
		add(site.after(r, s.last, " " .. again))
	end)
end

local function byte(r, add)
	each_store(r, function(s, to, what)
		if #statement.split(r, s.first + 2, s.last - 2, ",") > 2 then return end
		local stored = site.text(r, what[1], what[2])
		add(site.after(r, s.last, string.format(" (%s)[sizeof(%s) - 1] ^= 0x80;", site.text(r, to[1], to[2]), stored)))
	end)
end

-- An array on the stack of half its size is a fault that a compiler may hide: not one of these.
M.list = {
	{ name = "write-past", why = "a byte written after the end of what is written, scratch memory too",
		sites = at_start("src dst n", "dst[n] = (uint8_t)~dst[n];") },
	{ name = "read-past", why = "a byte read after the end of what is read",
		sites = at_start("src n", "(void)*(volatile const uint8_t *)(src + n);") },
	{ name = "source", why = "what is only to be read is written", sites = source },
	{ name = "overrun", why = "a vector or word more stored by each turn of a loop", sites = overrun },
	{ name = "byte", why = "the last bit of the last byte of a word or vector wrong", sites = byte },
}


return M
