-- Numbers of 16 bytes; 16 bytes that are made of more words than fit; in place.
return chain { name = "mixtures", stages = { "mixed", "copy", "inet_checksum", "crc32c" }, inplace = true }
