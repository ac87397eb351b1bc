-- Reads profiles of connections (alf/profile.h has the manual of their fields), in the generator's sandbox: what each
-- field is, and that it can be by itself. What goes with what, and which chains there are, alf/profile.c knows.
local field = require "gen.field"
local sandbox = require "gen.sandbox"

local M = {}

local NAMES = { KiB = 2^10, MiB = 2^20, GiB = 2^30 }
local KNOWN = "KiB, MiB, GiB (words stand in quotes)"
local PROFILE = {
	name = { "string", optional = true },
	congestion = { "cubic", "reno", optional = true },
	order = { "any", "begun", optional = true },
	acks = { "delayed", "quick", optional = true },
	framer = { "mpa", "record", "cobs", "plain", optional = true },
	markers = { true, false, optional = true },
	crc = { true, false, optional = true },
	chain = { "string", optional = true },
	schedule = { "layered", "tiled", "fused", "streaming", optional = true },
	recovery = { "keep", "recompute", "tolerate", "supersede", optional = true },
	limits = { "table", optional = true },
}
-- The least and the most. Bytes are below 2^53, where Lua's numbers are whole; rekey is what RFC 8446 (5.5) leaves to
-- AES in GCM; deadlines are ADU_DEADLINE_MAX at most.
local LIMITS = {
	adu = { 1, 2^53 - 1 },
	credit = { 1, 2^53 - 1 },
	quantum = { 1, 2^32 - 1 },
	rekey = { 1, 2^24 },
	forgeries = { 0, 2^32 - 1 },
	deadline_ms = { 0, 65534 },
}

local function sorted(t)
	local names = {}
	for name in pairs(t) do names[#names + 1] = name end
	table.sort(names)
	return names
end

local function check_name(d)
	local base = d.file:match("([^/]*)%.lua$") or d.file:match("[^/]*$")
	if d.fields.name and d.fields.name ~= base then
		field.fail(d, "name", "name is %s, expected %q as the file is called; rename one of them",
			sandbox.show(d.fields.name), base)
	end
end

-- The limits are a description within the description.
local function check_limits(d)
	local limits = { file = d.file, text = d.text, lines = d.lines, fields = d.fields.limits or {} }
	field.check_known(limits, LIMITS)
	for _, name in ipairs(sorted(LIMITS)) do
		if limits.fields[name] ~= nil then
			field.check_integer(limits, name, LIMITS[name][1], LIMITS[name][2], "an integer")
		end
	end
	return limits.fields
end

-- The profile's fields and limits in one table, truth as 1 and 0, and beside each, as NAME_line, where it stands; or
-- nil and a complaint.
function M.read(file, limit)
	return sandbox.complaints(sandbox.bounded, file, limit, function()
		local d = field.load(file, "profile", NAMES, KNOWN)
		if not d then sandbox.fail(file, 1, "no such file, expected a profile; name another") end
		field.check_known(d, PROFILE)
		field.check(d, PROFILE)
		check_name(d)
		local limits, out = check_limits(d), {}
		d.fields.limits = nil
		for _, fields in ipairs { d.fields, limits } do
			for name, v in pairs(fields) do
				out[name] = type(v) == "boolean" and (v and 1 or 0) or v
				out[name .. "_line"] = field.line(d, name)
			end
		end
		return out
	end)
end

return M
