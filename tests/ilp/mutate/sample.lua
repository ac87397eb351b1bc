-- Which of many sites are made: as many of each operator as there are, and of those as evenly as can be over functions,
-- chains, instruction sets, directions and schedules. The same seed gives the same sample of the same sites.
local M = {}

-- Lehmer's generator, 2^31 - 1: the same on every machine.
local function random(seed)
	local x = seed % 2147483646 + 1
	return function(n)
		x = x * 48271 % 2147483647
		return x % n + 1
	end
end

local function shuffle(list, next_number)
	for k = #list, 2, -1 do
		local j = next_number(k)
		list[k], list[j] = list[j], list[k]
	end
end

-- What a site is counted under: the first within its operator, the others within it and over all.
local function strata(s)
	local r = s.region
	return { "in " .. s.chain .. " " .. r.name, "chain " .. s.chain, "isa " .. r.isa, "direction " .. r.direction,
		"schedule " .. r.schedule }
end

-- A sampler. Sites must have .chain.
function M.new(sites, seed)
	local self, next_number = { all = {}, pools = {}, used = {} }, random(seed)
	for _, s in ipairs(sites) do
		local pool = self.pools[s.operator.name]
		if not pool then
			pool = { name = s.operator.name, taken = 0 }
			self.pools[pool.name], self.all[#self.all + 1] = pool, pool
		end
		pool[#pool + 1] = s
		s.strata = strata(s)
	end
	for _, pool in ipairs(self.all) do shuffle(pool, next_number) end
	shuffle(self.all, next_number)
	return setmetatable(self, { __index = M })
end

local function score(self, pool, s)
	local own, all = 0, 0
	for k, stratum in ipairs(s.strata) do
		own = own + (self.used[pool.name .. " " .. stratum] or 0) * (k == 1 and 4 or 1)
		all = all + (k == 1 and 0 or self.used[stratum] or 0)
	end
	return own * 10000 + all
end

local function count(self, s, by)
	for _, stratum in ipairs(s.strata) do
		for _, key in ipairs { stratum, s.operator.name .. " " .. stratum } do self.used[key] = (self.used[key] or 0) + by end
	end
end

-- The next site; nil when all were given.
function M:next()
	local pool
	for _, p in ipairs(self.all) do
		if #p > 0 and (not pool or p.taken < pool.taken) then pool = p end
	end
	if not pool then return nil end
	local best, least
	for k, s in ipairs(pool) do
		local n = score(self, pool, s)
		if not least or n < least then best, least = k, n end
	end
	local s = table.remove(pool, best)
	pool.taken = pool.taken + 1
	count(self, s, 1)
	return s
end

-- A site that came to nothing: another of its operator, and of its chain, instruction set, direction and schedule,
-- comes next. Its function stays counted, since others there may be as it was.
function M:discard(s)
	self.pools[s.operator.name].taken = self.pools[s.operator.name].taken - 1
	local own = s.operator.name .. " " .. s.strata[1]
	count(self, s, -1)
	self.used[own] = self.used[own] + 1
end

return M
