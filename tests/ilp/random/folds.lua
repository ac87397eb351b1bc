-- Random folds (random.lua): what makes the text of one, by kind.
local bit = require "bit"
local writing = dofile "tests/ilp/random/text.lua"
local one_of, chance = writing.one_of, writing.chance
local join, words, both, constant = writing.join, writing.words, writing.both, writing.constant
local expression, choice, stage, func = writing.expression, writing.choice, writing.stage, writing.func
local keyed = writing.keyed

local make = {}

-- In order --------------------------------------------------------------------------------------------------

-- Each word of the accumulator is a fold of its own: what a unit of value v makes of it, k units behind the last one,
-- and how two are merged. before: a word that sums up v.
local lane = {}
function lane.xor() return "xor(%s, %s)", "xor(%s, %s)" end
function lane.add() return "add(%s, %s)", "add(%s, %s)" end
function lane.poly() return "add(mul(%s, power(s, k)), %s)", "add(mul(%s, power(s, k)), %s)" end
function lane.rotl(R)
	local by = 1 + R(63)
	local it = string.format("xor(rotl(%%s, %d * k %%%% 64), %%s)", by)
	return it, it
end
-- Fletcher's second sum.
function lane.weighted(_, before)
	return "add(add(%s, mul(" .. before .. ", k)), %s)", "add(add(%s, mul(" .. before .. ", k)), %s)"
end

