-- The laws that a description must obey for loops to be made from it, tried on numbers: inverse undoes apply; a
-- fold comes to the same however its data is cut, ordered by lane, and joined.
local sandbox = require "gen.sandbox"
local ops = require "gen.ops"
local number = require "gen.number"

local M = {}

local SAMPLES = { 0, 1, 0x80, 0x01020304, 0x7fffffff, 0x80000000, 0xdeadbeef, 0xfffffffe, 0xffffffff }

local function run(d, bits, field, f)
	return ops.with(number.new(bits, "little"), function() return sandbox.run(d.file, d.line(field), f) end)
end

function M.map(d)
	local f = d.fields
	local back = f.inverse == "self" and f.apply or f.inverse
	if not back then return end
	for _, w in ipairs(SAMPLES) do
		local there, here
		run(d, 32, "apply", function() there = f.apply(w); here = back(there) end)
		if here ~= w then
			sandbox.fail(d.file, d.line(f.inverse == "self" and "apply" or "inverse"),
				"inverse makes 0x%x of apply's 0x%x, expected 0x%x again; correct either", here, there, w)
		end
	end
end

-- The fold of a list of bytes, finished.
function M.fold_bytes(f, bytes)
	local acc = f.zero
	for i = 1, #bytes, 4 do
		local w = 0
		for k = 3, 0, -1 do w = w * 256 + (bytes[i + k] or 0) end
		acc = f.step(acc, w)
	end
	return f.finish(acc)
end

local function part(bytes, from, to)
	local t = {}
	for i = from, to do t[#t + 1] = bytes[i] end
	return t
end

local function same(d, field, got, want, what, ...)
	if got ~= want then
		sandbox.fail(d.file, d.line(field), "%s: %s, expected %s; correct %s", string.format(what, ...),
			tostring(got), tostring(want), field)
	end
end

function M.fold(d)
	local f = d.fields
	local bytes, seed = {}, 1
	for i = 1, 25 do
		seed = (seed * 1103515245 + 12345) % 2^31
		bytes[i] = i <= 6 and 255 or math.floor(seed / 65536) % 256
	end
	run(d, 64, "step", function()
		local whole = M.fold_bytes(f, bytes)
		for _, cut in ipairs { 0, 1, 2, 4, 7, #bytes } do
			local a, b = M.fold_bytes(f, part(bytes, 1, cut)), M.fold_bytes(f, part(bytes, cut + 1, #bytes))
			same(d, "join", f.join(a, b, cut), whole, "joining %d and %d bytes", cut, #bytes - cut)
		end
		local x, y = f.step(f.step(f.zero, SAMPLES[4]), SAMPLES[7]), f.step(f.zero, SAMPLES[9])
		local all = f.step(x, SAMPLES[9])
		same(d, "merge", f.finish(f.merge(x, y)), f.finish(all), "merging two lanes")
		same(d, "merge", f.finish(f.merge(y, x)), f.finish(all), "merging two lanes in the other order")
		same(d, "merge", f.finish(f.merge(f.zero, x)), f.finish(x), "merging with zero")
		same(d, "step", f.finish(f.step(f.step(f.zero, SAMPLES[7]), SAMPLES[4])), f.finish(x), "the other order of words")
	end)
end

return M
