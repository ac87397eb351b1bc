-- The segment that takes a value off the data is not that which compares it: what is too short for it is refused there.
return chain { name = "behead", stages = { { "sum16", at = "head" }, "mpa_marker", "copy" } }
