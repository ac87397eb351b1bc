# Programs that know nothing of TCPU, at the kernel's end of the roads of tests/netns/tcpk.sh, which sources this:
# socat, curl, busybox's web server and iperf3.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # $near, $far, $tcpu are that script's, and $stdin is for start

# What they give: numbers, so that no two places look the same; by HTTP, where a web server says how many bytes.
mkdir -p "$tmp/www/cgi-bin"
numbers=$tmp/www/cgi-bin/numbers
cat >"$numbers" <<'END'
#!/bin/sh
[ -z "${QUERY_STRING-}" ] || printf 'HTTP/1.0 200 OK\r\n\r\n'
seq 1000000000 2>/dev/null | head -c "${QUERY_STRING:-$1}"
END
chmod +x "$numbers"

listens() {
	at "$1" ss -tlnH "sport = :$2" | grep -q .
}
web=4000
start web far busybox httpd -f -p $far:$web -h "$tmp/www"
within 10000 listens far $web || { cat "$tmp/web" && exit 1; }

# What they take: by a pipe to sha256sum.
mkfifo "$tmp/pipe"
digest_begins() {
	start digest far sha256sum "$tmp/pipe"
}

# digested NAME: whether that is what that one has sent.
digested() {
	finish digest
	[ "$(said "$1" sent | cut -d ' ' -f 2)" = "$(cut -d ' ' -f 1 "$tmp/digest")" ]
}

# digest_of COMMAND...: of what it writes.
digest_of() {
	"$@" | sha256sum | cut -d ' ' -f 1
}

# socat_both WHAT BYTES: as server and as client, each both ways.
socat_both() {
	local what=$1 bytes=$2 sum
	sum=$(digest_of "$numbers" "$bytes")

	port=$((port + 1))
	digest_begins
	start sink far timeout 300 socat -d -d -u TCP-LISTEN:$port "OPEN:$tmp/pipe"
	await sink 'listening on'
	start source near "$peer" $tcpu --connect $far:$port --seed $port --send "$bytes"
	finish source
	finish sink
	check "$what: to socat, which serves" digested source

	port=$((port + 1))
	start source far timeout 300 socat -d -d -u "EXEC:$numbers $bytes" TCP-LISTEN:$port
	await source 'listening on'
	start sink near "$peer" $tcpu --connect $far:$port --close late
	finish sink
	finish source
	check "$what: from socat, which serves" [ "$(said sink received)" = "$bytes $sum" ]

	port=$((port + 1))
	digest_begins
	start source near "$peer" $tcpu --listen $port --seed $port --send "$bytes"
	await source listening
	start sink far timeout 300 socat -u TCP:$near:$port "OPEN:$tmp/pipe"
	finish sink
	finish source
	check "$what: to socat" digested source

	port=$((port + 1))
	start sink near "$peer" $tcpu --listen $port --close late
	await sink listening
	start source far timeout 300 socat -u "EXEC:$numbers $bytes" TCP:$near:$port
	finish source
	finish sink
	check "$what: from socat" [ "$(said sink received)" = "$bytes $sum" ]
}

# http WHAT BYTES: curl fetches from TCPU, and TCPU from a web server.
http() {
	local what=$1 bytes=$2 sum answer ask
	answer="HTTP/1.0 200 OK\\r\\nContent-Length: $bytes\\r\\n\\r\\n"
	port=$((port + 1))
	digest_begins
	start server near "$peer" $tcpu --listen $port --say "$answer" --seed $port --send "$bytes"
	await server listening
	start curl far curl -sS --max-time 300 --include -o "$tmp/pipe" http://$near:$port/
	finish curl
	finish server
	check "$what: curl" digested server

	ask="GET /cgi-bin/numbers?$bytes HTTP/1.0\\r\\n\\r\\n"
	start client near "$peer" $tcpu --connect $far:$web --say "$ask" --close late
	finish client
	sum=$(QUERY_STRING=$bytes digest_of "$numbers")
	check "$what: a web server" [ "$(said client received | cut -d ' ' -f 2)" = "$sum" ]
}

