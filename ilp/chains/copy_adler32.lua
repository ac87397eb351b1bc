-- A copy that is checked as zlib checks.
return chain {
	name = "copy_adler32",
	stages = { "copy", "adler32" },
}
