-- What the tests of mistakes in descriptions share: places to write them to, descriptions that are right, and checks.
package.path = "ilp/?.lua;" .. package.path
local main = require "gen.main"

local M = { root = os.tmpname() }
local root = M.root
local passed, failed = 0, 0
function M.check(ok, name, detail)
	if ok then
		passed = passed + 1
	else
		failed = failed + 1
		print("FAILED: " .. name .. (detail and ": " .. detail or ""))
	end
end

os.remove(root)
assert(os.execute("mkdir -p " .. root .. "/stages " .. root .. "/chains " .. root .. "/out") == 0)

function M.write(path, text)
	local f = assert(io.open(root .. "/" .. path, "wb"))
	f:write(text)
	f:close()
end
function M.read(path)
	local f = io.open(path, "rb")
	if not f then return nil end
	local text = f:read("*a")
	f:close()
	return text
end

function M.chain(list) return 'return chain {\n\tname = "c",\n\tstages = { ' .. list .. " },\n}\n" end

-- Generating chains/c.lua complains about that line of file, says what, and leaves nothing behind.
function M.complains(name, file, line, what)
	local ok, message = main.generate(root .. "/chains/c.lua", root .. "/out")
	local place = string.format("%s/%s:%d: ", root, file, line)
	M.check(not ok, name, "no complaint")
	message = message or ""
	M.check(message:sub(1, #place) == place, name .. " (line)", message)
	M.check(message:find(what, 1, true), name .. " (what)", message)
	M.check(message:match("expected .*; "), name .. " (form)", message)
	M.check(not M.read(root .. "/out/c.c"), name .. " (no output)")
end
-- The same for a stage of that description, in the chain { copy, probe }; and for a chain.
function M.stage_mistake(name, line, what, text)
	M.write("stages/probe.lua", text)
	M.write("chains/c.lua", M.chain '"copy", "probe"')
	M.complains(name, "stages/probe.lua", line, what)
end
function M.chain_mistake(name, line, what, text)
	M.write("chains/c.lua", text)
	M.complains(name, "chains/c.lua", line, what)
end

-- Descriptions that are right but for what is replaced.
M.MAP = [[
return stage {
	name = "probe",
	standard = "none",
	kind = "map",
	unit = 4,
	tail = "pass",
	apply = function(w) return big(w) end,
	inverse = "self",
}
]]
M.FOLD = [[
return stage {
	name = "probe",
	standard = "none",
	kind = "fold",
	unit = 4,
	tail = "zero",
	zero = 0,
	step = function(acc, w) return xor(acc, w) end,
	merge = function(a, b) return xor(a, b) end,
	finish = function(acc) return and_(xor(acc, shr(acc, 16)), 0xffff) end,
	join = function(a, b, len_a)
		return xor(a, choose(and_(len_a, 1), or_(and_(shl(b, 8), 0xff00), shr(b, 8)), b))
	end,
	size = 2,
	order = "memory",
}
]]
M.STREAM = [[
return stage {
	name = "probe",
	standard = "none",
	kind = "stream",
	unit = 64,
	params = { { "key", 4 } },
	begin = function(p) return { p.key[1] } end,
	block = function(s, i)
		local out = {}
		for k = 1, 16 do out[k] = add(s[1], i) end
		return out
	end,
}
]]
function M.change(text, from, to)
	local a, b = text:find(from, 1, true)
	assert(a, from)
	return text:sub(1, a - 1) .. to .. text:sub(b + 1)
end
function M.map(from, to) return M.change(M.MAP, from, to) end
function M.fold(from, to) return M.change(M.FOLD, from, to) end
function M.stream(from, to) return M.change(M.STREAM, from, to) end

-- Generates chains/c.lua, which is right, and takes away what that leaves.
function M.is_right(name)
	local ok, message = main.generate(root .. "/chains/c.lua", root .. "/out")
	M.check(ok, name, message)
	os.remove(root .. "/out/c.c")
	os.remove(root .. "/out/c.h")
end

-- The last line, and the exit status.
function M.done(what)
	os.execute("rm -r " .. root)
	print(string.format("%s: %d passed, %d failed", what, passed, failed))
	os.exit(failed == 0 and 0 or 1)
end

return M
