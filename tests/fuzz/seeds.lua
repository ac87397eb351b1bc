-- The seeds of the fuzz targets: inputs that lead into each state, for the fuzzer to vary. In tests/fuzz/corpus they
-- stand beside inputs that once broke something, which nobody could write by hand.
--
--	luajit tests/fuzz/seeds.lua		do the files hold what is written here?
--	luajit tests/fuzz/seeds.lua --write	writes them

local char = string.char
local corpus = "tests/fuzz/corpus/"

local function bytes(...) return char(...) end

-- ---- tests/fuzz/world.c: two bytes of configuration, then steps ----
local plain, no_timestamps, nothing_agreed = bytes(0, 0), bytes(2, 0), bytes(15, 0)
local isn_wraps, small_buffers, no_memory = bytes(0, 4), bytes(0, 8 + 16), bytes(0, 2)

-- Calls, as world_call counts them: by user 0. In segment.c they are 190 and more, in icmp.c 160 and more.
local accept, connect, listener, send, recv = 0, 4, 8, 12, 24
local sink, no_sink, options, look, shutdown, close, abort = 32, 36, 40, 44, 48, 56, 60

-- ---- tests/fuzz/segment.c ----
local FIN, SYN, RST, ACK = 1, 2, 4, 16
local function call(what, ...) return bytes(190 + what, ...) end
local function syn(with) return bytes(60, 1, with or 0x79) end -- window scale 7, SACK permitted, timestamps
local function data(len) return bytes(80, 0, len) end
local function fin() return bytes(100, 0) end
local function syn_ack(with) return bytes(80, 0, with or 0x79) end
-- flags; mode: which numbers, 32 and 64 move them; options; window; bytes of data
local function segment(flags, mode, with, window, len, ...) return bytes(0, 0, flags, mode, with, window, len, ...) end
-- The same with seq moved.
local function moved(flags, by, len)
	return bytes(0, 0, flags, 32, math.floor(by / 256) % 256, by % 256, 0, 200, len)
end
local function moved_ack(by) return bytes(0, 0, ACK, 64 + 8, math.floor(by / 256) % 256, by % 256, 0, 200, 0) end
-- One SACK block from SND.UNA + by on.
local function sack(by, len)
	return bytes(0, 0, ACK, 8, 16, 0, math.floor(by / 256) % 256, by % 256, math.floor(len / 256), len % 256, 200, 0)
end
local function wait(log2_us) return bytes(124 + log2_us) end
local due, flush = bytes(150), bytes(160)

local passive = syn() .. data(0) .. call(accept)
local active = call(connect, 2) .. syn_ack() .. flush
local much = call(send, 255) .. call(send, 255)

local segments = {
	passive = plain .. passive .. data(100) .. call(recv) .. flush .. fin() .. call(recv) .. call(close) .. flush ..
		data(0),
	active = plain .. active .. call(send, 40) .. flush .. data(0) .. call(shutdown) .. flush .. data(0) .. fin() ..
		due,
	both_open = plain .. call(connect, 2) .. segment(SYN, 0, 10, 200, 0) .. segment(SYN + ACK, 0, 0, 200, 0),
	both_close = plain .. passive .. call(shutdown) .. flush .. moved(FIN + ACK, 0, 0) .. due,
	holes = plain .. passive .. moved(ACK, 1000, 100) .. moved(ACK, 2000, 100) .. moved(ACK, 990, 50) .. data(255) ..
		call(recv) .. flush,
	duplicates = no_timestamps .. passive .. data(100) .. moved(ACK, 65536 - 50, 100) .. moved(ACK, 65536 - 100, 20) ..
		flush,
	sacked = plain .. passive .. much .. sack(1448, 1448) .. sack(4344, 2896) .. flush .. wait(17) .. due .. data(0),
	timeouts = plain .. passive .. much .. flush .. due .. due .. due .. moved_ack(700) .. due .. data(0),
	shut_window = nothing_agreed .. passive .. segment(ACK, 0, 0, 0, 0) .. call(send, 100) .. flush .. due .. due ..
		segment(ACK, 0, 0, 200, 0) .. flush,
	resets = plain .. passive .. segment(RST, 7, 0, 0, 0) .. segment(RST + ACK, 32, 0, 1, 0, 0, 0) .. call(look),
	wrapped = isn_wraps .. active .. call(send, 255) .. flush .. data(100) .. data(0) .. call(recv) .. call(abort),
	tiny = small_buffers .. passive .. data(255) .. data(255) .. moved(ACK, 500, 100) .. call(recv) .. flush ..
		call(send, 80),
	starved = no_memory .. passive .. data(50) .. much .. moved(ACK, 500, 100) .. call(recv) .. flush .. due,
	direct = bytes(64, 0) .. passive .. call(sink) .. data(60) .. data(61) .. data(200) .. call(no_sink) .. flush,
	flooded = plain .. bytes(60, 1, 0x79, 60, 2, 0x79, 60, 3, 0x79, 60, 4, 0x79, 60, 5, 0) .. flush .. call(listener),
	narrow = plain .. passive .. bytes(186, 3) .. much .. flush .. data(100) .. bytes(186, 1) .. flush .. bytes(189) ..
		due .. data(0) .. call(close),
	round_the_ring = small_buffers .. passive .. (data(210) .. call(recv) .. call(recv) .. call(recv) .. flush):rep(4),
	timeout_while_opening = plain .. call(connect, 2) .. call(options, 0x10) .. segment(SYN, 0, 0, 200, 0) .. call(close),
	told = plain .. passive .. call(options, 0x1f) .. much .. wait(22) .. call(options, 0x60) .. due .. due ..
		call(close),
}

