-- Where descriptions run: an environment with the word operations and little else, so that the same description
-- always means the same, under a limit of instructions; and the form of every complaint about them,
-- `file:line: what, expected …; what to do`.
local M = {}

local LIMIT = 2e6 -- instructions that one call of a description's function may take
local last        -- { file, line }: where a description was last seen; tail calls leave no frame to ask
local sources = {} -- chunk name of a description → its file

-- Raises a complaint. It is a table, so that it is told from a mistake of the generator.
function M.fail(file, line, what, ...)
	if select("#", ...) > 0 then what = string.format(what, ...) end
	error({ complaint = string.format("%s:%d: %s", file, line, what) }, 0)
end

-- The same for the line of the description that runs now.
function M.fail_here(what, ...)
	M.fail(last.file, last.line, what, ...)
end

function M.line() return last and last.line end

-- What stands for a value in a message.
function M.show(v)
	if v == nil then return "nothing" end
	if type(v) == "string" then return string.format("%q", v) end
	if type(v) == "number" then return tostring(v) end
	return "a " .. type(v)
end

local function watch(event, line)
	local file = sources[debug.getinfo(2, "S").source]
	if event == "line" then
		if file then last = { file = file, line = line } end
	else
		M.fail_here("still running after %d instructions, expected an end; look for a loop that does not stop", LIMIT)
	end
end

-- Runs f of the description in file under the limit and returns its results. Hooks do not see compiled code, so
-- load() keeps descriptions from being compiled. Strings lose their methods meanwhile: they could take all memory.
function M.run(file, f, ...)
	local strings = getmetatable("")
	local methods, outer = strings.__index, last
	last = { file = file, line = debug.getinfo(f, "S").linedefined }
	strings.__index = {}
	debug.sethook(watch, "l", LIMIT)
	local result = { pcall(f, ...) }
	debug.sethook()
	strings.__index = methods
	local at = last
	last = outer
	if result[1] then return unpack(result, 2, table.maxn(result)) end
	if type(result[2]) == "table" then error(result[2], 0) end
	M.fail(at.file, at.line, "%s, expected word operations on words; mend the line",
		(tostring(result[2]):gsub("^[^:]*:%d+: ", "")))
end

local function environment(file, names)
	local env = {
		ipairs = ipairs, unpack = unpack, -- no pairs: its order may differ from run to run
		math = { floor = math.floor, min = math.min, max = math.max },
		table = { insert = table.insert, remove = table.remove },
	}
	for name, value in pairs(names) do env[name] = value end
	return setmetatable(env, {
		__index = function(_, name)
			M.fail_here("unknown name '%s', expected a local or a word operation (ilp/gen/ops.lua); declare or correct it",
				tostring(name))
		end,
		__newindex = function(_, name)
			M.fail_here("'%s' is assigned as a global, expected a local; write `local %s`", tostring(name), tostring(name))
		end,
	})
end

-- Runs a description file whose environment holds names besides; returns its value and its text.
function M.load(file, names)
	local handle = io.open(file, "rb")
	if not handle then return nil end
	local text = handle:read("*a")
	handle:close()
	if text:sub(1, 1) == "\27" then
		M.fail(file, 1, "compiled Lua, expected its text; give the .lua source")
	end
	local name = "@" .. file
	sources[name] = file
	local chunk, problem = loadstring(text, name)
	if not chunk then
		local line, what = problem:match(":(%d+): (.*)$")
		M.fail(file, tonumber(line) or 1, "%s, expected Lua; mend the syntax", what or problem)
	end
	jit.off(chunk, true)
	setfenv(chunk, environment(file, names))
	return M.run(file, chunk), text
end

return M
