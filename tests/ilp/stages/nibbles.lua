-- Each byte as two, of four bits: units that are never incomplete.
return stage {
	name = "nibbles",
	standard = "none",
	kind = "recode",
	from = 1,
	to = 2,
	apply = function(w)
		local x = little(w)
		return little(or_(shr(x, 4), shl(and_(x, 15), 8)))
	end,
	inverse = function(w)
		local x = little(w)
		return { little(and_(or_(shl(and_(x, 15), 4), shr(x, 8)), 255)), and_(x, 0xf0f0) }
	end,
}
