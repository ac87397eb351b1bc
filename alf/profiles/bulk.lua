-- Bulk transfer of files: pieces of a file are ADUs, which may be of use in any order, over TCP as it is.
return profile {
	name = "bulk",
	congestion = "cubic",
	order = "any",           -- a piece says by its name where it belongs
	crc = true,              -- end to end, beside TCP's checksum, which misses one error in 65,535
	limits = {
		adu = 64 * MiB,
		credit = 256 * MiB,  -- several pieces under way: a path of 10 Gbit/s and 100 ms holds 120 MiB
		quantum = 256 * KiB, -- pieces are alike: less work at turns
	},
}
