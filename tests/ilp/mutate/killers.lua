-- The programs that are to see a mutant: the only place that knows what they are linked of and how they are called.
-- Each exits with 0 when it finds no fault, and with something else when it does.
--
-- They are the build's own programs with a mutant in the place of the chain's object: what stands first is linked, and
-- what the library has of that name is not.
local M = {}

local PACKAGES = "check libcrypto luajit libtirpc jansson"

local function exists(path)
	local f = io.open(path)
	if f then f:close() end
	return f ~= nil
end

local function mentions(path, word)
	local f = io.open(path)
	local text = f and f:read("*a") or ""
	if f then f:close() end
	return text:find('"' .. word .. '"', 1, true) ~= nil
end

-- What all are linked with, for a build directory such as build/gcc; work is a directory for an archive.
function M.common(build, work)
	local archive = work .. "/ilp.a"
	if os.execute(string.format("ar rcs '%s' %s/tests/ilp/*.o", archive, build)) ~= 0 then
		error(build .. "/tests/ilp: no objects there, expected those of the tests; run `make tests`", 0)
	end
	local pipe = assert(io.popen("pkg-config --libs " .. PACKAGES))
	local libs = pipe:read("*a"):gsub("%s+$", "")
	pipe:close()
	return string.format("%s %s/libtcpu.a -Wl,--as-needed %s -lm -pthread", archive, build, libs)
end

-- Those for a chain: { name, link, run, secrets }; link is what comes before common, run the arguments.
function M.of(build, gen, chain)
	local list = {}
	local function add(name, object, run, secrets)
		list[#list + 1] = { name = name, link = object, run = run, secrets = secrets }
	end
	local own = string.format("%s/gen/%s_test.o", build, chain)
	if not exists(own) then error(own .. ": not there, expected the chain's test; run `make tests`", 0) end
	-- This one is short, and sees places beyond 2^32.
	if mentions("tests/ilp_vectors.c", chain) then add("ilp_vectors", build .. "/tests/ilp_vectors.o", "") end
	add(chain .. "_test", own, string.format("%s/%s.vec", gen, chain))
	-- What is left in memory after a keyed loop, when there is such a test.
	local left = build .. "/tests/ilp/secrets.o"
	if exists(left) and mentions("tests/ilp/secrets.c", chain) then add("secrets", left, "", true) end
	return list
end

return M
