-- An array of records that a C compiler has put where they are aligned, struct { uint8_t; uint32_t; uint64_t; uint16_t;
-- }, 24 bytes of which 15 are used, and the same packed, least significant bytes first. Padding comes back as zeros,
-- and an incomplete last record as if zeros had followed it.
return stage {
	name = "packed_record",
	standard = "none",
	kind = "recode",
	layout = { "1", { 3 }, 4, 8, 2, { 6 } },
	order = "little",
}
