-- C as lines: indentation, names that C does not take, lists that are too long for a line.
local scan = require "xdr.scan"
local taken = require "xdr.taken"

local M = {}

-- Variables of the C that is written, which a type or a constant must not be called; and members, which no macro must.
local VARIABLES, MEMBERS = {}, {}
for word in ("v m at in n e to from p i r first next out was all loop name"):gmatch "%S+" do VARIABLES[word] = true end
for word in ("len val u at_pad bytes most depth end indent chain state left deep"):gmatch "%S+" do
	MEMBERS[word] = true
end

-- A field's name as C may have it. What begins with ilp_ and is the file's ends with _, or in a function's name goes on
-- with __encode and the like: so does nothing that code.h declares, or that the C has as static.
function M.name(text)
	local ours = text:match "^_" or text:match "^ilp_" or text:match "^ILP_"
	return (ours or taken.anywhere[text]) and text .. "_" or text
end

-- A name that stands outside of all braces, of a macro or of anything else.
function M.global(text, macro)
	if VARIABLES[text] or macro and MEMBERS[text] or taken.outside[text] then return text .. "_" end
	return M.name(text)
end

local writer = {}
writer.__index = writer

function M.writer() return setmetatable({ lines = {}, depth = 0 }, writer) end

-- A line, indented; of {more, it is the first line of a block, of } the last.
function writer:add(format, ...)
	local text = select("#", ...) > 0 and format:format(...) or format
	if text:match "^}" or text:match "^case .*:$" or text == "default:" then self.depth = self.depth - 1 end
	self.lines[#self.lines + 1] = text == "" and "" or ("\t"):rep(text:match "^#" and 0 or self.depth) .. text
	if text:match "{$" or text:match "^case .*:$" or text == "default:" then self.depth = self.depth + 1 end
end

-- A line as it is.
function writer:raw(line) self.lines[#self.lines + 1] = line end

-- What is done if a condition of one line holds.
function writer:when(condition, what)
	self:add("if (%s)", condition)
	self.depth = self.depth + 1
	self:add(what)
	self.depth = self.depth - 1
end

-- Items one behind the other, in lines as long as may be, then the end.
function writer:list(before, items, between, after)
	local line = before
	local room = 110 - 8 * (self.depth + 1)
	local first = true
	for k, item in ipairs(items) do
		local piece = item .. (k < #items and between or after)
		if #line + #piece > room and k > 1 then
			self:add("%s", line)
			if first then
				self.depth = self.depth + 1
				first = false
			end
			line = piece
		else
			line = line .. piece:gsub("^", k > 1 and " " or "")
		end
	end
	self:add("%s", line)
	if not first then self.depth = self.depth - 1 end
end

function writer:text() return table.concat(self.lines, "\n") .. "\n" end

function writer:append(other)
	for _, line in ipairs(other.lines) do
		self.lines[#self.lines + 1] = line == "" and "" or ("\t"):rep(line:match "^#" and 0 or self.depth) .. line
	end
end

-- Names that are to be unique in the C of a file, each with the definition that it comes from.
function M.claim(all, name, def)
	local before = all[name]
	if before and before ~= def then
		scan.fail(def.at, "'%s' would be '%s' in C, as what is defined at %s:%d, expected another name; or choose a --prefix",
			def.name, name, before.at.file, before.at.line)
	end
	all[name] = def
end

return M
