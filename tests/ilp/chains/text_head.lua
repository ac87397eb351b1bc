-- A value before what has become longer: whole ADUs, in several loops; beside a tap that nobody looks at.
return chain { name = "text_head", stages = { "base64", "hexdump", { "fletcher32", at = "head" } } }
