-- A chain of stages that nobody would think of, by a number: what of the generator only descriptions show that were
-- not written for it. random.sh makes loops of it and runs them. Run from the top of the source:
--
--	luajit tests/ilp/random.lua SEED DIR [STAGES]
--	                     writes DIR/random_SEED.lua and DIR/stages/*.lua, those of ilp/stages excepted. STAGES, 1,3 say:
--	                     only these stages of its chain, which is random_SEED_1_3 then
--
-- Every stage is right: its inverse undoes it, its fold obeys the laws. A complaint about a stage is a fault, then; one
-- about the chain says that it is illegal, which some are.
--
-- A seed means the same for ever, or what it found is lost: each stage has random numbers of its own, so that another
-- kind of stage can be added for seeds from some number on without changing what is there (random.sh would see that).
local bit = require "bit"
local writing = dofile "tests/ilp/random/text.lua"
local generator, one_of, chance, shuffled = writing.generator, writing.one_of, writing.chance, writing.shuffled
local join, words, both, constant = writing.join, writing.words, writing.both, writing.constant
local expression, stage, func = writing.expression, writing.stage, writing.func
local keyed = writing.keyed

-- Maps ------------------------------------------------------------------------------------------------------------

-- What changes word j of t, and what undoes that; of the other words only such as stay.
local change = {}
for name, back in pairs { add = "sub", sub = "add", xor = "xor" } do
	change[name] = function(_, t, e) return string.format("%s = %s(%s, %s)", t, name, t, e),
		string.format("%s = %s(%s, %s)", t, back, t, e) end
end
function change.rotl(R, t, _, bits)
	local n = R(bits)
	return string.format("%s = rotl(%s, %d)", t, t, n), string.format("%s = rotl(%s, %d)", t, t, (bits - n) % bits)
end
function change.swap(R, t)
	local it = string.format("%s = %s(%s)", t, one_of(R, { "big", "little" }), t)
	return it, it
end
function change.fold(R, t, _, bits)
	local it = string.format("%s = xor(%s, %s(%s, %d))", t, t, one_of(R, { "shr", "shl" }), t, bits / 2 + R(bits / 2))
	return it, it
end
function change.turns(R, t, e, bits, names)
	local it = string.format("%s = xor(%s, repeat_(%d, function(x) return { %s, x[1] } end, { %s, %s })[2])", t, t,
		1 + R(5), expression(R, both(names, { "x[1]", "x[2]" }), bits, 2, true), e, constant(R, bits))
	return it, it
end
-- By an odd number, whose inverse Newton's iteration finds.
function change.mul(R, t, _, bits)
	local odd = 2 * R(2 ^ math.min(bits - 1, 31)) + 1
	local inverse = odd * 1ULL
	for _ = 1, 6 do inverse = inverse * (2 - odd * inverse) end
	if bits < 64 then inverse = inverse % (2ULL ^ bits) end
	return string.format("%s = mul(%s, %d)", t, t, odd), string.format("%s = mul(%s, 0x%s%s)", t, t,
		bit.tohex(inverse), bits == 64 and "ULL" or "")
end
function change.product(R, t, e, bits, names)
	return change.add(R, t, string.format("mul(%s, %s)", e, expression(R, names, bits, 1, true)))
end
local CHANGES = { "add", "sub", "xor", "rotl", "swap", "fold", "turns", "mul", "product" }
local SELF = { "xor", "swap", "fold", "turns" } -- undo themselves

local function changes(R, n, bits, names, list, count)
	local there, back = {}, {}
	for k = 1, count do
		local at, others = shuffled(R, n), {}
		local t = string.format("t[%d]", at[1])
		for j = 2, math.min(n, 5) do others[#others + 1] = string.format("t[%d]", at[j]) end
		if n > 1 and chance(R, 15) then
			there[k] = string.format("%s, %s = %s, %s", t, others[1], others[1], t)
			back[count + 1 - k] = there[k]
		else
			local from = both(names, others)
			there[k], back[count + 1 - k] = change[one_of(R, list)](R, t, expression(R, from, bits, 3, true), bits, from)
		end
	end
	return there, back
end

local function permuted(R, n, self)
	local at, back = shuffled(R, n), {}
	local there = self and {} or at
	if self then
		for k = 1, n - 1, 2 do there[at[k]], there[at[k + 1]] = at[k + 1], at[k] end
		if n % 2 == 1 then there[at[n]] = at[n] end
	end
	for k = 1, n do back[there[k]] = k end
	local function row(t) return "{ " .. join(n, function(k) return "w[" .. t[k] .. "]" end) .. " }" end
	return { "return " .. row(there) }, { "return " .. row(back) }
end

local make = {}

function make.map(R, name)
	local unit = one_of(R, { 1, 2, 4, 4, 8, 8, 16, 16, 32, 64 })
	local bits = one_of(R, { 8, 16, 32, 64 })
	while bits > unit * 8 do bits = bits / 2 end
	local n, key, names = unit * 8 / bits, {}, chance(R, 70) and { "i" } or {}
	if bits >= 32 and chance(R, 45) then
		local count = one_of(R, { 1, 1, 2, 2, 3, 3, 8, 24, 40 })
		key = keyed(R, bits, count)
		if chance(R, 80) then names = both(names, words("s", count)) end -- or the state is for nothing
	end
	local self = chance(R, 25)
	local there, back
	if n > 1 and chance(R, 25) then
		there, back = permuted(R, n, self)
	else
		there, back = changes(R, n, bits, names, self and SELF or CHANGES, self and 1 or 1 + R(4))
		local first, last = n > 1 and "local t = { unpack(w) }" or "local t = { w }", n > 1 and "return t" or "return t[1]"
		there, back = both(both({ first }, there), { last }), both(both({ first }, back), { last })
	end
	local whole = unit > 1 and chance(R, 12)
	return stage(name, "map", both(key, {
		"unit = " .. unit, "word = " .. bits, string.format('tail = "%s"', whole and "whole" or "pass"),
		func("apply", "w, i, s", there), self and 'inverse = "self"' or chance(R, 2) and "inverse = false"
			or func("inverse", "w, i, s", back),
	})), { whole = whole and unit }
end

-- Maps that only move bytes --------------------------------------------------------------------------------------

-- A layout: parts until they are a multiple of 4 bytes. zeros: how many of a hundred that are no number are zeros.
-- Returns also how long it is.
local function laid_out(R, zeros, mosts)
	local parts, at, most, sizes = {}, 0, one_of(R, mosts or zeros and { 12, 24, 64, 260, 508 }
		or { 12, 24, 32, 64, 128, 252 }), one_of(R, {
		{ 4 }, { 4, 8 }, { 4, 8, 16 }, { 2, 4, 8 }, { 2, 4, 8, 16 } })
	while at < most or at % 4 ~= 0 do
		local size, text = one_of(R, sizes), chance(R, zeros and 45 or 25)
		if text then size = 1 + R(12) end
		if at % 4 ~= 0 and at + size > most then size, text = 4 - at % 4, true end
		if at + size > (zeros and 512 or 256) then break end
		parts[#parts + 1] = text and string.format(zeros and chance(R, zeros) and "{ zeros = %d }" or '"%d"', size) or size
		at = at + size
	end
	return { string.format("layout = { %s }", table.concat(parts, ", ")), string.format('order = "%s"', one_of(R,
		{ "big", "big", "little" })) }, at
end

function make.struct(R, name)
	local fields
	if chance(R, 60) then
		fields = laid_out(R)
	else
		local unit, bits = 4 * (2 + R(chance(R, 20) and 62 or 20)), one_of(R, { 8, 16, 32, 32, 32, 64 })
		while unit * 8 % bits ~= 0 do bits = bits / 2 end
		local n = unit * 8 / bits
		local at, there, back = shuffled(R, n), {}, {}
		for k = 1, n do
			local swap = bits > 8 and chance(R, 40) and one_of(R, { "big", "little" })
			there[k] = string.format(swap and swap .. "(w[%d])" or "w[%d]", at[k])
			back[at[k]] = string.format(swap and swap .. "(w[%d])" or "w[%d]", k)
		end
		fields = { "unit = " .. unit, "word = " .. bits, func("apply", "w", "{ " .. table.concat(there, ", ") .. " }"),
			func("inverse", "w", "{ " .. table.concat(back, ", ") .. " }") }
	end
	return stage(name, "map", both(fields, { 'tail = "pass"' })), {}
end

function make.zeros(R, name) return stage(name, "map", both(laid_out(R, 70), { 'tail = "pass"' })), { zeros = true } end

-- Structures that become one of arrays.
function make.arrays(R, name)
	local zeros = chance(R, 40)
	local fields, size = laid_out(R, zeros and 50 or nil, { 12, 24, 40 })
	local arrays = "arrays = " .. 2 + R(math.min(15, math.floor(512 / size) - 1))
	return stage(name, "map", both(fields, { arrays, 'tail = "pass"' })), { zeros = zeros or nil }
end

-- Bytes by a table and back; whose data is public.
function make.tabled(R, name)
	local unit = one_of(R, { 1, 4, 8, 16 })
	local there, back = {}, {}
	for k, at in ipairs(shuffled(R, 256)) do there[k], back[at] = at - 1, k - 1 end
	local function list(t) return "{ " .. table.concat(t, ", ") .. " }" end
	local function way(t)
		return "{ " .. join(unit, function(k) return string.format("lookup(w[%d], %s)", k, t) end) .. " }"
	end
	if unit == 1 then way = function(t) return "lookup(w, " .. t .. ")" end end
	return stage(name, "map", { "unit = " .. unit, "word = 8", 'tail = "pass"', "public = true",
		func("apply", "w", way "T"), func("inverse", "w", way "U") },
		string.format("local T = %s\nlocal U = %s\n", list(there), list(back))), {}
end

-- Kinds that change the length --------------------------------------------------------------------------------------

-- A byte behind those of a unit tells how many there are.
function make.recode(R, name)
	local from = one_of(R, { 1, 2, 3 })
	local to = from + 1 + R(4 - from)
	local mask, mark, all = R(2 ^ (8 * from)), R(256), 2 ^ (8 * from) - 1
	local function made(n)
		return string.format("little(or_(and_(xor(x, 0x%x), 0x%x), shl(xor(%s, %d), %d)))", mask, all, n, mark, 8 * to - 8)
	end
	local x = "local x = little(w)"
	local function undone(bad)
		return string.format("return { little(and_(xor(and_(x, ones), and_(0x%x, ones)), 0x%x)), %s }", mask, all, bad)
	end
	local count = string.format("local n = xor(shr(x, %d), %d)", 8 * to - 8, mark)
	local between = string.format("and_(x, 0x%x)", 2 ^ (8 * to - 8) - 2 ^ (8 * from))
	local fields = { "from = " .. from, "to = " .. to, func("apply", "w", { x, "return " .. made(from) }),
		func("inverse", "w", { x, count, string.format("local ones = 0x%x", all),
			undone(string.format("or_(xor(n, %d), %s)", from, between)) }) }
	if from > 1 then
		fields[#fields + 1] = func("last", "w, n", { x, string.format(
			"x = or_(and_(x, 2^(8 * n) - 1), and_(0x%x, 0x%x - 2^(8 * n) + 1))", mask, all), "return " .. made "n" })
		local ones = "all"
		for n = 1, from - 1 do ones = string.format("choose(xor(n, %d), %s, 0x%x)", n, ones, 2 ^ (8 * n) - 1) end
		local good = string.format("or_(%s, and_(xor(and_(x, 0x%x), 0), xor(ones, 0x%x)))", between, all, all)
		local odd = "1"
		for n = 1, from do odd = string.format("choose(xor(n, %d), %s, 0)", n, odd) end
		fields[#fields + 1] = func("unlast", "w", { x, count, string.format("local all = 0x%x", all), "local ones = " .. ones,
			string.format("return { little(and_(xor(x, 0x%x), ones)), n, or_(%s, %s) }", mask, good, odd) })
	end
	return stage(name, "recode", fields), { places = true }
end

-- A layout with holes.
function make.pack(R, name)
	local parts, at, filled = {}, 0, false
	while at < one_of(R, { 5, 12, 24, 60 }) or not filled do
		local hole, size = R(3) == 0 or at == 0, one_of(R, { 1, 2, 4, 8, 16 })
		filled = filled or not hole
		parts[#parts + 1] = hole and string.format("{ %d }", 1 + R(7)) or size > 1 and chance(R, 70) and size
			or string.format('"%d"', size)
		at = at + (hole and 4 or size)
	end
	return stage(name, "recode", { string.format("layout = { %s }", table.concat(parts, ", ")),
		string.format('order = "%s"', one_of(R, { "big", "little" })) }), { places = true }
end

function make.stuff(R, name)
	return stage(name, "stuff", { "run = " .. one_of(R, { 1, 2, 3, 7, 16, 100, 254 }) }), { places = true }
end

-- Folds: random/folds.lua ---------------------------------------------------------------------------------------

for kind, fold in pairs(dofile "tests/ilp/random/folds.lua") do make[kind] = fold end

-- Streams, reframes, pads -----------------------------------------------------------------------------------------

function make.stream(R, name)
	local n = one_of(R, { 1, 1, 2, 3, 5, 12, 20, 50 })
	local names, out, way = both(words("s", n), { "i" }), {}, R(4)
	for k = 1, 16 do
		local it = expression(R, both(names, way == 0 and words("x", 3) or {}), 32, 2 + R(2), true)
		if way < 3 then it = string.format("xor(%s, mul(add(%s, i), %d))", it, one_of(R, names), 2 * k + 1) end
		if way == 3 and chance(R, 30) then it = out[R(#out) + 1] or it end -- the same twice
		out[k] = it
	end
	local body = { "return { " .. table.concat(out, ",\n\t\t\t") .. " }" }
	if way == 0 then
		-- Words that all live while it turns; with few, one changes the others.
		local wide, first = one_of(R, { 3, 3, 8, 40 }), expression(R, { "x[1]", "x[2]", "x[3]", "s[1]" }, 32, 2, false)
		local last = expression(R, { "x[2]", "x[3]" }, 32, 2, true)
		table.insert(body, 1, string.format("local x = repeat_(%d, function(x) return { %s, %s, %s } end, { %s })",
			1 + R(12), first, join(wide - 2, function(k) return string.format("x[%d]", k) end), last,
			join(wide, function(k) return k == 2 and "i" or one_of(R, names) end)))
	end
	return stage(name, "stream", both({ "unit = 64" }, both(keyed(R, 32, n), { func("block", "s, i", body) }))), {}
end

function make.mark(R, name)
	local every = one_of(R, { 1, 2, 3, 4, 5, 7, 8, 12, 16, 16, 20, 32, 48, 64, 100, 128, 508, 1000 })
	local n = one_of(R, { 1, 1, 1, 2, 3, 4, 8, 16 })
	local key, names = {}, { "i" }
	if chance(R, 30) then
		local count = 1 + R(3)
		key = keyed(R, 32, count)
		if chance(R, 85) then names = both(names, words("s", count)) end
	end
	local marks = join(n, function() return expression(R, names, 32, 2, true) end)
	return stage(name, "reframe", both(key, { "every = " .. every, func("mark", "i, s", "{ " .. marks .. " }") })), {}
end

-- Marks that begin somewhere.
function make.phase(R, name)
	local align = one_of(R, { 1, 2, 4, 4, 4, 8, 16 })
	local every, count = align * one_of(R, { 1, 2, 3, 5, 8, 16, 127 }), 1 + R(3)
	local names = both({ "i" }, words("s", count))
	local marks = join(one_of(R, { 1, 1, 2, 4 }), function() return expression(R, names, 32, 2, true) end)
	local most = 1 -- of that many bytes
	while 2 * most + 1 <= every / align do most = 2 * most + 1 end
	local key = keyed(R, 32, count)
	key[2] = "public = true" -- or its place would tell
	return stage(name, "reframe", both(key, { "every = " .. every, "align = " .. align,
		func("first", "s", string.format("mul(and_(%s, %d), %d)", expression(R, words("s", count), 32, 1, false), most,
			align)),
		func("mark", "i, s", "{ " .. marks .. " }") })), {}
end

local FILLS = { "n", "n", "k == n and n or 0", "k", "k == n and n or 255",
	"k == n and (n + 100) % 256 or (k * 7) % 256", "255 - n" }
local function pad(R, name, to)
	return stage(name, "pad", { "to = " .. to, "least = " .. (chance(R, 3) and 0 or 1),
		func("fill", "k, n", one_of(R, FILLS)) })
end
function make.pad(R, name) return pad(R, name, one_of(R, { 2, 3, 4, 7, 8, 16, 16, 24, 32, 64 })), {} end

-- Moves the data where another name than copy says so.
function make.move(_, name)
	return stage(name, "map", { "unit = 1", 'tail = "pass"', "moves = true", func("apply", "w", "w"),
		'inverse = "self"' }), { moves = true }
end

-- Chains ----------------------------------------------------------------------------------------------------------

local OURS = { "inet_checksum", "xdr_u32", "xdr_u64", "chacha20", "adler32", "crc32c", "fletcher32", "poly1305",
	"ws_mask", "mpa_marker", "pkcs7_pad", "guid" }
local FOLDS = { inet_checksum = true, adler32 = true, crc32c = true, fletcher32 = true, poly1305 = true,
	ghash = true }
local KINDS = { "map", "map", "map", "map", "fold", "fold", "fold", "fold", "sum", "sum", "stream", "stream", "mark",
	"mark", "pad", "ours", "ours", "ours" }

-- Kinds that came later are those of later seeds.
local KINDS_LATER = both(KINDS, { "struct", "struct", "struct", "tabled", "recode", "pack", "stuff" })
-- Authenticated encryption, of which there is one pair at most in a chain.
local KINDS_LATEST = both(KINDS_LATER, { "pair", "pair", "pair", "quads", "quads", "quads" })
local KINDS_NOW = both(KINDS_LATEST, { "zeros", "hash", "hash", "hash", "arrays", "arrays", "arrays" })
local KINDS_CUT = both(KINDS_NOW, { "cut", "cut", "cut", "phase", "phase", "phase", "fpdu", "fpdu" })
local SINCE = { { 5000, KINDS_CUT }, { 4000, KINDS_NOW }, { 3000, both(KINDS_LATEST, { "zeros", "zeros", "zeros" }) },
	{ 2000, KINDS_LATEST }, { 1000, KINDS_LATER }, { 0, KINDS } }
local function kinds(seed)
	for _, since in ipairs(SINCE) do
		if seed >= since[1] then return since[2] end
	end
end
local PAIRS = { "aes128_gcm", "aes128_gcm", "aes256_gcm", "chacha20_poly1305", "chacha20_poly1305" }
local QUADS = { "aes128_ctr", "ghash", "crc32c", "crc32c" }
local FPDU = { "mpa_marker", "crc32c" }
local LISTS = { ours = OURS, quads = QUADS, fpdu = FPDU }

-- A stage's entry: { name, text = its description, where it is not of ilp/stages, and what is known of it }.
local function entry(seed, k, seen)
	local R = generator(seed, k)
	local kind = chance(R, 2) and "move" or one_of(R, kinds(seed))
	local e
	if kind == "pair" then
		if seen.pair then return nil end
		seen.pair, e = true, { name = one_of(R, PAIRS) }
	elseif kind == "hash" then
		e = { name = "hmac_sha256", fold = true }
	elseif LISTS[kind] then
		local name = one_of(R, LISTS[kind])
		e = { name = name, fold = FOLDS[name], whole = name == "guid" and 16 or nil }
	else
		local name = kind .. k
		local text, known = make[kind](R, name)
		known.name, known.text, e = name, text, known
	end
	if e.fold and chance(R, 55) then e.at = one_of(R, { "tail", "head" }) end
	if seen[e.name] then return nil end
	seen[e.name] = true
	return e
end

-- In send order. A map that needs whole units has a pad before it, mostly, or the chain would be illegal, as one with
-- zeros that is not the first.
local function chain(seed)
	local R, list, seen, moved = generator(seed, 0), {}, {}, false
	for k = 1, one_of(R, { 1, 2, 2, 3, 3, 3, 4, 4, 5, 6 }) do
		local e = entry(seed, k, seen)
		if e and e.whole and chance(R, 90) then
			list[#list + 1] = { name = "pad0" .. k, text = pad(R, "pad0" .. k, e.whole) }
		end
		if e and e.zeros and not seen.zeros then
			table.insert(list, 1, e)
			seen.zeros = true
		elseif e and not e.zeros then
			list[#list + 1] = e
		end
		moved = moved or e and e.moves
	end
	if not moved and chance(R, 70) or #list == 0 then table.insert(list, R(#list + 1) + 1, { name = "copy" }) end
	-- What is summed on the wire's side has ways of its own.
	if not seen.inet_checksum and chance(R, 25) then
		table.insert(list, R(#list + 1) + 1, { name = "inet_checksum", at = chance(R, 15) and "tail" or nil })
	end
	local places = false
	for _, e in ipairs(list) do
		places = places or e.places or e.at == "head" or e.name == "mpa_marker" or e.name:find "^mark" or e.name:find "^phase"
	end
	return list, chance(R, places and 2 or 40)
end

local function write(path, text)
	local f = assert(io.open(path, "wb"))
	assert(f:write(text))
	assert(f:close())
end

local function run(seed_text, dir, only)
	local seed = tonumber(seed_text or "")
	if not seed or seed % 1 ~= 0 or seed < 0 or seed >= 2 ^ 53 or not dir then
		io.stderr:write("usage: luajit tests/ilp/random.lua SEED DIR [STAGES]\n")
		return 2
	end
	local list, inplace = chain(seed)
	local wanted, stages = nil, {}
	if only then
		wanted = {}
		for k in only:gmatch "%d+" do wanted[tonumber(k)] = true end
	end
	assert(os.execute("mkdir -p '" .. dir .. "/stages'") == 0)
	for k, e in ipairs(list) do
		if not wanted or wanted[k] then
			if e.text then write(dir .. "/stages/" .. e.name .. ".lua", e.text) end
			stages[#stages + 1] = e.at and string.format('{ "%s", at = "%s" }', e.name, e.at)
				or string.format('"%s"', e.name)
		end
	end
	local name = "random_" .. seed_text .. (only and "_" .. only:gsub(",", "_") or "")
	write(string.format("%s/%s.lua", dir, name), string.format("return chain {\n\tname = \"%s\",\n"
		.. "\tstages = { %s },\n%s}\n", name, table.concat(stages, ", "), inplace and "\tinplace = true,\n" or ""))
	return 0
end

os.exit(run(...))
