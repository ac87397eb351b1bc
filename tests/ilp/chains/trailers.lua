-- Values behind the data that are joined, of bytes that wait for the rest of their unit when they have been counted;
-- one of no bytes is as if it was not there, and is refused all the same.
return chain {
	name = "trailers",
	stages = { { "inet_checksum", at = "tail" }, "xdr_u32", "copy", { "turned", at = "tail" } },
}
