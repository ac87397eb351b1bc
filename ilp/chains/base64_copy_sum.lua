-- Data as text. The checksum is that of the text.
return chain {
	name = "base64_copy_sum",
	stages = { "base64", "copy", "inet_checksum" },
}
