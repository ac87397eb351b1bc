#!/bin/bash
# The command tcpu: exit statuses, messages, and that its verbs do what they say.
#	tests/tcpu.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/.." || exit
tcpu=${1:-${B:-build/gcc}}/bin/tcpu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

checks=0 failures=0
# expect STATUS PATTERN COMMAND...: it ends with STATUS, and stdout or stderr matches PATTERN.
expect() {
	local status=$1 pattern=$2 got=0
	shift 2
	checks=$((checks + 1))
	"$@" >"$tmp/out" 2>"$tmp/err" || got=$?
	if [ "$got" != "$status" ] || ! { cat "$tmp/out" "$tmp/err"; echo; } | grep -qE -- "$pattern"; then
		failures=$((failures + 1))
		echo "$*: status $got, expected $status and /$pattern/; it said:"
		cat "$tmp/out" "$tmp/err"
	fi
}

expect 0 'Verbs:' "$tcpu" --help
expect 2 'verb is missing' "$tcpu"
expect 2 "no verb 'fuse'" "$tcpu" fuse
for verb in gen xdr profile isa explain bench calibrate never-slower leaks mca baseline conformance status memory; do
	expect 0 'Example: tcpu' "$tcpu" "$verb" --help
	expect 2 'unrecognized' "$tcpu" "$verb" --nonsense
done

# profile: what each comes to, and what is wrong.
expect 0 '^  framer +mpa$' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  markers +none in what the peer sends$' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  crc +both ways$' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  chain +copy_sum: copy inet_checksum$' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  with markers +marker_crc32c_copy_sum: ' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  credit +256M$' "$tcpu" profile alf/profiles/bulk.lua
expect 0 '^  recovery +tolerate$' "$tcpu" profile alf/profiles/frames.lua
expect 0 '^  deadline_ms +200$' "$tcpu" profile alf/profiles/frames.lua
expect 0 '^  framer +record$' "$tcpu" profile alf/profiles/rpc.lua
expect 0 '^  credit +2049K$' "$tcpu" profile alf/profiles/rpc.lua # of its own accord
expect 1 '' grep -E 'markers|crc|CRC|rekey' <("$tcpu" profile alf/profiles/rpc.lua)
expect 0 '^  rekey +1048576$' "$tcpu" profile alf/profiles/sealed.lua
expect 0 'authenticates: the program has the key' "$tcpu" profile alf/profiles/sealed.lua
expect 0 '^4$' grep -c '"stages": ' <("$tcpu" profile --json alf/profiles/{tiles,rpc}.lua)
expect 0 '^2$' grep -cE '^  "file": "alf/profiles/(tiles|rpc).lua",$' \
	<("$tcpu" profile --json alf/profiles/{tiles,rpc}.lua)
echo 'return profile {}' >"$tmp/empty.lua"
for line in '"acks": "delayed",' '"authenticates": false,' '"congestion": null,' '"crc": false,' '"framer": "mpa",' \
	'"adu": 16777216,' '"credit": 33555456,' '"quantum": 16384' '"deadline_ms": null,' '"markers": false,' \
	'"order": "any",' '"recovery": "keep",' '"schedule": "fused"'; do
	expect 0 "^ +$line\$" "$tcpu" profile --json "$tmp/empty.lua"
done
printf 'return profile {\n\tacks = "slow",\n}\n' >"$tmp/wrong.lua"
expect 1 '^tcpu profile: .*/wrong.lua:2: acks is "slow", expected "delayed" or "quick"' "$tcpu" profile "$tmp/wrong.lua"
expect 1 '^  framer +record$' "$tcpu" profile "$tmp/wrong.lua" alf/profiles/rpc.lua # the others all the same
expect 1 '"framer": "record"' "$tcpu" profile --json "$tmp/wrong.lua" alf/profiles/rpc.lua
expect 1 'nothing.lua: No such file or directory, expected a profile' "$tcpu" profile "$tmp/nothing.lua"
expect 1 'set TCPU_SHARE to the folder' env TCPU_SHARE="$tmp/nowhere" "$tcpu" profile "$tmp/empty.lua"
cp "$tmp/empty.lua" "$tmp/$(printf 'no\377.lua')"
expect 1 'name that JSON cannot have' "$tcpu" profile --json "$tmp/$(printf 'no\377.lua')"
expect 0 '^  framer +mpa' "$tcpu" profile "$tmp/$(printf 'no\377.lua')"
expect 2 'which profiles' "$tcpu" profile
expect 1 'output: No space' sh -c "'$tcpu' profile '$tmp/empty.lua' >/dev/full"

