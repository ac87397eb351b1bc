-- The alternate checksum of TCP that RFC 1146 proposed.
return chain {
	name = "copy_fletcher32",
	stages = { "copy", "fletcher32" },
}
