-- Names of stages and parameters become identifiers in the C that is written, beside the emitter's own words: which of
-- them cannot be had, and which would meet each other.
local sandbox = require "gen.sandbox"
local chains = require "gen.chains"
local schedule = require "gen.schedule"
local state = require "gen.state"

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

	abi acc all arm_neon at bad begin below block chain copy_bytes done dst elif end fill from growth half held
	compiler held_len here ilp immintrin inplace keeps keyed last lead len len_a loop made main mark more name need
	other out pad params pos ready recv rest room run schedule scratch send src stages state state_size strip sum take
	taken target tile tmp to turn union unit unused used value values want way_count ways whole work wrong always_inline
	noinline vector_size define defined endif ifndef include
	ahead ahead_at bytes have half least next now piece pieces row skip with with_len
]]
-- One letter and digits: parameters, data, vectors' types. Then temporaries, and what ilp/run.h declares.
local PATTERNS = { "^%l%l?%d*$", "^[mx]%d+_", "^ilp_", "^list_%d", "^ks_", "^have_", "^growth_", "^send_", "^recv_",
	"^begin_", "^pipe%d", "^mid%d", "^piece%d", "^load", "^q%d+_", "^ones_", "^last_", "^l_$", "^wipe_", "^cleared_",
	"^loop_", "^low%d", "^high%d", "^once", "^associate", "^expand" }

-- What chain files may not be called: the table of chains, and headers that others would no longer find.
local HEADERS = set [[
	assert check complex ctype errno features fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
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
	if chain.name == "chains" or HEADERS[chain.name] or chain.name:match("intrin$") then
		sandbox.fail(chain.file, chain.line("name"), "name is %q, expected none of a file that is something else "
			.. "(chains.c, a header of C); rename the chain", chain.name)
	end
	for _, stage in ipairs(chain.stages) do
		if M.taken(stage.name) then
			sandbox.fail(stage.file, stage.line("name"), "name is %q, expected a name that means nothing in the C that is "
				.. "written (ilp/gen/names.lua); rename the stage", stage.name)
		end
		if stage.name == "copy" and not stage.moves then
			sandbox.fail(stage.file, stage.line("name"), "name is \"copy\", which is that of moving the data where no stage "
				.. "does, expected moves = true; rename the stage")
		end
		for _, p in ipairs(stage.params or {}) do
			if M.is_word(p.name) then
				sandbox.fail(stage.file, stage.line("params"), "parameter '%s' is a word of the C that is written, "
					.. "expected another (ilp/gen/names.lua); rename it", p.name)
			end
		end
	end
end

-- Loops go by the names of their steps: no two that differ may have one.
local function check_loops(plan)
	local seen = {}
	for _, direction in ipairs { "send", "recv" } do
		for _, s in ipairs(schedule.list(plan[direction])) do
			for _, loop in ipairs(s.loops) do
				local parts = {}
				for k, step in ipairs(loop.does) do
					parts[k] = step.stage.name .. (step.graph and step.graph ~= step.stage.apply and "'s inverse" or "")
				end
				local made = table.concat(parts, ", ")
				if (seen[loop.name] or made) ~= made then
					chains.fail_stage(plan.chain, plan.chain.stages[1].name, "the loops of %s and of %s would both be '%s' in C, "
						.. "expected names that differ; rename a stage", seen[loop.name], made, loop.name)
				end
				seen[loop.name] = made
			end
		end
	end
end

-- Complains about names of the chain and its stages with which the C would not be right; heads: those of its functions.
function M.check(plan, heads)
	check_words(plan.chain)
	check_loops(plan)
	local function differ(names)
		local seen = {}
		for _, name in ipairs(names) do
			if seen[name] then
				chains.fail_stage(plan.chain, plan.chain.stages[1].name, "two things would both be '%s' in C, expected "
					.. "names that differ; rename a stage", name)
			end
			seen[name] = true
		end
	end
	local functions = {}
	for k, head in ipairs(heads) do
		functions[k] = head:reverse():match("%(([%w_]+)"):reverse() -- before the last (
	end
	differ(functions)
	differ(state.member_names(plan))
end

return M
