-- The largest state that a stage may have: nothing of it is left behind (tests/ilp/secrets.c).
return chain { name = "keys", stages = { "many_keys", "copy" }, inplace = true }
