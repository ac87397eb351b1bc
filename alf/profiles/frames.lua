-- Images that follow one another, in tiles, for somebody who looks on: each tile is shown when it is whole, over the
-- holes that others have, and one that comes too late is worth nothing.
return profile {
	name = "frames",
	order = "any",
	acks = "quick",          -- losses are noticed sooner
	markers = true,          -- frames are found behind a hole
	crc = true,              -- and are good before TCP has all that stands before them
	chain = "xdr_copy",      -- words of pixels
	recovery = "tolerate",
	limits = {
		adu = 1 * MiB,
		credit = 16 * MiB,
		quantum = 4 * KiB,   -- all tiles of a priority grow together
		deadline_ms = 200,   -- then the next image is due
	},
}
