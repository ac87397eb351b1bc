-- Values that are asked for, some of units: in each direction the checksum is that of the wire's bytes that the call
-- was about, whatever waits.
return chain { name = "values", stages = { "copy", "inet_checksum", "crc32c", "upper" } }
