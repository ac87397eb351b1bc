#!/bin/bash
# xfer between two processes: what arrives, what is said, and which status is left, when all goes well and when the
# peer, the file, the disk or the key does not do what it should.
#	tests/xfer_cases.sh [CASE...]	runs these cases only; B=build/clang takes that build's xfer
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/xfer/common.sh
. tests/xfer/common.sh

# ---- what goes well

case_sizes() {
	local n
	for n in 0 1 3 4 5 4095 4096 4097 65537 1000003; do
		head -c "$n" /dev/urandom >file
		receive --once out/copy && transmit --adu 4K file "127.0.0.1:$port" && finished
		statuses 0 0
		check "$n bytes arrive" cmp file out/copy
	done
}

case_chains() {
	local chain schedule key
	head -c 300001 /dev/urandom >file
	head -c 32 /dev/urandom >key
	check "AES-256-GCM is one of them" grep -q '^aes256_gcm_copy ' <("$xfer" send --chain list)
	for chain in $("$xfer" send --chain list | awk '{ print $1 }'); do
		key=
		[[ $chain != *gcm* && $chain != *poly1305* ]] || key="--key key"
		for schedule in fused layered tiled; do
			# shellcheck disable=SC2086
			receive --once $key --chain "$chain" --schedule "$schedule" out/copy &&
				transmit $key --chain "$chain" --schedule "$schedule" file "127.0.0.1:$port" && finished
			statuses 0 0
			check "$chain, $schedule" cmp file out/copy
		done
	done
	# The two ends need not run it the same way.
	receive --once --key key --schedule layered out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 0 0
	check "layered and fused are the same" cmp file out/copy
}

case_directory() {
	head -c 10000 /dev/urandom >'a name: with spaces'
	chmod 640 'a name: with spaces'
	receive --once out && transmit 'a name: with spaces' "127.0.0.1:$port" && finished
	statuses 0 0
	check "it has its name" cmp 'a name: with spaces' 'out/a name: with spaces'
	check "and its mode" [ "$(stat -c %a 'out/a name: with spaces')" = 640 ]
	check "and nothing else is there" [ "$(find out -type f | wc -l)" = 1 ]
}

case_one_after_another() {
	local i
	receive out || return
	for i in 1 2 3; do
		head -c 50000 /dev/urandom >"file$i"
		transmit "file$i" "127.0.0.1:$port"
		check "transfer $i" [ "$sent" = 0 ]
		check "file $i" cmp "file$i" "out/file$i"
	done
	kill -INT "$(cat pid.recv)"
	finished
	check "it ends when told to" [ "$received" = 130 ]
}

case_replaces() {
	echo old >out/copy
	head -c 10000 /dev/urandom >file
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 0 0
	check "the new one has the name" cmp file out/copy
}

case_json() {
	head -c 1000000 /dev/urandom >file
	receive --once --json out/copy && transmit --json file "127.0.0.1:$port" && finished
	statuses 0 0
	for f in send.out recv.out; do
		says $f '^\{"role": .*"bytes": 1000000, "seconds": [0-9.]+, .*"retransmits": [0-9]+\}$'
		says $f '"resumed_bytes": 0, "files": 1, "adus": 4, "chain": "copy", "schedule": "fused", '
		says $f '"sndbuf_bytes": [1-9][0-9]*, "rss_anon_peak_bytes": [1-9][0-9]*, '
	done
	check "no bar where there is no terminal" [ "$(tr -d '\n' <recv.err | tr -dc '\r\033' | wc -c)" = 0 ]
}

case_bar() {
	head -c 20000000 /dev/urandom >file
	receive --once out/copy || return
	script -qec "$xfer send file 127.0.0.1:$port" /dev/null >send.out 2>&1
	sent=$?
	finished
	statuses 0 0
	says send.out '\[#* *\] +[0-9]+%'
}

# ---- usage

case_usage() {
	transmit && :
	check "no arguments" [ "$sent" = 2 ]
	transmit --chain nonsense file 127.0.0.1:1
	check "unknown chain" [ "$sent" = 2 ]
	says send.err 'nonsense: no chain that ADUs may go through has that name'
	transmit --adu 1 file 127.0.0.1:1
	check "ADU too small" [ "$sent" = 2 ]
	transmit --chain aes256_gcm_copy file 127.0.0.1:1
	check "cipher without key" [ "$sent" = 2 ]
	says send.err 'needs a --key'
	head -c 32 /dev/urandom >key
	transmit --chain copy --key key file 127.0.0.1:1
	check "key without cipher" [ "$sent" = 2 ]
	says send.err 'does not encipher'
	transmit file 127.0.0.1:nonsense
	check "no port" [ "$sent" = 2 ]
	"$xfer" >send.out 2>send.err
	check "no verb" [ $? = 2 ]
	for verb in send recv; do
		"$xfer" $verb --help >send.out
		check "help" [ $? = 0 ]
		says send.out 'Examples:'
		says send.out 'Exit status:'
		says send.out "$verb .*\[OPTION\.\.\.\]"
	done
}

