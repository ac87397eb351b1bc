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

-- The one whose loops take the few bytes that are held back: any machine has it.
M.ends = M.list[1]

-- The C type of a vector of 32-bit words, and of the same width in 64-bit words.
function M.word(width) return width == 4 and "uint32_t" or "v" .. width * 8 end
function M.double(width) return width == 4 and "uint64_t" or "d" .. width * 8 end

-- What stands before a function of that instruction set.
function M.attribute(isa) return isa.target and string.upper(isa.name) .. " " or "" end

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

return M
