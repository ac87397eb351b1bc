-- Makes mutants and runs them, as many at a time as there are processors (one.sh).
local site = require "mutate.site"
local killers = require "mutate.killers"

local M = {}

-- Mutants run as the first says, which is quick. One that survives is compared with the original as the build compiles
-- it, too: a compiler that tries harder makes the same of more that is the same.
local FLAGS = { "-O1", "-O3 -fno-tree-vectorize -fno-tree-slp-vectorize" }

local function write(path, text)
	local f = assert(io.open(path, "wb"))
	assert(f:write(text))
	assert(f:close())
end

local function mkdir(path)
	if os.execute("mkdir -p '" .. path .. "'") ~= 0 then error(path .. ": cannot be made", 0) end
end

local function capture(command)
	local pipe = assert(io.popen(command))
	local text = pipe:read("*a")
	pipe:close()
	return text
end

-- Runs `jobs`, { id, chain }, and calls done(id, words) as each ends.
local function all(self, jobs, done)
	local lines = {}
	for _, job in ipairs(jobs) do lines[#lines + 1] = job.id .. " " .. job.chain end
	write(self.work .. "/jobs", table.concat(lines, "\n") .. "\n")
	local pipe = assert(io.popen(string.format("LIMIT_MEMORY=%s xargs -r -a '%s/jobs' -P %d -L 1 %s/one.sh '%s'",
		self.sanitized and "no" or "yes", self.work, self.jobs, self.here, self.work)))
	for line in pipe:lines() do
		local words = {}
		for word in line:gmatch("%S+") do words[#words + 1] = word end
		done(words[1], words)
	end
	pipe:close()
end

local function put_killers(self, chain, seconds)
	local lines = {}
	for k, killer in ipairs(self.killers[chain]) do
		lines[k] = table.concat({ killer.name, killer.link .. " " .. self.common, killer.run == "" and "--" or killer.run,
			seconds[k] or 600 }, "\t")
	end
	write(self.work .. "/" .. chain .. "/killers", table.concat(lines, "\n") .. "\n")
end

-- The original passes, and tells how long a program may run.
local function measure(self, chains)
	local jobs = {}
	for k, chain in ipairs(chains) do jobs[k] = { id = chain, chain = chain } end
	all(self, jobs, function(chain, words)
		if words[2] ~= "survived" then
			error(string.format("%s: the generated C itself is '%s', expected all its tests to pass; see to them first",
				chain, table.concat(words, " ", 2)), 0)
		end
		local seconds = {}
		if #words - 2 ~= #self.killers[chain] then
			error(string.format("%s: one.sh told the time of %d programs, expected %d", chain, #words - 2,
				#self.killers[chain]), 0)
		end
		for k = 3, #words do seconds[k - 2] = math.ceil(5 * tonumber(words[k])) + 2 end
		put_killers(self, chain, seconds)
	end)
end

-- o: cc, build, gen, here (the folder of one.sh), jobs or nil. texts: the C of each chain, by name.
function M.new(o, texts, chains)
	local self = { here = o.here, killers = {}, texts = texts, made = 0 }
	local cflags = os.getenv("CFLAGS") or ""
	self.sanitized = cflags:find("-fsanitize", 1, true) ~= nil
	self.jobs = o.jobs or tonumber(capture("nproc"))
	self.work = capture("mktemp -d"):match("[^\n]+")
	self.common = killers.common(o.build, self.work)
	local top = capture("pwd"):match("[^\n]+")
	local commands = {}
	for k, flags in ipairs(FLAGS) do
		commands[k] = string.format("%s -std=gnu17 -D_GNU_SOURCE %s -w %s -I%s -I%s/%s", o.cc, flags, cflags, top, top, o.gen)
	end
	for _, chain in ipairs(chains) do
		self.killers[chain] = killers.of(o.build, o.gen, chain)
		mkdir(self.work .. "/" .. chain)
		write(self.work .. "/" .. chain .. "/" .. chain .. ".c", texts[chain])
		write(self.work .. "/" .. chain .. "/compile", table.concat(commands, "\n") .. "\n")
		put_killers(self, chain, {})
	end
	setmetatable(self, { __index = M })
	measure(self, chains)
	return self
end

-- Whether a program looks for secrets in that chain.
function M:sees_secrets(chain)
	for _, killer in ipairs(self.killers[chain]) do
		if killer.secrets then return true end
	end
	return false
end

-- Runs these sites; each gets .verdict ("unbuilt", "same", "killed", "survived"), and when killed .by and .how.
-- `progress` is called after each.
function M:run(sites, progress)
	local jobs, by_id = {}, {}
	for _, s in ipairs(sites) do
		self.made = self.made + 1
		local id = tostring(self.made)
		mkdir(self.work .. "/" .. id)
		write(string.format("%s/%s/%s.c", self.work, id, s.chain), site.apply(s))
		jobs[#jobs + 1], by_id[id] = { id = id, chain = s.chain }, s
	end
	all(self, jobs, function(id, words)
		local s = by_id[id]
		s.verdict = words[2]
		if s.verdict == "killed" then s.by, s.how = words[3], words[4] end
		progress(s)
	end)
	for _, s in ipairs(sites) do
		if not s.verdict then error(s.key .. ": one.sh said nothing of it", 0) end
	end
end

function M:close()
	os.execute("rm -rf '" .. self.work .. "'")
end

return M