# iperf3 serves. What it is told, it is told by the kernel's TCP; what it takes or gives is TCPU's.
cat >"$tmp/ask" <<'END'
# control IP PORT PARAMETERS GO: asks for one stream of those, and creates $GO when it is waited for; ends it when
# something can be read. By iperf3's protocol: states are bytes, JSON has its length before it.
exec 3<>"/dev/tcp/$1/$2"
state() {
	[ "$(dd bs=1 count=1 status=none <&3 | od -An -tu1)" -eq "$1" ] || { echo "not in state $1" && exit 1; }
}
json() {
	printf "\\x$(printf %08x ${#1} | sed 's/../&\\x/g; s/\\x$//')" >&3
	printf %s "$1" >&3
}
printf '%036d\0' 0 >&3
state 9 # PARAM_EXCHANGE
json "$3"
state 10 # CREATE_STREAMS
touch "$4"
state 1 # TEST_START
state 2 # TEST_RUNNING
read -r
printf '\4' >&3 # TEST_END
state 13 # EXCHANGE_RESULTS
json '{"cpu_util_total":0,"cpu_util_user":0,"cpu_util_system":0,"sender_has_retransmits":0,"streams":[{"id":1,
	"bytes":0,"retransmits":-1,"jitter":0,"errors":0,"packets":0,"start_time":0,"end_time":1}]}'
bytes=$((16#$(dd bs=1 count=4 status=none <&3 | od -An -tx1 | tr -d ' ')))
dd bs=1 count=$bytes status=none <&3
echo
state 14 # DISPLAY_RESULTS
printf '\20' >&3 # IPERF_DONE
END

# iperf_begins PARAMETERS OPTIONS...: a stream with such parameters; TCPU's end has these options.
cookie=$(printf '%036d' 0)'\0'
iperf_begins() {
	local parameters=$1
	shift
	port=$((port + 1))
	start iperf3 far timeout 300 iperf3 --server --one-off --forceflush --port $port
	await iperf3 'Server listening'
	mkfifo "$tmp/tell_$port"
	exec {over}<>"$tmp/tell_$port"
	stdin=$tmp/tell_$port
	start control near timeout 300 bash "$tmp/ask" $far $port \
		"{\"tcp\":true,\"omit\":0,\"time\":0,\"parallel\":1,\"len\":65536,$parameters}" "$tmp/go_$port"
	stdin=/dev/null
	within 60000 [ -e "$tmp/go_$port" ] || { cat "$tmp/control" && exit 1; }
	start stream near "$peer" $tcpu --connect $far:$port --say "$cookie" "$@"
}
iperf_ends() {
	echo end >&"$over"
	exec {over}>&-
	finish control
	finish stream
	finish iperf3
}
# It has read all, and that there is no more; in what it says that it has taken is no cookie.
all_there() {
	[ "$(at far ss -tnH state close-wait "( sport = :$port )" | awk '{ print $1 }')" = 0 ]
}
# iperf WHAT BYTES: it says how many there were, but has no use for what they are.
iperf() {
	local what=$1 bytes=$2
	iperf_begins "\"num\":$((2 * bytes))" --send "$bytes"
	check "$what: to iperf3: all is read" within 300000 all_there
	iperf_ends
	check "$what: to iperf3: $bytes" grep -q "\"bytes\":${bytes}[,}]" "$tmp/control"

	# As many as it says, which are a block more than it was asked for now and then.
	stdin=$tmp/pipe
	start drain near timeout 300 sh -c "head -c $bytes >/dev/null && echo enough && exec cat >/dev/null"
	stdin=/dev/null
	iperf_begins "\"num\":$bytes,\"reverse\":true" --close late --to "$tmp/pipe"
	await drain enough
	iperf_ends
	finish drain
	bytes=$(said stream received | cut -d ' ' -f 1)
	check "$what: from iperf3: $bytes" grep -q "\"bytes\":${bytes}[,}]" "$tmp/control"
}

# foreign WHAT BYTES: all of them.
foreign() {
	socat_both "$@"
	http "$@"
	iperf "$@"
}