# conformance: the table, parts of it, and what is wrong with it.
expect 0 'of [0-9]{3} rules' "$tcpu" conformance
expect 0 'MUST-13 +3\.6\.1 +met +who closes first' "$tcpu" conformance MUST-13
expect 0 '^ +core/timer.c:timer_time_wait$' "$tcpu" conformance --where MUST-13
expect 0 ' 1 +0  of 1 rules' "$tcpu" conformance MUST-13
expect 0 ' 0 +[1-9][0-9]*  of ' "$tcpu" conformance omitted
expect 0 ' because ' "$tcpu" conformance omitted
expect 0 ' 7 +1  RFC 9406: ' "$tcpu" conformance 9406
expect 0 '"core/cubic.c:cubic_root"$' "$tcpu" conformance --json 9438-MUST-1 9406
expect 0 '^8$' grep -c '"status": "met"' <("$tcpu" conformance --json 9438-MUST-1 9406)
expect 1 '^$' grep -E '.{61}' <(COLUMNS=60 "$tcpu" conformance met | head -n -40)
expect 1 '^$' grep -E '.{81}' <("$tcpu" conformance)
expect 2 'no rule is that' "$tcpu" conformance MUST-1000
expect 1 'nowhere/core/conformance.tsv: No such file.*TCPU_SHARE' env TCPU_SHARE="$tmp/nowhere" "$tcpu" conformance
mkdir -p "$tmp/share/core"
table() { # what is wrong, the lines
	{
		printf 'id\tsection\trule\twhere\ttest\n'
		printf '%b\n' "${@:2}"
	} >"$tmp/share/core/conformance.tsv"
	expect 1 "conformance.tsv:$1" env TCPU_SHARE="$tmp/share" "$tcpu" conformance
}
table '3: expected five columns' '# RFC 1: A' 'MUST-1\t1\trule\t-'
table '3: expected no more' '# RFC 1: A' 'MUST-1\t1\trule\t-\ttest\tmore'
table '2: expected .# RFC' 'MUST-1\t1\trule\t-\ttest'
table '2: expected .# RFC' '# RFC: none'

# memory: an idle connection costs at most 1 KiB beyond its buffers.
at_most() { # field, bytes
	"$tcpu" memory --json --connections 10000 | awk -v name="\"$1\":" -v most="$2" '
		$1 == name { n = $2 + 0; seen = n > 0 && n <= most }
		END { if (!seen) print name, n, "is more than", most; exit !seen }'
}
expect 0 '' at_most unused_bytes 1024
expect 0 '' at_most beyond_buffers_bytes 1024
expect 1 'is more than 100' at_most unused_bytes 100
expect 0 ' 2000 ends' "$tcpu" memory
expect 0 ' 20 ends' "$tcpu" memory --connections 10
expect 2 "'0': a number from 1 to 60000" "$tcpu" memory --connections 0

# calibrate, never-slower: what they are asked for. What they measure takes a minute, and is not for a test.
expect 2 "'5': expected a number from 10 to 3600" "$tcpu" calibrate --seconds 5
expect 1 'nothing\.lua' "$tcpu" calibrate "$tmp/nothing.lua"
expect 1 'ILP_MODEL' env ILP_MODEL= "$tcpu" calibrate
printf '#!/bin/sh\nexec gcc "$@" -O0 -D__GNUC_PATCHLEVEL__=99\n' >"$tmp/other-cc"
chmod 755 "$tmp/other-cc"
expect 1 'm: copy_sum is of gcc .*99, others of .* ILP_CC' \
	env ILP_CC="$tmp/other-cc" "$tcpu" calibrate --out "$tmp/m" ilp/chains/copy_sum.lua
