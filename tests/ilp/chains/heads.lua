-- Values before the data, of sizes that are no multiples of the units behind them; marks behind a head; data in whole
-- ADUs only, and back in any pieces.
return chain {
	name = "heads",
	stages = { "xdr_u64", { "crc32c", at = "head" }, "xdr_u32", { "inet_checksum", at = "head" }, "chacha20", "mark12" },
}
