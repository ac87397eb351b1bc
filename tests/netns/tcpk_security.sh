#!/bin/bash
# What tcpkd and its BPF programs deny: a user who may claim some ports of near neither receives nor sends what is
# not his, claims what he may not, nor changes the table; and nobody harms tcpkd, or others by it. The wire is
# watched on both sides.
#
#	+-- near -----------------------------------------+          +-- far -----------+
#	| tcpkd; intruder, pest (user 65534), others      |          |                  |
#	| 10.99.2.1, 10.99.2.3                            +-- veth --+ 10.99.2.2, watch |
#	| watch on lo                                     |          |                  |
#	+-------------------------------------------------+          +------------------+
set -eu
# shellcheck source=tests/netns/tcpkd.sh
. "$(dirname "$0")/tcpkd.sh"

here=10.99.2.1
far=10.99.2.2
namespace near
namespace far
veth far $far near $here
at near ip addr add 10.99.2.3/24 dev to_far

# Users without rights can run what is here.
chmod 711 "$tmp"
for program in intruder pest peer; do
	cp "$bin/$program" "$tmp/run_$program"
	chmod 755 "$tmp/run_$program"
done
cat >"$tmp/policy" <<END
allow user 65534 ports 7000-7099
allow user 65533 ports 7050-7199
allow user 0 ports 1024-65535
ring 16M
rings 64M
END
for user in {200001..200008}; do
	echo "allow user $user ports 7190-7199"
done >>"$tmp/policy"
mkfifo "$tmp/tell" # what a program is told that waits
exec {tell}<>"$tmp/tell"
# As on a kernel that cannot refuse descriptors; the one that there is has its turn at the end.
newer=$tcpkd
tcpkd=$tmp/older_tcpkd
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$bin/older" "$newer" >"$tcpkd"
chmod 755 "$tcpkd"
start_helper() {
	helper tcpkd near --pins "$tmp/bpf/tcpkd" --policy "$tmp/policy"
}
start_helper
socket=$tmp/tcpkd.sock

# as USER: what a command is run by.
as() {
	echo "setpriv --reuid=$1 --regid=$1 --clear-groups --inh-caps=-all --no-new-privs"
}
nobody=$(as 65534)
other=$(as 65533)
stranger=$(as 65532)

# told NAME WHAT: one check for each `ok` and `bad` that it has said.
told() {
	local verdict what
	check "$2: it says how it went" grep -qE '^(ok|bad) ' "$tmp/$1"
	while read -r verdict what; do
		check "$2: $what" [ "$verdict" = ok ]
	done < <(grep -E '^(ok|bad) ' "$tmp/$1")
}

# tries_as USER WHAT PROGRAM ARGUMENTS...: run by that user to its end; tries: by nobody.
tries_as() {
	local user=$1 what=$2 program=$3
	shift 3
	start "try" near $user "$tmp/run_$program" "$socket" "$@"
	wait "${pids[try]}" || true
	unset "pids[try]"
	told try "$what"
}
tries() {
	tries_as "$nobody" "$@"
}

# gone DEVICE PORT: what a client leaves behind when it has died: nothing.
kernel_can_bind() {
	at near timeout 5 socat -u OPEN:/dev/null "TCP:127.0.0.1:9,bind=$here:$1" 2>&1 | grep -q 'Connection refused'
}
gone() {
	! at near ip link show "$1" >/dev/null 2>&1 && kernel_can_bind "$2"
}
quiet() { # nobody has a TAP
	[ -z "$(taps near)" ]
}
descriptors_at_first=$(descriptors tcpkd)
same_descriptors() {
	[ "$(descriptors tcpkd)" = "$descriptors_at_first" ]
}

# Others, who have what the intruder wants: a claim of another user's, a port that the kernel's TCP listens on, and a
# connection of it.
start victim near $other "$tmp/run_intruder" "$socket" hold 7060
await victim ready
start victim2 near $other "$tmp/run_intruder" "$socket" hold 7100
await victim2 ready
start listener near timeout 300 socat -d -d -u TCP-LISTEN:7020,bind=$here,fork,reuseaddr OPEN:/dev/null,append
await listener 'listening on'
start bound near timeout 300 socat -d -d TCP-LISTEN:7030,bind=$here,reuseaddr,fork PIPE
await bound 'listening on'
start connected near timeout 300 socat -d -d TCP:$here:7030,bind=$here:7021 SYSTEM:'read x'
await connected 'starting data transfer'