expect 1 "no chain 'nothing'" "$tcpu" never-slower nothing
expect 2 "'0': expected a number" "$tcpu" never-slower --rounds 0
expect 2 "'x' is no size" "$tcpu" never-slower --sizes x
never() { # arguments: its status is what was measured: no test's
	"$tcpu" never-slower --sizes 64 --rounds 6 "$@" || [ $? = 1 ]
}
no_home=(env -u ILP_MODEL XDG_CACHE_HOME="$tmp/no_home")
never_at_home() { (unset ILP_MODEL; XDG_CACHE_HOME="$tmp/no_home" never "$@"); }
never_without() { ILP_MODEL='' never "$@"; }
expect 0 '2 points: .*best' never_without copy_sum
expect 0 'ILP_MODEL says that there is to be none: the default is tried' never_without copy_sum
expect 0 '"choice": "fused"' never_without --json copy_sum
expect 0 'tcpu/model-.*: No such file.*: the default is tried' never_at_home copy_sum
# A model that is named has to be there.
echo nonsense >"$tmp/model"
expect 1 'none: No such file.*tcpu calibrate' "$tcpu" never-slower --model "$tmp/none" copy_sum
expect 1 '' grep -E 'points|tried' <("$tcpu" never-slower --model "$tmp/none" copy_sum 2>&1) # nothing is measured
expect 1 'none: No such file' env ILP_MODEL="$tmp/none" "$tcpu" never-slower copy_sum
expect 1 "model:1: expected 'tcpu-model 1', found 'nonsense'" "$tcpu" never-slower --model "$tmp/model" copy_sum
expect 1 'File name too long' "$tcpu" never-slower --model "$(printf '%5000s' x)" copy_sum
# Where the model cannot go is told before a minute is spent.
expect 0 '10 to 3600' "$tcpu" calibrate --help
expect 1 '/proc/x/y: No such file or directory.*--out' timeout 8 "$tcpu" calibrate --out /proc/x/y
expect 1 "$tmp: Is a directory" timeout 8 "$tcpu" calibrate --out "$tmp"

# leaks: the planted one is found, in a table and in JSON. What others come to is measured, and no test's.
expect 2 "'999': expected a number from 1000" "$tcpu" leaks --samples 999
expect 2 "'0': expected a number from 1 " "$tcpu" leaks --seed 0
expect 2 '65537 bytes: expected 64K at most' "$tcpu" leaks --sizes 64,65537
expect 2 "isa 'sse2': expected all" "$tcpu" leaks --isa sse2
expect 2 "direction 'up'" "$tcpu" leaks --direction up
expect 1 "no chain 'nothing'" "$tcpu" leaks nothing
expect 1 '^planted +send +scalar +1460 +2000 +[0-9]{2,}\.[0-9]+ +[0-9]{2,}\.[0-9]+  leaks$' \
	"$tcpu" leaks --self-test --samples 2000 --sizes 1460
expect 1 '"leaks": 1,' "$tcpu" leaks --self-test --samples 2000 --sizes 1460 --json
leaks() { # arguments: its status is what was measured
	"$tcpu" leaks --samples 1000 --sizes 100 "$@" || [ $? = 1 ]
}
for direction in send recv; do
	expect 0 "^aes128_gcm_copy +$direction +[a-z0-9_]+ +100 +1000 +[0-9.]+ .*(ok|unsure|leaks)$" leaks aes128_gcm_copy
done
expect 0 '^2 measured: leaks [0-2]; ' leaks historic_safer_copy_sum
expect 0 '^1 measured: ' leaks --direction recv encrypt_then_mac
expect 0 '^chacha20_copy_sum +send +scalar ' leaks --isa all chacha20_copy_sum
expect 1 '' grep historic <(leaks --direction send)
expect 0 '"verdict": "(ok|unsure|leaks)"' leaks --json hmac_then_encrypt

# gen: whole, or nothing.
expect 0 '' "$tcpu" gen -o "$tmp" ilp/chains/copy_sum.lua
expect 0 '' gcc -std=gnu17 -I. -c -o "$tmp/copy_sum.o" "$tmp/copy_sum.c"
expect 0 '' cmp "$tmp/copy_sum.c" build/gen/copy_sum.c
mkdir "$tmp/bad"
sed 's/copy_sum/bad_sum/; s/"inet_checksum"/"inet_chicksum"/' ilp/chains/copy_sum.lua >"$tmp/bad_sum.lua"
expect 1 'bad_sum\.lua:[0-9]+: .*inet_chicksum' "$tcpu" gen -o "$tmp/bad" "$tmp/bad_sum.lua"
expect 1 '' test -e "$tmp/bad/bad_sum.c"
expect 2 'which chains' "$tcpu" gen
expect 1 'inet_chicksum' "$tcpu" gen -o "$tmp/a/b/c" "$tmp/bad_sum.lua"
expect 1 '' test -e "$tmp/a"
expect 0 '' "$tcpu" gen -o "$tmp/a/b/c" copy_sum
expect 0 '' test -e "$tmp/a/b/c/copy_sum.c"
expect 1 'explain' "$tcpu" gen -o "$tmp/a" -- --explain copy_sum # a name that no chain has
expect 1 'set TCPU_SHARE' env TCPU_SHARE="$tmp" "$tcpu" gen -o "$tmp" copy_sum
expect 0 '' env -C "$tmp" TCPU_SHARE="$PWD" "$PWD/$tcpu" gen copy_sum

