#!/bin/bash
# tiles: what is drawn in the end is the image that was sent, byte by byte; over a road that loses, tiles overtake
# others over holes, and never in order; what a slow road has no time for is superseded; and statuses, messages and
# what is served by HTTP when all goes well and when others do not do what they should.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
bin=$root/${B:-build/gcc}/bin
tmp=$(mktemp -d)
started=''
cleanup() {
	[ -z "$started" ] || kill "$started" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp" || exit 1

checks=0 failures=0
check() { # what, command...: succeeds
	local what=$1
	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "FAILED: $what: $*"
	tail -n 5 recv send out 2>/dev/null
}

# tiles STATUS PATTERN ARGUMENT...: ends with that status, and says so.
tiles() {
	local status=$1 pattern=$2 got=0
	shift 2
	timeout -k 5 60 "$bin/tiles" "$@" >out 2>&1 </dev/null || got=$?
	check "tiles $*: status $got, expected $status" [ "$got" = "$status" ]
	check "tiles $*: says /$pattern/" grep -qE -- "$pattern" out
}
# background LOG ARGUMENT...: $started is its process.
background() {
	local log=$1
	shift
	: >"$log"
	timeout -k 5 60 "$bin/tiles" "$@" >"$log" 2>&1 </dev/null &
	started=$!
}
# await LOG EXPRESSION: what it says there, the part in parentheses; $heard.
await() {
	for _ in $(seq 300); do
		heard=$(sed -nE "s/.*$2.*/\\1/p" "$1")
		[ -z "$heard" ] || return 0
		sleep 0.05
	done
	check "$1 says $2" false
	return 1
}
finish() { # status
	local got=0
	wait "$started" || got=$?
	started=
	check "status $got, expected $1" [ "$got" = "$1" ]
}
# receive ARGUMENT...: $port is where it waits.
receive() {
	background recv recv --listen 127.0.0.1:0 "$@"
	await recv 'listening on .*:([0-9]+)' && port=$heard
}
profiles=$root/alf/profiles
last_frame() { find "$1" -name 'frame-*ms.ppm' | sort | tail -n 1; }
image() { # width, height: of noise, which nobody takes for another one
	printf 'P6\n%s %s\n255\n' "$1" "$2"
	head -c $(($1 * $2 * 3)) /dev/urandom
}

# ---- over UDP ----
for size in '1 1' '301 200' '31 700'; do
	# shellcheck disable=SC2086 # two words
	image $size >image.ppm
	for how in '' --ordered; do
		rm -rf frames
		# shellcheck disable=SC2086 # perhaps none
		receive $how --frames frames --every 5
		tiles 0 'sent .* tiles' send image.ppm "127.0.0.1:$port"
		finish 0
		check "$size $how: the last frame is the image" cmp image.ppm "$(last_frame frames)"
		check "$size $how: no part is left" [ "$(find frames -name '.*' -type f | wc -l)" = 0 ]
	done
done

# By a profile, and by two that do not agree.
echo 'return profile { order = "begun", chain = "xdr_copy", markers = false, schedule = "layered" }' >p.lua
for of in "$profiles/tiles.lua" p.lua; do
	rm -rf frames
	receive --profile "$of" --frames frames
	tiles 0 'sent .* tiles' send --profile "$of" image.ppm "127.0.0.1:$port"
	finish 0
	check "$of: the last frame is the image" cmp image.ppm "$(last_frame frames)"
done
check "the profile's order" grep -q 'pixels, in order: .* of which 0 overtook' recv
receive
tiles 1 "the other end's chain is not xdr_copy, as it is here" send --profile p.lua image.ppm "127.0.0.1:$port"
finish 1
check "its chain is another" grep -q "the other end's chain is not copy, as it is here" recv
receive --profile "$profiles/tiles.lua" --ordered
tiles 0 'sent .* tiles' send image.ppm "127.0.0.1:$port"
finish 0
check "the command line's order" grep -q 'pixels, in order: ' recv

# ---- over a road that loses ----
# halves FRAME: whether both are image.ppm.
halves() {
	luajit - image.ppm "$1" <<'END'
local function read(name)
	local f = assert(io.open(name, "rb"))
	local width, height, pixels = f:read("*a"):match("^P6\n(%d+) (%d+)\n255\n(.*)$")
	return tonumber(width), tonumber(height), pixels
end
local width, height, pixels = read(arg[1])
local both, as_high, frame = read(arg[2])
assert(both == 2 * width + 8 and as_high == height)
for y = 0, height - 1 do
	local row = pixels:sub(y * width * 3 + 1, (y + 1) * width * 3)
	for _, left in ipairs { 0, width + 8 } do
		assert(frame:sub((y * both + left) * 3 + 1, (y * both + left + width) * 3) == row, "row " .. y)
	end
end
END
}
column() { awk -v way="$1" -v n="$2" 'index($0, way) == 1 { print $(n + 2) }' out; }

image 300 260 >image.ppm
tiles 0 'over holes' demo --loss 3 --delay 20 --rate 20 --frames lossy --every 20 image.ppm
check "over holes, tiles overtake" [ "$(column 'over holes' 2)" -gt 0 ]
check "in order, none does" [ "$(column 'in order' 2)" = 0 ]
check "both are the image" halves "$(last_frame lossy)"
check "more than one frame" [ "$(find lossy -name '*.ppm' | wc -l)" -gt 1 ]

tiles 0 'in order' demo --loss 1 --delay 20 --rate 0.8 --patience 30 --frames slow image.ppm
check "over a slow road, tiles are superseded" [ "$(column 'over holes' 3)" -gt 0 ]
check "all others are drawn" [ $(($(column 'over holes' 1) + $(column 'over holes' 3))) = $((4 + 9 + 25 + 90)) ]
check "both are the image all the same" halves "$(last_frame slow)"
tiles 0 '512 by 384' demo --loss 0 --delay 0 --rate 100

# ---- what goes wrong ----
tiles 0 'Exit status:' --help
for verb in send recv demo; do
	tiles 0 'Examples:' "$verb" --help
done
tiles 2 'Usage:'
tiles 2 'Usage:' send image.ppm
tiles 2 'Usage:' recv more
tiles 2 'expected 32, 64, 128 or 256' demo --edge 48
tiles 2 'expected a number from 0 to 50' demo --loss nan
tiles 2 'expected a whole number' demo --seed 1.5
tiles 2 'expected a whole number from 1 to 86400' recv --timeout 0
grep -qs tcpk /proc/net/protocols || tiles 1 'this host has no TCPK .*leave out --tcpk' recv --tcpk
# profile SAYS TEXT: at both ends that is refused.
profile() {
	echo "$2" >p.lua
	tiles 2 "^tiles send: $1" send --profile p.lua image.ppm 127.0.0.1
	tiles 2 "^tiles recv: $1" recv --profile p.lua
}
profile 'p.lua:2: crc is 1, expected' $'return profile {\n\tcrc = 1 }'
profile 'p.lua:1: framer: expected "mpa"' 'return profile { framer = "plain", chain = "copy_sum" }'
profile 'p.lua:1: chain: expected one that does not authenticate' 'return profile { chain = "aes256_gcm_copy" }'
profile 'p.lua:1: recovery: expected "keep", on which tiles relies' 'return profile { recovery = "tolerate" }'
profile 'p.lua:1: limits.deadline_ms: expected 0' 'return profile { limits = { deadline_ms = 200 } }'
echo $'return profile {\n limits = { adu = 196607 } }' >p.lua
tiles 2 'p.lua:2: limits.adu: expected 196608 bytes or more' recv --profile p.lua
tiles 2 'No such file' send --profile absent image.ppm 127.0.0.1
tiles 4 'No such file' send absent 127.0.0.1
echo text >text
tiles 4 'neither PNG' send text 127.0.0.1
tiles 5 'Not a directory' recv --frames image.ppm/frames
tiles 5 'Not a directory' demo --loss 0 --frames image.ppm/frames
printf 'P6 65535 65535 255\n' >large
tiles 4 'make it smaller' send large 127.0.0.1
receive
tiles 1 'in use' recv --listen "127.0.0.1:$port"
kill "$started"
finish 130
tiles 3 '127.0.0.1:[0-9]+: .*is .tiles recv. running there' send --timeout 3 image.ppm "127.0.0.1:$port"

# Another program's end.
receive
printf nonsense >"/dev/udp/127.0.0.1/$port"
timeout -k 5 20 "$bin/xfer" send --timeout 5 image.ppm "127.0.0.1:$port" >send 2>&1
finish 1
check "xfer does not speak tiles" grep -q 'does not speak tiles' recv
# Each of what no sender should do is seen, is said, and ends it.
pest=${bin%/bin}/tests/netns/tiles_pest
for ((n = 0; n < $("$pest"); n++)); do
	receive --timeout 5
	timeout -k 5 20 "$pest" "$port" "$n" >send 2>&1
	finish 1
	check "pest $n: it is said" [ "$(grep -c '^tiles: the other end' recv)" = 1 ]
done

# ---- by HTTP ----
# ask REQUEST: what comes of it, by HTTP/1.0: until the end.
ask() {
	exec 3<>"/dev/tcp/127.0.0.1/$http"
	# shellcheck disable=SC2059 # with escapes
	printf "$1" >&3 2>/dev/null
	timeout 20 cat <&3 >answer
	exec 3>&-
}
answers() { # request, status: in the first line
	ask "$1"
	check "HTTP: $1" grep -qaE "^HTTP/1.[01] $2 " answer
}
image 200 100 >image.ppm
background out demo --loss 0 --delay 0 --rate 100 --http 0 image.ppm
await out 'see http:\/\/127.0.0.1:([0-9]+)\/' && http=$heard
answers 'GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' 200
check "a page" grep -q '<script>' answer
cp answer page
answers 'GET / HTTP/1.0\r\nHost: localhost:80\r\n\r\n' 200
answers 'GET / HTTP/1.0\r\nHost: elsewhere.example\r\n\r\n' 403
answers 'GET / HTTP/1.0\r\n\r\n' 403
answers 'GET /../etc/passwd HTTP/1.0\r\nHost: localhost\r\n\r\n' 404
answers 'POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde' 405
ask 'nonsense\r\n\r\n' # whatever it says to that, it goes on
answers "GET /$(printf 'a%.0s' $(seq 60000)) HTTP/1.0\r\nHost: localhost\r\n\r\n" '[45]..'
answers 'GET /tiles HTTP/1.0\r\nHost: localhost\r\n\r\n' 200
# Two views, all of their tiles, and the end.
check "all messages" luajit - answer <<'END'
local text = assert(io.open(arg[1], "rb")):read("*a"):match("\r\n\r\n(.*)$")
local at, kinds = 1, { 0, 0, 0 }
local function number(from) return ((text:byte(from) * 256 + text:byte(from + 1)) * 256 + text:byte(from + 2)) * 256 +
	text:byte(from + 3) end
while at <= #text do
	kinds[text:byte(at)] = kinds[text:byte(at)] + 1
	at = at + 16 + number(at + 12)
end
assert(at == #text + 1 and kinds[1] == 2 and kinds[2] == 2 * (1 + 2 + 8 + 28) and kinds[3] == 1,
	table.concat(kinds, " "))
END
if command -v node >/dev/null; then
	check "the page draws the image" node "$root/tests/tiles_page.js" page answer image.ppm
else
	echo "skipped, because there is no node: what the page's script draws"
fi
check "the table" grep -q '^over holes' out
tiles 5 'in use' recv --http "$http"
kill "$started"
finish 0

echo "$checks passed, $failures failed" | sed "s/^$checks/$((checks - failures))/"
[ "$failures" = 0 ]
