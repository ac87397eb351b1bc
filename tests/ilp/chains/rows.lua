-- Behind a head of 4 bytes and marks of 4, units of 12 are whole between two marks: one loop, which cuts its input
-- where that leaves them whole.
return chain { name = "rows", stages = { "pairs12", "mark12", { "fletcher32", at = "head" } } }
