-- The prelude of a generated file: types, macros and small functions that its text may use. Only what the text uses
-- is written above it.
local isa_table = require "gen.isa"

local M = {}

local function lanes(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

local function bytes_of(width, f)
	return lanes(width, function(k) return k - k % 4 + f(k % 4) end)
end

-- A macro whose list of numbers is broken into lines.
local function macro(name, body)
	local lines, line = {}, "#define " .. name .. " "
	for part in (body .. " "):gmatch("(.- )") do
		if #line + #part > 114 then
			lines[#lines + 1] = line .. "\\"
			line = "\t"
		end
		line = line .. part
	end
	lines[#lines + 1] = line
	return { name = name:match("^[%w_]+"), text = (table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub(" +$", "")) }
end

local function definitions_of(width)
	local n, bits, list = width / 4, width * 8, {}
	local function put(name, format, ...) list[#list + 1] = macro(name .. bits .. "(x)", string.format(format, ...)) end
	local function vector(name, type)
		list[#list + 1] = { name = name .. bits, text = string.format("typedef %s %s%d __attribute__((vector_size(%d)));",
			type, name, bits, width) }
	end
	vector("v", "uint32_t")
	vector("d", "uint64_t")
	vector("b", "uint8_t")
	list[#list + 1] = macro("COUNT_v" .. bits, string.format("((v%d){ %s })", bits, lanes(n, function(k) return k end)))
	list[#list + 1] = macro("BYTES_v" .. bits .. "(x, ...)", string.format(
		"((v%d)__builtin_shufflevector((b%d)(x), (b%d)(x), __VA_ARGS__))", bits, bits, bits))
	put("SWAP_v", "BYTES_v%d(x, %s)", bits, bytes_of(width, function(k) return 3 - k end))
	-- Rotations by whole bytes, for a machine with least significant byte first (isa.lua: rotl_by_bytes).
	for _, by in ipairs { 8, 16, 24 } do
		put("ROTL" .. by .. "_v", "BYTES_v%d(x, %s)", bits, bytes_of(width, function(k) return (k - by / 8) % 4 end))
	end
	local done = {}
	for _, level in ipairs(isa_table.shuffles(width)) do
		for side = 1, 2 do
			local name = level.names[side]
			if not done[name] then
				list[#list + 1] = macro(name .. "_v" .. bits .. "(a, b)",
					string.format("__builtin_shufflevector(a, b, %s)", lanes(n, function(k)
						local from = level.lane[side](k)
						return from[1] * n + from[2]
					end)))
			end
			done[name] = true
		end
	end
	return list
end

local function define(text) return { name = text:match("^#define ([%w_]+)"), text = text } end
local function by_order(name, little, big)
	return { name = name:match("^[%w_]+"), text = table.concat({
		"#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__",
		"#define " .. name .. " " .. little,
		"#else",
		"#define " .. name .. " " .. big,
		"#endif",
	}, "\n") }
end

local LAST = [[
/* The last n bytes, 1 to 3, as a word that zeros fill. */
static inline uint32_t load_last(const uint8_t *p, size_t n)
{
	const uint8_t b[4] = { p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0 };
	return LOAD(uint32_t, b);
}
]]
local STORE_LAST = [[
static inline void store_last(uint8_t *p, uint32_t x, size_t n)
{
	uint8_t b[4];
	STORE(b, x);
	p[0] = b[0];
	if (n > 1)
		p[1] = b[1];
	if (n > 2)
		p[2] = b[2];
}
]]
local COPY = [[
/* The library's memcpy, whatever is known of n: gcc makes a slow loop of its own where it sees a bound. */
static inline void copy_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
	__asm__("" : "+r"(n));
	__builtin_memcpy(dst, src, n);
}
]]

-- In an order in which each uses only earlier ones.
local function definitions()
	local list = {
		define "#define LOAD(T, p) __extension__({ T loaded_; __builtin_memcpy(&loaded_, (p), sizeof loaded_); loaded_; })",
		define "#define STORE(p, x) __builtin_memcpy((p), &(x), sizeof(x))",
		define "#define SPLAT(T, x) ((T){0} + (x))",
		define "#define ROTL(x, n) (((x) << (n)) | ((x) >> (32 - (n))))",
		define "#define ROTL64(x, n) (((x) << (n)) | ((x) >> (64 - (n))))",
		define "#define COUNT_uint32_t 0u",
		define "#define SWAP_uint32_t(x) __builtin_bswap32(x)",
		by_order("BIG(T, x)", "SWAP_##T(x)", "(x)"),
		by_order("LITTLE(T, x)", "(x)", "SWAP_##T(x)"),
	}
	local function append(more)
		for _, d in ipairs(more) do list[#list + 1] = d end
	end
	local widths, seen = {}, { [4] = true }
	for _, isa in ipairs(isa_table.list) do
		for _, width in ipairs(isa.widths) do
			if not seen[width] then widths[#widths + 1] = width end
			seen[width] = true
		end
	end
	table.sort(widths)
	for _, width in ipairs(widths) do append(definitions_of(width)) end
	for _, isa in ipairs(isa_table.list) do
		if isa.target then
			append { define(string.format("#define %s __attribute__((target(\"%s\")))", isa.name:upper(), isa.target)) }
		end
	end
	append { { name = "load_last", text = LAST }, { name = "store_last", text = STORE_LAST },
		{ name = "copy_bytes", text = COPY } }
	return list
end

-- The definitions that the text uses, as text.
function M.of(text)
	local used, wanted = {}, {}
	local function want(t)
		for word in t:gmatch("[%a_][%w_]*") do wanted[word] = true end
		-- BIG(T, x) becomes SWAP_T(x), and so do the others: T is not known here.
		for op, T in t:gmatch("([A-Z]+)%(([%w_]+), ") do
			if op == "BIG" or op == "LITTLE" then wanted["SWAP_" .. T] = true end
		end
	end
	want(text)
	local list = definitions()
	for k = #list, 1, -1 do
		if wanted[list[k].name] then
			table.insert(used, 1, list[k].text)
			want(list[k].text)
		end
	end
	return table.concat(used, "\n") .. "\n"
end

return M
