-- Mistakes in descriptions of what authenticated encryption takes: words of 128 bits, several units in a step, keys
-- that are expanded, stages like others, pairs. As describe.lua: luajit tests/ilp/describe_pair.lua
package.path = "ilp/?.lua;tests/ilp/?.lua;" .. package.path
local common = require "describe.common"
local write, read, chain, change = common.write, common.read, common.chain, common.change
local stage_mistake, fold, map = common.stage_mistake, common.fold, common.map

-- A stage of ours as it stands, called probe, but for what is replaced.
local function ours(name, from, to)
	local text = read("ilp/stages/" .. name .. ".lua"):gsub('name = "' .. name .. '"', 'name = "probe"')
	return from and change(text, from, to) or text
end
-- The line of that field there.
local function line_of(name, what)
	local n = 0
	for line in read("ilp/stages/" .. name .. ".lua"):gmatch "[^\n]*\n" do
		n = n + 1
		if line:find(what, 1, true) then return n end
	end
	error(what)
end
local function mistake(name, stage, at, what, from, to)
	stage_mistake(name, line_of(stage, at), what, ours(stage, from, to))
end

for _, name in ipairs { "ghash", "aes128_ctr", "aes256_ctr", "aes128_gcm", "chacha20_poly1305", "hmac_sha256" } do
	if name:find "aes256" then write("stages/aes128_ctr.lua", read "ilp/stages/aes128_ctr.lua") end
	write("stages/probe.lua", ours(name))
	write("chains/c.lua", chain '"copy", "probe"')
	common.is_right(name .. " as it should be")
end

-- Words of 128 bits.
stage_mistake("quads of half a unit", 6, "word is 128 bits with a unit of 8 bytes, expected a unit of 16",
	change(fold("unit = 4,", "unit = 8,"), "tail", "word = 128, tail"))
mistake("a unit of 64 bytes", "aes128_ctr", "unit = ", "unit is 64, expected 16 of words of 128 bits", "unit = 16",
	"unit = 64")
mistake("a product of quads", "ghash", "return xor(products(a, b), last)", "mul32",
	"return xor(products(a, b), last)", "return mul32(last, products(a, b))")
mistake("a half that is none", "ghash", "local over = clmul", "clmul(…, 2, …, 0), expected the numbers of halves",
	"clmul(h, 1, 2, 0)", "clmul(h, 2, 2, 0)")
mistake("a shift by bits", "ghash", "shl(middle, 64)", "operand 2 of shl() is 63", "shl(middle, 64)", "shl(middle, 63)")
stage_mistake("a round of AES in words of 32 bits", 7, "aes", map("big(w)", "aes(w, w)"))

-- Steps of several units.
mistake("steps that are others", "ghash", "local function steps", "2 units at once: 0x",
	"return xor(products(a, b), last)", "return #w > 1 and last or xor(products(a, b), last)")
mistake("steps of units of two words", "poly1305", "step = step,", "steps of units of 2 words, expected one",
	"step = step,", "step = step, steps = step,")

-- Keys that are expanded.
mistake("expanded keys without params", "poly1305", "return stage", "field 'params' is missing",
	'params = { { "key", 32 } },', "expand = step,")
mistake("keys expanded to too much", "poly1305", "begin =", "begin and expand return 91 words", "size = 16,",
	"size = 16, expand = function(p) local s = {} for k = 1, 64 do s[k] = p.key[1] end return s end,")

-- Stages like others.
mistake("like a number", "aes256_ctr", "like =", "like is 7, expected the name of a stage", '"aes128_ctr"', "7")
mistake("like a file elsewhere", "aes256_ctr", "like =", "like is", '"aes128_ctr"', '"../aes128_ctr"')
mistake("like none", "aes256_ctr", "like =", 'like is "aes128"', '"aes128_ctr"', '"aes128"')
write("stages/other.lua", (ours "aes256_ctr":gsub('"probe"', '"other"')))
mistake("like one that is like another", "aes256_ctr", "like =", 'like is "other"', '"aes128_ctr"', '"other"')
mistake("like itself", "aes256_ctr", "like =", 'like is "probe"', '"aes128_ctr"', '"probe"')

-- Hashes.
local function hash(name, at, what, from, to) mistake(name, "hmac_sha256", at, what, from, to) end
hash("part of a unit before", "before =", "before is 65, expected whole units of 64 bytes", "before = 64",
	"before = 65")
