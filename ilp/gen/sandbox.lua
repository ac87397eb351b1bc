-- Where descriptions run: an environment with the word operations and little else, so that the same description
-- always means the same, under limits of instructions and memory; and the form of every complaint about them,
-- `file:line: what, expected …; what to do`.
local bit, ffi = require "bit", require "ffi"
local util = require "jit.util"

local M = {}

local LIMIT = 2e6  -- instructions that one call of a description's function may take
local LONG = 2e8   -- those of the many calls of run_long
local STEP = 100   -- instructions between two looks at what is left
local MEMORY = 256 -- MB by which memory may grow meanwhile
local TEXT = 2^20  -- bytes that a description may have
local BETWEEN = 10000 -- instructions between two looks at what is left to all of it
local OURS = 25    -- instructions that a word operation counts as, at least
local all          -- { file, limit, left }: what bounded() leaves to all that runs within
local now          -- { limit, left, most }: what is left to the run under way, and how much memory there may be
local last         -- { file, line }: where a description was last seen; tail calls leave no frame to ask
local sources = {} -- chunk name of a description → its file
local ABOVE = 1000 -- lines that Lua counts before those of a description, so that they are told from all of ours

-- Raises a complaint. It is a table, so that it is told from a mistake of the generator.
function M.fail(file, line, what, ...)
	if select("#", ...) > 0 then what = string.format(what, ...) end
	error({ complaint = string.format("%s:%d: %s", file, line, what) }, 0)
end

-- Calls f; a complaint about a description comes back as nil and its text. Other errors are ours and go on.
function M.complaints(f, ...)
	local result = { pcall(f, ...) }
	if result[1] then return unpack(result, 2, table.maxn(result)) end
	if type(result[2]) == "table" and result[2].complaint then return nil, result[2].complaint end
	error(result[2], 0)
end

-- Where the description is: as the hook saw it, or, where none looks at lines, as the stack tells.
local function here()
	local level, info = 2
	repeat
		level = level + 1
		info = last.long and debug.getinfo(level, "Sl")
		if info and sources[info.source] then return sources[info.source], info.currentline - ABOVE end
	until not info
	return last.file, last.line
end

-- The same for the line of the description that runs now.
function M.fail_here(what, ...)
	local file, line = here()
	M.fail(file, line, what, ...)
end

function M.line() return last and last.line end

-- The line on which f begins, if it is of that file.
function M.begins(file, f)
	local info = type(f) == "function" and debug.getinfo(f, "S")
	return info and sources[info.source] == file and info.linedefined - ABOVE or nil
end

-- What stands for a value in a message.
function M.show(v)
	if v == nil then return "nothing" end
	if type(v) == "string" then return string.format("%q", v) end
	if type(v) == "number" and v >= 2^53 then return string.format(v < 2^64 and "%.0f without ULL" or "%g", v) end
	if type(v) == "number" then return tostring(v) end
	if type(v) == "cdata" then return string.find(tostring(v), "^cdata") and "a word" or tostring(v) end
	return "a " .. type(v)
end

-- What has come to its end complains once: what sees to the complaint runs on.
local function check_memory()
	collectgarbage()
	if collectgarbage "count" <= now.most then return end
	now.most = math.huge
	M.fail_here("takes more than %d MB, expected less; look for a table that grows", MEMORY)
end

local function spend(instructions)
	all.left = all.left - instructions
	if all.left <= 0 then
		all.left = math.huge
		M.fail(all.file, 1, "takes more than %d instructions to make loops of, expected fewer; describe less in one chain",
			all.limit)
	end
end

-- Runs f, and all the runs in it, within so many instructions, ours among them: a description can make our own code
-- run long as well. Those that are compiled are not seen (jit.off).
function M.bounded(file, limit, f, ...)
	all = { file = file, limit = limit, left = limit }
	debug.sethook(function() spend(BETWEEN) end, "", BETWEEN)
	local result = { pcall(f, ...) }
	debug.sethook()
	all = nil
	if not result[1] then error(result[2], 0) end
	return unpack(result, 2, table.maxn(result))
