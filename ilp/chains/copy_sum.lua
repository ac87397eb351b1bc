-- What every TCP does to its data: the baseline of all comparisons.
return chain {
	name = "copy_sum",
	stages = { "copy", "inet_checksum" },
}