expect 2 "expected a folder" "$tcpu" gen -o '' copy_sum
mkfifo "$tmp/pipe.lua"
expect 1 'pipe\.lua:1: no regular file, expected a description' timeout 8 "$tcpu" gen -o "$tmp/bad" "$tmp/pipe.lua"
expect 1 'pipe\.lua:1: no regular file' timeout 8 "$tcpu" explain "$tmp/pipe.lua"
expect 1 'pipe\.lua:1: no regular file' timeout 8 "$tcpu" explain --times "$tmp/pipe.lua"
# All of the files or none: a name whose test's is too long, one that a folder has.
long=$(printf 'l%.0s' {1..246})
sed "s/copy_sum/$long/" ilp/chains/copy_sum.lua >"$tmp/$long.lua"
mkdir "$tmp/whole"
expect 1 'File name too long' "$tcpu" gen -o "$tmp/whole" "$tmp/$long.lua"
expect 1 '' grep . <(ls -A "$tmp/whole")
mkdir "$tmp/whole/copy_sum.vec"
expect 1 'copy_sum.vec: Is a directory' "$tcpu" gen -o "$tmp/whole" copy_sum
expect 1 '' grep -vx 'copy_sum.vec' <(ls -A "$tmp/whole")

# explain
expect 0 'copy_sum' "$tcpu" explain
expect 0 'one loop' "$tcpu" explain xdr_copy_sum
expect 0 '"chain"|"name"' "$tcpu" explain --json xdr_copy_sum
expect 1 'nothing\.lua:1: no such file' "$tcpu" explain nothing
expect 1 'nothing\.lua:1: no such file' "$tcpu" gen -o "$tmp/nowhere" nothing
expect 0 '1 failed, as where there is no such chain or file' "$tcpu" --help

expect 2 'which chains' "$tcpu" explain --json
expect 2 'which chains' "$tcpu" explain --times
expect 2 'stand alone' "$tcpu" explain --c --asm copy_sum
expect 2 'stand alone' "$tcpu" explain --asm --json copy_sum
expect 2 "isa 'avx3': expected a name that .tcpu isa. lists" "$tcpu" explain --c --isa avx3 copy_sum
expect 2 "direction 'both': expected send or recv" "$tcpu" explain --c -d both copy_sum
expect 0 'send runs [a-z0-9_]+: ' "$tcpu" explain copy_sum
for option in '' --json --graph --times; do
	# shellcheck disable=SC2086 # an option, or none
	expect 2 '-d: --c and --asm show one direction' "$tcpu" explain -d send $option copy_sum
done
for option in '' --json --graph; do
	# shellcheck disable=SC2086 # an option, or none
	expect 2 '--isa: the page tells of all' "$tcpu" explain --isa scalar $option copy_sum
done
expect 0 'fused +1 load and 1 store a word +copy' "$tcpu" explain copy_sum
expect 0 'layered +2 loads and 1 store a word +copy' "$tcpu" explain copy_sum
expect 0 '^ +sse2 +about [0-9]+, of 16$' "$tcpu" explain copy_adler32
expect 1 '' sh -c "'$tcpu' explain copy_adler32 | grep spills:" # the code tells
expect 0 'send runs fused: the default; .tcpu calibrate. makes a model' "${no_home[@]}" "$tcpu" explain copy_sum
expect 0 'the default; ILP_MODEL is empty' env ILP_MODEL= "$tcpu" explain copy_sum
expect 0 "the default; the model that ILP_MODEL names: /etc/passwd:1: expected 'tcpu-model 1'" \
	env ILP_MODEL=/etc/passwd "$tcpu" explain copy_sum
expect 0 'the default; the model that ILP_MODEL names: .*none: No such file' \
	env ILP_MODEL="$tmp/none" "$tcpu" explain copy_sum
expect 0 'inet_checksum\.lua:19 +v1 = add\(acc, w\)$' "$tcpu" explain --graph copy_sum
expect 0 'chacha20\.lua:[0-9]+ +repeat_ [0-9]+ times:' "$tcpu" explain --graph chacha20_copy_sum
expect 0 '"text": "v1 = add' "$tcpu" explain --graph --json copy_sum
expect 0 '' sh -c "for c in \$('$tcpu' explain | sed '1d;s/^ *//;s/ .*//'); do
	'$tcpu' explain --graph \$c || exit; done"
