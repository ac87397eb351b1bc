-- An array of GUIDs, whose first three fields some systems keep least significant byte first, to and from the order of
-- the network, in which all fields have their most significant byte first. There are no incomplete ones.
return stage {
	name = "guid",
	standard = "RFC 9562 (4)",
	kind = "map",
	unit = 16,
	word = 8,
	tail = "whole",
	apply = function(w)
		return { w[4], w[3], w[2], w[1], w[6], w[5], w[8], w[7], unpack(w, 9) }
	end,
	inverse = "self",
}
