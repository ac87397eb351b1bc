-- Stages that change the length, one behind the other and between others: each adds to what the next may be handed.
return chain {
	name = "unequal",
	stages = { "xdr_u32", "thirds", "runs3", { "inet_checksum", at = "tail" }, "chacha20", "nibbles", "copy" },
}