end

local function take(instructions)
	now.left = now.left - instructions
	if all then spend(instructions) end
	if collectgarbage "count" > now.most then check_memory() end
	if now.left <= 0 then
		now.left = math.huge
		M.fail_here("still running after %d instructions, expected an end; look for a loop that does not stop", now.limit)
	end
end

-- The hook that sees to a run's limits. It is told of every line, ours too: to ask whose it is takes long.
local function watch(event, line)
	if event ~= "line" then return take(STEP) end
	if line > ABOVE then last.line = line - ABOVE end
end

-- f, of one result, but that lines are not looked at meanwhile: for what is ours, which has many, and calls no
-- description. Setting a hook begins its count anew, so that what f may take is taken here.
function M.unseen(f)
	return function(...)
		local hook, events = debug.gethook()
		if events ~= "l" then return f(...) end
		take(OURS)
		debug.sethook(hook, "", STEP)
		local result = f(...)
		debug.sethook(hook, "l", STEP)
		return result
	end
end

-- Hooks do not see compiled code, so load() keeps descriptions from being compiled. Strings lose their methods
-- meanwhile: they could take all memory.
local function run(start, events, limit, f, ...)
	local strings = getmetatable("")
	local methods, outer, around = strings.__index, last, now
	last, now = start, { limit = limit, left = limit, most = collectgarbage "count" + MEMORY * 1024 }
	local function place(problem)
		if type(problem) == "table" then return problem end
		local file, line = here()
		return { file = file, line = line, text = string.gsub(tostring(problem), "^[^:]*:%d+: ", "") }
	end
	if all then spend(STEP) end -- also for one that is shorter
	local hook, hooked, count = debug.gethook()
	strings.__index = {}
	debug.sethook(watch, events, STEP)
	local result = { xpcall(f, place, ...) }
	debug.sethook(hook, hooked, count)
	strings.__index = methods
	last, now = outer, around
	if result[1] then return unpack(result, 2, table.maxn(result)) end
	local problem = result[2]
	if type(problem) ~= "table" then problem = { file = start.file, line = start.line, text = tostring(problem) } end
	if problem.complaint then error(problem, 0) end
	M.fail(problem.file, problem.line, "%s, expected Lua that runs; mend the line", problem.text)
end

-- Runs f, which belongs to the description in file and begins on that line, under the limits and returns its results.
function M.run(file, line, f, ...) return run({ file = file, line = line }, "l", LIMIT, f, ...) end

-- The same for an f that calls the description's functions many times: its limit is larger, and it is faster, since
-- lines are looked up only when there is a complaint.
function M.run_long(file, line, f, ...) return run({ file = file, line = line, long = true }, "", LONG, f, ...) end

-- As table.insert and table.remove, but at the end only: elsewhere one call moves the whole table, which no limit of
-- instructions sees.
local function check_end(name, n, takes)
	if n ~= takes then
		M.fail_here("table.%s() was given %d operands, expected %d (it works at the end only); write t[k] = …",
			name, n, takes)
	end
