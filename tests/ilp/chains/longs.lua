-- As many vectors at once as the longest layouts need.
return chain { name = "longs", stages = { "long260", "copy", "inet_checksum" } }
