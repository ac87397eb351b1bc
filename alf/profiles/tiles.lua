-- One image in tiles, for somebody who looks on while it comes (adu-examples/tiles): each is shown when it is whole,
-- over the holes that others have; late is better than never.
return profile {
	name = "tiles",
	order = "any",
	acks = "quick",          -- losses are noticed sooner
	markers = true,          -- frames are found behind a hole
	crc = true,              -- and are good before TCP has all that stands before them
	limits = {
		adu = 256 * KiB,     -- a tile of 256 by 256 pixels has 192 KiB
		credit = 16 * MiB,
		quantum = 4 * KiB,   -- all tiles of a priority grow together
	},
}