-- The value of a unit: of w and the state alone.
local function value(R, unit, state)
	local w = unit == 16 and { "w[1]", "w[2]" } or { "w" }
	local way = R(6)
	local some = unit == 4 and { "little32(w)", "big32(w)" } or { "little(" .. w[1] .. ")", "big(" .. w[#w] .. ")" }
	local it = way < 2 and some[way + 1]
	if way == 2 then it = string.format("mul(%s, %s)", some[1], constant(R, 64)) end
	if way == 3 then it = string.format("mul32(%s, %s)", some[1], state[1] or constant(R, 64)) end
	if way > 3 then it = expression(R, both(both(w, some), state), 64, 2, unit > 4) end
	return #w > 1 and way < 4 and string.format("add(%s, mul(w[%d], 3))", it, 1 + R(2)) or it
end

local function finish(R, size, acc, state)
	local mask = { [2] = "0xffff", [4] = "0xffffffff" }
	local function whole(shift)
		return join(#acc, function(k) return string.format("xor(rotl(%s, %d), ", acc[k], (shift + 13 * k) % 64) end, "")
			.. choice(R, both(acc, state), 2) .. string.rep(")", #acc)
	end
	if size == 16 then return { string.format("return { %s, %s }", whole(0), whole(7)) } end
	if size == 8 then return { "return " .. whole(0) } end
	return { "local x = " .. whole(0), string.format("return and_(xor(x, shr(x, %d)), %s)", 8 * size, mask[size]) }
end

-- Where the key of a fold is used.
local USES = { "step", "merge", "finish", "last", "power" }

local function uses_of(R, has_key)
	local uses = {}
	for _, where in ipairs(USES) do uses[where] = has_key and chance(R, 35) end
	return uses
end

-- The powers of a number are kept for each k, or computed.
local function powers(R, by_key)
	if by_key then
		return "local function power(s, k)\n\tlocal j = 1\n\twhile k > 1 do j, k = j + 1, k / 2 end\n\treturn s[j]\nend\n",
			{ 'params = { { "key", 8 } }', chance(R, 25) and "public = true" or "", func("begin", "p", {
				"local s, r = {}, or_(little(p.key[1]), 1)", "for k = 1, 8 do s[k], r = r, mul(r, r) end", "return s",
			}) }
	end
	return string.format("local function power(_, k)\n\tlocal r = 0x%xULL\n"
		.. "\twhile k > 1 do r, k = mul(r, r), k / 2 end\n\treturn r\nend\n", 2 * R(2 ^ 31) + 1)
end

-- step, merge and last of the lanes.
local function lanes(R, n, unit, uses, state)
	local acc, a, b = words("acc", n), words("a", n), words("b", n)
	if n == 1 then acc, a, b = { "acc" }, { "a" }, { "b" } end
	local steps, merges, lasts, poly, summed = {}, {}, {}, false, nil
	local w = both(unit == 16 and { "w[1]", "w[2]" } or { "w" }, { "n" })
	local v = value(R, unit, uses.step and state or {})
	for k = 1, n do
		local kind = one_of(R, { "xor", "add", "poly", "poly", "rotl", "weighted" })
		if kind == "weighted" and not summed then kind = "add" end
		poly = poly or kind == "poly"
		local step, merge = lane[kind](R, summed and acc[summed])
		if kind == "weighted" then merge = merge:gsub("acc", "a") end
		-- A weighted sum counts what its sum does.
		local mine = (kind == "weighted" or kind == "add") and "v" or chance(R, 60) and "v"
			or value(R, unit, uses.step and state or {})
		if kind == "add" then summed = k end
		steps[k] = string.format(step, acc[k], mine)
		merges[k] = string.format(merge, a[k], b[k])
		if uses.merge then merges[k] = string.format("sub(add(%s, %s), %s)", merges[k], state[1], state[1]) end
		local from = both(both(acc, w), uses.last and state or {})
		lasts[k] = string.format("%s(%s, %s)", one_of(R, { "add", "xor" }), acc[k], choice(R, from, 2))
	end
	local function body(list, before)
		local result = n > 1 and "{ " .. table.concat(list, ", ") .. " }" or list[1]
		return before and { before, "return " .. result } or result
	end
	return { func("step", "acc, w, k, s", body(steps, "local v = " .. v)), func("merge", "a, b, k, s", body(merges)),
		func("last", "acc, w, n, s", body(lasts)) }, poly, acc
end

function make.fold(R, name)
	local unit, size, n = one_of(R, { 4, 8, 16 }), one_of(R, { 2, 4, 8, 16 }), one_of(R, { 1, 1, 1, 2, 2, 3, 5, 8 })
	local has_key = chance(R, 50)
	local uses, count = uses_of(R, has_key), one_of(R, { 1, 1, 2, 2, 2, 20, 50 })
	local by_key = uses.power and chance(R, 70)
	local state = has_key and words("s", by_key and 8 or count) or {}
	local functions, poly, acc = lanes(R, n, unit, uses, state)
	local before, key = "", has_key and keyed(R, 64, count) or {}
	if poly or by_key then
		local other
		before, other = powers(R, by_key)
		key = other or key
	end
	local function list(f) return n > 1 and "{ " .. join(n, f) .. " }" or f(1) end
	return stage(name, "fold", both(both(key, {
		"unit = " .. unit, "zero = " .. list(function() return "0" end),
		chance(R, 30) and "init = " .. list(function() return tostring(R(2 ^ one_of(R, { 1, 16, 31 }))) end) or "",
		"size = " .. size, string.format('order = "%s"', one_of(R, { "big", "little", "memory" })), 'tail = "last"',
		func("finish", "acc, s", finish(R, size, acc, uses.finish and state or {})),
	}), functions), before), { fold = true }
end

-- A fold that may be cut anywhere: a polynomial of the data's bytes at an odd number, beginning with what its key says.
local CUT = [[
local function power(n)
	local r = 1ULL
	for _ = 1, n do r = r * %s end
	return r
end
-- acc, behind which the first n bytes of w follow, and zeros behind these.
local function bytes(acc, w, n)
	acc = mul(acc, power(n))
	for i = 1, 8 * #w do
		local byte = and_(shr(w[math.floor((i + 7) / 8)], 8 * ((i - 1) %% 8)), 255)
		acc = add(acc, mul(byte, power(n - i)))
	end
	return acc
end
-- As memory has them.
local function ordered(w)
	%s
end
]]
local ORDERED = { [4] = "return { little32(w) }", [8] = "return { little(w) }",
	[16] = "return { little(w[1]), little(w[2]) }" }
function make.cut(R, name)
	local unit, size = one_of(R, { 4, 8, 16 }), one_of(R, { 2, 4, 8, 16 })
	local count, begins = one_of(R, { 1, 2, 20 }), chance(R, 70)
	local key = begins and keyed(R, 64, count) or {}
	local state = begins and words("s", count) or {}
	return stage(name, "fold", both(key, {
		"unit = " .. unit, "zero = 0", "size = " .. size,
		string.format('order = "%s"', one_of(R, { "big", "little", "memory" })), 'tail = "any"',
		begins and func("init", "s", expression(R, state, 64, 2, true)) or "",
		func("step", "acc, w, k", string.format("add(mul(acc, power(%d * k)), bytes(0, ordered(w), %d))", unit, unit)),
		func("merge", "a, b, k", string.format("add(mul(a, power(%d * k)), b)", unit)),
		func("last", "acc, w, n", "bytes(acc, ordered(w), n)"),
		func("finish", "acc, s", finish(R, size, { "acc" }, chance(R, 30) and state or {})),
	}), CUT:format(string.format("0x%xULL", 2 * R(2 ^ 31) + 1), ORDERED[unit])), { fold = true }
end

-- Of units in any order ---------------------------------------------------------------------------------------

-- Bytes fall into `size` places by turns, and in each a sum or an exclusive or is made of them. keyed: the state is a
-- byte in all eight places.
local function turning(size, value_)
	local it = value_
	for bytes = 1, size - 1 do
		if size % (2 * bytes) == 0 and bytes * 2 <= size and bit.band(bytes, bytes - 1) == 0 then
			local left, right, mask = 8 * bytes, 8 * (size - bytes), string.rep("f", 2 * size)
			local suffix = size == 8 and "ULL" or ""
			it = string.format("turned(%s, len_a, %d, %d, %d, 0x%s%s)", it, bytes, left, right, mask, suffix)
		end
	end
	return it
end
local TURNED = [[
-- What begins at a place that is no multiple has its bytes in others.
local function turned(b, place, bytes, left, right, mask)
	return choose(and_(place, bytes), or_(and_(shl(b, left), mask), shr(b, right)), b)
end
]]

-- The exclusive or of what stands in the same places; size 1 counts as 2 with a zero byte.
local function parity(R, unit, size)
	local places = one_of(R, size == 2 and { 1, 2 } or size == 4 and unit >= 4 and { 1, 2, 4 } or { 1, 2, 4, 8 })
	while places > unit do places = places / 2 end
	local body, by = {}, 32
	while by >= 8 * places do
		body[#body + 1] = string.format("acc = xor(acc, shr(acc, %d))", by)
		by = by / 2
	end
	body[#body + 1] = places == 8 and "return acc" or string.format("return and_(acc, 0x%s)", string.rep("f", 2 * places))
	return "xor", unit == 4 and "little32(w)" or "little(w)", body,
		"xor(a, " .. turning(places, "b") .. ")", places > 1 and TURNED or ""
end

-- The sum of all bytes.
local function sum(R, unit, size)
	local pairs_ = "local x = add(and_(w, 0x00ff00ff00ff00ffULL), and_(shr(w, 8), 0x00ff00ff00ff00ffULL))"
	local mask = size == 8 and "0xffffffffffffffffULL" or "0x" .. string.rep("f", 2 * size)
	local total = unit == 4 and "and_(shr(" .. one_of(R, { "mul", "mul32" }) .. "(x, 0x10001), 16), 0xffff)"
		or "shr(mul(x, 0x0001000100010001ULL), 48)"
	return "add", total, { string.format("return and_(acc, %s)", mask) }, string.format("and_(add(a, b), %s)", mask), "",
		pairs_
end

local ALL = "0x0101010101010101ULL"

function make.sum(R, name)
	local unit, size, has_key = one_of(R, { 4, 8 }), one_of(R, { 2, 4, 8 }), chance(R, 6)
	local op, v, last, joined, before, first = (chance(R, 60) and parity or sum)(R, unit, size)
	local key, merged = {}, op .. "(a, b)"
	if has_key then
		key = { 'params = { { "key", 8 } }', chance(R, 25) and "public = true" or "",
			func("begin", "p", "{ mul(and_(p.key[1], 255), " .. ALL .. ") }") }
		local where = R(5) -- the others: nowhere
		if where == 0 and op == "xor" then v = string.format("and_(%s, %s)", v, "s[1]") end
		if where == 1 then v = string.format("sub(add(%s, s[1]), s[1])", v) end
		if where == 2 then merged = string.format("xor(xor(%s, s[1]), s[1])", merged) end
		if where == 3 then table.insert(last, 1, "acc = sub(add(acc, s[1]), s[1])") end
	end
	return stage(name, "fold", both(key, {
		"unit = " .. unit, "zero = 0", "size = " .. size, 'order = "little"', 'tail = "zero"',
		func("step", "acc, w, k, s", { first and first .. "\n\t\t" or "", string.format("return %s(acc, %s)", op, v) }),
		func("merge", "a, b, k, s", merged), func("finish", "acc, s", last), func("join", "a, b, len_a", joined),
	}), before), { fold = true }
end

return make
