-- C text under construction: lines, indented by the braces that are open.
local M = {}
M.__index = M

-- formats: those of all lines, from which what they use can be told (prelude.lua). heads: those of functions.
function M.new() return setmetatable({ lines = {}, depth = 0, formats = {}, heads = {} }, M) end

local INDENT = {}
for depth = 0, 20 do INDENT[depth] = string.rep("\t", depth) end

function M:line(format, ...)
	self.formats[format] = true
	local text = select("#", ...) > 0 and string.format(format, ...) or format
	self.lines[#self.lines + 1] = text == "" and "" or INDENT[self.depth] .. text
end

-- A line as it is, at the margin: preprocessor, labels, text that is formatted already.
function M:raw(text)
	self.formats[text] = true
	for line in (text .. "\n"):gmatch("(.-)\n") do self.lines[#self.lines + 1] = line end
end

-- Lines that were written elsewhere; directives stay at the margin.
function M:append(lines)
	local indent, all = INDENT[self.depth], self.lines
	for k = 1, #lines do
		local line = lines[k]
		all[#all + 1] = (line:byte() == 35 and "" or indent) .. line
	end
end

-- What follows comes from that line of a description; until home(), which is where the C itself goes on.
local HOME = "\1"
function M:from(line, file)
	if not file:find("%c") then
		self.lines[#self.lines + 1] = string.format('#line %d "%s"', line, (file:gsub('[\\"]', "\\%0")))
	end
end
function M:home() self.lines[#self.lines + 1] = HOME end

function M:open(format, ...)
	self:line(format, ...)
	self.depth = self.depth + 1
end

-- Closes a block; what follows the brace may be given.
function M:close(after)
	self.depth = self.depth - 1
	self:line("}" .. (after or ""))
end

-- A function's head; its parameters have been joined already.
function M:func(head)
	self.heads[#self.heads + 1] = head
	self:raw(head)
	self:open("{")
end

function M:endfunc()
	self:close()
	self:line("")
end

-- The text, as lines of the file of that name of which so many stand before it.
function M:string(name, before)
	local all = {}
	for k, line in ipairs(self.lines) do
		if line ~= HOME then
			all[#all + 1] = line
		elseif (self.lines[k + 1] or ""):byte() ~= 35 or self.lines[k + 1]:sub(1, 5) ~= "#line" then
			all[#all + 1] = string.format('#line %d "%s"', before + #all + 2, name)
		end
	end
	return table.concat(all, "\n") .. "\n"
end

return M
