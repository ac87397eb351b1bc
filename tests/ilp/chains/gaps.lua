-- What memory has where the format has zeros goes into neither cipher nor sums.
return chain { name = "gaps", stages = { "gaps28", { "crc32c", at = "tail" }, "chacha20", "copy", "inet_checksum" } }