expect 0 'clmul\(acc, 1, 0x[0-9a-f]+, 0\)' "$tcpu" explain --graph copy_crc32c
# Of a chain by file: compiled when that is needed, and not before.
printf 'return chain { name = "mine", stages = { "xdr_u32", "copy" } }\n' >"$tmp/mine.lua"
printf 'return chain { name = "wrong", stages = { "copy", "hamming" } }\n' >"$tmp/wrong.lua"
printf 'return chain { name = "twice", stages = { "copy", "copy" } }\n' >"$tmp/twice.lua"
compiles=(env -u ILP_CC XDG_CACHE_HOME="$tmp/cache" "$tcpu" explain)
no_compiler=(env PATH=/none "$(realpath "$tcpu")" explain)
expect 0 '^mine: one loop' "${no_compiler[@]}" "$tmp/mine.lua"
expect 1 'no C compiler in PATH' "${no_compiler[@]}" --times "$tmp/mine.lua"
expect 1 'loops that count: .*no C compiler in PATH' "${no_compiler[@]}" --count copy_sum
expect 1 "wrong.lua:1: unknown stage 'hamming'" "${compiles[@]}" "$tmp/wrong.lua"
expect 1 '' grep . <("${compiles[@]}" --all "$tmp/wrong.lua" 2>/dev/null)
expect 1 "twice.lua:1: 'copy' moves the data after 'copy' did, expected" "${compiles[@]}" "$tmp/twice.lua"
expect 0 'send +fused +[a-z0-9]+ +[0-9.]+ of +1 KiB +[0-9.]+ of 64 KiB' "${compiles[@]}" --times "$tmp/mine.lua"
expect 0 '"ns_per_kib"' "$tcpu" explain --json --times copy_sum
expect 0 'counted: [1-9][0-9]* loops have run, and each loads' "${compiles[@]}" --count "$tmp/mine.lua"
expect 0 '"as_planned": true' "${compiles[@]}" --json --count "$tmp/mine.lua" # tests/explain.sh counts all chains
# What another CPU has cannot be run, and the message says what can.
none=$("$tcpu" isa | sed -n 's/^  \([a-z0-9]*\) .*has it not.*/\1/p' | tail -n 1)
for option in --count --times --all '--registers --count'; do
	# shellcheck disable=SC2086 # options
	expect 2 "this CPU has no $none: .*, expected one of scalar[a-z0-9, ]*; or leave --isa out" \
		"$tcpu" explain $option --isa "$none" copy_sum
done
# The function, and nothing else: as it stands in the file.
expect 0 '^static void xdr_u32_scalar\(' "$tcpu" explain --c --isa scalar "$tmp/mine.lua"
expect 0 '^static void copy_inet_checksum_scalar\(' head -1 <("$tcpu" explain --c --isa scalar -d recv copy_sum)
expect 1 "" grep -vxFf build/gen/copy_sum.c <("$tcpu" explain --c copy_sum | grep -v "^#line")
# All chains have loops for plain C, and for an ARM: with AES, or without.
expect 0 '' sh -c "for c in \$('$tcpu' explain | sed '1d;s/^ *//;s/ .*//'); do
	'$tcpu' explain --c --isa scalar \$c || exit
	'$tcpu' explain --c --isa neon \$c || '$tcpu' explain --c --isa neon_aes \$c || exit; done"
