-- Two units that differ: both are whole in 60 bytes, and in as many vectors as hold these.
return chain { name = "sixties", stages = { "pairs12", "fives20", "copy" }, inplace = true }
