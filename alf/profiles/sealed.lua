-- Orders that nobody else may read, change, or repeat: ADUs are sealed with AES-GCM, by keys of the program's.
return profile {
	name = "sealed",
	order = "begun",         -- one order may undo another
	crc = true,              -- what is damaged on the way is told from what is forged
	chain = "aes256_gcm_copy",
	limits = {
		adu = 64 * KiB,
		rekey = 2^20,        -- who learns a key reads no more than so many FPDUs back
		forgeries = 0,       -- the first ends the connection
	},
}
