-- What tests/netns/delay.sh has of its runs, a file for each: `way NAME`, and what sender, receiver and relay said
-- (delay.h, relay.c):
--
--	luajit tests/netns/delay.lua RUN...
--
-- A JSON object for each run, then a table of the ways: the median of their runs, and [least .. most].
--
-- An ADU is *hit* when the road lost a packet with bytes of it, and *whole* when the last byte of it came to the other
-- end. It was *held* when an earlier one became whole after it, but was delivered before it, and it was whole for more
-- than a millisecond by then: a receiver may choose among what it has. So what was held waited for another's hole: a
-- machine that is busy, or a sender that may not send yet, makes none of it. How long ADUs *waited*, whole, is told,
-- too.
local UNITS = 1024
local HELD_US = 1000
local WINDOW = 1000 -- no earlier ADU is looked at that is further back

local function read(path)
	local run = { due = {}, came = {}, whole = {}, hit = {}, lost = 0, n = 0 }
	local seen = {} -- of each ADU its units that came
	local say = {}
	function say.way(name) run.way = name end
	function say.sent(adu, us)
		run.due[adu], run.n = us, run.n + 1
		assert(run.n == adu + 1, path .. ": ADUs were not sent by their numbers")
	end
	function say.came(adu, us)
		assert(not run.came[adu], path .. ": ADU " .. adu .. " came twice")
		run.came[adu] = us
	end
	function say.lost(adu)
		run.hit[adu], run.lost = true, run.lost + 1
	end
	-- A packet may end within a unit: those beside what is whole in it count, too.
	function say.carried(adu, first, last, us)
		local s = seen[adu] or { n = 0 }
		seen[adu] = s
		for unit = math.max(first - 1, 0), math.min(last + 1, UNITS - 1) do
			if not s[unit] then s[unit], s.n = true, s.n + 1 end
		end
		if s.n == UNITS and not run.whole[adu] then run.whole[adu] = us end
	end
	for line in io.lines(path) do
		local word, rest = line:match "^(%a+) (.*)$"
		if word == "way" then
			say.way(rest)
		elseif say[word] then
			local numbers = {}
			for number in rest:gmatch "%d+" do numbers[#numbers + 1] = tonumber(number) end
			say[word](unpack(numbers))
		end
	end
	assert(run.n > 0, path .. ": nothing was sent")
	return run
end

local function held(run, n)
	local whole, came = run.whole[n], run.came[n]
	if came - whole <= HELD_US then return false end
	for m = n - 1, math.max(n - WINDOW, 0), -1 do
		if run.whole[m] > whole and run.came[m] <= came then return true end
	end
	return false
end

-- The nearest rank.
local function percentile(sorted, p)
	return #sorted > 0 and sorted[math.max(1, math.ceil(#sorted * p / 100))] or 0
end

local function ms(times, p)
	table.sort(times)
	return percentile(times, p) / 1000
end

local function judge(run)
	local r = { way = run.way, adus = run.n, hit = 0, held = 0, hit_held = 0, overtook = 0 }
	local unhit, all, waited, latest = {}, {}, {}, 0
	for n = 0, run.n - 1 do
		local came = assert(run.came[n], run.way .. ": ADU " .. n .. " did not come")
		assert(run.whole[n] and run.whole[n] <= came, run.way .. ": ADU " .. n .. " came before its bytes did")
		local behind = held(run, n)
		all[#all + 1] = came - run.due[n]
		if run.hit[n] then
			r.hit = r.hit + 1
			r.hit_held = r.hit_held + (behind and 1 or 0)
		else
			unhit[#unhit + 1] = came - run.due[n]
			waited[#waited + 1] = came - run.whole[n]
			r.held = r.held + (behind and 1 or 0)
		end
		if came < latest then r.overtook = r.overtook + 1 end
		latest = math.max(latest, came)
	end
	assert(run.lost > 0 or r.held + r.overtook == 0, run.way .. ": something waited, though the road lost nothing")
	r.unhit = #unhit
	r.held_percent = #unhit > 0 and 100 * r.held / #unhit or 0
	r.unhit_p50_ms, r.unhit_p99_ms, r.unhit_max_ms = ms(unhit, 50), ms(unhit, 99), ms(unhit, 100)
	r.all_p50_ms, r.all_p99_ms, r.all_max_ms = ms(all, 50), ms(all, 99), ms(all, 100)
	r.waited_p50_ms, r.waited_p99_ms, r.waited_max_ms = ms(waited, 50), ms(waited, 99), ms(waited, 100)
	r.kb_per_s = run.n * 8.192 / ((latest - run.due[0]) / 1e6)
	return r
end

local function json(r)
	local fields = {}
	for _, name in ipairs { "adus", "hit", "unhit", "held", "held_percent", "hit_held", "overtook",
		"unhit_p50_ms", "unhit_p99_ms", "unhit_max_ms", "waited_p50_ms", "waited_p99_ms", "waited_max_ms",
		"all_p50_ms", "all_p99_ms", "all_max_ms", "kb_per_s" } do
		fields[#fields + 1] = string.format('"%s": %.6g', name, r[name])
	end
	return string.format('{"way": "%s", %s}', r.way, table.concat(fields, ", "))
end

local function short(x) return string.format(x >= 100 and "%.0f" or "%.3g", x) end

local function median(results, field)
	local v = {}
	for i, r in ipairs(results) do v[i] = r[field] end
	table.sort(v)
	local middle = short((v[math.ceil(#v / 2)] + v[math.floor(#v / 2) + 1]) / 2)
	return #v > 1 and string.format("%s [%s .. %s]", middle, short(v[1]), short(v[#v])) or middle
end

local columns = {
	{ "hit", "hit" }, { "held, % of unhit", "held_percent" }, { "unhit: p50, ms", "unhit_p50_ms" },
	{ "p99", "unhit_p99_ms" }, { "most", "unhit_max_ms" }, { "waited: p99, ms", "waited_p99_ms" },
	{ "most", "waited_max_ms" }, { "all: p99, ms", "all_p99_ms" }, { "KB/s", "kb_per_s" },
}

local ways, results = {}, {}
for _, path in ipairs(arg) do
	local r = judge(read(path))
	print(json(r))
	if not results[r.way] then
		ways[#ways + 1], results[r.way] = r.way, {}
	end
	table.insert(results[r.way], r)
end
for _, column in ipairs(columns) do
	column.width = #column[1]
	for way, rs in pairs(results) do
		column[way] = median(rs, column[2])
		column.width = math.max(column.width, #column[way])
	end
end
local function row(name, cell)
	local out = { string.format("%-28s", name) }
	for _, column in ipairs(columns) do out[#out + 1] = string.format("%" .. column.width .. "s", cell(column)) end
	print(table.concat(out, "  "))
end
print()
row("", function(column) return column[1] end)
for _, way in ipairs(ways) do row(way, function(column) return column[way] end) end