end
local function insert(t, v, ...)
	check_end("insert", 2 + select("#", ...), 2)
	t[#t + 1] = v
end
local function remove(t, ...)
	check_end("remove", 1 + select("#", ...), 1)
	local n = #t
	local v = t[n]
	t[n] = nil
	return v
end

local function environment(names, known)
	local env = {
		ipairs = ipairs, unpack = unpack, -- no pairs: its order may differ from run to run
		math = { floor = math.floor, min = math.min, max = math.max },
		table = { insert = insert, remove = remove },
		bit = { band = bit.band, bor = bit.bor, bxor = bit.bxor, lshift = bit.lshift, rshift = bit.rshift },
	}
	for name, value in pairs(names) do env[name] = value end
	return setmetatable(env, {
		__index = function(_, name)
			M.fail_here("unknown name '%s', expected a local or %s; declare or correct it", tostring(name), known)
		end,
		__newindex = function(_, name)
			M.fail_here("'%s' is assigned as a global, expected a local; write `local %s`", tostring(name), tostring(name))
		end,
	})
end

-- Strings that are joined double with every turn: memory is gone before the hook is called.
local JOIN = util.funcbc(function(a, b) return a .. b end, 3) % 256
local function check_joins(file, f)
	local pc, k = 1, -1
	local instruction = util.funcbc(f, pc)
	while instruction do
		if instruction % 256 == JOIN then
			M.fail(file, util.funcinfo(f, pc).currentline - ABOVE, "'..' joins strings, expected none in a description; "
				.. "keep what belongs together in a table")
		end
		pc = pc + 1
		instruction = util.funcbc(f, pc)
	end
	local constant = util.funck(f, k)
	while constant ~= nil do
		if type(constant) == "proto" then check_joins(file, constant) end
		k = k - 1
		constant = util.funck(f, k)
	end
end

-- The text of a file; nil when there is none. It is opened so that nothing waits, whatever it is, and what is no
-- regular file (a pipe may never begin, a device never end) has another size than text.
ffi.cdef [[
int open(const char *, int, ...);
long lseek(int, long, int);
long read(int, void *, size_t);
int close(int);
char *strerror(int);
]]
local C = ffi.C
local ENOENT, EINTR, ENOTDIR = 2, 4, 20
local OPEN, SEEK_SET, SEEK_END = 0x80900, 0, 2 -- O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
local function content(fd)
	local size = tonumber(C.lseek(fd, 0, SEEK_END))
	local want = math.min(size, TEXT + 1)
	if want < 0 or C.lseek(fd, 0, SEEK_SET) ~= 0 then return nil end
	local buffer, len = ffi.new("char[?]", TEXT + 1), 0
	repeat
		local n = tonumber(C.read(fd, buffer + len, TEXT + 1 - len))
		if n < 0 and ffi.errno() ~= EINTR then return nil end
		len = len + math.max(n, 0)
	until n == 0 or len > TEXT
	return len == want and ffi.string(buffer, len) or nil
end
local function read(file)
	local fd = C.open(file, OPEN)
	if fd < 0 then
		local errno = ffi.errno()
		if errno == ENOENT or errno == ENOTDIR then return nil end
		M.fail(file, 1, "%s, expected a description that can be read; see to its permissions",
			ffi.string(C.strerror(errno)))
	end
	local text = content(fd)
	C.close(fd)
	if not text then M.fail(file, 1, "no regular file, expected a description; name a file") end
	if #text > TEXT then
		M.fail(file, 1, "longer than %d bytes, expected a description; name another file, or shorten it", TEXT)
	end
	return text
end

-- Runs a description file whose environment holds names besides, known in a few words; returns its value and its text.
-- nil: no such file.
function M.load(file, names, known)
	local text = read(file)
	if not text then return nil end
	if text:sub(1, 1) == "\27" then
		M.fail(file, 1, "compiled Lua, expected its text; give the .lua source")
	end
	local name = "@" .. file
	sources[name] = file
	local chunk, problem = load(string.rep("\n", ABOVE) .. text, name, "t")
	if not chunk then
		local line, what = problem:match(":(%d+): (.*)$")
		what = (what or problem):gsub("at line (%d+)", function(at) return "at line " .. at - ABOVE end)
		M.fail(file, line and line - ABOVE or 1, "%s, expected Lua; mend the syntax", what)
	end
	check_joins(file, chunk)
	jit.off(chunk, true)
	setfenv(chunk, environment(names, known or "a word operation (ilp/gen/ops.lua)"))
	return M.run(file, 1, chunk), text
end

return M
