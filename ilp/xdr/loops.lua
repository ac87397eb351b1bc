-- Units of arrays as stages and chains of the generator (ilp/gen/): DIR/stages/xdr_w1_h1.lua, DIR/chains/xdr_w1_h1.lua,
-- for whoever wants to fuse them with a checksum or a cipher, and DIR/xdr_w1_h1.c and .h, which the file's C calls.
local layout = require "xdr.layout"
local gen = require "gen.main"
local files = require "gen.files"

local M = {}

-- The parts of a unit in a stage's words: numbers by their bytes, bytes that stay in quotes, and padding.
local function parts(unit)
	local list, stay = {}, 0
	local function flush(more)
		if stay > 0 then list[#list + 1] = string.format('"%d"', stay) end
		stay = 0
		list[#list + 1] = more
	end
	for _, run in ipairs(unit.words) do
		local kind, count = run[1], run[2]
		if kind == "o" then
			stay = stay + 4 * count
		else
			local zeros = layout.PADDING[kind]
			for _ = 1, count do
				stay = stay + 4 - (zeros or 4)
				flush(zeros and string.format("{ zeros = %d }", zeros) or tostring(layout.BYTES[kind]))
			end
		end
	end
	flush()
	return table.concat(list, ", ")
end

local STAGE = [[
-- An array of structs that have one layout in memory and in XDR: numbers of so many bytes, in quotes opaque ones, and
-- padding.
return stage {
	name = "%s",
	standard = "RFC 4506",
	kind = "map",
	layout = {
		%s
	},
	order = "big",
	tail = "pass",
}
]]
local CHAIN = [[
-- Presentation conversion, and nothing else.
return chain {
	name = "%s",
	stages = { "%s", "copy" },
}
]]

-- Lines of at most a hundred columns.
local function wrap(text)
	local lines, line = {}, ""
	for part in text:gmatch "%S+" do
		if #line + #part > 100 then
			lines[#lines + 1], line = line, ""
		end
		line = line .. (line == "" and "" or " ") .. part
	end
	lines[#lines + 1] = line
	return table.concat(lines, "\n\t\t")
end

local function exists(path)
	local handle = io.open(path, "rb")
	if handle then handle:close() end
	return handle ~= nil
end

-- The C of a chain, and its header, into list. Units of one name are the same in any folder, so that files of several
-- can be linked: whichever comes first. Returns nil and a message if there is none.
local function generate(chain, unit, out, list)
	local outputs, problem = gen.outputs(chain, math.huge)
	if not outputs then return nil, problem end
	for _, o in ipairs(outputs) do
		local content = o.content
		if o.path:match "%.c$" then content = string.format("#pragma weak ilp_chain_%s\n", unit.chain) .. content end
		list[#list + 1] = { path = out .. "/" .. o.path, content = content }
	end
	return true
end

-- Writes what belongs to the units into folder out. folder(path) makes a folder, and returns a message if it cannot.
-- Returns a function that removes again what was not there before; or nil and a message, and has removed it.
function M.write(units, out, folder)
	local described, new = {}, {}
	for _, unit in ipairs(layout.sorted(units)) do
		local stage = string.format("%s/stages/%s.lua", out, unit.chain)
		local chain = string.format("%s/chains/%s.lua", out, unit.chain)
		described[#described + 1] = { path = stage, content = STAGE:format(unit.chain, wrap(parts(unit))) }
		described[#described + 1] = { path = chain, content = CHAIN:format(unit.chain, unit.chain) }
		for _, path in ipairs { stage, chain, out .. "/" .. unit.chain .. ".c", out .. "/" .. unit.chain .. ".h" } do
			if not exists(path) then new[#new + 1] = path end
		end
	end
	local function undo()
		for _, path in ipairs(new) do os.remove(path) end
	end
	local problem = #described > 0 and (folder(out .. "/stages") or folder(out .. "/chains")) or nil
	local done = not problem
	if done then done, problem = files.write(described) end
	local written = {}
	for _, unit in ipairs(layout.sorted(units)) do
		if done then done, problem = generate(string.format("%s/chains/%s.lua", out, unit.chain), unit, out, written) end
	end
	if done then done, problem = files.write(written) end
	if done then return undo end
	undo()
	return nil, problem
end

return M