# What a profile says of the connection counts, unless the command line says something else.
case_profile() {
	head -c 300001 /dev/urandom >file
	head -c 32 /dev/urandom >key
	receive --once --profile "$profiles/bulk.lua" out/copy &&
		transmit --profile "$profiles/bulk.lua" file "127.0.0.1:$port" && finished
	statuses 0 0
	check "bulk" cmp file out/copy
	receive --once --key key --profile "$profiles/sealed.lua" out/copy &&
		transmit --key key --profile "$profiles/sealed.lua" file "127.0.0.1:$port" && finished
	statuses 0 0
	check "sealed" cmp file out/copy
	echo 'return profile { schedule = "layered", chain = "xdr_copy", markers = false }' >p.lua
	receive --once --json --profile p.lua out/copy && transmit --json --profile p.lua file "127.0.0.1:$port" && finished
	statuses 0 0
	check "layered words" cmp file out/copy
	says send.out '"chain": "xdr_copy", "schedule": "layered"'
	says recv.out '"chain": "xdr_copy", "schedule": "layered"'
	receive --once --json --profile p.lua --chain copy --schedule tiled out/copy &&
		transmit --json file "127.0.0.1:$port" && finished
	statuses 0 0
	says recv.out '"chain": "copy", "schedule": "tiled"'
	receive --once out/copy && transmit --profile p.lua file "127.0.0.1:$port" && finished
	statuses 1 1
	says send.err "the other end's chain is copy, here it is xdr_copy"
}

# refused SAYS TEXT [OPTION...]: a profile of that text, at both ends.
refused() {
	local pattern=$1 verb
	echo "$2" >p.lua
	shift 2
	for verb in "send file 127.0.0.1:9" "recv --listen 127.0.0.1:0 out/copy"; do
		# shellcheck disable=SC2086 # words
		timeout -k 5 20 "$xfer" $verb --profile p.lua "$@" 2>send.err
		check "$verb: status $?" [ $? = 2 ]
		says send.err "^xfer ${verb%% *}: $pattern"
	done
}

case_profile_refused() {
	echo x >file
	head -c 32 /dev/urandom >key
	refused 'p.lua:2: acks is "slow", expected' $'return profile {\n\tacks = "slow" }'
	refused 'p.lua:2: framer: expected "mpa", on which xfer relies' $'return profile {\n framer = "record" }'
	refused 'p.lua:1: order: expected "begun"' 'return profile { order = "any" }'
	refused 'p.lua:1: recovery: expected "keep"' 'return profile { recovery = "recompute" }'
	refused 'p.lua:1: limits.deadline_ms: expected 0' 'return profile { limits = { deadline_ms = 1 } }'
	refused 'p.lua:3: limits.adu: expected 24576 bytes or more' $'return profile {\n limits = {\n adu = 24575 } }'
	refused 'p.lua:1: limits.credit: expected 3211264 bytes or more' 'return profile { limits = { credit = 3211263 } }'
	refused 'p.lua:2: chain aes256_gcm_copy enciphers: it needs a --key' $'return profile {\n chain = "aes256_gcm_copy" }'
	refused 'p.lua:1: chain copy does not encipher: leave out --key' 'return profile { chain = "copy" }' --key key
	# Where the command line names the chain, the file is not blamed.
	refused 'chain aes256_gcm_copy enciphers: it needs a --key' 'return profile { chain = "copy" }' --chain aes256_gcm_copy
	rm p.lua
	transmit --profile p.lua file 127.0.0.1:9
	check "no profile" [ "$sent" = 2 ]
	says send.err 'p.lua: No such file'
	echo 'return profile {}' >p.lua
	TCPU_SHARE=nowhere transmit --profile p.lua file 127.0.0.1:9
	check "nothing to read it with" [ "$sent" = 1 ]
	says send.err 'set TCPU_SHARE to the folder'
}

case_tcpk() {
	head -c 100 /dev/urandom >file
	if grep -qs tcpk /proc/net/protocols; then
		skip "this host has TCPK"
		return
	fi
	transmit --tcpk file 127.0.0.1:1
	check "status" [ "$sent" = 1 ]
	says send.err 'this host has no TCPK .*leave out --tcpk'
	"$xfer" recv --tcpk out/copy 2>recv.err
	check "status" [ $? = 1 ]
	says recv.err 'this host has no TCPK'
}