tries "claims" intruder claims $here 7020 7021 7030
tries "table" intruder table "$tmp/bpf/tcpkd"

# What is sent, is it seen?
# Checksums are put in before the cable.
at near ethtool -K to_far tx off >"$tmp/ethtool"
start watch_far far "$bin/watch" to_near
start watch_here near "$bin/watch" lo
await watch_far watching
await watch_here watching
tries "sending" intruder wire $far $here 10.99.2.3
await watch_far 'seen own: last, to far'
await watch_here 'seen own: last, to here'
for side in far here; do
	sed -nE 's/^seen //p' "$tmp/watch_$side" | grep -vE "^(own: (first|last), to $side|random): $here:7000 protocol 6\$" \
		>"$tmp/seen" || true
	check "nothing that is not his is seen, $side: $(paste -sd ';' "$tmp/seen")" [ ! -s "$tmp/seen" ]
done

# What others receive, he does not; and what is his, he does.
stdin=$tmp/tell
start deaf near $nobody "$tmp/run_intruder" "$socket" deaf $here
stdin=/dev/null
await deaf ready
transfer "the kernel's, meanwhile" near $here "--kernel --send 1000000" far "--kernel --send 1000000"
transfer "another client's, meanwhile" near $here "--tcpk --helper $socket --send 1000000" far "--kernel --send 1000000"
transfer "another client's to here, meanwhile" near 10.99.2.3 "--kernel --send 1000000" near \
	"--tcpk --helper $socket --send 1000000"
! at far socat -u OPEN:/dev/null TCP:$here:7100,connect-timeout=0.2 2>>"$tmp/refused" || false
# From the cable, for addresses that are this host's own matter (RFC 1122 3.2.1.3), from them, and for another host.
mac=$(at near cat /sys/class/net/to_far/address)
at far "$bin/watch" to_near loopback "$mac" $far 127.0.0.1 7001
at far "$bin/watch" to_near from_loopback "$mac" 127.0.0.1 $here 7000
at far "$bin/watch" to_near from_itself "$mac" 10.99.2.3 $here 7000
at far "$bin/watch" to_near another_host "$mac" $far 10.99.2.77 7000
at far "$bin/watch" to_near another_station 02:00:00:00:00:99 $far $here 7000
echo go >&"$tell"
await deaf listening
at far "$bin/watch" to_near at_last "$mac" $far $here 7000
wait "${pids[deaf]}" || true
unset 'pids[deaf]'
told deaf "hearing"

# His TAP: he may make it outlive him, and cannot.
start tap near $nobody "$tmp/run_intruder" "$socket" tap
await tap ready
device=$(said tap device)
check "the TAP is there" at near ip link show "$device" >/dev/null
ended tap KILL
check "the TAP and the claim are gone within a second of death" within 1000 gone "$device" 7000
told tap "TAP"

# Nonsense in the position of the reader.
start scribbler near $nobody "$tmp/run_intruder" "$socket" scribble 7005
await scribbler ready
start feeder far sh -c "while :; do timeout 0.1 socat -u /dev/zero TCP:$here:7005; done" # SYNs for it
transfer "beside a ring that is scribbled on" near $here "--tcpk --helper $socket --send 8000000" far \
	"--kernel --send 8000000"
check "beside a ring that is scribbled on: nothing is dropped" [ "$(counted server dropped_in)" = 0 ]
ended feeder TERM
ended scribbler KILL

# Harm to tcpkd itself.
descriptors_now=$(descriptors tcpkd)
same_as_now() {
	[ "$(descriptors tcpkd)" = "$descriptors_now" ]
}
for what in garbage unread descriptors; do
	tries "$what" pest $what
	check "$what: tcpkd has as many descriptors as before" within 1000 same_as_now
