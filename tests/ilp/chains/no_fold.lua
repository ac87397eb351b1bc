-- A chain without a fold and without a stream: nothing in its loops needs the state.
return chain {
	name = "no_fold",
	stages = { "copy", "xdr_u32" },
}