# ---- what goes wrong

case_peer_absent() {
	echo x >file
	transmit file 127.0.0.1:9
	check "refused" [ "$sent" = 3 ]
	says send.err '127.0.0.1:9: Connection refused: is .xfer recv. running there'
	# Somebody has the port, and does not answer.
	receive --once out/copy || return
	kill -STOP "$(cat pid.recv)"
	transmit --timeout 1 file "127.0.0.1:$port"
	kill -KILL "$(cat pid.recv)"
	finished
	check "silent" [ "$sent" = 3 ]
	says send.err 'timed out'
}

case_unreadable() {
	transmit / 127.0.0.1:9
	check "no name" [ "$sent" = 4 ]
	says send.err '/: a tree must have a name'
	transmit absent 127.0.0.1:9
	check "absent" [ "$sent" = 4 ]
	says send.err 'absent: No such file'
	mkfifo -m 600 fifo
	transmit fifo 127.0.0.1:9
	check "FIFO" [ "$sent" = 4 ]
	says send.err 'not a regular file'
	echo x >secret
	chmod 0 secret
	if [ "$(id -u)" = 0 ]; then
		chmod 755 .
		checks=$((checks + 1))
		setpriv --reuid=65534 --clear-groups "$xfer" send secret 127.0.0.1:9 2>send.err
		[ $? = 4 ] || { failures=$((failures + 1)) && echo "FAILED: secret"; }
	else
		transmit secret 127.0.0.1:9
		check "no permission" [ "$sent" = 4 ]
	fi
	says send.err 'secret: Permission denied'
	transmit --key absent file 127.0.0.1:9
	check "no key" [ "$sent" = 4 ]
	echo short >key
	transmit --key key file 127.0.0.1:9
	check "not a key" [ "$sent" = 4 ]
	says send.err 'a key is 32 bytes, or 64 hexadecimal digits'
}

case_too_large_to_write() {
	head -c 3000000 /dev/urandom >file
	wrap="prlimit --fsize=1048576"
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'the other end gives up: .*File too large'
	says recv.err 'File too large'
	no_trace
	wrap=
}

case_disk_full() {
	head -c 3000000 /dev/urandom >file
	if ! mount -t tmpfs -o size=1m none out 2>/dev/null; then
		skip "mounting a small disk is for root"
		return
	fi
	receive --once out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'the other end gives up: .*No space left'
	says recv.err 'No space left'
	no_trace
	umount out
}

case_unwritable() {
	head -c 3000 /dev/urandom >file
	receive --once nowhere/copy && transmit file "127.0.0.1:$port" && finished
	statuses 5 5
	says send.err 'nowhere/.*No such file'
}

case_no_agreement() {
	head -c 3000 /dev/urandom >file
	head -c 32 /dev/urandom >key
	receive --once --chain xdr_copy out/copy && transmit --chain copy file "127.0.0.1:$port" && finished
	statuses 1 1
	says send.err "the other end's chain is xdr_copy, here it is copy"
	says recv.err "the other end's chain is copy, here it is xdr_copy"
	receive --once out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 1 1
	says send.err "the other end's chain is copy, here it is aes256_gcm_copy"
	receive --once --key key out/copy && transmit file "127.0.0.1:$port" && finished
	statuses 1 1
	says recv.err "the other end's chain is copy, here it is aes256_gcm_copy"
	no_trace
}

case_wrong_key() {
	head -c 300000 /dev/urandom >file
	head -c 32 /dev/urandom >key
	head -c 32 /dev/urandom | od -An -tx1 >other # hexadecimal, with white space
	receive --once --key other out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 6 6
	says send.err 'the key is wrong'
	says recv.err 'the key is wrong'
	no_trace
	od -An -tx1 key >same
	receive --once --key same out/copy && transmit --key key file "127.0.0.1:$port" && finished
	statuses 0 0
	check "hexadecimal is the same key" cmp file out/copy
}

# Not even TCP: datagrams of all kinds do not disturb it.
case_garbage() {
	local i
	receive --once out/copy || return
	for ((i = 0; i < 200; i++)); do
		head -c $i /dev/urandom >"/dev/udp/127.0.0.1/$port"
	done
	head -c 100000 /dev/urandom >file
	transmit file "127.0.0.1:$port"
	finished
	statuses 0 0
	check "it arrives" cmp file out/copy
}

run "$@"
