-- Words of 32 bits brought from several vectors into one, by shuffles for which machines have an instruction.
--
-- Those of two vectors do the same in each 16 bytes (a lane), and nothing goes from one lane to another; what does is
-- slower, and of one vector. So words are brought together in the lanes in which they are, and then once into those
-- where they are wanted; or, where all vectors have four for each lane, they are sorted by these before.
local M = {}

local function count(set)
	local n = 0
	for _ in pairs(set) do n = n + 1 end
	return n
end

-- The places in a lane at which words stand, in any lane of a vector.
local function places(at)
	local set = {}
	for k in pairs(at) do set[k % 4] = true end
	return set
end

local function within(set, a, b)
	for k in pairs(set) do
		if k ~= a and k ~= b then return false end
	end
	return true
end

-- Vectors are { name, at = the word that stands at each place which counts, from 0 }. What two are made one by is a
-- list of places, those of the second behind those of the first.
local function in_lanes(n, p)
	local list = {}
	for k = 0, n - 1 do
		local q = p[k % 4 + 1]
		list[k] = (q < 4 and q or n + q - 4) + k - k % 4
	end
	return list
end

local HALVES = { { 0, 1, 4, 5 }, { 2, 3, 6, 7 } }
local TURNS = { { 0, 4, 1, 5 }, { 2, 6, 3, 7 } }

-- Two words of a lane of each at most.
local function two_and_two(a, b, n)
	local pa, pb = places(a.at), places(b.at)
	if count(pa) > 2 or count(pb) > 2 then return nil end
	local kinds = count(pa) == 1 and count(pb) == 1 and { TURNS, HALVES } or { HALVES, TURNS }
	for _, kind in ipairs(kinds) do
		for _, p in ipairs(kind) do
			local first = p[1]
			if within(pa, first, first + 1) and within(pb, first, first + 1) then return in_lanes(n, p) end
		end
	end
	local function pick(set)
		local list = {}
		for k = 0, 3 do list[#list + 1] = set[k] and k or nil end
		return list[1], list[2] or list[1]
	end
	local p, q = pick(pa)
	local r, s = pick(pb)
	return in_lanes(n, { p, q, r + 4, s + 4 })
end

-- Each stays where it is.
local function both_in_place(a, b, n)
	local list = {}
	for k = 0, n - 1 do
		if a.at[k] and b.at[k] then return nil end
		list[k] = b.at[k] and n + k or k
	end
	return list
end

-- The first stays, what is of the second goes where there is room, in its lane if it may.
local function wherever(a, b, n)
	local list = {}
	for k = 0, n - 1 do list[k] = a.at[k] and k or nil end
	for k = 0, n - 1 do
		local to = k - k % 4
		while b.at[k] and list[to] do to = (to + 1) % n end
		if b.at[k] then list[to] = n + k end
	end
	for k = 0, n - 1 do list[k] = list[k] or k end
	return list
end

-- By the lane where each word is wanted; nil if some word has not one, or some lane is not that of four.
local function by_lanes(x, lanes, n)
	local list, room = {}, {}
	for k = 0, n - 1 do
		local lane = lanes[x.at[k]]
		if not lane or room[lane] == 4 then return nil end
		room[lane] = (room[lane] or 0) + 1
		list[4 * lane + room[lane] - 1] = k
	end
	return list
end

local function stays(list, n)
	for k = 0, n - 1 do
		if list[k] ~= k then return false end
	end
	return true
end

-- The words at their places, in one go: what compilers make of it takes more than one instruction, or a wide one.
local function at_once(a, b, words, n)
	local list, at = {}, {}
	for k = 0, n - 1 do at[b.at[k] or -1] = n + k end
	for k = 0, n - 1 do at[a.at[k] or -1] = k end
	for k = 0, n - 1 do list[k] = at[words[k] or -2] or k end
	return list
end

-- Of a vector the words that are wanted, each once.
local function only(x, wanted, n)
	local at, seen = {}, {}
	for k = 0, n - 1 do
		local w = x.at[k]
		if wanted[w] and not seen[w] then at[k], seen[w] = w, true end
	end
	return { name = x.name, at = at }
end

-- Those of the vectors that have such words.
local function having(xs, wanted, n)
	local list = {}
	for _, x in ipairs(xs) do
		local y = only(x, wanted, n)
		list[#list + 1] = next(y.at) and y
	end
	return list
end

-- In the order in which words are wanted.
local function in_order(list, words, n)
	local of, out, seen = {}, {}, {}
	for _, x in ipairs(list) do
		for _, w in pairs(x.at) do of[w] = x end
	end
	for k = 0, n - 1 do
		local x = of[words[k]]
		if not seen[x] then seen[x], out[#out + 1] = true, x end
	end
	return out
end

local function numbers(list, n)
	local out = {}
	for k = 0, n - 1 do out[k + 1] = tostring(list[k]) end
	return table.concat(out, ", ")
end

-- Shuffles of vectors of n words of type V; each is written once.
local G = {}
G.__index = G
function M.new(t, V, n, fresh) return setmetatable({ t = t, V = V, n = n, fresh = fresh, known = {} }, G) end

function G:shuffled(a, b, list)
	local n, known, at = self.n, self.known, {}
	local made = string.format("__builtin_shufflevector(%s, %s, %s)", a.name, b.name, numbers(list, n))
	if not known[made] then
		known[made] = self.fresh "y"
		self.t:line("const %s %s = %s;", self.V, known[made], made)
	end
	for k = 0, n - 1 do
		local q = list[k]
		if q < n then at[k] = a.at[q] else at[k] = b.at[q - n] end
	end
	return { name = known[made], at = at }
end

-- The vectors, each word in the lane where it is wanted, if all have one for each and four for each lane; else as they
-- are.
function G:sorted(xs, lanes)
	local lists, sorted = {}, {}
	for v, x in ipairs(xs) do
		lists[v] = by_lanes(x, lanes, self.n)
		if not lists[v] then return xs end
	end
	for v, x in ipairs(xs) do sorted[v] = stays(lists[v], self.n) and x or self:shuffled(x, x, lists[v]) end
	return sorted
end

-- The one that has words[k] at place k, for all of these, or, where that is not asked, in its lane.
function G:placed(x, words, exactly)
	local list, at, right = {}, {}, true
	for k = 0, self.n - 1 do at[x.at[k] or -1] = k end
	for k = 0, self.n - 1 do
		local here, lane = at[words[k]], k - k % 4
		list[k] = here or k
		right = right and (not here or here == k or not exactly and here >= lane and here < lane + 4)
	end
	return right and x or self:shuffled(x, x, list)
end

-- Two vectors, or one, become one. last: there are no more of them.
function G:joined(a, b, words, exactly, last)
	if not b then return a end
	local n = self.n
	local list = not (last and exactly and n == 4) and (both_in_place(a, b, n) or two_and_two(a, b, n))
	return self:shuffled(a, b, list or last and at_once(a, b, words, n) or wherever(a, b, n))
end

-- A vector of the words at these places, of vectors that have them; exactly there, or somewhere in these lanes.
function G:of(xs, words, exactly)
	local wanted = {}
	for k = 0, self.n - 1 do wanted[words[k] or -1] = true end
	local list = having(xs, wanted, self.n)
	if exactly then list = in_order(list, words, self.n) end
	while #list > 1 do
		local fewer, last = {}, #list == 2
		for k = 1, #list, 2 do
			fewer[#fewer + 1] = only(self:joined(list[k], list[k + 1], words, exactly, last), wanted, self.n)
		end
		list = fewer
	end
	return self:placed(list[1], words, exactly)
end

return M
