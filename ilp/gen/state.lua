-- What a chain keeps between calls, as C declares it; and what of it must not become too large, whatever a description
-- asks for.
local chains = require "gen.chains"
local isa_table = require "gen.isa"
local text = require "gen.text"

local M = {}

-- As ilp/run.h has them.
local STATE_MAX, HELD_MAX, HEAD = 8192, 1024, 32
-- Bytes that may come together when the data ends: what waits, and all that segments behind put between.
M.END_MAX = 4096

local DIRECTIONS = { "send", "recv" }

-- Pipes: of each segment but the first, the number it has in either direction.
function M.pipes(plan) return math.max(#plan.send.segments, #plan.recv.segments) end

-- Room for what waits for the segment of that number, in whichever direction.
local function held_of(plan, number)
	local most = 0
	for _, direction in ipairs(DIRECTIONS) do
		local segment = plan[direction].segments[number]
		most = math.max(most, segment and segment.held or 0)
	end
	return most
end

-- Folds whose value came with the data, to be compared.
function M.each_compared(plan, f)
	for k, stage in ipairs(plan.chain.stages) do
		if plan.chain.at[k] ~= "value" then f(stage) end
	end
end

-- The parameters that a caller sets.
function M.params(stage)
	local list = {}
	for _, p in ipairs(stage.params) do
		if not p.given then list[#list + 1] = p end
	end
	return list
end

-- So many words in C. Those of 128 bits are not aligned alike on all machines by themselves.
local function words(bits, name, count)
	return string.format("%s%s %s[%d];", bits == 128 and "_Alignas(16) " or "", isa_table.type(4, bits), name, count)
end

-- The members behind struct ilp_state: { lines, size, align }.
local function members(plan)
	local list = {}
	local function put(size, align, ...) list[#list + 1] = { size = size, align = align, lines = { ... } } end
	for _, stage in ipairs(plan.keyed) do
		local lines, bytes = { "struct {" }, 0
		for _, p in ipairs(M.params(stage)) do
			lines[#lines + 1], bytes = string.format("\tuint8_t %s[%d];", p.name, p.size), bytes + p.size
		end
		lines[#lines + 1] = string.format("} %s_params;", stage.name)
		if bytes > 0 then put(bytes, 1, unpack(lines)) end
		put(stage.state_words * stage.state_bits / 8, stage.state_bits / 8,
			words(stage.state_bits, stage.name .. "_state", stage.state_words))
	end
	for _, stage in ipairs(plan.chain.stages) do
		if stage.kind == "tap" then
			put(16, 1, "struct {", "\tuint8_t sink[16];", string.format("} %s_params;", stage.name))
		end
		if stage.first then put(4, 4, string.format("uint32_t %s_first;", stage.name)) end
		if stage.kind == "stuff" then
			put(stage.run + 2, 1, string.format("uint8_t %s_run[%d];", stage.name, stage.run + 2))
		end
	end
	for _, stage in ipairs(plan.folds) do
		local count, size = #stage.zero, stage.bits / 8
		if stage.join then put(16, 8, string.format("struct ilp_fold %s;", stage.name))
		else put(size * count, size, words(stage.bits, stage.name, count)) end
		if stage.pair or stage.serial then put(16, 8, string.format("uint64_t %s_len[2];", stage.name)) end
	end
	M.each_compared(plan, function(stage)
		put(stage.size, 1, string.format("uint8_t %s_came[%d];", stage.name, stage.size))
	end)
	local held = held_of(plan, 1)
	if held > 0 then put(held, 1, string.format("uint8_t held[%d];", held)) end
	for k = 2, M.pipes(plan) do
		held = math.max(held_of(plan, k), 4)
		put(math.ceil((12 + held) / 8) * 8, 8, "struct {", "\tuint64_t pos;", "\tuint32_t held_len;",
			string.format("\tuint8_t held[%d];", held), string.format("} pipe%d;", k))
	end
	for _, stage in ipairs(plan.streams) do
		put(64 + plan.ahead[stage], 64, "struct {", "\tuint64_t from, to;", "\tuint32_t at;",
			string.format("\t_Alignas(ILP_ALIGN) uint8_t bytes[%d];", plan.ahead[stage]),
			string.format("} %s_ahead; /* keystream: differs by instruction set */", stage.name))
	end
	return list
end

-- What these are called.
function M.member_names(plan)
	local names = {}
	for k, m in ipairs(members(plan)) do names[k] = m.lines[#m.lines]:match("([%w_]+)[%[%]%d]*;") end
	return names
end

-- Bytes of the state, as sizeof has them.
function M.size(plan)
	local at = HEAD
	for _, m in ipairs(members(plan)) do at = math.ceil(at / m.align) * m.align + m.size end
	return math.ceil(at / 64) * 64
end

-- How much comes at once, at most, when segment k ends and what it has goes through those behind it.
local function carried(segments, k)
	local most = segments[k].room
	local n = most
	for j = k + 1, #segments do
		n = n + segments[j].held
		for _, step in ipairs(segments[j].steps) do
			if step.kind == "insert" then n = n + step.stage.size * (math.floor(n / step.stage.every) + 1) end
		end
		most = math.max(most, n)
	end
	return most
end

-- Complains of the chain whose loops would need more than there is.
function M.check(plan)
	local chain = plan.chain
	local function fail(...) chains.fail_stage(chain, chain.stages[#chain.stages].name, ...) end
	for _, direction in ipairs(DIRECTIONS) do
		local segments = plan[direction].segments
		for k, segment in ipairs(segments) do
			if segment.held > HELD_MAX then
				fail("%d bytes may wait for a unit of %d, in which those of all stages are whole, expected %d at most; name stages "
					.. "whose units fit better", segment.held, segment.unit, HELD_MAX)
			end
			if carried(segments, k) > M.END_MAX then
				fail("%d bytes may come when the data ends, expected %d at most; have fewer marks, or shorter ones",
					carried(segments, k), M.END_MAX)
			end
		end
	end
	if M.size(plan) > STATE_MAX then
		fail("the state of this chain has %d bytes, expected %d at most; name fewer stages, or such with less state",
			M.size(plan), STATE_MAX)
	end
end

-- The stages' names as the chain has them, and where values go that go with the data: a pair is one.
function M.stage_names(chain, between)
	local names = {}
	for k, stage in ipairs(chain.stages) do
		if not stage.pair then
			names[#names + 1] = stage.name .. (chain.at[k] ~= "value" and "(" .. chain.at[k] .. ")" or "")
		end
	end
	return table.concat(names, between)
end

-- The header, which declares it.
function M.header(plan)
	local t, name = text.new(), plan.chain.name
	local guard = "ILP_CHAIN_" .. name:upper() .. "_H"
	t:line("/* Generated by ilp/gen from chain %s: do not edit. */", name)
	t:line("#ifndef %s", guard)
	t:line("#define %s", guard)
	t:line("")
	t:line("#include \"ilp/run.h\"")
	t:line("")
	t:line("/* The state of an ADU under way; parameters are set by the caller before begin. */")
	t:open("struct ilp_chain_%s {", name)
	t:line("_Alignas(ILP_ALIGN) struct ilp_state ilp;")
	for _, m in ipairs(members(plan)) do t:append(m.lines) end
	t:close(";")
	t:line("_Static_assert(sizeof(struct ilp_chain_%s) == %d, \"the generator counts otherwise\");", name, M.size(plan))
	t:line("_Static_assert(%d <= ILP_STATE_MAX && %d <= ILP_HELD_MAX, \"the generator allows more\");", STATE_MAX,
		HELD_MAX)
	t:line("")
	t:line("extern const struct ilp_chain ilp_chain_%s; /* %s */", name, M.stage_names(plan.chain, ", "))
	t:line("")
	t:line("#endif")
	return t:string()
end

return M
