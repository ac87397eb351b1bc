-- A hash of units that fit its own but fill no vector, behind padding, with marks in the data.
return chain {
	name = "hashed_units",
	stages = { "pairs12", "pkcs7_pad", { "hmac_sha256", at = "tail" }, "aes256_ctr", "mpa_marker", "copy" },
}
