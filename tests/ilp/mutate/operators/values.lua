-- Mutations of numbers.
local site = require "mutate.site"
local expression = require "mutate.expression"
local decimal = require("mutate.flow").decimal

local M = {}

local function text_at(r, k) return r.tokens[k] and r.tokens[k].text or "" end

-- Calls f with the index of each token of the region's body.
local function each(r, f)
	for k = (r.open or 0) + 1, #r.tokens do f(k, r.tokens[k].text, r.tokens[k].kind) end
end

local function put(r, add, k, value, suffix)
	add(site.replace(r, k, k, tostring(value) .. (suffix or "")))
end

-- Digits are changed as text: Lua's numbers do not hold 64 bits.
local function mask(r, add)
	each(r, function(k, text, kind)
		local digits, suffix = text:match("^0[xX](%x+)([uUlL]*)$")
		if kind ~= "number" or not digits then return end
		local top, last = tonumber(digits:sub(1, 1), 16), tonumber(digits:sub(-1), 16)
		local half = math.floor(top / 2)
		put(r, add, k, "0x" .. string.format("%x", half) .. digits:sub(2), suffix)
		put(r, add, k, "0x" .. digits:sub(1, -2) .. string.format("%x", last % 2 == 0 and last + 1 or last - 1), suffix)
		put(r, add, k, "0x" .. digits .. string.format("%x", last), suffix)
	end)
end

local function parity(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text_at(r, k + 1))
		if text == "&" and expression.is_binary(r, k) and number then put(r, add, k + 1, number == 0 and 1 or 0, suffix) end
	end)
end

local function divisor(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text_at(r, k + 1))
		if not (text == "%" or text == "/") or not number or number < 2 then return end
		put(r, add, k + 1, math.floor(number / 2), suffix)
		if text == "/" then put(r, add, k + 1, number * 2, suffix) end
		-- n - n % 1024: less of it in wide steps is no fault, but more is.
		if text == "%" and text_at(r, k - 2) ~= "-" then put(r, add, k + 1, number + 1, suffix) end
	end)
end

local function shift(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text_at(r, k + 1))
		if not (text == "<<" or text == ">>" or text == "<<=" or text == ">>=") or not number then return end
		put(r, add, k + 1, number + 1, suffix)
		if number > 0 then put(r, add, k + 1, number - 1, suffix) end
	end)
end

-- A number that ends an argument, after a sign: where something is.
local function offset(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text)
		local sign, after = text_at(r, k - 1), text_at(r, k + 1)
		if not number or not (sign == "+" or sign == "-") or not (after == "," or after == ")")
				or not expression.is_binary(r, k - 1) or not expression.call_around(r, k) then
			return
		end
		put(r, add, k, number + 1, suffix)
		if number > 0 then
			put(r, add, k, number - 1, suffix)
			if number > 1 then put(r, add, k, 0, suffix) end
		end
	end)
end

-- A number that is all of an argument: a length, a rotation.
local function argument(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text)
		local before, after = text_at(r, k - 1), text_at(r, k + 1)
		if not number or not (before == "," or before == "(") or not (after == "," or after == ")") then return end
		if not expression.call_around(r, k) then return end
		-- One of a list of numbers is a lane.
		if decimal(text_at(r, k - 2)) or decimal(text_at(r, k + 2)) then return end
		put(r, add, k, number + 1, suffix)
		if number > 0 then put(r, add, k, number - 1, suffix) end
	end)
end

-- A number in brackets that is no array's size in its declaration, nor a designator.
local function index(r, add)
	local sizes = {}
	for _, s in ipairs(r.statements or {}) do
		for _, k in ipairs(s.names or {}) do sizes[k + 1] = true end
	end
	each(r, function(k, text)
		local number, suffix = decimal(text)
		if not number or text_at(r, k - 1) ~= "[" or text_at(r, k + 1) ~= "]" or sizes[k - 1] then return end
		if not expression.ends_operand(r, k - 2) then return end
		put(r, add, k, number == 0 and 1 or number - 1, suffix)
	end)
end

-- A list of four numbers and more: shuffles' indices, the counts of lanes.
local function lanes(r, add)
	each(r, function(k, text)
		if not decimal(text) or text_at(r, k + 1) ~= "," or not decimal(text_at(r, k + 2)) then return end
		local count, j = 1, k
		while text_at(r, j - 1) == "," and decimal(text_at(r, j - 2)) do j, count = j - 2, count + 1 end
		j = k
		while text_at(r, j + 1) == "," and decimal(text_at(r, j + 2)) do j, count = j + 2, count + 1 end
		if count < 4 then return end
		add(site.exchange(r, { k, k }, { k + 2, k + 2 }))
		add(site.replace(r, k, k, text_at(r, k + 2)))
	end)
end

-- What a variable begins with, or is set to, when that is a number.
local function value(r, add)
	each(r, function(k, text)
		local number, suffix = decimal(text)
		local before = text_at(r, k - 1)
		if not number then return end
		local braces = before == "{" and text_at(r, k + 1) == "}"
		if (before == "=" or braces and text_at(r, k - 2) == "=") and text_at(r, k + 1):find("^[;,}]$") then
			put(r, add, k, number + 1, suffix)
		end
	end)
end

local function returned(r, add)
	for _, s in ipairs(r.statements or {}) do
		if s.kind == "return" and s.last > s.first + 1 and r.returns then
			local text = site.text(r, s.first + 1, s.last - 1)
			if not text:find("{", 1, true) then
				add(site.replace(r, s.first + 1, s.last - 1, "(" .. text .. ") + 1"))
				local number = decimal(text)
				if number and number > 1 then add(site.replace(r, s.first + 1, s.last - 1, tostring(2 * number))) end
			end
		end
	end
end

M.list = {
	{ name = "mask", why = "a constant has a bit more, less, or is four bits too wide", sites = mask },
	{ name = "parity", why = "the bit that was asked for is not looked at", sites = parity },
	{ name = "divisor", why = "another unit, block or counter than the stage has", sites = divisor },
	{ name = "shift", why = "a shift by a bit more or less", sites = shift },
	{ name = "offset", why = "a load or store beside its place, or at the first one's", sites = offset },
	{ name = "argument", why = "a length or a rotation of one more or less", sites = argument },
	{ name = "index", why = "the neighbour of an array's element", sites = index },
	{ name = "lanes", why = "two lanes of a vector exchanged, or one twice", sites = lanes },
	{ name = "value", why = "a variable begins with, or is set to, one more", sites = value },
	{ name = "return", why = "one more returned than was done", sites = returned },
}

return M