done
# Whose close lasts, does not hold up tcpkd.
kill -STOP "${pids[tcpkd]}"
stdin=$tmp/tell
start linger near $nobody "$tmp/run_pest" "$socket" linger
stdin=/dev/null
await linger ready
kill -CONT "${pids[tcpkd]}"
echo go >&"$tell"
await linger '^(ok|bad)'
told linger "linger"
tries_as "$other" "beside those that linger another user" pest ask 1
ended linger KILL
check "linger: tcpkd has as many descriptors as before" within 10000 same_as_now
tries "after those that lingered" pest ask 1
# With so many that it would take all descriptors, if those that are to be closed were kept.
most=$(prlimit --pid "${pids[tcpkd]}" --nofile --output SOFT --raw --noheadings)
prlimit --pid "${pids[tcpkd]}" --nofile=$((descriptors_now + 700)):
start flood near $stranger "$tmp/run_pest" "$socket" flood 2000
await flood ready
tries_as "" "beside a flood root" pest ask 1
tries_as "$other" "beside a flood another user" pest ask 1
check "flood: tcpkd has as many descriptors as before" within 10000 same_as_now
ended flood KILL
prlimit --pid "${pids[tcpkd]}" --nofile="$most:"
# while_stopped PEST SAYS ARGUMENTS...: when it has opened, it is told to go on, and tcpkd stands still until it says
# that.
while_stopped() {
	stdin=$tmp/tell
	start "$1" near $nobody "$tmp/run_pest" "$socket" "$1" "${@:3}"
	stdin=/dev/null
	await "$1" open
	kill -STOP "${pids[tcpkd]}"
	printf x >&"$tell"
	await "$1" "$2"
	kill -CONT "${pids[tcpkd]}"
}
# Who leaves holds nobody up.
while_stopped leave gone 30
finish leave
told leave "leave"
# The dead are not served.
while_stopped burst ready 500
printf x >&"$tell"
finish burst
told burst "burst"
check "burst: tcpkd has as many descriptors as before" within 10000 same_as_now
start crowd near $nobody "$tmp/run_pest" "$socket" crowd
await crowd ready
told crowd "crowd"
tries_as "$other" "beside a crowd another user" pest ask 1
ended crowd KILL
check "crowd: tcpkd has as many descriptors as before" within 1000 same_as_now
tries "after the crowd" pest ask 1
# Of many users, whom the policy knows or not.
for first in 200001 300001; do
	start crowds near "$tmp/run_pest" "$socket" crowds $first 8
	await crowds ready
	tries_as "" "beside crowds of users from $first on root" pest ask 1
	tries_as "$other" "beside crowds of users from $first on another user" pest ask 1
	ended crowds KILL
	check "crowds: tcpkd has as many descriptors as before" within 5000 same_as_now
done

# No descriptor for one more: he waits, and tcpkd does not look for him all the time.
most=$(prlimit --pid "${pids[tcpkd]}" --nofile --output SOFT --raw --noheadings)
prlimit --pid "${pids[tcpkd]}" --nofile=$((descriptors_now + 2)):
start crowd near $nobody "$tmp/run_pest" "$socket" hold 5
await crowd ready
switches() {
	sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/${pids[tcpkd]}/status"
}
switches_then=$(switches)
sleeps() {
	[ "$(switches)" -gt "$switches_then" ]
}
check "without descriptors: tcpkd sleeps" within 5000 sleeps
ended crowd KILL
tries "without descriptors, afterwards" pest ask 1
prlimit --pid "${pids[tcpkd]}" --nofile="$most:"
# Of root, whom tcpkd opens as many as he likes: so that they die in all places.
tries_as "" "death" pest death "${SEED:-1}" 200
check "death: tcpkd has as many descriptors as before" within 1000 same_as_now

# Rings that stay when their clients have gone, and one tcpkd, too.
stdin=$tmp/tell
start hoard near $nobody "$tmp/run_pest" "$socket" hoard $((64 << 20)) $((16 << 20))
stdin=/dev/null
await hoard ready
ended tcpkd KILL
start_helper
echo go >&"$tell"
finish hoard
told hoard "hoard"

# Those that do not come back to the tcpkd that there is, cost it little.
cost() { # ticks for a thousand connections that ask
	local before
	before=$(used)
	tries_as "" "a thousand times root" pest ask 1000
	cost=$(($(used) - before))
}
used() {
	awk '{ print $14 + $15 }' "/proc/${pids[tcpkd]}/stat"
}
cost
alone=$cost
start open near $nobody "$tmp/run_pest" "$socket" open 30
await open open
ended tcpkd KILL
start_helper
cost
check "beside clients that do not come back: $cost ticks, without $alone" [ "$cost" -lt $((3 * alone + 20)) ]
echo "beside clients that do not come back: $cost ticks, without $alone"
ended open KILL

# The clients are another tcpkd's, and somebody else comes for them.
stdin=$tmp/tell
start resume near "$tmp/run_pest" "$socket" resume 7110
stdin=/dev/null
await resume ready
ended tcpkd KILL
start_helper
echo go >&"$tell"
finish resume
told resume "resume"

