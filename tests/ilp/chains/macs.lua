-- Keys that some of the functions of a stage do not look at; products of words that C would make ints of.
return chain { name = "macs", stages = { "square", "idle", { "mac", at = "tail" }, "copy" } }