-- ---- tests/fuzz/option.c: the options themselves ----
local mss, scale, permitted = bytes(2, 4, 5, 180), bytes(3, 3, 7), bytes(4, 2)
local timestamp, blocks = bytes(8, 10, 1, 2, 3, 4, 0, 0, 0, 9), bytes(5, 18) .. ("\1\2\3\4\5\6\7\8"):rep(2)
local options_of = {
	none = "",
	linux_syn = mss .. permitted .. timestamp .. bytes(1) .. scale,
	bsd_syn = mss .. bytes(1) .. scale .. permitted .. timestamp .. bytes(0),
	data = bytes(1, 1) .. timestamp,
	sack = bytes(1, 1) .. timestamp .. bytes(1, 1) .. blocks,
	four_blocks = bytes(5, 34) .. ("\9\8\7\6\5\4\3\2"):rep(4),
	ended = mss .. bytes(0) .. scale,
	unknown = bytes(254, 4, 1, 2) .. bytes(30, 12) .. ("m"):rep(10) .. scale,
	length_0 = mss .. bytes(77, 0),
	length_1 = bytes(77, 1),
	too_long = bytes(8, 40, 1),
	cut = timestamp .. bytes(5, 10, 1, 2, 3),
	timestamp_cut = timestamp .. bytes(8, 10, 9, 9, 9, 9, 0),
	sack_cut = blocks .. bytes(5, 18) .. ("\9"):rep(9),
	twice = mss .. scale .. bytes(2, 4, 0, 0) .. bytes(3, 3, 255),
	wrong_length = bytes(2, 3, 9) .. bytes(3, 4, 1, 1) .. bytes(4, 3, 0) .. bytes(8, 9) .. ("\0"):rep(7) .. bytes(5, 11) ..
		("\1"):rep(9),
}

-- ---- tests/fuzz/icmp.c ----
local function icmp_call(what, ...) return bytes(160 + what, ...) end
-- error: which; 8, 16: says an MTU; 32: quotes a number near SND.UNA
local function news(error, with, len, ...)
	return bytes(0, 0, error + with, len, ...)
end
local function quote(error, seq)
	return news(error, 32, 8) .. ("\0"):rep(8) .. bytes(math.floor(seq / 256) % 256, seq % 256)
end
local go_on, go_fin, icmp_flush = bytes(90), bytes(64 + 32), bytes(155)
local opened = go_on .. go_on .. icmp_call(accept)
local words = {
	nobody = plain .. news(0, 0, 0) .. news(1, 0, 4, 1, 2, 3, 4),
	refused = plain .. icmp_call(connect, 1) .. quote(0, 0) .. icmp_call(look),
	refused_wrong = plain .. icmp_call(connect, 1) .. quote(0, 9) .. go_on .. icmp_call(look),
	unquoted = plain .. icmp_call(connect, 1) .. news(1, 0, 0),
	short_quote = plain .. opened .. news(2, 0, 7, 1, 2, 3, 4, 5, 6, 7),
	half_open = plain .. go_on .. quote(1, 0) .. go_on,
	soft = plain .. opened .. icmp_call(send, 100) .. icmp_flush .. quote(1, 1) .. quote(2, 0),
	smaller = plain .. opened .. icmp_call(send, 255) .. icmp_flush ..
		bytes(0, 0, 3 + 16 + 32, 8, 50) .. ("\0"):rep(8) .. bytes(0, 0) .. icmp_flush .. go_on,
	smallest = plain .. opened .. icmp_call(send, 255) .. bytes(0, 0, 3 + 8 + 32, 8, 0, 0, 0, 1) .. ("\0"):rep(8) ..
		bytes(0, 0),
	unsaid = plain .. opened .. icmp_call(send, 255) .. quote(3, 1) .. go_on .. quote(3, 1),
	contradicted = plain .. opened .. icmp_call(send, 255) .. go_on .. icmp_call(send, 255) .. quote(3, 5) ..
		bytes(148) .. go_on,
	last_ack = plain .. opened .. go_fin .. icmp_call(close) .. icmp_flush .. quote(0, 0),
	time_wait = plain .. opened .. icmp_call(shutdown) .. icmp_flush .. go_on .. go_fin .. quote(2, 0) .. icmp_call(close),
}

