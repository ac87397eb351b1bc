-- Consistent overhead byte stuffing: zeros, which then can end a frame, are taken out of the data, which grows by a
-- byte for every 254 or part of it, and one. As the paper's listing has it: data that ends with 254 bytes without a
-- zero is followed by one more piece, of nothing. In, only what comes out is taken. The zero behind a frame is the
-- framer's.
return stage {
	name = "cobs",
	standard = "Cheshire and Baker, IEEE/ACM ToN 7 (2), 1999",
	kind = "stuff",
	run = 254,
}
