-- An array of records, struct { uint32_t; uint16_t; uint16_t; uint64_t; } without padding, as a structure of arrays,
-- least significant bytes first: block by block of 16 records, which become 16 of the first field, 16 of the second,
-- and so on. Arrays of all records would need their number before the first byte goes, and places far apart to be
-- written to; blocks go as they come, in one loop with other stages. Records behind the last whole block pass
-- unchanged.
return stage {
	name = "packed_arrays",
	standard = "none",
	kind = "map",
	layout = { 4, 2, 2, 8 },
	arrays = 16,
	order = "little",
	tail = "pass",
}
