-- A pair: a cipher, and an authenticator of what it gives, whose key for an ADU comes from the cipher. In a chain it
-- stands for two stages, which the planner treats as any others: a stream of the pair's name, and a fold at the tail
-- called NAME_tag. What is special to them:
--
--	given     of a parameter: the C that is read in the place of what a caller sets
--	pair      of the fold: { cipher = the stream, zero, before } (see describe.lua). Its finish is told how many bits
--	          were associated and how many are data
local expression = require "gen.expression"
local field = require "gen.field"

local M = {}

M.FIELDS = { cipher = "string", authenticator = "string", counter = "table", before = "string",
	zero = { "string", optional = true }, lengths = "function", most = "number" }

function M.check(d)
	field.check_integer(d, "most", 1, 2^53 - 1, "bytes")
	field.check_list(d, "counter", d.fields.counter)
	for _, byte in ipairs(d.fields.counter) do
		if type(byte) ~= "number" or byte % 1 ~= 0 or byte < 0 or byte > 255 then
			field.fail(d, "counter", "counter is no list of bytes, expected those of the cipher's parameter; correct it")
		end
	end
end

local function copy(t)
	local new = {}
	for k, v in pairs(t) do new[k] = v end
	return new
end

local function named(params, name)
	for _, p in ipairs(params or {}) do
		if p.name == name then return p end
	end
end

-- The stage of that field, which must be of a kind.
local function partner(d, name, kind, find)
	local stage, where = find(d.fields[name])
	if not stage or stage.kind ~= kind or not stage.params or stage.fields.public then
		field.fail(d, name, "%s is %q, expected a %s with secret parameters, described in %s; correct it", name,
			d.fields[name], kind, where or "one of the folders")
	end
	if stage.insecure then
		field.fail(d, name, "%s is %q, which is insecure, expected one that is not; name another", name, d.fields[name])
	end
	return stage
end

local function stream_of(d, find)
	local cipher = partner(d, "cipher", "stream", find)
	local counter = named(cipher.params, "counter")
	if not counter or counter.size ~= #d.fields.counter then
		field.fail(d, "counter", "counter has %d bytes, expected a parameter 'counter' of %s with as many; correct it",
			#d.fields.counter, cipher.name)
	end
	local part = copy(cipher)
	part.name, part.standard, part.params, part.fields = d.name, d.standard, {}, copy(cipher.fields)
	part.fields.params = {}
	for k, p in ipairs(cipher.params) do
		part.params[k] = copy(p)
		if p == counter then
			part.params[k].given = string.format("((const uint8_t[%d]){ %s })", p.size, table.concat(d.fields.counter, ", "))
			part.params[k].bytes = d.fields.counter
		else
			table.insert(part.fields.params, { p.name, p.size })
		end
	end
	return part
end

-- trace: as describe.lua has it, of finish and last.
local function fold_of(d, cipher, find, trace)
	local base = partner(d, "authenticator", "fold", find)
	if not base.last then
		field.fail(d, "authenticator", "'%s' is %s, expected a fold in order (tail \"last\"); name another", base.name,
			base.join and "joined" or "a hash")
	end
	local part, made = copy(base), base.fields
	part.name, part.standard = d.name .. "_tag", d.standard
	part.pair = { cipher = cipher, name = d.name, zero = d.fields.zero, before = d.fields.before, most = d.fields.most }
	part.params, part.fields, part.anywhere = {}, copy(made), false
	part.fields.params = nil -- none that a caller sets
	for k, p in ipairs(base.params) do
		part.params[k] = copy(p)
		part.params[k].given = "block"
		if p.name ~= d.fields.zero and p.name ~= d.fields.before then
			field.fail(d, "before", "'%s' has a parameter '%s' that no block makes, expected it as before or zero; name it",
				base.name, p.name)
		end
	end
	for _, name in ipairs { "before", "zero" } do
		local p = d.fields[name] == nil or named(base.params, d.fields[name])
		if not p or p ~= true and p.size > cipher.unit then
			field.fail(d, name, "%s is %q, expected a parameter of '%s' no longer than a block; correct it", name,
				d.fields[name], base.name)
		end
	end
	-- An incomplete unit counts as if zeros followed; one of lengths is the last.
	function part.fields.last(acc, w, _, s) return made.step(acc, w, 1, s) end
	function part.fields.finish(acc, s, a, n) return made.finish(acc, s, d.fields.lengths(a, n)) end
	trace(part)
	local used = expression.used_inputs(part.finish)
	if not (used[#used] and used[#used - 1]) then
		field.fail(d, "lengths", "finish of '%s' or lengths leaves out how many bits there are, expected finish(acc, s, w) "
			.. "to count a last unit w; correct them", base.name)
	end
	return part
end

-- The two stages.
function M.parts(d, find, trace)
	local cipher = stream_of(d, find)
	return cipher, fold_of(d, cipher, find, trace)
end

return M
