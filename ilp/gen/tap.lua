-- Taps in C: the data is shown to who asks for it, and goes on as it is.
local M = {}

function M.emit(loops, t, loop, isa)
	local step = loop.alone
	t:line("/* %s: to debug */", table.concat(loop.names, ", then "))
	t:func(loops.head(loop, isa, ""))
	t:line("const struct ilp_tap tap = LOAD(struct ilp_tap, s->%s_params.sink);", step.name)
	t:line("if (tap.show)")
	t:line("\ttap.show(tap.with, \"%s\", at, src, n);", step.name)
	if loop.writes then t:line("copy_bytes(dst, src, n);") end
	t:endfunc()
end

return M