-- ---- tests/fuzz/ip.c: what is to be set right, a virtio-net header, a packet ----
local ours, peer, router = bytes(10, 99, 0, 2), bytes(10, 99, 0, 1), bytes(192, 168, 1, 1)
local no_offload = ("\0"):rep(10)
-- of: what is not as usual; flags are a fragment's, total its length.
local function ipv4(payload, of)
	local more = of.options or ""
	local total, flags = of.total or 20 + #more + #payload, of.flags or 0
	return bytes(of.fix or 1 + 2 + 8) .. (of.vnet or no_offload) .. bytes(0x45 + #more / 4, of.tos or 0,
		math.floor(total / 256), total % 256, 0, 1, math.floor(flags / 256), flags % 256, 64, of.protocol or 6, 0, 0) ..
		(of.src or peer) .. (of.dst or ours) .. more .. payload
end
local function icmp_message(kind, code, rest, behind) return bytes(kind, code, 0, 0) .. rest .. behind end
local tcp = bytes(0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 16, 255, 255, 0, 0, 0, 0)
-- A packet of ours as an ICMP message quotes it.
local function quoted(n, of) return ipv4(tcp:sub(1, n), of):sub(12) end
local from_us = { src = ours, dst = peer, total = 1500 }
local function unreach(code, rest, of)
	return ipv4(icmp_message(3, code, rest or ("\0"):rep(4), quoted(8, of or from_us)), { protocol = 1, src = router })
end
local ping = icmp_message(8, 0, bytes(1, 2, 0, 1), "abc")
local packets = {
	segment = ipv4(tcp .. "data", { tos = 0xbb }),
	vouched = ipv4(tcp, { vnet = bytes(1, 0, 0, 0, 0, 0, 20, 0, 16, 0) }),
	vouched_elsewhere = ipv4(tcp, { vnet = bytes(1, 0, 0, 0, 0, 0, 20, 0, 6, 0) }),
	vouched_valid = ipv4(tcp, { vnet = bytes(2) .. ("\0"):rep(9) }),
	super = ipv4(tcp .. ("d"):rep(3000), { vnet = bytes(1, 1, 40, 0, 180, 5, 24, 0, 16, 0), options = bytes(1, 1, 1, 0) }),
	options = ipv4(tcp, { options = bytes(7, 39) .. ("\0"):rep(38) }),
	segment_cut = ipv4(tcp:sub(1, 19), {}),
	padded = ipv4(tcp .. "not of it", { total = 40 }),
	ping = ipv4(ping, { protocol = 1 }),
	ping_options = ipv4(ping, { protocol = 1, options = bytes(148, 4, 0, 0) }),
	ping_padded = ipv4(ping .. "not of it", { protocol = 1, total = 31 }),
	ping_code = ipv4(icmp_message(8, 1, bytes(1, 2, 0, 1), ""), { protocol = 1 }),
	ping_sum = ipv4(ping, { protocol = 1, fix = 1 + 8 }),
	pong = ipv4(icmp_message(0, 0, bytes(1, 2, 0, 1), "abc"), { protocol = 1 }),
	port_unreachable = unreach(3),
	too_large = unreach(4, bytes(0, 0, 2, 68)),
	code_too_high = unreach(16),
	quote_options = unreach(1, nil, { src = ours, dst = peer, options = bytes(1, 1, 1, 0) }),
	quote_short = ipv4(icmp_message(3, 1, ("\0"):rep(4), quoted(7, from_us)), { protocol = 1 }),
	quote_header = ipv4(icmp_message(3, 1, ("\0"):rep(4), quoted(8, from_us):sub(1, 19)), { protocol = 1 }),
	quote_fragment = unreach(1, nil, { src = ours, dst = peer, flags = 5 }),
	quote_udp = unreach(1, nil, { src = ours, dst = peer, protocol = 17 }),
	quote_astray = unreach(1, nil, { src = peer, dst = ours }),
	extension = ipv4(icmp_message(11, 0, bytes(0, 7, 0, 0), quoted(8, { src = ours, dst = peer }) .. ("\0"):rep(100) ..
		bytes(0x20, 0, 0, 0, 0, 4, 1, 1)), { protocol = 1 }),
	parameter = ipv4(icmp_message(12, 0, bytes(20, 0, 0, 0), quoted(20, from_us)), { protocol = 1 }),
	quench = ipv4(icmp_message(4, 0, ("\0"):rep(4), quoted(8, from_us)), { protocol = 1 }),
	icmp_cut = ipv4(bytes(3, 1, 0, 0, 0, 0, 0), { protocol = 1 }),
	first_fragment = ipv4(tcp, { flags = 0x2000 }),
	last_fragment = ipv4(tcp, { flags = 3 }),
	dont_fragment = ipv4(tcp, { flags = 0x4000 }),
	udp = ipv4(("\0"):rep(8), { protocol = 17 }),
	from_us = ipv4(tcp, { src = ours }),
	from_nowhere = ipv4(tcp, { src = bytes(0, 1, 2, 3) }),
	from_loopback = ipv4(tcp, { src = bytes(127, 0, 0, 1) }),
	from_many = ipv4(tcp, { src = bytes(224, 0, 0, 1) }),
	to_another = ipv4(tcp, { dst = bytes(10, 99, 0, 3), fix = 1 }),
	sum_wrong = ipv4(tcp, { fix = 8 }),
	longer_than_it_is = ipv4(tcp, { total = 41 }),
	shorter_than_its_header = ipv4(tcp, { total = 19 }),
	header_cut = ipv4("", {}):sub(1, -2),
	header_cut_in_options = ipv4(tcp, { options = ("\1"):rep(40) }):sub(1, 1 + 10 + 50),
	quote_cut_in_options = ipv4(icmp_message(3, 1, ("\0"):rep(4), quoted(8, { src = ours, dst = peer,
		options = ("\1"):rep(40) }):sub(1, 50)), { protocol = 1 }),
	header_short = bytes(1) .. no_offload .. bytes(0x44) .. ipv4(tcp, {}):sub(13),
	version_6 = bytes(0) .. no_offload .. bytes(0x60) .. ("\0"):rep(39),
	nothing = bytes(0) .. no_offload,
	offload_cut = bytes(0, 1, 1),
}

