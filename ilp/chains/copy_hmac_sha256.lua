-- A value that only who has the key can make, and nothing else.
return chain {
	name = "copy_hmac_sha256",
	stages = { "copy", "hmac_sha256" },
}
