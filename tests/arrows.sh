#!/bin/bash
# The arrows of ARCHITECTURE.md's table: which folder may include what, from the #include "..." lines of every source
# file, generated loops among them.
#	tests/arrows.sh [--list]	--list prints every arrow that there is
set -eu
cd "$(dirname "$0")/.."

# The public headers of the core are the ones that ARCHITECTURE.md names.
public=$(sed -n "s/^Core's public headers: //p" ARCHITECTURE.md | grep -oE '[a-z0-9_]+\.h' | sed 's|^|core/|' | xargs)
public=${public// /|}
links='core/link/(tun|tcpk|sim)\.h' # which an application opens itself
adus='alf/(alf|profile|bytes)\.h'

# allowed FILE: an extended expression of what it may include.
allowed() {
	case $1 in
	core/link/*) echo "core/link/.*|$public|kernel/uapi/.*" ;;
	core/*) if [[ $1 =~ ^($public)$ ]]; then echo "$public"; else echo 'core/[^/]*'; fi ;;
	ilp/ilp.h) echo 'ilp/run\.h' ;;
	ilp/load.h | ilp/choose.h) echo 'ilp/ilp\.h' ;;
	ilp/model.h) echo 'ilp/choose\.h' ;;
	ilp/xdr.h | ilp/lua.h) echo '-' ;;
	ilp/xdr/code.h) echo 'ilp/xdr\.h' ;; # with generated C, which has nothing else
	ilp/xdr/*) echo 'ilp/xdr/.*|ilp/(xdr|ilp)\.h' ;;
	ilp/*) echo 'ilp/[^/]*|core/(seam|cksum|siphash)\.h' ;;
	build/gen/*_test.c) echo '.*' ;;
	build/gen/chains.c) echo 'ilp/ilp\.h' ;; # the table that ilp.h declares
	build/gen/*) echo 'build/gen/.*|ilp/(run|quad)\.h' ;;
	alf/alf.h) echo "$public|ilp/ilp\.h" ;;
	alf/profile.h) echo "alf/alf\.h" ;;
	alf/bytes.h) echo '-' ;;
	alf/profile.c) echo "alf/.*|$public|ilp/(ilp|lua)\.h" ;;
	alf/*) echo "alf/.*|$public|ilp/ilp\.h" ;;
	adu-examples/*/*)
		echo "(${1%/*}|adu-examples/common)/.*|$public|$links|ilp/(ilp|load|choose|xdr)\.h|$adus|kernel/uapi/.*"
		;;
	tools/*) echo "tools/.*|$public|$links|ilp/(ilp|load|choose|model|xdr|xdr/lexer)\.h|$adus|kernel/uapi/.*" ;;
	kernel/bpf/*) echo 'kernel/(bpf|uapi)/.*' ;;
	kernel/tcpkd/table.c) echo 'kernel/(tcpkd/.*|bpf/table\.h|uapi/.*)|tcpk\.skel\.h' ;; # with the programs, built
	kernel/tcpkd/*) echo 'kernel/(tcpkd/.*|bpf/table\.h|uapi/.*)' ;;
	kernel/mod/*) echo 'kernel/mod/.*|kernel/uapi/.*' ;;
	kernel/*) echo 'kernel/uapi/.*' ;;
	tests/*) echo '.*' ;;
	*) echo "-" ;;
	esac
}

# arrow FILE INCLUDED: whether the table allows it.
arrow() {
	[[ $2 =~ ^($(allowed "$1"))$ ]]
}

checks=0 failures=0
fail() {
	failures=$((failures + 1))
	echo "$*"
}

mapfile -t files < <(find core ilp alf adu-examples tools kernel tests -name '*.[ch]' -o -name '*.rl' | sort
	ls build/gen/*.[ch] 2>/dev/null)
while IFS=: read -r file line text; do
	what=$(sed -E 's/^[^"]*"([^"]*)".*/\1/' <<<"$text")
	# Beside the file, or from the root.
	[ ! -e "${file%/*}/$what" ] || what=$(realpath -sm --relative-to=. "${file%/*}/$what")
	[ "${1-}" != --list ] || echo "$file -> $what"
	checks=$((checks + 1))
	arrow "$file" "$what" || fail "$file:$line: includes \"$what\", which ARCHITECTURE.md's table does not allow there"
done < <(grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "${files[@]}")

# Planted faults: the table's reader must tell these apart.
planted() { # yes or no, file, what it includes
	checks=$((checks + 1))
	if arrow "$2" "$3"; then got=yes; else got=no; fi
	[ "$got" = "$1" ] || fail "arrow $2 -> $3: $got, expected $1"
}
planted yes core/input.c core/tcb.h
planted no core/input.c core/link/udp.h
planted no core/input.c alf/alf.h
planted no core/tcpu.h core/tcb.h
planted yes core/link/socket.c core/tcpu.h
planted no core/link/socket.c core/tcb.h
planted yes ilp/ilp.c core/seam.h
planted no ilp/ilp.c core/engine.h
planted yes ilp/cache.c core/siphash.h
planted yes tools/bench.c ilp/load.h
planted no tools/bench.c ilp/loading.h
planted yes tools/xdr.c ilp/xdr/lexer.h
planted no tools/xdr.c ilp/xdr/code.h
planted yes ilp/xdr/words.c ilp/ilp.h
planted no ilp/xdr/code.h ilp/ilp.h
planted no ilp/xdr/words.c ilp/load.h
planted no ilp/load.h ilp/loading.h
planted yes tools/calibrate.c ilp/model.h
planted no ilp/choose.h ilp/model.h
planted yes build/gen/copy.c ilp/run.h
planted no build/gen/copy.c ilp/ilp.h
planted yes alf/out.c alf/framer.h
planted no alf/out.c ilp/run.h
planted no alf/out.c core/tcb.h
planted yes adu-examples/xfer/main.c alf/alf.h
planted no adu-examples/xfer/main.c alf/framer.h
planted no adu-examples/common/road.h alf/table.h
planted yes adu-examples/xfer/wire.c alf/bytes.h
planted no alf/alf.h alf/bytes.h
planted no alf/bytes.h alf/conn.h
planted yes adu-examples/xfer/main.c adu-examples/common/road.h
planted no adu-examples/xfer/main.c adu-examples/tiles/tiles.h
planted no adu-examples/common/road.c adu-examples/xfer/xfer.h
planted yes alf/profile.c ilp/lua.h
planted no alf/out.c ilp/lua.h
planted no alf/profile.c ilp/load.h
planted no alf/profile.h alf/conn.h
planted yes adu-examples/xfer/main.c alf/profile.h
planted yes adu-examples/xfer/main.c core/link/tun.h
planted yes adu-examples/tiles/demo.c core/link/sim.h
planted no adu-examples/xfer/main.c core/link/stack.h
planted no alf/out.c core/link/tun.h
planted no tools/bench.c ilp/run.h
planted no kernel/uapi/tcpk.h core/tcpu.h
planted yes kernel/tcpkd/table.h kernel/bpf/table.h
planted no kernel/tcpkd/client.c core/link/tcpk.h
planted no kernel/bpf/tcpk.bpf.c kernel/tcpkd/table.h
planted yes tools/status.c core/link/tcpk.h
planted no tools/status.c core/link/tcpk_ways.h
planted no kernel/uapi/tcpk.h kernel/mod/tcpk.h
planted yes kernel/mod/input.c kernel/uapi/tcpk.h
planted no kernel/mod/input.c core/cksum.h
planted no core/link/tun.c kernel/mod/tcpk.h
planted yes tests/core_input.c core/tcb.h
planted no somewhere/x.c core/tcpu.h
echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