-- ---- tests/fuzz/script.c ----
local scripts = {
	empty = "",
	comments = "// one\n/* two\n lines */ 0 `true`\n",
	options = "--ip_version=ipv4\n--tolerance_usecs=10000\n--tcpu=mtu=1400,iw=3,no_sack,congestion=reno\n0 `true`\n",
	times = "0 `true`\n+.1 `true`\n* > . 1:1(0) ack 1\n0.5~1.5 > . 1:1(0) ack 1\n+0~+.5 > . 1:1(0) ack 1\n",
	calls = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n" ..
		"+0 fcntl(3, F_SETFL, O_RDWR | O_NONBLOCK) = 0\n+0 fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)\n",
	blocking = "0...0.2 read(4, ..., 1000) = 1000\n+0...1 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)\n",
	structs = "0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n" ..
		"+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 100) = 1\n" ..
		"+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n",
	syn = "0 < S 0:0(0) win 32767 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>\n+0 > S. 0:0(0) ack 1 <...>\n",
	flags = "0 < SFRPWEU. 1:101(100) ack 4294967295 win 0 urg 7\n+0 > [ect0] FP. 1:1461(1460) ack 1 win 65535\n",
	blocks = "0 > . 1:1(0) ack 1 <nop,nop,sack 3:5 7:9 11:13,raw fe040102>\n",
	icmp = "0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]\n+0 < icmp unreachable port_unreachable\n",
	asserts = "0 %{ assert tcpi_snd_cwnd == 10 and tcpi_unacked <= 2 * 3 + 1; assert tcpu_spurious > 0 }%\n",
	unknown = "0 teleport(3) = 0\n",
	cut = "0 < S 0:0(0) win 32767 <mss 14",
}

-- ---- tests/fuzz/xdr.c: which type, which is twice its place in ledger.x, or in standard.x and 1 more; flags; an
-- encoding ----
local function be32(...)
	local text = ""
	for _, n in ipairs { ... } do
		text = text .. bytes(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256, math.floor(n / 2 ^ 8) % 256, n % 256)
	end
	return text
