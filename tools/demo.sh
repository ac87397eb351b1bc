#!/bin/bash
# demo.sh BUILD_DIR [FILE]: the whole way once. Checks the fused loops, measures them, and moves a file between two
# processes, interleaved: over TCPU with the fused chain, over TCPU with its layered twin, over the kernel's TCP with
# the same manipulations by library calls, and over the kernel's TCP with none. What it finds stays in build/demo/.
set -eu -o pipefail
cd "$(dirname "$0")/.."
bin=$1/bin file=${2-}
[ -z "$file" ] || { [ -f "$file" ] && [ -r "$file" ] && [ -s "$file" ]; } || {
	echo "demo.sh: FILE='$file': expected a regular file that can be read and is not empty" >&2
	exit 1
}
case $file in -*) file=./$file ;; esac # no option
out=build/demo
chain=xdr_chacha20_copy_sum
family=xdr_copy # of the transfers: what conversion costs, and markers and CRC32C besides
repeats=5
least=$((16 << 20)) # bytes: of less, most of the time is start and end
mkdir -p "$out"

# Whatever ends us, nothing that we started stays.
dir='' receiver=''
cleanup() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
	[ -z "$dir" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

heading() { printf '\n%s\n' "$*"; }
hash() { sha256sum <"$1" | cut -d ' ' -f 1; }
busy() { # the share of the processors that others use now, in percent
	local from to
	from=$(head -n 1 /proc/stat)
	sleep 0.3
	to=$(head -n 1 /proc/stat)
	printf '%s\n' "$from" "$to" | awk '{ t = 0; for (i = 2; i <= 9; i++) t += $i; idle = $5 + $6
		if (NR == 1) { t0 = t; idle0 = idle } else printf "%d", 100 * (1 - (idle - idle0) / (t - t0 + 1e-9)) }'
}
member() { sed -nE "s/.*\"$1\": *([0-9.e+-]+).*/\1/p" "$2"; } # of a JSON object
# Of the numbers of stdin: the median, the least, the most.
spread() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

heading "1. The loops, against their descriptions run on plain numbers"
tools/check.sh "$1/gen-tests.list"

heading "2. What a byte costs"
{
	echo "$(nproc) processors, $(sed -n '/^model name/{s/.*: //p;q}' /proc/cpuinfo)"
	others=$(busy)
	[ "$others" -le 10 ] || echo "Busy: others use $others % of the processors. The numbers below are theirs, too."
} | tee "$out/table.txt"
"$bin/tcpu" bench --sizes 1K,8K,64K,1M --direction send --csv="$out/bench.csv" --json="$out/bench.json" \
	copy_sum xdr_copy_sum "$chain" | tee -a "$out/table.txt"

if [ -z "$file" ]; then
	file=$out/data
	if [ "$(stat -c %s "$file" 2>/dev/null || echo 0)" != 268435456 ]; then
		head -c 268435456 /dev/urandom >"$file"
	fi
fi
size=$(stat -L -c %s "$file")
heading "3. $file, $((size / 1000000)) MB, from one process to another"
sent=$(hash "$file") # reads it into memory, too
echo "  SHA-256 $sent  of the file"

# Where the copies go: memory if there is room, so that TCPs are compared and not a disk.
if [ "$(df --output=avail -B1 /dev/shm 2>/dev/null | tail -n 1)" -gt $((2 * size)) ] 2>/dev/null; then
	dir=$(mktemp -d /dev/shm/tcpu-demo.XXXXXX)
	where="in memory (/dev/shm)"
else
	dir=$(mktemp -d "$out/copy.XXXXXX")
	where="on disk, in its cache (build/demo): a disk may be what limits"
fi
declare -A title=(
	[fused]="TCPU, $family fused, with markers and CRC32C"
	[layered]="TCPU, the same layered (a pass a stage, segment by segment)"
	[kernel]="kernel TCP, libtirpc, one after another, no CRC32C (*)"
	[bare]="kernel TCP, nothing done to the bytes: a bound"
)

over_tcpu() { # schedule, where the JSON goes
	local port='' how=(--chain "$family" --schedule "$1" --json)
	: >"$dir/recv.log" # or the last one's port would be read
	"$bin/xfer" recv "${how[@]}" --listen 127.0.0.1:0 --once "$dir/copy" >"$dir/recv.json" 2>"$dir/recv.log" &
	receiver=$!
	while [ -z "$port" ]; do # it says where it listens
		port=$(sed -nE 's/.*listening on .*:([0-9]+)$/\1/p' "$dir/recv.log")
		sleep 0.02
		kill -0 "$receiver" || { cat "$dir/recv.log" >&2; exit 1; }
	done
	"$bin/xfer" send "${how[@]}" "$file" "127.0.0.1:$port" >"$2"
	wait "$receiver" || { cat "$dir/recv.log" >&2; exit 1; }
	receiver=
}
over_kernel() { # stages, where the JSON goes
	"$bin/tcpu" baseline --stages "$1" --json "$file" "$dir/copy" >"$2"
}

