-- The masking of WebSocket's frames: each byte is xored with one of the four of the key, by turns. It hides nothing; it
-- keeps what a script sends from looking like another protocol on the wire.
return stage {
	name = "ws_mask",
	standard = "RFC 6455 (5.3)",
	kind = "stream",
	unit = 64,
	params = { { "key", 4 } },
	public = true,
	begin = function(p) return { p.key[1] } end,
	block = function(s)
		local out = {}
		for k = 1, 16 do out[k] = s[1] end
		return out
	end,
}
