-- C text under construction: lines, indented by the braces that are open.
local M = {}
M.__index = M

function M.new() return setmetatable({ lines = {}, depth = 0 }, M) end

function M:line(format, ...)
	local text = select("#", ...) > 0 and string.format(format, ...) or format
	self.lines[#self.lines + 1] = text == "" and "" or string.rep("\t", self.depth) .. text
end

-- A line as it is, at the margin: preprocessor, labels, text that is formatted already.
function M:raw(text) self.lines[#self.lines + 1] = text end

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
	self:raw(head)
	self:open("{")
end

function M:endfunc()
	self:close()
	self:line("")
end

function M:string() return table.concat(self.lines, "\n") .. "\n" end

return M
