-- The instruction sets that loops are made for, as data: another one is another entry here, plus a lowering below
-- where the compilers need help. Widths are in bytes; a width of 4 is a plain uint32_t.
--
--	widths   of the vectors that a loop uses, widest first; a loop works down from the first
--	kernels  widths at which streams make blocks, one block in each lane
--	unroll   vectors a turn of the main loop
--	sums     accumulators a fold has in the main loop, so that additions do not wait for each other
--	guard    preprocessor condition under which the compiler knows it
local M = {}

M.list = {
	{ name = "scalar", enum = "ILP_SCALAR", widths = { 4 }, kernels = { 4 }, unroll = 4, sums = 2, registers = 15 },
	{ name = "avx2", enum = "ILP_AVX2", widths = { 32, 16, 4 }, kernels = { 32, 4 }, unroll = 4, sums = 2, registers = 16,
		guard = "defined(__x86_64__)", target = "avx2", rotl_by_bytes = true },
	{ name = "avx512", enum = "ILP_AVX512", widths = { 64, 32, 16, 4 }, kernels = { 64, 32, 4 }, unroll = 4, sums = 2,
		registers = 32, guard = "defined(__x86_64__)", target = "avx512f,avx512bw,avx512vl" },
}

-- The C type of a vector of 32-bit words, and of the same width in 64-bit words.
function M.word(width) return width == 4 and "uint32_t" or "v" .. width * 8 end
function M.double(width) return width == 4 and "uint64_t" or "d" .. width * 8 end

-- What stands before a function of that instruction set.
function M.attribute(isa) return isa.target and string.upper(isa.name) .. " " or "" end

local function lanes(n, f)
	local list = {}
	for k = 0, n - 1 do list[k + 1] = tostring(f(k)) end
	return table.concat(list, ", ")
end

local function bytes_of(width, f)
	return lanes(width, function(k) return k - k % 4 + f(k % 4) end)
end

-- The two-operand shuffles by which blocks are brought from lanes into memory's order, with the distance of the
-- vectors that they join. Each gives lane k of its result as { operand, lane }.
local function interleave(size) -- within 16 bytes: the low, or high, groups of size words by turns
	return function(high)
		return function(k)
			local quarter, place = k - k % 4, k % 4
			local group = math.floor(place / size)
			local from = (high and 2 or 0) + (size == 1 and math.floor(group / 2) or 0)
			return { group % 2, quarter + from + place % size }
		end
	end
end
local function pick(n) -- whole 16 bytes: the even, or odd, ones of both
	return function(odd)
		return function(k)
			local quarter, half = math.floor(k / 4), n / 8
			local operand = quarter >= half and 1 or 0
			return { operand, ((quarter - operand * half) * 2 + (odd and 1 or 0)) * 4 + k % 4 }
		end
	end
end

function M.shuffles(width)
	local n, levels = width / 4, {}
	if n == 1 then return levels end
	local function level(distance, a, b, make)
		table.insert(levels, { distance = distance, names = { a, b }, lane = { make(false), make(true) } })
	end
	level(1, "LO32", "HI32", interleave(1))
	level(2, "LO64", "HI64", interleave(2))
	local distance = 4
	while distance < n do
		level(distance, "EVEN128", "ODD128", pick(n))
		distance = distance * 2
	end
	return levels
end

-- Types and macros for vectors of that width.
local function emit_width(t, width)
	local n, bits = width / 4, width * 8
	t:line("typedef uint32_t v%d __attribute__((vector_size(%d)));", bits, width)
	t:line("typedef uint64_t d%d __attribute__((vector_size(%d)));", bits, width)
	t:line("typedef uint8_t b%d __attribute__((vector_size(%d)));", bits, width)
	t:line("#define COUNT_v%d ((v%d){ %s })", bits, bits, lanes(n, function(k) return k end))
	t:line("#define SHUFFLE_v%d(x, ...) ((v%d)__builtin_shufflevector((b%d)(x), (b%d)(x), __VA_ARGS__))", bits, bits, bits, bits)
	t:line("#define SWAP_v%d(x) SHUFFLE_v%d(x, %s)", bits, bits, bytes_of(width, function(k) return 3 - k end))
	for _, by in ipairs { 8, 16, 24 } do
		t:line("#define ROTL%d_v%d(x) BYTE_ORDERED(SHUFFLE_v%d(x, %s), \\", by, bits, bits,
			bytes_of(width, function(k) return (k - by / 8) % 4 end))
		t:line("\tSHUFFLE_v%d(x, %s))", bits, bytes_of(width, function(k) return (k + by / 8) % 4 end))
	end
	local done = {}
	for _, level in ipairs(M.shuffles(width)) do
		for side = 1, 2 do
			local name = level.names[side]
			if not done[name] then
				t:line("#define %s_v%d(a, b) __builtin_shufflevector(a, b, %s)", name, bits, lanes(n, function(k)
					local from = level.lane[side](k)
					return from[1] * n + from[2]
				end))
			end
			done[name] = true
		end
	end
	t:line("")
end

local PRELUDE = [[
#define LOAD(T, p) __extension__({ T loaded_; __builtin_memcpy(&loaded_, (p), sizeof loaded_); loaded_; })
#define STORE(p, x) __builtin_memcpy((p), &(x), sizeof(x))
#define SPLAT(T, x) ((T){0} + (x))
#define ROTL(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BIG(T, x) SWAP_##T(x)
#define LITTLE(T, x) (x)
#define BYTE_ORDERED(little, big) little
#else
#define BIG(T, x) (x)
#define LITTLE(T, x) SWAP_##T(x)
#define BYTE_ORDERED(little, big) big
#endif
#define COUNT_uint32_t 0u
#define SWAP_uint32_t(x) __builtin_bswap32(x)
]]

-- All widths that the given instruction sets use, each once, and the macros that mark their functions.
function M.emit(t, isas)
	for text in PRELUDE:gmatch("(.-)\n") do t:raw(text) end
	t:line("")
	local done = { [4] = true }
	for _, isa in ipairs(isas) do
		for k = #isa.widths, 1, -1 do
			local width = isa.widths[k]
			if not done[width] then emit_width(t, width) end
			done[width] = true
		end
	end
	for _, isa in ipairs(isas) do
		if isa.target then
			t:line("#define %s __attribute__((target(\"%s\")))", M.attribute(isa):sub(1, -2), isa.target)
		end
	end
	t:line("")
end

return M
