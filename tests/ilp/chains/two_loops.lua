-- Whatever the chains of ilp/ do not need: two streams, hence two loops; an inverse of its own; two folds, one of
-- them between stages that change the data.
return chain {
	name = "two_loops",
	stages = { "mask", "xdr_u32", "spread", "parity", "chacha20", "copy", "weave", "inet_checksum" },
}