# User and system time of the children that have ended, in ticks.
cpu() {
	local stat
	read -ra stat <"/proc/$$/stat"
	echo $((stat[15] + stat[16]))
}
ticks=$(getconf CLK_TCK)

wrong() {
	echo "demo.sh: ${title[$1]}: what arrived is not what was sent" >&2
	exit 1
}

one() { # way, repetition
	local json=$dir/$1.json from
	rm -f "$dir/copy"
	from=$(cpu)
	case $1 in
	kernel) over_kernel xdr_u32 "$json" ;; # copy and sum are the kernel's
	bare) over_kernel "" "$json" ;;
	*) over_tcpu "$1" "$json" ;;
	esac
	printf '{"way": "%s", "repetition": %d, "bytes": %d, "seconds": %s, "cpu_seconds": %s}\n' "$1" "$2" "$size" \
		"$(member seconds "$json")" "$(awk "BEGIN { print ($(cpu) - $from) / $ticks }")" >>"$out/transfers.jsonl"
	# The first by digest, as one would who has only one end; the others byte by byte, which takes less time.
	if [ "$2" = 1 ]; then
		arrived=$(hash "$dir/copy")
		printf '  SHA-256 %s  %s\n' "$arrived" "over ${title[$1]}"
		[ "$arrived" = "$sent" ] || wrong "$1"
	else
		cmp -s "$file" "$dir/copy" || wrong "$1"
	fi
}
ways=(fused layered kernel bare)
: >"$out/transfers.jsonl"
for ((i = 1; i <= repeats; i++)); do
	for ((j = 0; j < ${#ways[@]}; j++)); do
		one "${ways[(i + j) % ${#ways[@]}]}" "$i"
	done
done

of() { # way, member: of every repetition, in their order
	grep "\"way\": \"$1\"" "$out/transfers.jsonl" >"$dir/of"
	member "$2" "$dir/of"
}
ratio() { # way, way: seconds of the one : seconds of the other within each repetition
	of "$1" seconds >"$dir/above"
	of "$2" seconds >"$dir/below"
	paste "$dir/above" "$dir/below" | awk '{ print $1 / $2 }' | spread
}
{
	heading "Medians (least - most) of $repeats interleaved repetitions, from before connecting to the receiver's answer"
	echo "that the file is written, $where, its blocks allocated first."
	echo "CPU is that of both processes; the kernel's congestion control is $(sed -E 's/.*"congestion": "([^"]*).*/\1/' \
		"$dir/kernel.json")."
	[ "$size" -ge "$least" ] ||
		echo "This file is too small to measure throughput: most of the time is start and end. Take 16 MiB or more."
	printf '  %-72s %26s %27s %9s\n' "" "MB/s" "times (*)" "CPU s/GB"
	for way in "${ways[@]}"; do
		read -r s low high < <(of "$way" seconds | spread)
		read -r k k_low k_high < <(ratio kernel "$way")
		read -r c _ < <(of "$way" cpu_seconds | spread)
		awk -v title="${title[$way]}" -v b="$size" -v s="$s" -v l="$low" -v h="$high" -v k="$k" -v kl="$k_low" \
			-v kh="$k_high" -v c="$c" 'BEGIN { mb = b / 1e6
				printf "  %-72s %8.0f (%6.0f - %6.0f) %8.2f (%6.2f - %6.2f) %9.2f\n", title, mb / s, mb / h, mb / l,
					k, kl, kh, c / mb * 1000 }'
	done
	read -r r low high < <(ratio layered fused)
	printf '  fused : layered, the median of the ratios within repetitions: %.2f (%.2f - %.2f)\n' "$r" "$low" "$high"
	echo "  (*) libtirpc's conversion, a call a word, is most of what the libraries cost: against a good loop for it, the"
	echo "      ratio would be smaller."
} | tee -a "$out/table.txt"
for way in "${ways[@]}"; do
	of "$way" seconds | spread | awk -v way="$way" -v b="$size" '{ print way, b / $1 / 1e6 }'
done >"$out/transfer.dat"

# For the plot: a block a chain, a row a size, a column a variant.
awk -F , 'NR > 1 && $5 ~ /^(layered|tiled|fused)$/ {
		if ($1 != chain) { printf "%s\"%s\"", chain == "" ? "" : "\n\n\n", $1; bytes = "" }
		if ($4 != bytes) printf "\n%s", ($4 >= 1048576 ? $4 / 1048576 "M" : $4 / 1024 "K")
		printf " %s", $9
		chain = $1; bytes = $4
	} END { print "" }' "$out/bench.csv" >"$out/bench.dat"
gnuplot -e "out='$out'" tools/demo.gp
heading "Left in $out: table.txt, bench.json, bench.csv, transfers.jsonl, plot.svg"
