-- Units of 260 bytes, of which 65 fit no vector; numbers, bytes and zeros run across all of them.
local parts = {}
for _ = 1, 13 do
	for _, part in ipairs { 4, "5", { zeros = 3 }, 8 } do parts[#parts + 1] = part end
end
return stage {
	name = "long260",
	standard = "none",
	kind = "map",
	layout = parts,
	order = "big",
	tail = "pass",
}
