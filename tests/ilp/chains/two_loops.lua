-- Whatever the chains of ilp/ do not need: marks that tear words, hence two loops; two streams; an inverse of its
-- own; two folds, one of them between stages that change the data.
return chain {
	name = "two_loops",
	stages = { "mask", "xdr_u32", "spread", "parity", "chacha20", "copy", "weave", "mark12", "xdr_u64", "inet_checksum" },
}
