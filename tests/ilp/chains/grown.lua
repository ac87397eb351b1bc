-- A segment that is handed more than the call was: what it needs of scratch memory is not what so many bytes need.
return chain {
	name = "grown",
	stages = { "chacha20", { "fletcher32", at = "head" }, "xdr_u32", "mark12" },
}