if [ "$(uname -m)" = x86_64 ]; then
	expect 0 '^[0-9a-f]{16} <.*copy_inet_checksum_sse2.*>:$' head -1 <("$tcpu" explain --asm --isa sse2 copy_sum)
	expect 0 'retq' "$tcpu" explain --asm --isa sse2 copy_sum
	expect 0 '^[0-9a-f]{16} <.*xdr_u32.*_sse2.*>:$' "${compiles[@]}" --asm --isa sse2 "$tmp/mine.lua"
	expect 1 'copy_sum, send, neon: no loop to show: there is none' "$tcpu" explain --asm --isa neon copy_sum
	expect 0 '"spill_loads"' "$tcpu" explain --registers --json copy_sum
	expect 0 'recv +sse2 +[1-9][0-9]* bytes a turn, +[1-9][0-9]* vector registers, ' \
		"${compiles[@]}" --registers --isa sse2 "$tmp/mine.lua"
	# Loops that are reached by way of those that wipe the stack, or hold loops; data is no address that moves on.
	if ! nm -u "$tcpu" | grep -q ' __asan_'; then
		registers() { "$tcpu" explain --registers --isa sse2 "$@" | grep -E 'nothing is told|[0-9] bytes a turn'; }
		expect 0 '^ +send +sse2 +[0-9]+ bytes a turn, +16 vector registers, spills: [0-9]' registers chacha20_copy_sum
		expect 1 '' grep -E 'nothing is told|[0-9]{5} bytes' <(registers xdr_crc32c_copy xdr_chacha20_copy_sum \
			encrypt_then_mac mac_then_encrypt pad_guid_mask_copy)
	fi
	for option in --registers --asm; do
		expect 1 "tcpu explain: there is no program 'llvm-objdump' in PATH: install" env PATH=/none "$tcpu" explain \
			$option copy_sum
	done
	# Two loads and a store of the stack, three vector registers; an address is no load.
	mkdir "$tmp/objdump"
	cat >"$tmp/objdump/llvm-objdump" <<-'EOF'
		#!/bin/sh
		printf 'x:\tfile format elf64-x86-64\n\n0000000000001000 <send_fused_sse2_loop>:\n'
		n=4096
		while read -r line; do
			printf '    %x:      \t%s\n' $((n = n + 4)) "$(echo "$line" | tr ' ' '\t' | sed 's/,\t/, /g')"
		done <<-'CODE'
			nop
			movdqu (%rsi,%rax), %xmm0
			paddq 16(%rsp), %xmm0
			movdqa %xmm1, 32(%rsp)
			movdqa -64(%rbp), %xmm9
			leaq 8(%rsp), %rcx
			movups %xmm0, (%rdi,%rax)
			addq $16, %rax
			jne 0x1008 <send_fused_sse2_loop+0x8>
			movdqa %xmm7, 32(%rsp)
			retq
		CODE
	EOF
	chmod 755 "$tmp/objdump/llvm-objdump"
	sed -i 's/1000 <send/1004 <send/' "$tmp/objdump/llvm-objdump"
	expect 0 'send +sse2 +16 bytes a turn, +3 vector registers, spills: 2 loads and 1 store of the stack$' \
		env PATH="$tmp/objdump:$PATH" "${compiles[@]}" --registers "$tmp/mine.lua"
	sed -i 's/movups %xmm0, (%rdi,%rax)/movups (%rdi,%rax), %xmm0/' "$tmp/objdump/llvm-objdump"
	expect 0 'send +sse2 +nothing is told: all that is found only reads' \
		env PATH="$tmp/objdump:$PATH" "${compiles[@]}" --registers "$tmp/mine.lua"
	expect 0 'copy_sum: one loop' env PATH=/none "$tcpu" explain copy_sum
fi

# isa
expect 0 '^\* scalar +4 +has it +allows it$' env ILP_ISA=scalar "$tcpu" isa
expect 0 '^  neon .*does not$' env ILP_ISA=scalar "$tcpu" isa
expect 0 'ILP_ISA=avx3 is no name of these, and changes nothing' env ILP_ISA=avx3 "$tcpu" isa
expect 0 '^  vx +16 ' env ILP_ISA=scalar "$tcpu" isa
# One for loops with words of 128 bits, one for the others; or one for both.
expect 0 '^[12]$' grep -c '"taken": true' <("$tcpu" isa --json)
expect 0 '^1$' grep -c '"taken": true' <(ILP_ISA=scalar "$tcpu" isa --json)
expect 2 'Too many arguments' "$tcpu" isa scalar

# What cannot be written is told.
for command in 'isa' 'isa --json' 'explain' 'explain copy_sum' 'explain --c copy_sum' \
	'explain --json copy_sum' 'bench --sizes 64 --rounds 6 copy_sum'; do
	expect 1 'No space left' sh -c "'$tcpu' $command >/dev/full"
done

