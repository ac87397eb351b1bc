-- The same in place, of units of one word.
return chain { name = "firsts", stages = { "first4", "copy", "inet_checksum" }, inplace = true }
