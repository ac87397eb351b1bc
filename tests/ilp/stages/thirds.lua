-- Two bytes as three, of six, five and five bits; one byte as three, of which the last is 0xff.
return stage {
	name = "thirds",
	standard = "none",
	kind = "recode",
	from = 2,
	to = 3,
	apply = function(w)
		local x = little(w)
		return little(or_(and_(x, 63), or_(shl(and_(shr(x, 6), 31), 8), shl(shr(x, 11), 16))))
	end,
	inverse = function(w)
		local x = little(w)
		return { little(or_(and_(x, 63), or_(shl(and_(shr(x, 8), 31), 6), shl(and_(shr(x, 16), 31), 11)))),
			and_(x, 0xe0e0c0) }
	end,
	last = function(w)
		local x = little(w)
		return little(or_(or_(and_(x, 63), shl(shr(x, 6), 8)), 0xff0000))
	end,
	unlast = function(w)
		local x = little(w)
		local one = choose(xor(shr(x, 16), 0xff), 0, 1)
		local third = choose(one, 0, shr(x, 16))
		return { little(or_(and_(x, 63), or_(shl(and_(shr(x, 8), 31), 6), shl(and_(third, 31), 11)))), sub(2, one),
			or_(and_(x, choose(one, 0xfcc0, 0xe0c0)), and_(third, 0xe0)) }
	end,
}