# bench
expect 2 'same place' "$tcpu" bench --json --csv copy_sum
expect 2 'same place' "$tcpu" bench --json=x --csv=x copy_sum
expect 0 'than layered' "$tcpu" bench --sizes 64 --rounds 6 copy_sum
expect 0 'copy_sum,recv,.*,64,fused,' "$tcpu" bench --sizes 64,1K --rounds 6 --csv -d recv copy_sum
expect 0 '"fused_is_faster_by"' "$tcpu" bench --sizes 64 --rounds 6 --json copy_sum
expect 0 'ns per byte, cold' "$tcpu" bench --sizes 1M --rounds 6 --cold --csv="$tmp/csv" copy_sum
expect 0 'copy_sum,send' cat "$tmp/csv"
expect 1 '' sh -c "'$tcpu' bench --sizes 64,64 --rounds 6 copy_sum | grep -iE 'nan|slope'" # one size is no line
expect 1 'more than half' "$tcpu" bench --sizes 1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G,1G
expect 1 "no chain 'nothing'" "$tcpu" bench nothing
printf 'return chain { name = "mine", stages = { "copy" } }\n' >"$tmp/mine.lua"
printf 'return chain { name = "wrong", stages = { "copi" } }\n' >"$tmp/wrong.lua"
cached=(env -u ILP_CC XDG_CACHE_HOME="$tmp/cache")
expect 0 'mine,send,.*,64,fused,' "${cached[@]}" "$tcpu" bench --sizes 64 --rounds 6 --csv "$tmp/mine.lua"
expect 1 "wrong.lua:1: unknown stage 'copi'" "$tcpu" bench "$tmp/wrong.lua"
expect 1 'no C compiler in PATH' "${cached[@]}" PATH=/none "$(realpath "$tcpu")" bench "$tmp/mine.lua"
expect 2 'from 6 to' "$tcpu" bench --rounds 5 copy_sum # no 95 % interval
expect 2 "'64Q' is no size" "$tcpu" bench --sizes 64Q
expect 1 'No such file' "$tcpu" bench --sizes 64 --rounds 6 --csv="$tmp/none/csv" copy_sum

expect 2 'expected one of them' "$tcpu" bench --limits --csv copy_sum
expect 0 'than orc' "$tcpu" bench --sizes 64 --rounds 6 copy_sum
expect 0 'copy_sum,send,.*,64,orc,' "$tcpu" bench --sizes 64 --rounds 6 --csv -d send copy_sum
expect 1 '' sh -c "'$tcpu' bench --sizes 64 --rounds 6 --csv chacha20_copy_sum | grep ,orc," # Orc cannot

# mca: tests/tools_mca.c has what it makes of output that is given. Code with a sanitizer's calls has no bound.
fake() { # name, script
	mkdir -p "$tmp/fake"
	printf '#!/bin/sh\n%s\n' "$2" >"$tmp/fake/$1"
	chmod 755 "$tmp/fake/$1"
}
faked() { env PATH="$tmp/fake:$PATH" "$tcpu" mca copy_sum; }
if [ "$(uname -m)" = x86_64 ] && ! nm -u "$tcpu" | grep -q ' __asan_'; then
	expect 0 '  xdr_copy_sum +send +avx2 +[1-9][0-9]* +[1-9][0-9]* .* [1-9][0-9]*\.[0-9]+ ' \
		"$tcpu" mca --isa all xdr_copy_sum
	expect 0 'copy_sum .* znver3' env ILP_ISA=avx2 "$tcpu" mca --cpu znver3 copy_sum
	expect 0 '"cycles_per_turn"' "$tcpu" mca --json copy_sum
	expect 0 '\.o +send +scalar +[1-9]' "$tcpu" mca --object "$(dirname "$tcpu")/../gen/copy_sum.o" --isa all
	expect 1 'unsupported instruction' "$tcpu" mca --cpu znver3 --isa all xdr_copy_sum # it has no AVX-512
	expect 0 'copy_sum,send,.*,64,mca,' "$tcpu" bench --sizes 64 --rounds 6 --csv --mca -d send copy_sum
	fake llvm-mca 'echo "  Host CPU: znver3"'
	expect 1 "line 1 of llvm-mca's JSON" faked
