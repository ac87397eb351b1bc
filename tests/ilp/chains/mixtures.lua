-- Numbers of 16 bytes; bytes that no vector brings to their places; in place.
return chain { name = "mixtures", stages = { "mixed", "copy", "inet_checksum", "crc32c" }, inplace = true }
