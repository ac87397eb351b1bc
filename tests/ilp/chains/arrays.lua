-- Structures of arrays of odd sizes, beside words of 8 bytes; in place.
return chain { name = "arrays", stages = { "arrays18", "copy", "xdr_u64", "inet_checksum" }, inplace = true }