# Somebody has had a client's port while no tcpkd was there: nobody gets a part of it for that.
ended tcpkd KILL
start squatter near $nobody socat -d -d TCP-LISTEN:7060,bind=$here PIPE
await squatter 'listening on'
start_helper
ended squatter KILL
tries "claims, of what could not be reserved" intruder claims $here
await tcpkd 'port 7060 of 0.0.0.0 is a client.s and reserved again'
at near timeout 5 socat -u OPEN:/dev/null "TCP:127.0.0.1:9,bind=$here:7060" >"$tmp/bound" 2>&1 || true
check "what could not be reserved is, once it is free" grep -q 'Address already in use' "$tmp/bound"

ended victim KILL
ended victim2 KILL
check "no client, no TAP" within 1000 quiet
check "as many descriptors as at first" within 1000 same_descriptors

# A kernel that can refuse descriptors, if this is one.
ended tcpkd TERM
tcpkd=$newer
start_helper
tries "by this kernel" pest refused
transfer "after all that" near $here "--tcpk --helper $socket --send 1000000" far "--kernel --send 1000000"

# Whatever becomes of tcpkd, a TAP lets out nothing that is not its client's; and goes where nobody watches it any more.
at near sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
start ears near socat -u UDP-RECV:9999,bind=$here OPEN:"$tmp/heard",creat,append
inject() { # [persist]
	stdin=$tmp/tell
	start inject near $nobody "$tmp/run_intruder" "$socket" inject $here "$@"
	stdin=/dev/null
	await inject ready
	device=$(said inject device)
}
hears() {
	echo honest | at far socat -u - UDP:$here:9999
	grep -aq honest "$tmp/heard"
}
# After an honest one, which comes by another device, the forged one has come, too, if it does.
not_let_out() { # WHAT
	: >"$tmp/heard"
	echo "$1" >&"$tell"
	await inject "^tried $1: "
	check "$1: what is not forged comes" within 5000 hears
	check "$1: what is forged does not" sh -c "! grep -aq 'intruder:$1;' '$tmp/heard'"
}
tap_gone() { # WHAT
	check "$1: its TAP is gone" within 1000 quiet
	not_let_out "$1"
	check "$1: nothing goes there" grep -q "^tried $1: File descriptor in bad state" "$tmp/inject"
}
serve() { # PINS
	helper tcpkd near --pins "$1" --policy "$tmp/policy"
}
guarded() { # DEVICE
	at near tc filter show dev "$1" ingress | grep -q "$2"
}

inject
not_let_out "while tcpkd serves"
at near ip link set "$device" name renamed
tries "a TAP with another name: meanwhile" pest ask 1
not_let_out "a TAP with another name"
ended tcpkd KILL
serve "$tmp/bpf/tcpkd"
not_let_out "a TAP with another name, over a restart"
check "a TAP with another name is its client's still" [ "$(taps near)" = renamed ]

# Another tcpkd touches nothing.
beside() {
	! at near timeout 5 "$tcpkd" "$@" >"$tmp/beside" 2>&1 && grep -q 'another tcpkd' "$tmp/beside"
}
check "tcpkd --remove without pins while one serves" beside --pins none --remove
check "a second tcpkd, with other pins" beside --pins "$tmp/bpf/other" --socket "$tmp/other.sock"
check "and the devices are served" guarded to_far tcpk_in
not_let_out "beside another tcpkd"
ended inject KILL
check "a TAP with another name goes with its client" within 1000 quiet

for pins in none "$tmp/bpf/tcpkd"; do
	ended tcpkd KILL
	serve "$pins"
	inject persist
	ended tcpkd KILL
	serve "$pins"
	tap_gone "a TAP that persists, over a restart, pins ${pins##*/}"
	ended tcpkd TERM
	not_let_out "a TAP that persists, at the end, pins ${pins##*/}"
	ended inject KILL

	serve "$pins"
	inject persist
	ended tcpkd KILL
	check "tcpkd --remove, pins ${pins##*/}" at near "$tcpkd" --pins "$pins" --remove
	tap_gone "a TAP that persists, removed, pins ${pins##*/}"
	ended inject KILL
	serve "$pins"
done

ended tcpkd TERM
serve none
inject
ended tcpkd TERM
tap_gone "SIGTERM, without pins"
ended inject KILL