fi
if [ "$(uname -m)" = x86_64 ]; then
	expect 1 '' sh -c "'$tcpu' mca -d send copy_sum | grep ' recv '"
	expect 1 'functions .send_fused_scalar_loop.: expected the loops of one chain' "$tcpu" mca --object "$tcpu"
	expect 1 'no fused loop: expected an object' "$tcpu" mca --object "$(dirname "$tcpu")/../tools/mca.o"
	expect 1 'llvm-objdump ended with status 1: .*not recognized' "$tcpu" mca --object README.md
	expect 1 'nothing.o.: No such file' "$tcpu" mca --object "$tmp/nothing.o"
	expect 1 "'znver99'.*chooses another" "$tcpu" mca --cpu znver99 copy_sum
	expect 1 "'a b' is no CPU" "$tcpu" mca --cpu 'a b' copy_sum
	expect 0 'copy_sum,send,.*,64,bound,' "$tcpu" bench --sizes 64 --rounds 6 --csv --mca -d send copy_sum
	expect 0 '"fused_to_bound"' "$tcpu" bench --sizes 64 --rounds 6 --json --mca -d send copy_sum
	expect 0 'of bound' "$tcpu" bench --sizes 64 --rounds 6 --mca -d send chacha20_copy_sum # which mca has no bound for
	expect 1 'znver99' "$tcpu" bench --sizes 64 --rounds 6 --mca=znver99 copy_sum
	# limits: tests/tools_limits.c has which there are. Met or not is no test's.
	limits=("${cached[@]}" "$tcpu" bench --limits --rounds 6 -d send)
	expect 0 'xdr_copy_sum +send .* 1K +tiled : fused .* at least 1\.70: (not )?met' "${limits[@]}" --sizes 1K xdr_copy_sum
	expect 0 ' 1M +fused : (slowest stage (ws_mask|pkcs7_pad guid|pkcs7_pad)|memcpy) .* at most 1\.15: ' \
		"${limits[@]}" pad_guid_mask_copy
	expect 0 '"at_most": 1\.25,' "${limits[@]}" --json --sizes 1K pad_guid_mask_copy
	# A pair is one stage, by itself too.
	expect 0 'xdr_aes128_gcm_copy_sum +send .* 1K +fused : slowest stage aes128_gcm ' "${limits[@]}" --sizes 1K \
		xdr_aes128_gcm_copy_sum
	mkdir -p "$tmp/own/stages"
	sed 's/inet_checksum/my_sum/' ilp/stages/inet_checksum.lua >"$tmp/own/stages/my_sum.lua"
	printf 'return chain { name = "own", stages = { "my_sum", "copy" } }\n' >"$tmp/own/own.lua"
	expect 0 'own +send .* 64K +fused : (slowest stage my_sum|memcpy) ' "${limits[@]}" --sizes 64K "$tmp/own/own.lua"
	expect 1 'tcpu bench: "xdr_u32" of xdr_copy_sum alone: there is no compiler' "${cached[@]}" XDG_CACHE_HOME="$tmp/no" \
		ILP_CC=nothing "$tcpu" bench --limits xdr_copy_sum
	# Tools that are not there, fail, or say something else.
	expect 1 "no program 'llvm-mca' in PATH: install Debian's package llvm" env PATH="$tmp" "$tcpu" mca copy_sum
	expect 1 "tcpu bench: there is no program 'llvm-mca'" env PATH="$tmp" "$tcpu" bench --mca copy_sum
	fake llvm-mca 'echo "  Host CPU: znver3"'
	expect 1 "no program 'llvm-objdump'" env PATH="$tmp/fake" "$tcpu" mca copy_sum
	fake llvm-objdump 'echo "file.o: file format coff"'
	expect 1 'this command: line 1 of the disassembly' faked
	fake llvm-objdump 'kill -9 $$'
	expect 1 'llvm-objdump was killed by signal 9' faked
	fake llvm-mca 'exit 3'
	expect 1 'llvm-mca ended with status 3: it said nothing' faked
	fake llvm-mca 'echo nothing'
	expect 1 "names no 'Host CPU:'" faked
fi
expect 1 "no chain 'nothing'" "$tcpu" mca nothing
expect 2 'one of them' "$tcpu" mca --object x.o copy_sum
expect 2 'expected all' "$tcpu" mca --isa avx2

# baseline: files of awkward lengths arrive whole.
for bytes in 0 1 131071 1000003; do
	head -c $bytes /dev/urandom >"$tmp/file"
	expect 0 "\"bytes\": $bytes," "$tcpu" baseline --json "$tmp/file" "$tmp/copy"
	expect 0 '' cmp "$tmp/file" "$tmp/copy"
done
expect 0 'MB/s' "$tcpu" baseline --stages '' -p 64K "$tmp/file" "$tmp/copy"
expect 0 '' cmp "$tmp/file" "$tmp/copy"
# Not everybody may choose CUBIC.
if [ "$(id -u)" = 0 ]; then
	cp "$tcpu" "$tmp/tcpu"
	mkdir -m 777 "$tmp/theirs"
	chmod 755 "$tmp" "$tmp/file"
	expect 0 'cubic|reno' setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$tmp/tcpu" baseline "$tmp/file" "$tmp/theirs/copy"
	expect 0 '' cmp "$tmp/file" "$tmp/theirs/copy"
fi
expect 1 'No such file' "$tcpu" baseline "$tmp/nothing" "$tmp/copy"
expect 1 'No such file' "$tcpu" baseline "$tmp/file" "$tmp/none/copy"
expect 1 'rot13' "$tcpu" baseline -s rot13 "$tmp/file" "$tmp/copy"
expect 2 'two files' "$tcpu" baseline "$tmp/file"

echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