end
local lax, small, shallow = 1, 2, 4
local function standard(place, flags, text) return bytes(2 * place + 1, flags) .. text end
local function ledger(place, flags, text) return bytes(2 * place, flags) .. text end
local encodings = {
	scalars = standard(2, 0, be32(1, 2, 3, 1, 0, 5, 0, 6) .. ("\64"):rep(28)),
	opaques = standard(3, 0, be32(0, 0, 0, 2) .. "ab\0\0" .. be32(0, 1) .. "x\0\0\0" .. be32(0)),
	padding = standard(3, lax, be32(0, 0, 255, 2) .. "abcd" .. be32(0, 0, 0)),
	lengths = standard(9, 0, be32(2 ^ 32 - 1)),
	numbers = standard(9, 0, be32(20) .. ("abcd"):rep(20)),
	mixes = standard(6, 0, be32(8) .. ("abcdefghijkl"):rep(8)),
	fives = standard(11, small, be32(100) .. ("abcd"):rep(600)),
	arm = standard(18, 0, be32(3) .. "abc\0"),
	default = standard(19, 0, be32(7, 1, 5, 2) .. "ab\0\0"),
	nested = standard(17, 0, be32(2, 1, 1, 5, 2, 3, 9, 8)),
	strings = standard(21, 0, be32(1, 1) .. "a\0\0\0" .. be32(1, 1) .. "b\0\0\0" .. be32(0)),
	tree = standard(22, 0, be32(1, 1, 2, 0, 1, 3, 0, 0, 0)),
	deep = standard(22, shallow, be32(1, 1, 2, 1, 3, 1, 4, 1, 5, 0, 0, 0, 0, 0, 0)),
	turns = standard(23, 0, be32(1, 1, 0, 5, 6, 7)),
	chain = ledger(14, 0, be32(0, 1, 1, 0, 2, 1, 0, 3, 0)),
	steps = ledger(17, 0, be32(1) .. ("k"):rep(32) .. be32(0, 2, 4000000000, 1, 1) .. "abcd" .. be32(0, 0, 9, 0, 0, 0, 0)),
	cut = ledger(18, 0, ("h"):rep(100)),
}

-- ---- tests/fuzz/xdr_file.c: the dialect, and a file ----
local files = {
	empty = "\0",
	struct = "\0struct a { int b; unsigned hyper c[3]; opaque d<>; string e<7>; a *f; };\n",
	enum = "\0enum a { B = -1, C, D = 0x10 }; typedef a b<D>; const e = 017;\n",
	union = "\0union a switch (unsigned b) { case 1: case 2: void; default: struct { bool c; } d; };\n",
	program = "\0program A { version B { void C(int, string) = 1; b D(void) = 2; } = 3; } = 0x20000000;\n",
	lines = "\0%#define N 3 \\\n+4\n# 7 \"other.x\" 1\ntypedef int a[N];\n#pragma x\n",
	space = "\1namespace a::b { const c = 1; } // end\nnamespace d { typedef opaque e[a::b::c]; }\n",
	around = "\0struct a { b c; }; struct b { a *d; c e<>; }; typedef a *c;\n",
	within = "\0struct a { b c; }; struct b { a d; };\n",
	comment = "\0/* no end",
	numbers = "\0const a = -9223372036854775808; const b = 0xffffffffffffffff; const c = d; const d = \"e\";\n",
	names = "\0struct int_ { int register; opaque a[3]; int a_pad; }; typedef int_ volatile;\n",
	zero = "\0struct a\0b { };",
}

