-- Shows the data as it is here to who debugs: set hexdump.sink (struct ilp_tap), after begin, to { ilp_hexdump, stderr
-- } (ilp/ilp.h); not with once, which begins by itself. It cuts the loop of its chain in two, and what it shows may be
-- a secret: take it out again.
return stage {
	name = "hexdump",
	standard = "none",
	kind = "tap",
}
