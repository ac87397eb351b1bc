-- Stuffing in C: the data without its zeros (Cheshire and Baker's COBS). Out of a piece, its length must be known
-- before its bytes go: they wait in the state until a zero comes, or as many as can be. In, the state says how many
-- bytes of a piece are still to come, and what stands behind it: nothing has begun (0), a zero (1), none (2).
local M = {}

local EMIT = {}

local function zero_name(stage) return stage.name .. "_zero" end

-- Once for a chain.
function M.emit_functions(t, stage)
	t:line("/* Where the first zero of n bytes is; n if there is none. */")
	t:func(string.format("static inline size_t %s(const uint8_t *p, size_t n)", zero_name(stage)))
	t:line("const uint64_t ones = ~0ull / 255;")
	t:line("size_t i = 0;")
	t:line("")
	t:open("for (; n - i >= 8; i += 8) {")
	t:line("const uint64_t w = LOAD(uint64_t, p + i);")
	t:line("if ((w - ones) & ~w & ones << 7)")
	t:line("\tbreak;")
	t:close()
	t:line("while (i < n && p[i] != 0)")
	t:line("\ti++;")
	t:line("return i;")
	t:endfunc()
end

function EMIT.out(t, stage)
	local run = stage.run
	t:line("uint8_t *const first = dst, *const held = s->%s_run + 1;", stage.name)
	t:line("size_t len = s->%s_run[0];", stage.name)
	t:line("")
	t:line("if (len >= %d) /* it is not: compilers are to know */", run)
	t:line("\tlen = 0;")
	t:open("while (n > 0) {")
	t:line("const size_t most = n < %d - len ? n : %d - len, here = %s(src, most);", run, run, zero_name(stage))
	t:open("if (here == most && len + here < %d) {", run)
	t:line("__builtin_memcpy(held + len, src, here);")
	t:line("len += here;")
	t:line("break;")
	t:close()
	t:line("*dst = (uint8_t)(len + here + 1);")
	t:line("__builtin_memcpy(dst + 1, held, len);")
	t:line("copy_bytes(dst + 1 + len, src, here);")
	t:line("dst += 1 + len + here;")
	t:line("const size_t taken = here < most ? here + 1 : here;")
	t:line("src += taken, n -= taken, len = 0;")
	t:close()
	t:line("s->%s_run[0] = (uint8_t)len;", stage.name)
	t:line("__builtin_memset(held + len, 0, %d - len); /* the state does not tell how it was cut */", run)
end

EMIT["in"] = function(t, stage)
	local run = stage.run
	t:line("uint8_t *const first = dst;")
	t:line("size_t left = s->%s_run[0];", stage.name)
	t:line("unsigned behind = s->%s_run[1], bad = 0;", stage.name)
	t:line("")
	t:open("while (n > 0) {")
	t:open("if (left == 0) {")
	t:line("const unsigned code = *src;")
	t:line("bad |= code == 0%s;", run < 254 and " || code > " .. run + 1 or "")
	t:line("if (behind == 1)")
	t:line("\t*dst++ = 0;")
	t:line("left = bad ? 0 : code - 1;")
	t:line("behind = left < %d ? 1 : 2;", run)
	t:line("src++, n--;")
	t:line("continue;")
	t:close()
	t:line("const size_t here = n < left ? n : left;")
	t:line("bad |= %s(src, here) < here;", zero_name(stage))
	t:line("copy_bytes(dst, src, here);")
	t:line("dst += here, src += here, n -= here, left -= here;")
	t:close()
	t:line("s->%s_run[0] = (uint8_t)left, s->%s_run[1] = (uint8_t)behind;", stage.name, stage.name)
	t:line("s->ilp.bad |= bad;")
end

function M.emit(loops, t, loop, isa)
	local step = loop.alone
	t:line("/* %s */", table.concat(loop.names, ", then "))
	t:func(loops.head(loop, isa, ""))
	-- Data, for those who count it (prelude.lua), is all that there is, once.
	if t.counted then t:line("const uint64_t loads = ilp_counted[0] + n, stores = ilp_counted[1] + n;") end
	EMIT[step.send and "out" or "in"](t, step.stage)
	if t.counted then t:line("ilp_counted[0] = loads, ilp_counted[1] = stores;") end
	t:line("return (size_t)(dst - first);")
	t:endfunc()
end

-- Out, what waits is the last piece. In, it must be whole, and be followed by no other.
function M.emit_end(t, step)
	local stage = step.stage
	if step.send then
		t:line("b[0] = (uint8_t)(s->%s_run[0] + 1);", stage.name)
		t:line("__builtin_memcpy(b + 1, s->%s_run + 1, s->%s_run[0]);", stage.name, stage.name)
		t:line("n = b[0];")
		t:line("ilp_copy(a, b, n);")
		t:line("__builtin_memset(s->%s_run, 0, %d);", stage.name, stage.run + 2)
	else
		t:line("s->ilp.bad |= s->%s_run[0] != 0 || s->%s_run[1] != 1;", stage.name, stage.name)
		t:line("__builtin_memset(s->%s_run, 0, %d);", stage.name, stage.run + 2)
		t:line("(void)b;")
	end
end

return M
