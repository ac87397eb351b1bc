-- C text under construction: lines, indented by the braces that are open.
local M = {}
M.__index = M

-- formats: those of all lines, from which what they use can be told (prelude.lua). heads: those of functions. The lines
-- are so many that each is made at once, by a format that has the indentation already.
function M.new() return setmetatable({ lines = {}, count = 0, depth = 0, formats = {}, heads = {} }, M) end

local INDENT = {}
for depth = 0, 20 do INDENT[depth] = string.rep("\t", depth) end
setmetatable(INDENT, { __index = function() return INDENT[20] end }) -- deeper ones are not seen to be

local function add(t, line)
	t.count = t.count + 1
	t.lines[t.count] = line
end

-- By format, then by depth.
local indented = {}
function M:line(format, ...)
	self.formats[format] = true
	local by_depth = indented[format] or {}
	indented[format] = by_depth
	local line = by_depth[self.depth]
	if not line then
		line = format == "" and "" or INDENT[self.depth] .. format
		by_depth[self.depth] = line
	end
	add(self, select("#", ...) > 0 and string.format(line, ...) or line)
end

-- A line as it is, at the margin: preprocessor, labels, text that is formatted already.
function M:raw(text)
	self.formats[text] = true
	if not text:find("\n", 1, true) then return add(self, text) end
	for line in (text .. "\n"):gmatch("(.-)\n") do add(self, line) end
end

-- Lines that were written elsewhere; directives, and what becomes one, stay at the margin.
local HOME = "\1"
function M:append(lines)
	local indent = INDENT[self.depth]
	for _, line in ipairs(lines) do add(self, ((line:byte() == 35 or line == HOME) and "" or indent) .. line) end
end

-- What follows comes from that line of a description; until home(), which is where the C itself goes on.
function M:from(line, file)
	if not file:find("%c") then
		add(self, string.format('#line %d "%s"', line, (file:gsub('[\\"]', "\\%0"))))
	end
end
function M:home() add(self, HOME) end

function M:open(format, ...)
	self:line(format, ...)
	self.depth = self.depth + 1
end

-- Closes a block; what follows the brace may be given.
function M:close(after)
	self.depth = self.depth - 1
	self:line("}" .. (after or ""))
end

-- A function's head; its parameters have been joined already. What it uses can stand before the rest only.
function M:func(head)
	self.heads[#self.heads + 1] = head
	self.formats[head:match("^%S+")] = true
	add(self, head)
	self:open("{")
end

function M:endfunc()
	self:close()
	self:line("")
end

-- Puts another text where so many lines stand before it.
function M:insert(count, other)
	local lines, n = self.lines, other.count
	for k = self.count, count + 1, -1 do lines[k + n] = lines[k] end
	for k = 1, n do lines[count + k] = other.lines[k] end
	self.count = self.count + n
	for format in pairs(other.formats) do self.formats[format] = true end
	for _, head in ipairs(other.heads) do self.heads[#self.heads + 1] = head end
end

-- The text, for which nothing can be added any more. As what follows `first`, of whole lines, in the file of that name.
function M:string(name, first)
	local lines, n = self.lines, 0
	local _, before = (first or ""):gsub("\n", "")
	for k = 1, self.count do
		local line = lines[k]
		if line == HOME and (lines[k + 1] or ""):sub(1, 5) ~= "#line" then
			line = string.format('#line %d "%s"', before + n + 2, name)
		end
		if line ~= HOME then
			n = n + 1
			lines[n] = line
		end
	end
	lines[1], lines[n + 1] = (first or "") .. lines[1], ""
	return table.concat(lines, "\n", 1, n + 1)
end

return M
