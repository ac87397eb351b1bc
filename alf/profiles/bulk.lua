-- Bulk transfer of files, over TCP as it is. Whether pieces of a file are of use in any order, the program says.
return profile {
	name = "bulk",
	congestion = "cubic",
	crc = true,              -- end to end, beside TCP's checksum, which misses one error in 65,535
	limits = {
		adu = 64 * MiB,
		credit = 256 * MiB,  -- several pieces under way: a path of 10 Gbit/s and 100 ms holds 120 MiB
		quantum = 256 * KiB, -- pieces are alike: less work at turns
	},
}
