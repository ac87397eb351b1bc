-- What random stages are written with (random.lua): numbers, and the text of descriptions.
local bit = require "bit"
local ffi = require "ffi"

-- R(n) is below n. seed and stream are mixed: neighbours would begin alike.
local function generator(seed, stream)
	local x = seed * 0x9e3779b97f4a7c15ULL + (stream + 1) * 0xd1b54a32d192ed03ULL
	x = bit.bxor(x, bit.rshift(x, 31)) * 0xbf58476d1ce4e5b9ULL
	x = bit.bxor(x, bit.rshift(x, 29))
	return function(n)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL
		return tonumber(bit.rshift(x, 33) % ffi.cast("uint64_t", n))
	end
end

local function one_of(R, list) return list[R(#list) + 1] end
local function chance(R, percent) return R(100) < percent end
local function shuffled(R, n)
	local list = {}
	for k = 1, n do
		local at = R(k) + 1
		list[k] = list[at]
		list[at] = k
	end
	return list
end

-- Names and other texts: { f(1), …, f(n) }, joined.
local function join(n, f, by)
	local list = {}
	for k = 1, n do list[k] = f(k) end
	return table.concat(list, by or ", ")
end
local function words(name, n)
	local list = {}
	for k = 1, n do list[k] = string.format("%s[%d]", name, k) end
	return list
end
local function both(a, b)
	local all = { unpack(a) }
	for _, v in ipairs(b) do all[#all + 1] = v end
	return all
end

-- Expressions -----------------------------------------------------------------------------------------------------

local function constant(R, bits)
	local wide = math.min(bits, 31)
	local way = R(8)
	if way < 3 then return tostring(way) end
	if way == 3 then return string.format("0x%s", string.rep("f", bits / 4)) .. (bits == 64 and "ULL" or "") end
	if way == 4 then return tostring(2 ^ R(wide)) end
	if way == 5 then return tostring(R(256)) end
	if bits < 64 or chance(R, 50) then return string.format("0x%x", R(2 ^ wide)) end
	return string.format("0x%x%08xULL", R(2 ^ 31), R(2 ^ 31))
end

-- Of words of that many bits: a word operation on such expressions, or one of the names, or a constant. swaps: whether
-- big() and little() may be there.
local function expression(R, names, bits, depth, swaps)
	local function part() return expression(R, names, bits, depth - 1, swaps) end
	if depth == 0 or chance(R, 20) then
		return #names > 0 and chance(R, 80) and one_of(R, names) or constant(R, bits)
	end
	local ops = { "add", "sub", "mul", "xor", "and_", "or_", "rotl", "shl", "shr" }
	if bits == 64 then ops = both(ops, { "mul32", "big32", "little32" }) end
	if swaps then ops = both(ops, { "big", "little" }) end
	local op = one_of(R, ops)
	if op == "rotl" or op == "shl" or op == "shr" then return string.format("%s(%s, %d)", op, part(), R(bits)) end
	if op == "big" or op == "little" then return string.format("%s(%s)", op, part()) end
	if op == "big32" or op == "little32" then
		return string.format(chance(R, 50) and "%s(%s)" or "%s(and_(%s, 0xffffffff))", op, part())
	end
	return string.format("%s(%s, %s)", op, part(), part())
end

-- The same, chosen between by another one: where data may decide.
local function choice(R, names, depth)
	local e = expression(R, names, 64, depth, false)
	if chance(R, 70) then return e end
	return string.format("choose(%s, %s, %s)", expression(R, names, 64, 1, false), e,
		expression(R, names, 64, depth, false))
end

-- Stages ----------------------------------------------------------------------------------------------------------

local function stage(name, kind, fields, before)
	local lines = { string.format('name = "%s",\n\tstandard = "none",\n\tkind = "%s",', name, kind) }
	for _, field in ipairs(fields) do
		if field ~= "" then lines[#lines + 1] = field .. "," end
	end
	return (before or "") .. "return stage {\n\t" .. table.concat(lines, "\n\t") .. "\n}\n"
end
local function func(name, arguments, body)
	if type(body) == "string" then body = { "return " .. body } end
	return string.format("%s = function(%s)\n\t\t%s\n\tend", name, arguments, table.concat(body, "\n\t\t"))
end

-- Parameters for a state of n words, and what makes that of them; of more words than a parameter may have, of some
-- twice.
local function keyed(R, bits, n)
	local size = bits / 8
	local m = math.min(n, 128 / size)
	local split = m > 1 and chance(R, 30) and R(m - 1) + 1 or m
	local params, names = string.format('{ "key", %d }', split * size), words("p.key", split)
	if split < m then
		params = params .. string.format(', { "salt", %d }', (m - split) * size)
		names = both(names, words("p.salt", m - split))
	end
	for k = m + 1, n do names[k] = string.format("rotl(%s, %d)", names[k - m], k % 32) end
	local state = {}
	for k = 1, n do
		local way = R(4)
		state[k] = way == 0 and names[k] or way == 1 and string.format("xor(little(%s), %s)", names[k], constant(R, bits))
			or string.format("add(%s, %s)", names[k], expression(R, names, bits, 2, true))
	end
	return { string.format("params = { %s }", params), chance(R, 25) and "public = true" or "",
		func("begin", "p", "{ " .. table.concat(state, ", ") .. " }") }
end

return {
	generator = generator, one_of = one_of, chance = chance, shuffled = shuffled, join = join, words = words, both = both,
	constant = constant, expression = expression, choice = choice, stage = stage, func = func, keyed = keyed,
}
