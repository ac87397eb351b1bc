-- The tool that makes mutants of generated loops (tests/ilp/mutate/): its tokens, its operators on snippets of C, its
-- sample, its explanations; then a dozen mutants of the shortest chain, which its tests must kill.
-- Run from the top of the source after `make tests`: luajit tests/ilp/mutate.lua
package.path = "tests/ilp/?.lua;ilp/?.lua;" .. package.path
local token = require "mutate.token"
local source = require "mutate.source"
local site = require "mutate.site"
local operators = require "mutate.operators"
local sample = require "mutate.sample"
local explained = require "mutate.explained"
local report = require "mutate.report"
local main = require "mutate.main"

local passed, failed = 0, 0
local function check(ok, name, detail)
	if ok then
		passed = passed + 1
	else
		failed = failed + 1
		print("FAILED: " .. name .. (detail and ": " .. tostring(detail) or ""))
	end
end
local function same(got, want, name) check(got == want, name, string.format("'%s', expected '%s'", got, want)) end
local function complains(name, what, f, ...)
	local ok, message = pcall(f, ...)
	check(not ok and tostring(message):find(what, 1, true), name, message)
end

-- Tokens --------------------------------------------------------------------------------------------------------

local function words(text, kind)
	local list = {}
	for _, t in ipairs(token.tokens(text)) do
		same(text:sub(t.from, t.to), t.text, "place of a token")
		if not kind or t.kind == kind then list[#list + 1] = t.text end
	end
	return table.concat(list, " ")
end

same(words "a+=b->c<<=1;", "a += b -> c <<= 1 ;", "operators, longest first")
same(words "a+++b---c...", "a ++ + b -- - c ...", "operators that run together")
same(words "x /* y\n z */ + // w\n v", "x + v", "comments")
same(words("0xffull 1.5e+3 .5f 12u 0x1p-3", "number"), "0xffull 1.5e+3 .5f 12u 0x1p-3", "numbers")
same(words "0xe+1", "0xe + 1", "no exponent of a hexadecimal number")
same(words([["a\"b" 'c' '\'' "/* no */"]], "string"), [["a\"b" "/* no */"]], "strings")
same(words "a \\\n b", "a b", "a line that goes on")
same(token.tokens("a\n/*\n*/ b")[2].line, 3, "lines through a comment")
local directives = token.tokens("x\n #define Y \\\n 7\nz # w\n#include <a>")
same(directives[1].directive, nil, "no directive before")
same(directives[5].directive.name .. directives[5].text, "define7", "a directive that goes on")
same(directives[6].directive, nil, "no directive after")
same(directives[7].directive, nil, "# within a line")
same(directives[9].directive.line, 5, "the line of a directive")
complains("a comment without end", "f.c:2: a comment", token.tokens, "a\n/* b", "f.c")
complains("a string without end", "f.c:1: a constant", token.tokens, 'a "b\n"', "f.c")
local partner = token.partners(token.tokens "f(a[1], { b })")
same(table.concat({ partner[2], partner[4], partner[8], partner[11] }, " "), "11 6 10 2", "brackets")
same(select(2, token.partners(token.tokens "(a]")), 3, "a bracket that closes another")
same(select(2, token.partners(token.tokens "f(a")), 2, "a bracket that stays open")

-- Regions and statements ------------------------------------------------------------------------------------------

local C = [[
#define TARGET __attribute__((target("avx2,bmi2")))
#define PASTE(T, x) MAKE_##T(x)
#define MAKE_v8(x) ((x) + 8)
#define UNUSED(x) ((x) + 9)
typedef unsigned v8;
typedef void shape(int a);
struct s { int a; };
static const struct s table = { 1 };
TARGET static void send_wide(uint8_t *dst, const uint8_t *src, size_t n)
{
	if (n) { n = PASTE(v8, n); } else return;
	do n--; while (n > 3);
	for (size_t i = 0; i < n; i++)
		dst[i] = src[i];
	uint64_t a = 1, b[2] = { 2, 3 };
	a = b[0], b[1]++;
	;
}
static int both(struct s *s) { while (s->a) break; return s->a; }
static int recv_one(struct s *s) { return both(s); }
]]
local function region(text, name)
	for _, r in ipairs(source.regions(text, "snippet.c")) do
		if r.name == name then return r end
	end
end
local wide = region(C, "send_wide")
local kinds = {}
for k, s in ipairs(wide.statements) do kinds[k] = s.kind end
same(table.concat(kinds, " "), "if block expression return do expression for expression declaration expression empty",
	"statements")
same(#wide.body, 6, "statements of the body itself")
same(wide.isa, "avx2,bmi2", "the target of a function")
same(wide.direction .. region(C, "both").direction, "sendrecv", "directions, by callers")
same(#wide.params .. wide.params[2].name .. tostring(wide.params.src.const) .. tostring(wide.params.dst.const),
	"3srctruefalse", "parameters")
local fixed = region("static int g(uint8_t *const p, const uint8_t *q, int n[3]) { return 0; }", "g").params
same(tostring(fixed.p.const) .. tostring(fixed.q.const) .. tostring(fixed.n.pointer), "falsetruetrue", "what is const")
check(region(C, "MAKE_v8"), "a macro that is used by pasting")
same(region(C, "MAKE_v8").isa, "avx2,bmi2", "the target of a macro's users")
check(not region(C, "UNUSED"), "a macro that is not used")
check(not region(C, "TARGET"), "a macro that is a target")
local live = source.live_lines("a\n#if 0\nb\n#else\nc\n#endif\n#define X \\\n y\n", "cc")
check(live[1] and not live[3] and live[5], "lines that the compiler sees")
complains("brackets of C", "snippet.c: line 1", source.regions, "void f(void) { a(1; }", "snippet.c")
check(source.runs("plain", {}) and source.runs("any", {}), "plain code runs anywhere")
check(source.runs("avx2", { avx2 = true }) and not source.runs("avx2", { sse2 = true }), "what runs where")

-- Operators -------------------------------------------------------------------------------------------------------

-- Nothing but what the site says is changed: what differs lies within its edits.
local function only_there(s)
	local a, b, from, back = s.region.text, site.apply(s), 1, 0
	while a:sub(from, from) == b:sub(from, from) and from <= #a do from = from + 1 end
	while a:sub(#a - back, #a - back) == b:sub(#b - back, #b - back) and back < #a - from do back = back + 1 end
	local first, last = math.huge, 0
	for _, e in ipairs(s.edits) do first, last = math.min(first, e.from), math.max(last, e.to, e.from) end
	return from >= first and #a - back <= math.max(last + 1, from)
end

-- The mutants of an operator in the body of a function (or in a whole text), as what they make of each line.
local HEAD = "static int f(struct chain *s, uint64_t at, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp)\n{\n"
local used = {}
local function makes(name, code, ...)
	local text = code:find("\n}\n", 1, true) and code or code:find("^#") and code or HEAD .. code .. "\n}\n"
	local got, want = {}, { ... }
	used[name] = true
	for _, s in ipairs(site.all(source.regions(text, "snippet.c"), { operators.by_name[name] })) do
		check(only_there(s), name .. ": changes what it says and nothing else")
		got[#got + 1] = select(2, site.show(s))
	end
	same(table.concat(got, "\n\t"), table.concat(want, "\n\t"), name .. " of " .. code)
end

makes("stride", "for (; n - i >= 8; i += 8) { x(dst); }", "for (; n - i >= 8; i += 16) { x(dst); }",
	"for (; n - i >= 8; i += 10) { x(dst); }")
makes("stride", "for (; i < n; i += 8) sum += 1;", "for (; i < n; i += 16) sum += 1;",
	"for (; i < n; i += 10) sum += 1;", "for (; i < n; i += 4) sum += 1;")
makes("stride", "for (; i < n; i++) ;", "for (; i < n; i += 2) ;")
makes("stride", "for (; i < n; i += TILE) ;", "for (; i < n; i += 2 * TILE) ;")
makes("bound-longer", "for (; n - i >= 8; i += 8) x();", "for (; n - i >= 6; i += 8) x();",
	"for (; n - i >= 4; i += 8) x();")
makes("bound-longer", "for (; i < n; i++) x();", "for (; i <= n; i++) x();")
makes("bound-longer", "for (; i < n; i += TILE) x();")
makes("bound-longer", "while (n > 0) x();", "while (n >= 0) x();")
makes("bound-longer", "if (n > 0) x();")
makes("bound-shorter", "for (; n - i >= 4; i += 4) x();", "for (; n - i > 4; i += 4) x();",
	"for (; n - i >= 5; i += 4) x();")
local NESTED = "static void f(size_t n)\n{\nif (n - i >= 8) { for (; n - i >= 8; i += 8) x(); }\n"
	.. "for (; n - i >= 4; i += 4) x();\n}\n"
makes("bound-shorter", NESTED, "for (; n - i > 4; i += 4) x();", "for (; n - i >= 5; i += 4) x();")
makes("part-dropped", "for (; n;) { for (; n - i >= 8; i += 8) x(); } for (; n - i >= 4; i += 4) y();",
	"; for (; n - i >= 4; i += 4) y();", "for (; n;) { ; } for (; n - i >= 4; i += 4) y();",
	"for (; n;) { for (; n - i >= 8; i += 8) x(); } ;")
makes("compare", "if (n - i >= 8) { for (; n - i >= 16;) x();\nfor (; n - i >= 8;) x(); }\nfor (; n - i >= 4;) y();",
	"if (n - i >= 8) { for (; n - i < 16;) x();", "for (; n - i < 8;) x(); }", "for (; n - i < 4;) y();")
makes("compare", NESTED, "for (; n - i < 4; i += 4) x();")
makes("compare", (NESTED:gsub("i >= 8; ", "i >= 16; ")), "if (n - i >= 8) { for (; n - i < 16; i += 8) x(); }",
	"for (; n - i < 4; i += 4) x();")
makes("part-dropped", NESTED, ";")
makes("part-dropped", "if (i < n) { x(); }", "if (0) { x(); }")
makes("mask", "x = a & 0xffffull;", "x = a & 0x7fffull;", "x = a & 0xfffeull;", "x = a & 0xfffffull;")
makes("parity", "x = a & 1ull;", "x = a & 0ull;")
makes("parity", "x = f(&a, 1);")
makes("divisor", "x = n % 4;", "x = n % 2;", "x = n % 5;")
makes("divisor", "x = n - n % 64;", "x = n - n % 32;")
makes("divisor", "x = (at + i) / 64;", "x = (at + i) / 32;", "x = (at + i) / 128;")
makes("shift", "x = a << 16 >> 1;", "x = a << 17 >> 1;", "x = a << 15 >> 1;", "x = a << 16 >> 2;", "x = a << 16 >> 0;")
makes("offset", "STORE(dst + i + 32, x1);", "STORE(dst + i + 33, x1);", "STORE(dst + i + 31, x1);",
	"STORE(dst + i + 0, x1);")
makes("offset", "x = a + 32;")
makes("argument", "x = ROTL(a, 12);", "x = ROTL(a, 13);", "x = ROTL(a, 11);")
makes("index", "uint32_t w[16] = x[3];", "uint32_t w[16] = x[2];")
makes("lanes", "x = shuffle(a, b, 0, 8, 1, 9);", "x = shuffle(a, b, 8, 0, 1, 9);", "x = shuffle(a, b, 8, 8, 1, 9);",
	"x = shuffle(a, b, 0, 1, 8, 9);", "x = shuffle(a, b, 0, 1, 1, 9);", "x = shuffle(a, b, 0, 8, 9, 1);",
	"x = shuffle(a, b, 0, 8, 9, 9);")
makes("lanes", "x = shuffle(a, 3, 2, 1);")
makes("lanes", "#define COUNT { 0, 1, 2, 3 }\nint f(void) { return (v4)COUNT; }\n", "#define COUNT { 1, 0, 2, 3 }",
	"#define COUNT { 1, 1, 2, 3 }", "#define COUNT { 0, 2, 1, 3 }", "#define COUNT { 0, 2, 2, 3 }",
	"#define COUNT { 0, 1, 3, 2 }", "#define COUNT { 0, 1, 3, 3 }")
makes("value", "uint64_t a = 0ull, b = {0}; a = b + 1;", "uint64_t a = 1ull, b = {0}; a = b + 1;",
	"uint64_t a = 0ull, b = {1}; a = b + 1;")
makes("return", "if (n) return 64; return done + n;", "if (n) return (64) + 1; return done + n;",
	"if (n) return 128; return done + n;", "if (n) return 64; return (done + n) + 1;")
makes("operator", "x ^= -a + (d256)b;", "x |= -a + (d256)b;", "x ^= -a - (d256)b;")
makes("operator", "x = f(&a, *b) ^ (c & d);", "x = f(&a, *b) | (c & d);", "x = f(&a, *b) & (c & d);",
	"x = f(&a, *b) ^ (c | d);")
makes("operands", "x = s->n - (uint64_t)b[1];", "x = (uint64_t)b[1] - s->n;")
makes("operands", "x = a + b;")
makes("arguments", "f(s, dst + i, 4);", "f(dst + i, s, 4);")
makes("arguments", "x = LOAD(uint32_t, src);")
makes("term", "f(s, at + i, src + i, s->pos - n);", "f(s, at , src + i, s->pos - n);", "f(s, i, src + i, s->pos - n);",
	"f(s, at + i, src , s->pos - n);", "f(s, at + i, src + i, s->pos );")
makes("term", "x = a + b * c;")
makes("vector", "int x1 = 1, x2 = 2, y = 3; x1 = x1 + x2 + s->x2;", "int x1 = 1, x2 = 2, y = 3; x1 = x2 + x2 + s->x2;",
	"int x1 = 1, x2 = 2, y = 3; x1 = x1 + x1 + s->x2;")
makes("buffer", "copy(dst, n); (void)tmp;", "copy(src, n); (void)tmp;", "copy(tmp, n); (void)tmp;")
makes("narrow", "uint64_t a = at; x = n + a;", "uint64_t a = (uint32_t)at; x = n + a;",
	"uint64_t a = at; x = n + (uint32_t)a;")
makes("narrow", "f(at + i, n);", "f((uint32_t)at + i, n);")
makes("choice", "x = n < m ? n : m;", "x = n < m && 1 || 1 ? n : m;", "x = n < m && 0 ? n : m;")
makes("compare", "if (n == 0) x();", "if (n != 0) x();")
makes("statement-dropped", "x0 = BIG(x0); n += 1; s->a = 1; (void)n;", "; n += 1; s->a = 1; (void)n;")
makes("counter-dropped", "at += m, x0 = 1, n -= m; s->held_len += m;",
	"(void)0, x0 = 1, n -= m; s->held_len += m;", "at += m, x0 = 1, (void)0; s->held_len += m;",
	"at += m, x0 = 1, n -= m; ;")
makes("state-dropped", "s->held_len = 0; x = 1;", "; x = 1;")
makes("statement-twice", "x0 = BIG(x0); x1 = x0; n += 4;", "x0 = BIG(x0); x0 = BIG(x0); x1 = x0; n += 4;",
	"x0 = BIG(x0); x1 = x0; n += 4; n += 4;")
makes("order", "x0 = BIG(x0); a += x0; b = c;", "a += x0; x0 = BIG(x0); b = c;")
makes("order", "s->a[1] = b[1]; s->a[12] = c;")
makes("order", "STORE(dst + i, x0); STORE(dst + i + 4, x1);")
makes("order", "int x = s->a; run(s, dst); s->a = x;", "run(s, dst); int x = s->a; s->a = x;",
	"int x = s->a; s->a = x; run(s, dst);")
makes("wipe", "size_t used = 0; used = n; x = n; ilp_wipe(ks, used);", "size_t used = 0; ; x = n; ilp_wipe(ks, used);",
	"size_t used = 0; used = n; x = n; ;", "size_t used = 0; used = n; x = n; ilp_wipe(ks, used / 2);")
makes("value", "size_t used = 0; used = n; ilp_wipe(ks, used);")
makes("write-past", "x();", "{ dst[n] = (uint8_t)~dst[n];")
makes("read-past", "x();", "{ (void)*(volatile const uint8_t *)(src + n);")
makes("source", "static void f(const uint8_t *p, size_t k)\n{\n}\n", "if (k > 0) ((uint8_t *)p)[0] ^= 1; }")
makes("overrun", "for (; n - i >= 8; i += 8) { STORE(dst + i, x0); }",
	"for (; n - i >= 8; i += 8) { STORE(dst + i, x0); STORE(dst + i + 8, x0); }")
makes("byte", "STORE(dst + i, x0);", "STORE(dst + i, x0); (dst + i)[sizeof(x0) - 1] ^= 0x80;")
for _, operator in ipairs(operators.list) do check(used[operator.name], operator.name .. " has no snippet") end

-- The sample ------------------------------------------------------------------------------------------------------

local function pool()
	local sites = {}
	for k = 1, 600 do
		sites[k] = { key = k, chain = "c" .. k % 2, operator = { name = "o" .. k % 3 },
			region = { name = "f" .. k % 20, isa = "i" .. k % 5, direction = "send", schedule = "fused" } }
	end
	return sites
end
local function drawn(seed, n)
	local draw, keys, chains, isas = sample.new(pool(), seed), {}, {}, {}
	for k = 1, n do
		local s = draw:next()
		keys[k], chains[s.chain] = s.key, (chains[s.chain] or 0) + 1
		isas[s.region.isa] = (isas[s.region.isa] or 0) + 1
	end
	return table.concat(keys, " "), chains, isas
end
local first, chains, isas = drawn(7, 60)
same(first, (drawn(7, 60)), "the same seed, the same sample")
check(first ~= (drawn(8, 60)), "another seed, another sample")
check(chains.c0 == 30 and chains.c1 == 30, "as many of each chain", chains.c0)
check(isas.i0 == 12 and isas.i4 == 12, "as many of each instruction set", isas.i0)
local draw = sample.new(pool(), 1)
local left = draw:next()
draw:discard(left)
same(draw:next().operator.name, left.operator.name, "for what came to nothing, another of its operator")
local count = 2
while draw:next() do count = count + 1 end
same(count, 600, "every site once")

-- Explanations, the verdict on all, the report -----------------------------------------------------------------------

local TEXT = "# why\nequivalent compare,mask c:f_*\n\tif (n >= #) => *\n\tbecause\n\tof this\n\n"
	.. "unseen * *:g\n\ta+b => a\n\tno\n"
local list = explained.parse(TEXT, "e", operators.by_name)
local function at(operator, name) return { chain = "c", operator = { name = operator }, region = { name = name } } end
same(explained.find(list, at("mask", "f_1"), "if (n >= 32)", "x").why, "because of this", "an explanation")
same(explained.find(list, at("shift", "f_1"), "if (n >= 32)", "x"), nil, "for another operator")
same(explained.find(list, at("mask", "h_1"), "if (n >= 32)", "x"), nil, "for another function")
same(explained.find(list, at("mask", "f_1"), "if (n >= x)", "x"), nil, "for other text")
same(explained.find(list, at("shift", "g"), "a+b", "a").kind, "unseen", "an explanation for any operator")
complains("a kind of explanation", "e:1: 'harmless", explained.parse, "harmless mask f", "e", operators.by_name)
complains("an unknown operator", "e:1: 'mosk'", explained.parse, "unseen mosk f", "e", operators.by_name)
complains("no reason", "e:3: an explanation ends", explained.parse, "unseen mask f\n\ta => b\n", "e", operators.by_name)
complains("no arrow", "e:2: 'a'", explained.parse, "unseen mask f\n\ta\n", "e", operators.by_name)
explained.read("tests/ilp/mutants.explained", operators.by_name)

local function results(killed, unexplained, explanations)
	local all = {}
	for _ = 1, killed do all[#all + 1] = { verdict = "killed" } end
	for _ = 1, unexplained do all[#all + 1] = { verdict = "survived" } end
	for _ = 1, explanations do all[#all + 1] = { verdict = "survived", explanation = {} } end
	all[#all + 1] = { verdict = "same" }
	return all
end
check(main.enough(results(100, 0, 0)) and main.enough(results(99, 0, 1)), "99 of 100, the other explained")
check(not main.enough(results(98, 0, 2)), "98 of 100")
check(not main.enough(results(999, 1, 0)), "a survivor that is not explained")
check(not main.enough(results(0, 0, 0)), "no mutant at all")
same(report.encode { b = "x\"\n\1", a = { 1, true, {} } }, '{"a": [1,\ntrue,\n[]], "b": "x\\"\\n\\u0001"}', "JSON")

for _, wrong in ipairs { "--cont", "--count", "--count 0", "--count x", "--operator mosk", "--print", "copy_sum" } do
	local arguments = {}
	for word in wrong:gmatch("%S+") do arguments[#arguments + 1] = word end
	check(not main.parse(arguments), "options: " .. wrong)
end

-- A dozen mutants -------------------------------------------------------------------------------------------------

local function shortest_chain(gen)
	local pipe = assert(io.popen("ls " .. gen .. "/*_test.c | sed 's/_test.c$/.c/' | xargs -r ls -rS | head -n 1"))
	local path = pipe:read("*a")
	pipe:close()
	return path:match("([^/]*)%.c")
end

local o = main.defaults()
o.build, o.count, o.seed = os.getenv("B") or o.build, 12, 1
o.chain = { (assert(shortest_chain(o.gen), o.gen .. ": no chain there, run `make tests`")) }

-- What becomes of a mutant that is none: one that does not compile, one of the same code, one that does no harm.
local text = assert(io.open(o.gen .. "/" .. o.chain[1] .. ".c")):read("*a")
local function planted(code)
	return { chain = o.chain[1], key = "planted", region = { text = text },
		edits = { { from = #text + 1, to = #text, text = code .. "\n" } } }
end
local none = { planted "int x = ;", planted "typedef int same;", planted "int more = 7;" }

for _, s in ipairs(main.mutants(o, function(run) run:run(none, function() end) end)) do
	if s.verdict == "killed" or s.verdict == "survived" then
		check(s.verdict == "killed" or s.explanation, s.chain .. ":" .. s.key .. " survived", s.after)
	end
end
same(none[1].verdict .. none[2].verdict .. none[3].verdict, "unbuiltsamesurvived", "mutants that are none")

print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and 0 or 1)
