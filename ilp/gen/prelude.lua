-- The prelude of a generated file: types, macros and small functions that its text may use. Only what the text uses
-- is written above it.
local isa_table = require "gen.isa"

local M = {}

local function lanes(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

-- Bytes of a vector in another order within words of size bytes.
local function bytes_of(width, size, f)
	return lanes(width, function(k) return k - k % size + f(k % size) end)
end

-- A definition whose list of numbers is broken into lines.
local function broken(line, body)
	local lines = {}
	for part in (body .. " "):gmatch("(.- )") do
		if #line + #part > 114 then
			lines[#lines + 1] = line .. "\\"
			line = "\t"
		end
		line = line .. part
	end
	lines[#lines + 1] = line
	return (table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub(" +$", ""))
end

-- A macro of what body() makes: there are many of which few are used, so that their texts are functions.
local function macro(name, body)
	return { name = name:match("^[%w_]+"), text = function() return broken("#define " .. name .. " ", body()) end }
end

local function text_of(definition)
	return type(definition.text) == "function" and definition.text() or definition.text
end

local function if_little(little, big)
	return table.concat({ "#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__", little, "#else", big, "#endif" }, "\n")
end

local CTYPE = { b = "uint8_t", h = "uint16_t", v = "uint32_t", d = "uint64_t" }
local SIZE = { b = 1, h = 2, v = 4, d = 8 }
local LETTERS = { "b", "h", "v", "d" }

-- What is alike for words of all sizes.
local function definitions_of_words(width, put)
	local bits = width * 8
	for _, letter in ipairs(LETTERS) do
		local T, size = letter .. bits, SIZE[letter]
		local n = width / size
		put { name = T, text = string.format("typedef %s %s __attribute__((vector_size(%d)));", CTYPE[letter], T, width) }
		put(macro("COUNT_" .. T, function()
			return string.format("((%s){ %s })", T, lanes(n, function(k) return k end))
		end))
		put(macro(string.format("BYTES_%s(x, ...)", T), function()
			return string.format("((%s)__builtin_shufflevector((b%d)(x), (b%d)(x), __VA_ARGS__))", T, bits, bits)
		end))
		if size > 1 then
			put(macro(string.format("SWAP_%s(x)", T), function()
				return string.format("BYTES_%s(x, %s)", T, bytes_of(width, size, function(k) return size - 1 - k end))
			end))
		end
		-- The words of two vectors by turns: those at even places, at odd ones, and back.
		local function two(name, f)
			put(macro(string.format("%s_%s(x, y)", name, T), function()
				return string.format("__builtin_shufflevector(x, y, %s)", lanes(n, f))
			end))
		end
		two("EVEN", function(k) return 2 * k end)
		two("ODD", function(k) return 2 * k + 1 end)
		two("ZIPLOW", function(k) return (k % 2) * n + math.floor(k / 2) end)
		two("ZIPHIGH", function(k) return (k % 2) * n + n / 2 + math.floor(k / 2) end)
		-- The halves of a vector.
		if width > 16 then
			for half, name in ipairs { "LOW", "HIGH" } do
				put(macro(string.format("%s_%s(x)", name, T), function()
					local first = (half - 1) * n / 2
					return string.format("__builtin_shufflevector(x, x, %s)", lanes(n / 2, function(k) return first + k end))
				end))
			end
		end
	end
end

local function definitions_of(width)
	local n, bits, list, done = width / 4, width * 8, {}, {}
	local function put(d) list[#list + 1] = d end
	definitions_of_words(width, put)
	put(macro(string.format("SWAP_q%d(x)", bits), function()
		return string.format("BYTES_d%d(x, %s)", bits, bytes_of(width, 16, function(k) return 15 - k end))
	end))
	put(macro(string.format("SWAP32_q%d(x)", bits), function()
		return string.format("BYTES_d%d(x, %s)", bits, bytes_of(width, 4, function(k) return 3 - k end))
	end))
	-- Rotations by whole bytes.
	for _, by in ipairs { 8, 16, 24 } do
		local name = string.format("ROTL%d_v%d", by, bits)
		local bytes = macro(name .. "(x)", function()
			return string.format("BYTES_v%d(x, %s)", bits, bytes_of(width, 4, function(k) return (k - by / 8) % 4 end))
		end)
		-- The one machine of the other order rotates by an instruction, and wider vectors are of x86 alone.
		put(width > 16 and bytes or { name = name,
			text = if_little(text_of(bytes), string.format("#define %s(x) ROTL(x, %d)", name, by)) })
	end
	for _, level in ipairs(isa_table.shuffles(width)) do
		for side = 1, 2 do
			local name = level.names[side]
			if not done[name] then
				put(macro(string.format("%s_v%d(x, y)", name, bits), function()
					return string.format("__builtin_shufflevector(x, y, %s)", lanes(n, level.lane[side]))
				end))
			end
			done[name] = true
		end
	end
	return list
end

local function define(text) return { name = text:match("^#define ([%w_]+)"), text = text } end
local function by_order(name, little, big)
	return { name = name:match("^[%w_]+"),
		text = if_little("#define " .. name .. " " .. little, "#define " .. name .. " " .. big) }
end

local LAST = [[
/* The first n bytes at p, fewer than those of T, as a word that zeros fill; and back. */
#define LOAD_LAST(T, p, n) \
	__extension__({ T last_ = {0}; for (size_t l_ = 0; l_ < (n); l_++) ((uint8_t *)&last_)[l_] = (p)[l_]; last_; })
]]
local STORE_LAST = [[
#define STORE_LAST(p, x, n) \
	do { for (size_t l_ = 0; l_ < (n); l_++) (p)[l_] = ((const uint8_t *)&(x))[l_]; } while (0)
]]
local FIRST_BYTES = [[
/* A word of which n bytes are ones, the first that memory holds. */
#define FIRST_BYTES(T, n) \
	__extension__({ T ones_ = {0}; for (size_t l_ = 0; l_ < (n) && l_ < sizeof(T); l_++) \
		((uint8_t *)&ones_)[l_] = 0xff; ones_; })
]]
local COPY = [[
/* The library's memcpy, whatever is known of n: gcc makes a slow loop of its own where it sees a bound. */
static inline __attribute__((unused)) void copy_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
	__asm__("" : "+r"(n));
	__builtin_memcpy(dst, src, n);
}
]]
local MUL32 = [[
#if defined(__x86_64__)
#define MUL32_d128(x, y) ((d128)_mm_mul_epu32((__m128i)(x), (__m128i)(y)))
#elif defined(__aarch64__)
#define MUL32_d128(x, y) ((d128)vmull_u32(vmovn_u64((uint64x2_t)(x)), vmovn_u64((uint64x2_t)(y))))
#elif defined(__s390x__)
#define MUL32_d128(x, y) ((d128)__builtin_s390_vmlof((v128)(x), (v128)(y)))
#endif]]
-- Of a vector without an instruction for it.
local SHIFTS = [[
static inline __attribute__((unused)) h128 SWAP_SHIFTS_h128(h128 x)
{
	return x << 8 | x >> 8;
}
static inline __attribute__((unused)) v128 SWAP_SHIFTS_v128(v128 x)
{
	const h128 y = SWAP_SHIFTS_h128((h128)x);
	return (v128)y << 16 | (v128)y >> 16;
}
static inline __attribute__((unused)) d128 SWAP_SHIFTS_d128(d128 x)
{
	const v128 y = SWAP_SHIFTS_v128((v128)x);
	return (d128)y << 32 | (d128)y >> 32;
}
]]

-- As ilp_wipe_stack() of run.h, in that instruction set's widest stores: one is called at the end of every keyed loop,
-- the other of every ADU.
local function wipes(isa)
	local V = isa_table.type(isa.widths[1] or 8, #isa.widths > 0 and 32 or 64)
	local lines = { isa.guard and "#if " .. isa.guard }
	local function wipe(name, room)
		lines[#lines + 1] = table.concat({
			isa_table.attribute(isa) .. "static __attribute__((noinline, unused)) void " .. name .. isa.name .. "(void)",
			"{",
			"\t" .. V .. " below[" .. room .. " / sizeof(" .. V .. ")];",
			-- One by one: the instruction that compilers take for all takes long to begin.
			"\tfor (size_t i = 0; i < " .. room .. " / sizeof(" .. V .. "); i++) {",
			"\t\tbelow[i] = (" .. V .. "){ 0 };",
			"\t\t__asm__ volatile(\"\" : : \"r\"(below) : \"memory\");",
			"\t}",
			"}",
		}, "\n")
	end
	wipe("wipe_stack_", "ILP_STACK")
	wipe("wipe_once_", "ILP_STACK_" .. isa.name:upper())
	wipe("wipe_few_", "ILP_FEW_" .. isa.name:upper())
	lines[#lines + 1] = isa.guard and "#endif"
	return { name = "wipe_stack_" .. isa.name, row = isa, secret = true, text = table.concat(lines, "\n") }
end

-- Where two chains of operations go side by side in few registers, gcc is to look for an order before it gives
-- registers away, as it does by itself on other machines: 64 KiB of ChaCha20-Poly1305 by AVX2 take 0.94 of the time.
-- gcc's manual keeps the attribute for debugging: `tcpu bench chacha20_poly1305_copy` tells whether it still does that.
local MIXED = [[
#if defined(__x86_64__) && !defined(__clang__)
#define MIXED __attribute__((optimize("schedule-insns", "sched-pressure")))
#else
#define MIXED
#endif]]

-- In an order in which each uses only earlier ones.
local made
local function definitions()
	if made then return made end
	local list = {
		{ name = "MIXED", text = MIXED },
		define "#define LOAD(T, p) __extension__({ T loaded_; __builtin_memcpy(&loaded_, (p), sizeof loaded_); loaded_; })",
		define "#define STORE(p, x) __builtin_memcpy((p), &(x), sizeof(x))",
		define "#define LOAD_DATA(T, p) LOAD(T, p)",
		define "#define STORE_DATA(p, x) STORE(p, x)",
		define "#define SPLAT(T, x) ((T){0} + (x))",
		define "#define ROTL8(x, n) (((x) << (n)) | ((x) >> (8 - (n))))",
		define "#define ROTL16(x, n) (((x) << (n)) | ((x) >> (16 - (n))))",
		define "#define ROTL(x, n) (((x) << (n)) | ((x) >> (32 - (n))))",
		define "#define ROTL64(x, n) (((x) << (n)) | ((x) >> (64 - (n))))",
		define "#define MUL32_uint64_t(x, y) ((uint64_t)(uint32_t)(x) * (uint32_t)(y))",
		define "#define SWAP_uint16_t(x) __builtin_bswap16(x)",
		define "#define SWAP_uint32_t(x) __builtin_bswap32(x)",
		define "#define SWAP_uint64_t(x) __builtin_bswap64(x)",
		by_order("BY_ORDER(big, little)", "(little)", "(big)"),
		by_order("BIG(T, x)", "SWAP_##T(x)", "(x)"),
		by_order("LITTLE(T, x)", "(x)", "SWAP_##T(x)"),
		by_order("BIG_SHIFTS(T, x)", "SWAP_SHIFTS_##T(x)", "(x)"),
		by_order("LITTLE_SHIFTS(T, x)", "(x)", "SWAP_SHIFTS_##T(x)"),
		-- The words of 32 bits of a vector of 64-bit lanes: those that stand first in memory, and second.
		by_order("FIRST(T, x)", "((T)(x) & 0xffffffffull)", "((T)(x) >> 32)"),
		by_order("SECOND(T, x)", "((T)(x) >> 32)", "((T)(x) & 0xffffffffull)"),
	}
	local function append(more)
		for _, d in ipairs(more) do list[#list + 1] = d end
	end
	for _, width in ipairs { 16, 32, 64 } do append(definitions_of(width)) end
	append { { name = "SWAP_SHIFTS", text = SHIFTS }, { name = "MUL32_d128", text = MUL32 },
		define "#define MUL32_d256(x, y) ((d256)_mm256_mul_epu32((__m256i)(x), (__m256i)(y)))",
		define "#define MUL32_d512(x, y) ((d512)_mm512_mul_epu32((__m512i)(x), (__m512i)(y)))" }
	for _, isa in ipairs(isa_table.list) do
		if isa.target then
			append { define(string.format("#define %s __attribute__((target(\"%s\")))", isa.name:upper(), isa.target)) }
		end
		for _, width in ipairs(isa.widths) do
			local store = isa.stores and isa.stores[width]
			if store then append { define(string.format("#define STREAM_%s%d(p, x) %s", isa.name, width, store)) } end
		end
	end
	for _, isa in ipairs(isa_table.list) do
		append { wipes(isa) }
	end
	append { { name = "LOAD_LAST", text = LAST }, { name = "STORE_LAST", text = STORE_LAST },
		define "#define LOAD_DATA_LAST(T, p, n) LOAD_LAST(T, p, n)",
		define "#define STORE_DATA_LAST(p, x, n) STORE_LAST(p, x, n)",
		{ name = "FIRST_BYTES", text = FIRST_BYTES }, { name = "copy_bytes", text = COPY } }
	made = list
	return list
end

-- Data is what a loop is handed in src and gives in dst, marks of a frame among it; keystream, the state of folds,
-- bytes that wait for more, and copies of marks on the stack are none. What follows counts the bytes of data that are
-- loaded and stored: `tcpu explain` runs a chain that is made so. (It is another text and no -D, so that what
-- everybody reads has none of it.)
local COUNTERS = "uint64_t ilp_counted[2]; /* bytes of data loaded, and stored */\n"
local function counting(list)
	local function count(k, n) return string.format("ilp_counted[%d] += %s", k, n) end
	local as = {
		LOAD_DATA = "#define LOAD_DATA(T, p) (" .. count(0, "sizeof(T)") .. ", LOAD(T, p))",
		STORE_DATA = "#define STORE_DATA(p, x) (" .. count(1, "sizeof(x)") .. ", STORE(p, x))",
		LOAD_DATA_LAST = "#define LOAD_DATA_LAST(T, p, n) (" .. count(0, "(n)") .. ", LOAD_LAST(T, p, n))",
		STORE_DATA_LAST = "#define STORE_DATA_LAST(p, x, n) do { " .. count(1, "(n)") .. "; STORE_LAST(p, x, n); } while (0)",
		copy_bytes = COPY:gsub("{\n", "{\n\t" .. count(0, "n") .. ", " .. count(1, "n") .. ";\n", 1),
	}
	local counted = {}
	for k, d in ipairs(list) do
		local text = as[d.name] or d.name:match("^STREAM_") and d.text:gsub("^(#define %S+ %S+) (.*)$", function(head, store)
			return string.format("%s (%s, %s)", head, count(1, "sizeof(x)"), store)
		end) or text_of(d)
		counted[k] = { name = d.name, row = d.row, text = text }
	end
	return counted
end

-- Macros that are written beside others' text, by names made up there: use() is told of them.
local used
function M.begin()
	used = { LOAD = true, STORE = true, LOAD_LAST = true, STORE_LAST = true, LOAD_DATA = true, STORE_DATA = true,
		LOAD_DATA_LAST = true, STORE_DATA_LAST = true }
end
function M.use(format, ...)
	local name = select("#", ...) > 0 and string.format(format, ...) or format
	used[name] = true
	return name
end

-- The definitions that are used by what has been written to t since begin(), as text. What is not a capital's word is
-- always there: vectors' types, and functions that need not be used. rows: the instruction sets that there are loops
-- for, and whether there are secrets. counted: definitions that count loads and stores.
function M.of(t, rows, counted)
	local list, kept = counted and counting(definitions()) or definitions(), {}
	local function want(text)
		for word in text:gmatch("%u%u[%w_]*") do used[word] = true end
	end
	for format in pairs(t.formats) do want(format) end
	for k = #list, 1, -1 do
		local wanted = used[list[k].name] or not list[k].name:match("^%u%u")
		if wanted and (not list[k].row or rows[list[k].row] and rows.secret) then
			local text = text_of(list[k])
			table.insert(kept, 1, text)
			want(text)
		end
	end
	return (counted and COUNTERS or "") .. table.concat(kept, "\n") .. "\n"
end

return M
