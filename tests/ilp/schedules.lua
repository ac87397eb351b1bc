-- What no output of a loop tells, read in the C that is emitted: that tiled goes by strips and layered does not; that
-- what is named after stores by the caches has them, and orders them before it returns; which chains clear what they
-- leave in memory.
-- Run from the top of the source: luajit tests/ilp/schedules.lua
package.path = "ilp/?.lua;" .. package.path
local isa_table = require "gen.isa"
local main = require "gen.main"
local stream = require "gen.stream"

local passed, failed = 0, 0
local function check(ok, what, ...)
	passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
	if not ok then print("FAILED: " .. string.format(what, ...)) end
end

-- The functions of a C text: bodies by name.
local function functions(text)
	local bodies = {}
	for head, body in text:gmatch("\n([%w_][^\n;]*%))\n({\n.-\n})") do
		bodies[head:gsub("__attribute__%b()", ""):match("([%w_]+)%(")] = body
	end
	return bodies
end

-- Which functions of that name's pattern there are, in order.
local function named(bodies, pattern)
	local list = {}
	for name in pairs(bodies) do
		if name:find(pattern) then list[#list + 1] = name end
	end
	table.sort(list)
	return list
end

-- The best of what a CPU has: AVX-512 without VAES is of no use to words of 128 bits.
local avx512 = { "scalar", "sse2", "ssse3", "aesni", "avx2", "avx512" }
for quads, name in pairs { [true] = "aesni", [false] = "avx512" } do
	local isa = isa_table.best(avx512, quads)
	check(isa.name == name, "%s is the best, expected %s", isa.name, name)
end
check(isa_table.best({ "scalar", "neon" }, true).name == "scalar", "AES of a CPU that has none")
check(not isa_table.best({ "avx2" }, true), "something is the best of nothing")
local code = main.code("aes128_gcm_copy", "send", avx512)
check(code and code:find "_aesni%(" and not code:find "_vaes", "code of another row than the best")

-- Kernels are written whole: one that begins within the room for keystream ends there, whatever the loop's unit is.
for _, bits in ipairs { 32, 128 } do
	local rows, short = isa_table.rows(bits == 128), 0
	for unit = 1, 512 do
		local room = stream.room({ bits = bits, name = "any" }, rows, false, unit)
		for _, isa in ipairs(rows) do
			if room % stream.widest({ bits = bits }, isa).bytes ~= 0 or room < unit + 64 then short = short + 1 end
		end
	end
	check(short == 0, "%d times keystream of words of %d bits is beyond its room", short, bits)
end

local function tiled(chain, bodies)
	local strips = "for %(size_t i = 0; i < n; i %+= tile%)"
	for _, name in ipairs(named(bodies, "^%l+_tiled_%w+_loop$")) do
		local whole = ""
		for _, part in ipairs(named(bodies, "^" .. name:gsub("loop$", ""))) do whole = whole .. bodies[part] end
		check(whole:find(strips), "%s: %s has no strips", chain, name)
	end
	for _, name in ipairs(named(bodies, "^%l+_layered_%w+_%w+$")) do
		check(not bodies[name]:find "tile", "%s: %s has strips", chain, name)
	end
end

-- Returns for how many instruction sets there are stores by the caches.
local function streaming(chain, bodies)
	local sets = {}
	for _, name in ipairs(named(bodies, "^%l+_streaming_%w+_%d$")) do
		local body = bodies[name]
		if body:find "_out%(" then
			local isa = name:match "streaming_(%w+)_"
			sets[isa] = true
			check(body:find "_out%(.*sfence%(%)", "%s: %s leaves stores behind that nothing orders", chain, name)
		end
	end
	for _, name in ipairs(named(bodies, "_out$")) do
		local body = bodies[name]
		check(body:find "STREAM_%w+%(" or body:find "_wide_out%(", "%s: %s stores by the caches nowhere", chain, name)
	end
	local n = 0
	for _ in pairs(sets) do n = n + 1 end
	return n
end

local chains = io.popen("ls ilp/chains/*.lua")
for file in chains:lines() do
	local outputs = assert(main.outputs(file, 1e9))
	local bodies = functions(outputs[2].content)
	local chain = file:match("([^/]*)%.lua$")
	-- Where there are secrets, and only there, what they leave is cleared.
	local secret = chain:find "chacha20" or chain:find "mac" or chain:find "historic" or chain:find "gcm"
	check(not secret == not outputs[2].content:find "[^%w_]ilp_wipe_registers%(%)", "%s: secrets", chain)
	check(#named(bodies, "_tiled_") > 0, "%s: nothing is tiled", chain)
	tiled(chain, bodies)
	local sets = streaming(chain, bodies)
	-- Marks are put between by pieces; a fold in order keeps its keystream in memory; what is looked up is in no vector.
	local never = chain:find "marker" or chain:find "mac" or chain:find "guid" or chain:find "safer"
		or chain:find "poly1305"
	check(never or sets >= 3, "%s: %d instruction sets store by the caches", chain, sets)
end
chains:close()

print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and 0 or 1)
