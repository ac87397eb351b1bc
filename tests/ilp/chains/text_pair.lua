-- A pair in the second segment: what is associated with the data belongs to it all the same.
return chain {
	name = "text_pair",
	stages = { "base64", "aes128_gcm", "copy" },
}
