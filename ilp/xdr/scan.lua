-- Tokens for the parser, as the lexer gives them one by one, complaints with their place, and numbers.
local M = {}

-- No name in a complaint is longer; what it expected, and files, are.
M.LONG = 200

-- A byte that is no character is told as a number.
local function plain(text)
	return (text:gsub("[%z\1-\31\127]", function(c) return string.format("\\x%02x", c:byte()) end))
end

-- What a file says, as a complaint has it: not all of what is long.
local function shown(text)
	if #text > 40 then text = text:sub(1, 40) .. "..." end
	return (plain(text):gsub("[\128-\255]", function(c) return string.format("\\x%02x", c:byte()) end))
end

M.shown = shown

-- Raises a complaint about what stands at the token. Its file may be what a line like # 1 "file" says.
function M.fail(t, what, ...)
	local list = { ... }
	for k, item in ipairs(list) do
		if type(item) == "string" and #item > M.LONG then list[k] = item:sub(1, M.LONG) .. "..." end
	end
	error({ complaint = string.format("%s:%d:%d: " .. what, plain(t.file), t.line, t.column, unpack(list)) }, 0)
end

local parser = {}
parser.__index = parser

-- lex() gives kind, text, line, column and file of a token. stellar: the dialect.
function M.parser(lex, stellar)
	return setmetatable({ lex = lex, stellar = stellar, asked = {} }, parser)
end

-- Returns the token that was the next one, and reads another. Lines for the C stand among the definitions, before the
-- one in which they are.
function parser:take()
	local before = self.token
	local kind, text, line, column, file = self.lex()
	self.token = { kind = kind, text = text, line = line, column = column, file = file }
	self.asked = {}
	if text == "//" then
		M.fail(self.token, "'//' is nothing of RFC 4506's language, expected /* and */; --dialect stellar has such comments")
	elseif kind == "bad" and text == '"' then
		M.fail(self.token, 'a string that does not end, expected " on the same line; close it')
	elseif kind == "bad" then
		M.fail(self.token, "'%s' is nothing of the language, expected a name, a number or punctuation; remove it",
			shown(text))
	elseif kind == "comment" then
		M.fail(self.token, "a comment that does not end, expected */; close it")
	elseif kind == "line" then
		self:line(self.token)
		self.token = before
		return self:take()
	end
	return before
end

-- What may stand here, too, for a complaint.
function parser:may(...)
	for _, what in ipairs { ... } do self.asked[#self.asked + 1] = what end
end

-- Whether that stands here. What was asked for is remembered.
function parser:is(text)
	local t = self.token
	if t.text == text and (t.kind == "mark" or t.kind == "name") then return true end
	self:may(text == "," and "a comma" or text)
	return false
end

-- Complains: everything that was asked for since the last token would have been right, and what is named here.
function parser:expected(...)
	self:may(...)
	local t, list, seen = self.token, {}, {}
	for _, what in ipairs(self.asked) do
		if not seen[what] then
			list[#list + 1], seen[what] = what, true
		end
	end
	local last = table.remove(list)
	M.fail(t, "found %s, expected %s", t.kind == "end" and "the end of the file" or "'" .. shown(t.text) .. "'",
		#list > 0 and table.concat(list, ", ") .. " or " .. last or last)
end

function parser:want(text)
	if not self:is(text) then self:expected() end
	return self:take()
end

-- Whether a list goes on; what: what ends it.
function parser:comma(what)
	if self:is "," then
		self:take()
		return true
	end
	local t = self.token
	if t.text ~= "}" and t.text ~= ")" then self:expected(what) end
	return false
end

-- Numbers --------------------------------------------------------------------------------------------------------

-- As C writes it.
function M.c_number(n)
	if n == -2147483648 then return "(-2147483647 - 1)" end
	if n < 0 then return string.format("(%d)", n) end
	return string.format("%d", n)
end

local DIGITS = { [8] = "^[0-7]+$", [10] = "^%d+$", [16] = "^%x+$" }

-- The value of a number: { n =, text = }; no more than 64 bits.
function M.number(t)
	local sign, rest = t.text:match "^(%-?)(.*)$"
	local base, digits = 10, rest
	if rest:match "^0[xX]" then
		base, digits = 16, rest:sub(3)
	elseif rest:match "^0." then
		base, digits = 8, rest:sub(2)
	end
	if not digits:match(DIGITS[base]) then
		M.fail(t, "'%s' is no number, expected decimal, 0x and hexadecimal or 0 and octal digits; correct it", shown(t.text))
	end
	local n, most = 0ULL, sign == "-" and 0x8000000000000000ULL or 0xffffffffffffffffULL
	for d in digits:gmatch "." do
		local digit = tonumber(d, 16)
		if n > (most - digit) / base then
			M.fail(t, "%s has more than 64 bits, expected a smaller number; correct it", shown(t.text))
		end
		n = n * base + digit
	end
	local text = tostring(n):gsub("ULL$", "")
	local double = tonumber(n)
	if sign == "-" then
		if n == most then return { n = -double, text = "(-9223372036854775807LL - 1)" } end
		if double > 2147483648 then return { n = -double, text = "(-" .. text .. "LL)" } end
		return { n = -double, text = M.c_number(-double) }
	end
	if n > 0x7fffffffffffffffULL then
		text = text .. "ULL"
	elseif n > 0xffffffffULL then
		text = text .. "LL"
	elseif n > 0x7fffffffULL then
		text = text .. "U"
	end
	return { n = double, text = text }
end

return M
