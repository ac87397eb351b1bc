-- The instruction sets that loops are made for, as data: another one is another entry here, plus a lowering in
-- expression.lua where the compilers need help. Widths are in bytes.
--
--	widths    of the vectors that a loop uses, widest first; a loop works down from the first. What is left is done
--	          piece by piece in plain C, as is all of it where there are none
--	unroll    vectors a turn of the main loop
--	sums      accumulators that a fold has in the main loop, so that steps do not wait for each other
--	bytes     bytes of a vector can be put in another order by one instruction
--	stores    of which widths there are stores that go by the caches (the C of it, by width)
--	crypto    it has AES and products without carries
--	sha       it has SHA-256
--	guard     preprocessor condition under which the compiler knows it
local M = {}

M.list = {
	{ name = "scalar", widths = {}, unroll = 4, sums = 2, registers = 15 },
	{ name = "sse2", widths = { 16 }, unroll = 4, sums = 2, registers = 16, guard = "defined(__x86_64__)",
		target = "sse2", stores = { [16] = "_mm_stream_si128((__m128i *)(p), (__m128i)(x))" } },
	{ name = "ssse3", widths = { 16 }, unroll = 4, sums = 2, registers = 16, guard = "defined(__x86_64__)",
		target = "ssse3", bytes = true, stores = { [16] = "_mm_stream_si128((__m128i *)(p), (__m128i)(x))" } },
	{ name = "aesni", widths = { 16 }, unroll = 4, sums = 2, registers = 16, guard = "defined(__x86_64__)",
		target = "ssse3,sse4.1,aes,pclmul", bytes = true, crypto = true,
		stores = { [16] = "_mm_stream_si128((__m128i *)(p), (__m128i)(x))" } },
	{ name = "avx2", widths = { 32, 16 }, unroll = 4, sums = 2, registers = 16, guard = "defined(__x86_64__)",
		target = "avx2", bytes = true, stores = { [32] = "_mm256_stream_si256((__m256i *)(p), (__m256i)(x))" } },
	{ name = "vaes", widths = { 32, 16 }, unroll = 4, sums = 2, registers = 16, guard = "defined(__x86_64__)",
		target = "avx2,aes,pclmul,vaes,vpclmulqdq,sha", bytes = true, crypto = true, sha = true,
		stores = { [32] = "_mm256_stream_si256((__m256i *)(p), (__m256i)(x))" } },
	{ name = "avx512", widths = { 64, 32, 16 }, unroll = 4, sums = 2, registers = 32, guard = "defined(__x86_64__)",
		target = "avx512f,avx512bw,avx512vl", bytes = true,
		stores = { [64] = "_mm512_stream_si512((__m512i *)(p), (__m512i)(x))" } },
	{ name = "vaes512", widths = { 64, 32, 16 }, unroll = 4, sums = 2, registers = 32, guard = "defined(__x86_64__)",
		target = "avx512f,avx512bw,avx512vl,aes,pclmul,vaes,vpclmulqdq,sha", bytes = true, crypto = true, sha = true,
		stores = { [64] = "_mm512_stream_si512((__m512i *)(p), (__m512i)(x))" } },
	{ name = "neon", widths = { 16 }, unroll = 4, sums = 2, registers = 32,
		guard = "defined(__aarch64__) && defined(__ARM_NEON)", bytes = true },
	{ name = "neon_aes", widths = { 16 }, unroll = 4, sums = 2, registers = 32, target = "+crypto", bytes = true,
		crypto = true, sha = true, guard = "defined(__aarch64__) && defined(__ARM_NEON) "
			.. "&& (!defined(__clang__) || defined(__ARM_FEATURE_AES))" },
	{ name = "vx", widths = { 16 }, unroll = 4, sums = 2, registers = 32, guard = "defined(__s390x__)",
		target = "arch=z13", bytes = true },
}
for _, isa in ipairs(M.list) do
	isa.enum = "ILP_" .. isa.name:upper()
	-- Widths at which streams make blocks, one block in each lane of 32 bits; 4: one block in plain C.
	isa.kernels = {}
	for _, width in ipairs(isa.widths) do
		if width == isa.widths[1] or width == 32 then table.insert(isa.kernels, width) end
	end
	table.insert(isa.kernels, 4)
end

-- The one whose loops take what is no whole vector, and the ends of the data: any machine has it.
M.ends = M.list[1]

-- The rows that a chain has loops for: those with crypto, and plain C, if any of its stages has words of 128 bits; else
-- those without.
local rows = { [true] = {}, [false] = {} }
for _, isa in ipairs(M.list) do
	for quads, list in pairs(rows) do
		if isa == M.ends or (isa.crypto or false) == quads then table.insert(list, isa) end
	end
end
function M.rows(quads) return rows[quads] end
-- The best of these that is of the names; nil if none is.
function M.best(names, quads)
	local best, known = nil, {}
	for _, name in ipairs(names) do known[name] = true end
	for _, isa in ipairs(M.rows(quads)) do best = known[isa.name] and isa or best end
	return best
end

-- The C type of words of that many bits: of one, where width is that of a word or less, or of a vector.
local LETTER = { [8] = "b", [16] = "h", [32] = "v", [64] = "d", [128] = "q" }
function M.type(width, bits)
	if bits == 128 and width < 16 then return "ilp_quad" end
	return bits < 128 and width * 8 <= bits and "uint" .. bits .. "_t" or LETTER[bits] .. width * 8
end

-- The C type of one word in what an instruction set does outside of its loops: a quad stands in a vector where there
-- are operations of vectors on it.
function M.number(isa, bits) return M.type(bits == 128 and isa.crypto and 16 or 4, bits) end

-- The one whose loops take what is a few bytes only, for that one; by_row: each has its own (plan.lua).
function M.ends_of(isa, by_row) return by_row and isa or M.ends end

-- What stands before a function of that instruction set.
function M.attribute(isa) return isa.target and string.upper(isa.name) .. " " or "" end

-- Shuffles of two vectors of n words, a then b, by which vectors are brought from one order into another. Each is
-- { name, lane }: lane(k) is word k of the result, counted through a and b.
function M.interleave(n, size, high) -- within 16 bytes: the low, or high, groups of size words by turns
	local quarter = math.min(n, 4)
	return function(k)
		local base, place = k - k % quarter, k % quarter
		local group = math.floor(place / size)
		local from = (high and quarter / 2 or 0) + (size == 1 and math.floor(group / 2) or 0)
		return (group % 2) * n + base + from + place % size
	end
end
local function pick(n, odd) -- whole 16 bytes: the even, or odd, ones of both
	return function(k)
		local quarter, half = math.floor(k / 4), n / 8
		local operand = quarter >= half and 1 or 0
		return operand * n + ((quarter - operand * half) * 2 + (odd and 1 or 0)) * 4 + k % 4
	end
end

-- The levels by which blocks of 32-bit words are brought from lanes into memory's order, with the distance of the
-- vectors that they join.
function M.shuffles(width)
	local n, levels = width / 4, {}
	if n == 1 then return levels end
	local function level(distance, a, b, make)
		table.insert(levels, { distance = distance, names = { a, b }, lane = { make(false), make(true) } })
	end
	level(1, "LO32", "HI32", function(high) return M.interleave(n, 1, high) end)
	level(2, "LO64", "HI64", function(high) return M.interleave(n, 2, high) end)
	local distance = 4
	while distance < n do
		level(distance, "EVEN128", "ODD128", function(odd) return pick(n, odd) end)
		distance = distance * 2
	end
	return levels
end

return M