hash("nobody knows what before", "before =", 'before is "key", expected a number', "before = 64",
	'before = "key"')
hash("a unit of 16", "unit =", "unit", "unit = 64", "unit = 16")
hash("a value of 20 bytes", "size =", "size", "size = 32", "size = 20")
hash("no accumulator", "init =", "init returns 0 words, expected 1 to 4", "return { s[1], s[2] }", "return {}")
hash("one word more", "return compress(acc, data)", "step returns has 3 words, expected 2",
	"return compress(acc, data)",
	"local out = compress(acc, data) out[3] = acc[1] return out")
hash("one word", "return digest", "finish returns", "return digest(compress(",
	"return acc[1], (compress(")
hash("what a fold has", "before = 64,", "unknown field 'merge'", "before = 64,", "before = 64, merge = compress,")
hash("what earlier calls left", "step =", "step gives 0x", "return compress(acc, data)",
	"K[1] = (K[1] + 1) % 4096 return { xor(acc[1], K[1]), acc[2] }")
stage_mistake("rounds in words of 32 bits", 7, "sha256() on words of 32 bits, which have none",
	map("big(w)", "sha256(w, w, w)"))

-- Pairs.
local function pair(name, field, what, from, to)
	mistake(name, "aes128_gcm", field .. " =", what, from, to)
end
pair("a cipher that is not there", "cipher", 'cipher is "aes512_ctr", expected a stream with secret parameters',
	'"aes128_ctr"', '"aes512_ctr"')
write("stages/historic_ctr.lua", (ours "aes128_ctr":gsub('"probe"', '"historic_ctr",\n\tinsecure = true')))
pair("a cipher that is insecure", "cipher", 'cipher is "historic_ctr", which is insecure', '"aes128_ctr"',
	'"historic_ctr"')
write("stages/probe.lua", ours "aes128_gcm")
common.chain_mistake("two pairs", 3, "'chacha20_poly1305' is a pair as 'probe' is, expected one in a chain",
	chain '"probe", "chacha20_poly1305"')
pair("a cipher that is a fold", "cipher", 'cipher is "ghash", expected a stream', '"aes128_ctr"', '"ghash"')
pair("a cipher without a secret", "cipher", 'cipher is "ws_mask", expected a stream', '"aes128_ctr"', '"ws_mask"')
pair("an authenticator that is a stream", "authenticator", 'authenticator is "chacha20", expected a fold', '"ghash"',
	'"chacha20"')
pair("an authenticator without a key", "authenticator", 'authenticator is "inet_checksum", expected a fold', '"ghash"',
	'"inet_checksum"')
pair("an authenticator that is a hash", "authenticator", "'hmac_sha256' is a hash, expected a fold in order", '"ghash"',
	'"hmac_sha256"')
pair("a short counter", "counter", "counter has 3 bytes, expected a parameter 'counter' of aes128_ctr with as many",
	"{ 0, 0, 0, 2 }", "{ 0, 0, 2 }")
pair("a byte too large", "counter", "counter is no list of bytes", "2 }", "256 }")
pair("a counter with a hole", "counter", "counter has nothing at place 2", "{ 0, 0,", "{ 0, nil,")
mistake("nothing that is too much", "aes128_gcm", "return stage", "field 'most'",
	"\tmost = 2^36 - 32, -- (5.2.1.1)\n", "")
pair("too much", "most", "most is", "2^36 - 32", "2^53")
pair("a parameter that is not there", "before", "'ghash' has a parameter 'mask' that no block makes",
	'"mask"', '"hash"')
pair("a parameter that nothing makes", "before", "'ghash' has a parameter 'mask' that no block makes",
	'"mask"', '"key"')
mistake("a block for nobody", "chacha20_poly1305", 'before = "key"', 'zero is "none", expected a parameter of',
	'before = "key"', 'before = "key", zero = "none"')
pair("lengths that say nothing", "lengths", "leaves out how many bits there are", "or_(shl(a, 64), n)", "n")
pair("lengths that are none", "lengths", "lengths", "big(or_(shl(a, 64), n))", "nil")
pair("keys of its own", "before", "unknown field 'params'", "before =", 'params = { { "key", 4 } }, before =')
common.done "ilp pairs"