-- ---- tests/fuzz/alf_wire.c: a request (0), a reply (1) or a segment (2) ----
local function frame(reply, flags, private)
	return bytes(reply) .. (reply == 1 and "MPA ID Rep Frame" or "MPA ID Req Frame") ..
		bytes(flags, 1, math.floor(#private / 256), #private % 256) .. private
end
local hello = "ALF1" .. be32(0, 1048576, 0, 4194304)
local function adu(name, total, at)
	return bytes(2, 0x01, 0x43, #name) .. be32(total):sub(2) .. be32(0, 3, at)
end
local function first(name, total, flags, deadline)
	return adu(name, math.min(total, 0xffffff), 0) .. be32(total) ..
		bytes(0x20 + flags, 9, math.floor(deadline / 256), deadline % 256) .. name .. ("\0"):rep(-#name % 4)
end
local function control(code, payload) return bytes(2, 0x41, 0x43, code, 0, 0, 0) .. be32(1, 1, 0) .. payload end
local wires = {
	request = frame(0, 0xc0, hello .. "name of the service"),
	reply = frame(1, 0x40, hello),
	rejected = frame(1, 0x20, "no room"),
	foreign = frame(0, 0xff, ""),
	most = frame(0, 0, ("p"):rep(512)),
	too_much = frame(0, 0, ("p"):rep(513)),
	revision = bytes(0) .. "MPA ID Req Frame" .. bytes(0, 2, 0, 0),
	wrong_way = bytes(1) .. frame(0, 0, ""):sub(2),
	hello_cut = frame(0, 0, hello:sub(1, -2)),
	first = first("picture", 100, 1, 40) .. "data",
	first_unnamed = first("", 0, 0, 0),
	first_long = first(("n"):rep(64), 2 ^ 32 - 1, 3, 65535) .. "data",
	first_flags = first("a", 1, 4, 0),
	first_padding = first("a", 1, 0, 0):sub(1, -2) .. "\1",
	first_total = adu("", 5, 0) .. be32(6, 0),
	second = adu("picture", 100, 56) .. "more data",
	in_preface = adu("picture", 100, 12),
	name_too_long = adu(("n"):rep(65), 100, 0),
	message_0 = bytes(2, 0x41, 0x43, 0, 0, 0, 0) .. be32(0, 0, 0),
	rfc5044 = bytes(2, 0x41, 0x43, 0, 0, 0, 0) .. be32(0, 1, 0) .. ("\0"):rep(24),
	queue = bytes(2, 0x41, 0x43, 0, 0, 0, 0) .. be32(2, 1, 0),
	tagged = bytes(2, 0xc1, 0x50) .. be32(77, 1, 4096) .. "placed",
	tagged_flags = bytes(2, 0x81, 0x41) .. be32(77, 0, 0),
	credit = control(1, be32(1, 2)),
	dropped = control(2, be32(3) .. bytes(2, 0, 0, 0)),
	stop = control(3, be32(3) .. bytes(3, 0, 0, 0)),
	stop_superseded = control(3, be32(3) .. bytes(2, 0, 0, 0)),
	control_cut = control(2, be32(3) .. bytes(1, 0, 0)),
	control_unknown = control(4, be32(0, 0)),
	control_in_pieces = bytes(2, 0x01, 0x43, 1, 0, 0, 0) .. be32(1, 1, 0, 0, 0),
}

-- ---- tests/fuzz/alf.c: options, frames, 255, segments ----
local function alf_frame(kind, f, bytes_of)
	local zero = f.mo or f.tagged
	return bytes(kind, f.tagged or 0, f.last or 1, f.control and 1 or 5, f.name or 4, f.control and 0 or 1) ..
		bytes(f.recovery or 0, 1, f.deadline or 0, math.floor((f.total or #bytes_of) / 256), (f.total or #bytes_of) % 256) ..
		bytes(f.msn or 1,
		math.floor((f.mo or 0) / 256), (f.mo or 0) % 256, f.stag or 1, math.floor((f.to or 0) / 256), (f.to or 0) % 256,
		zero and 1 or 0, #bytes_of) .. bytes_of
end
local one = alf_frame(0, {}, "hello, world")
local long = ("0123456789"):rep(6)
local function halves_of(msn)
	return alf_frame(0, { msn = msn, total = 120, last = 0 }, long) ..
		alf_frame(0, { msn = msn, mo = 72, total = 120 }, long)
end
local halves = halves_of(1)
-- Options: sealed, the application says where, it is the initiator. Kinds: forged, with the next key.
local sealed, hooked, initiator = 32, 64, 128
local forged, next_key = 4, 128
-- All that is missing, as it is; where its header, or its midst, is damaged (at an even or odd place of the stream).
local rest, damaged, damaged_midst = bytes(0x04, 11, 180), bytes(0x05, 11, 180), bytes(0x0d, 11, 180, 0, 1)
-- Of small ones that which a marker tells of, and those behind it, before the others.
local behind_hole = bytes(0x0d, 11, 180, 1, 228, 0x0c, 11, 180, 1, 228)
local function many_of(n)
	local text = ""
	for i = 1, n do text = text .. alf_frame(0, { msn = i }, "tiny") end
	return text
end
local receiving = {
	one = bytes(3) .. one .. bytes(255),
	halves = bytes(1) .. halves .. bytes(255),
	swapped = bytes(1) .. halves .. bytes(255, 0x0c, 0, 90, 0, 200, 0xcc, 0, 0, 0, 100),
	tagged = bytes(8) .. alf_frame(0, { tagged = 1, to = 100 }, long) .. bytes(255),
	beyond = bytes(8) .. alf_frame(0, { tagged = 1, to = 2980 }, long) .. bytes(255),
	control = bytes(2) .. alf_frame(0, { control = true, name = 0, total = 0 }, ("\0"):rep(8)) .. bytes(255),
	lies = bytes(1) .. one .. alf_frame(32, { msn = 2 }, long) .. bytes(255),
	late = bytes(2) .. alf_frame(0, { total = 120, last = 0, recovery = 2, deadline = 9 }, long) ..
		bytes(255, 0x5f, 1, 0, 0, 0),
	ordered = bytes(5) .. one .. alf_frame(0, { msn = 2 }, long) .. bytes(255, 0xcc, 0, 70, 0, 80),
	sealed = bytes(3 + sealed) .. one .. alf_frame(0, { msn = 2 }, long) .. bytes(255),
	sealed_tagged = bytes(8 + sealed) .. alf_frame(0, { tagged = 1, to = 100 }, long) .. bytes(255) .. damaged .. rest,
	undone = bytes(8) .. one .. halves_of(2) .. bytes(255) .. damaged .. rest,
	undone_sealed = bytes(9 + sealed) .. one .. halves_of(2) .. bytes(255) .. damaged .. rest,
	undone_midst = bytes(8) .. one .. bytes(255) .. damaged_midst .. rest,
	undone_hooked = bytes(9 + hooked) .. halves .. bytes(255, 0x00, 99) .. damaged .. rest,
	undone_all = bytes(1 + sealed + hooked) .. halves .. bytes(255, 0x00, 115) .. damaged .. rest,
	over_hole = bytes(1) .. many_of(20) .. bytes(255) .. behind_hole .. rest,
	forged = bytes(sealed) .. one .. alf_frame(forged, { msn = 2 }, long) .. alf_frame(0, { msn = 3 }, long) .. bytes(255),
	next_key = bytes(1 + sealed) .. one .. alf_frame(next_key, { msn = 2 }, long) .. bytes(255) .. damaged .. rest,
	initiator = bytes(initiator + 1) .. halves .. bytes(255, 0x0c, 0, 90, 0, 200, 0xcc, 0, 0, 0, 100),
	initiator_sealed = bytes(initiator + 3 + sealed) .. one .. alf_frame(0, { msn = 2 }, long) .. bytes(255) .. damaged ..
		rest,
	many = bytes(1) .. many_of(20) .. bytes(255) .. rest,
	many_undone = bytes(1 + sealed) .. many_of(16) .. bytes(255) .. damaged .. rest,
	put_by_hook = bytes(8 + sealed + hooked) .. alf_frame(0, { tagged = 1, stag = 2, to = 9 }, long) .. bytes(255) ..
		damaged .. rest,
}

-- ---- tests/fuzz/alf_stream.c: record marking (0), of words (1), COBS (2), plain (3); how it is cut; a stream ----
local function fragment(text, last) return be32(#text + (last and 2 ^ 31 or 0)) .. text end
local function stream(kind, text) return bytes(kind, 0x52) .. text end
local streams = {
	records = stream(0, fragment("one", true) .. fragment("", true) .. fragment("three", true)),
	fragments = stream(0, fragment("on") .. fragment("") .. fragment("e", true) .. fragment("", false)),
	too_long = stream(0, fragment(("x"):rep(600)) .. fragment("y", true)),
	long = stream(0, fragment(("x"):rep(600), true):rep(5)),
	endless = stream(0, be32(2 ^ 32 - 1) .. "x"),
	words = stream(1, fragment("123") .. fragment("45678") .. fragment("9", true) .. fragment("abcd", true)),
	header_cut = stream(0, fragment("one", true) .. bytes(0x80, 0)),
	stuffed = stream(2, "\3ab\2c\0\0\1\0\1\1\0\255" .. ("z"):rep(254) .. "\1\0"),
	stuffed_wrong = stream(2, "\5ab\0"),
	stuffed_long = stream(2, ("\1"):rep(602) .. "\0"),
	plain = stream(3, "GET / HTTP/1.0\r\n\r\n" .. ("y"):rep(1300)),
}

-- ---- tests/fuzz/image.c: a file ----
-- A PNG of a pixel in RGB, which is not compressed; spoilt: a checksum is wrong.
local function png(spoilt)
	local function chunk(kind, text, sum) return be32(#text) .. kind .. text .. sum end
	return "\137PNG\r\n\26\n" ..
		chunk("IHDR", be32(1, 1) .. bytes(8, 2, 0, 0, 0), be32(spoilt or 0x907753de)) ..
		chunk("IDAT", bytes(0x78, 1, 1, 4, 0, 251, 255, 0, 1, 2, 3, 0, 14, 0, 7), be32(0x2da233ec)) ..
		chunk("IEND", "", be32(0xae426082))
end
local images = {
	empty = "",
	magic = "P6",
	text = "P3 1 1 255 1 2 3",
	bytes = "P6\n2 1\n255\nabcdef",
	comments = "P6 # a comment\n#another\r2\t1 255 abcdef and more",
	comment_endless = "P6 2 #",
	few = "P6 2 1 15 \0\1\7\16\17\20",
	bits = "P6 2 1 1 \0\1\0\1\2\255",
	words = "P6 2 1 65535\n\0\0\1\1\2\2\255\255\128\128\3\3",
	words_few = "P6 1 1 256 \1\0\1\1\255\255",
	words_cut = "P6 1 1 256 abcde",
	words_cut_between = "P6 1 1 256 abcd",
	cut = "P6 1 1 255 ab",
	header_cut = "P6 1 1 255",
	most_0 = "P6 1 1 0 abc",
	most = "P6 1 1 65536 abcdef",
	negative = "P6 -1 1 255 abc",
	wraps = "P6 4294967297 1 255 abc",
	none = "P6 0 1 255 ",
	wide = "P6 65536 1 255 abc",
	large = "P6 65535 65535 255 abc",
	largest = "P6 65535 512 255 abc",
	png = png(),
	png_spoilt = png(1),
	png_cut = png():sub(1, 40),
}

-- ---- tests/fuzz/profile.c: what the program has set, how much it wants to hear; and a file called 200 ----
local function fields(text) return "\0return profile { " .. text .. " }\n" end
local profiles = {
	empty = "\0",
	none = "\0return profile {}",
	all = fields [[name = "200", congestion = "reno", order = "begun", acks = "quick", framer = "mpa", markers = true,
		crc = true, chain = "xdr_copy", schedule = "tiled", recovery = "recompute",
		limits = { adu = 4 * MiB, credit = 2^24, quantum = 4 * KiB, deadline_ms = 200 }]],
	sealed = fields [[chain = "aes256_gcm_copy", limits = { rekey = 2^20, forgeries = 3, adu = 64 * KiB }]],
	record = fields [[framer = "record", chain = "xdr_copy_sum", recovery = "tolerate"]],
	cobs = fields [[framer = "cobs", chain = "cobs_copy_sum"]],
	plain = fields [[framer = "plain", chain = "copy_sum", crc = false]],
	no_chain = fields [[chain = "nonsense"]],
	odd_chain = fields [[chain = "copy\0_sum", framer = "record"]],
	wrong_chain = fields [[framer = "record", chain = "aes256_gcm_copy_sum"]],
	not_mpa = fields [[framer = "cobs", chain = "cobs_copy_sum", markers = true]],
	not_kept = fields [[framer = "record", recovery = "recompute"]],
	not_sealed = fields [[limits = { rekey = 7 }]],
	credit = fields [[limits = { adu = 2^53 - 1, credit = 1 }]],
	most = fields [[limits = { adu = 2^53 - 1, quantum = 2^32 - 1, rekey = nil }]],
	nan = fields [[limits = { adu = 0/0, credit = 1/0 }]],
	name = fields [[name = "other"]],
	unknown = fields [[colour = "\27[31m\n", limits = { [1] = 2, [{}] = 3 }]],
	types = fields [[name = 1, acks = {}, markers = "yes", limits = 7]],
	set_already = "\5" .. [[return profile { recovery = "keep" }]],
	set_otherwise = "\12" .. [[return profile { limits = { forgeries = 1 } }]],
	set_wrong = "\13" .. [[return profile { crc = true }]],
	says_nothing = "\64" .. [[return profile { acks = "slow" }]],
	says_little = "\192" .. [[return profile { acks = "slow" }]],
	twice = "\0profile {} return profile {}",
	nothing = "\0return 7",
	syntax = "\0return profile {{",
	code = "\27LJ\2",
	long = "\0while true do end",
	large = "\0local t = {} for i = 1, 2^30 do t[i] = { i, i, i, i, i, i, i, i } end",
	join = "\0local s = 'x' while true do s = s .. s end",
	deep = "\0return profile " .. ("{"):rep(250) .. ("}"):rep(250),
	locals = "\0local a = 2 for i = 1, 9 do a = a * 2 end return profile { limits = { adu = a } }",
	tricks = "\0local t = setmetatable({}, { __index = error }) return profile(t)",
	recursion = "\0local function f() return f() + 1 end return profile { name = f() }",
}

-- ---- the corpus ----
local function read(path)
	local file = io.open(path, "rb")
	local text = file and file:read("*a")
	if file then file:close() end
	return text
end

local passed, failed = 0, 0
for folder, seeds in pairs { segment = segments, option = options_of, icmp = words, ip = packets, script = scripts,
	xdr = encodings, xdr_file = files, alf_wire = wires, alf = receiving, alf_stream = streams,
	image = images, profile = profiles } do
	for name, text in pairs(seeds) do
		local path = corpus .. folder .. "/" .. name
		if arg[1] == "--write" then
			local file = assert(io.open(path, "wb"))
			file:write(text)
			file:close()
		end
		if read(path) == text then
			passed = passed + 1
		else
			failed = failed + 1
			print(path .. " is not what tests/fuzz/seeds.lua says: run luajit tests/fuzz/seeds.lua --write")
		end
	end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
