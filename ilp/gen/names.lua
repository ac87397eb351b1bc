-- Names of stages and parameters become identifiers in the C that is written, beside the emitter's own words: which of
-- them cannot be had, and which would meet each other.
local sandbox = require "gen.sandbox"
local describe = require "gen.describe"
local isa_table = require "gen.isa"

local M = {}

local function set(text)
	local words = {}
	for word in text:gmatch("%S+") do words[word] = true end
	return words
end

local WORDS = set [[
	asm auto break case char const continue default do double else enum extern float for goto if inline int long
	register restrict return short signed sizeof static struct switch typedef typeof union unsigned void volatile while
	alignas alignof bool complex constexpr false imaginary noreturn nullptr thread_local true linux unix

	uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t size_t ssize_t ptrdiff_t wchar_t max_align_t
	intmax_t uintmax_t intptr_t uintptr_t offsetof

	acc at begin block chain copy_bytes done dst end half held held_len ilp ks lack len len_a load_last loaded_ loop
	made main name need params pos recv rest run schedule scratch send skip src stages state state_size store_last
	sum take target tmp to turn unit used value want whole always_inline noinline vector_size define defined endif
	ifndef include
]]
-- One letter and digits: parameters, data, vectors' types. Then temporaries, and what ilp/run.h declares.
local PATTERNS = { "^%l%d*$", "^[mx]%d+_", "^ilp_" }

-- What chain files may not be called: the table of chains, and headers that others would no longer find.
local HEADERS = set [[
	assert check complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
	stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
]]

function M.is_word(name) return WORDS[name] or false end

-- Whether a stage cannot have that name.
function M.taken(name)
	for _, pattern in ipairs(PATTERNS) do
		if name:match(pattern) then return true end
	end
	return M.is_word(name)
end

local function check_words(chain)
	if chain.name == "chains" or HEADERS[chain.name] then
		sandbox.fail(chain.file, chain.line("name"), "name is %q, expected none of a file that is something else "
			.. "(chains.c, a header of C); rename the chain", chain.name)
	end
	for _, stage in ipairs(chain.stages) do
		if M.taken(stage.name) then
			sandbox.fail(stage.file, stage.line("name"), "name is %q, expected a name that means nothing in the C that is "
				.. "written (ilp/gen/names.lua); rename the stage", stage.name)
		end
		for _, p in ipairs(stage.params or {}) do
			if M.is_word(p.name) then
				sandbox.fail(stage.file, stage.line("params"), "parameter '%s' is a word of the C that is written, "
					.. "expected another (ilp/gen/names.lua); rename it", p.name)
			end
		end
	end
end

local function fold_names(stage, put)
	for _, what in ipairs { "step", "merge", "finish", "join", "nothing", "count" } do put(stage.name .. "_" .. what) end
	for _, isa in ipairs(isa_table.list) do
		for k = 0, isa.sums - 1 do
			put(stage.name .. "_" .. k)
			put(stage.name .. "_upper_" .. k)
		end
	end
end

local function stream_names(stage, put)
	put(stage.name .. "_state")
	for _, isa in ipairs(isa_table.list) do
		put(stage.name .. "_ahead_" .. isa.name)
		for _, width in ipairs(isa.kernels) do
			put(stage.name .. "_kernel" .. width * 8 .. "_" .. isa.name)
			put(stage.name .. "_blocks" .. width * 8 .. "_" .. isa.name)
		end
	end
end

-- Calls put(identifier, owner) for what a direction defines, owner being what it is made of.
local function direction_names(plan, direction, put)
	put(direction .. "_end", direction)
	for _, isa in ipairs(isa_table.list) do
		for _, schedule in ipairs { "layered", "tiled", "partial", "fused" } do
			put(direction .. "_" .. schedule .. "_" .. isa.name, direction)
			put(direction .. "_" .. schedule .. "_" .. isa.name .. "_loop", direction)
		end
		for _, list in ipairs { "layered", "fused" } do
			for _, loop in ipairs(plan[direction][list]) do
				local made_of = {}
				for k, step in ipairs(loop.steps) do
					made_of[k] = step.stage.name .. (step.name ~= step.stage.name and "'s inverse" or "")
				end
				for _, suffix in ipairs { "", "_near", "_wide" } do
					put(loop.name .. "_" .. isa.name .. suffix, "the loop of " .. table.concat(made_of, ", "))
				end
			end
		end
	end
end

-- Complains about names of the chain and its stages with which the C would not be right.
function M.check(plan)
	local owners = {}
	local function put(identifier, owner)
		local other = owners[identifier]
		if other and other ~= owner then
			describe.fail_stage(plan.chain, plan.chain.stages[1].name, "%s and %s would both be '%s' in C, "
				.. "expected names that differ; rename a stage", other, owner, identifier)
		end
		owners[identifier] = owner
	end
	check_words(plan.chain)
	for _, stage in ipairs(plan.chain.stages) do
		local function of(identifier) put(identifier, "stage " .. stage.name) end
		if stage.kind ~= "map" then of(stage.name) end
		if stage.kind == "fold" then fold_names(stage, of) end
		if stage.kind == "stream" then stream_names(stage, of) end
	end
	for _, direction in ipairs { "send", "recv" } do direction_names(plan, direction, put) end
end

return M
