-- A pad with nothing behind it that sees whether its blocks are whole; a value beside it.
return chain {
	name = "padded",
	stages = { "pkcs7_pad", "copy", "turned" },
}
