# shellcheck shell=bash
# What tests/kernel's scripts share: kernels from Debian's packages, unpacked and not installed, and a guest that boots
# one of them. Sourced from the top folder.

K=$PWD/build/kernel
PACKAGES=$K/packages

# needs PROGRAM...: says that all is skipped where one is missing, and ends.
needs() {
	local p
	for p; do
		command -v "$p" >/dev/null || {
			echo "skipped, because there is no $p here"
			echo "1 passed, 0 failed"
			exit 0
		}
	done
}

# apt's own lists, with another suite of the same mirror beside them, in a place of their own.
apt_of() { # SUITE, or "" for what this machine has; then apt's tool and its arguments
	local suite=$1 tool=$2 dir=$K/apt
	shift 2
	if [ -z "$suite" ]; then
		"$tool" -o APT::Sandbox::User=root "$@"
		return
	fi
	if [ ! -e "$dir/sources.list" ]; then
		mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
		# The expressions are apt's.
		# shellcheck disable=SC2016
		apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
			awk -v suite="$suite" '$1 ~ /\/debian\/?$/ { print "deb " $1 " " suite " main"; exit }' >"$dir/sources.list"
		apt_of "$suite" apt-get -q update >/dev/null 2>&1 || { rm -f "$dir/sources.list"; return 1; }
	fi
	"$tool" -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" "$@"
}

# fetch SUITE PACKAGE: unpacked into $K/root, once.
fetch() {
	[ ! -e "$PACKAGES/$2" ] || return 0
	rm -rf "$PACKAGES/part"
	mkdir -p "$PACKAGES/part" "$K/root"
	(cd "$PACKAGES/part" && apt_of "$1" apt-get -q download "$2" >/dev/null 2>&1) || return 1
	dpkg-deb -x "$PACKAGES"/part/*.deb "$K/root"
	rm -r "$PACKAGES/part"
	touch "$PACKAGES/$2"
}

depends() { # SUITE PACKAGE PATTERN: those of its dependencies that match
	apt_of "$1" apt-cache depends "$2" 2>/dev/null | awk '$1 == "Depends:" { print $2 }' | grep -E "$3" || true
}

# kernel_of SUITE: fetches the cloud kernel of a suite, and its headers; prints its release. Says why not.
kernel_of() {
	local suite=$1 version='' image release p
	local made=$K/release-${suite:-here}

	if [ -e "$made" ]; then
		cat "$made"
		return
	fi
	[ -z "$suite" ] || version=/$suite
	# A suite's own version, where this machine's apt would choose another.
	image=$(apt_of "$suite" apt-cache show "linux-image-cloud-amd64$version" 2>/dev/null |
		awk -F '[ ,(]+' '/^Depends:/ { print $2; exit }')
	[ -n "$image" ] || { echo "no linux-image-cloud-amd64 in ${suite:-the suites of this machine}" >&2; return 1; }
	release=${image#linux-image-}
	for p in "$image" "linux-headers-$release" $(depends "$suite" "linux-headers-$release" 'headers-.*-common|kbuild'); do
		fetch "$suite" "$p" || { echo "$p cannot be fetched" >&2; return 1; }
	done
	# They believe that they are installed.
	sed -i "s|include /usr/src|include $K/root/usr/src|" "$K/root/usr/src/linux-headers-$release/Makefile"
	echo "$release" | tee "$made"
}

# put_program ROOT PROGRAM: with the libraries that it is linked with.
put_program() {
	local path file
	path=$(command -v "$2")
	for file in "$path" $(ldd "$path" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$1$(dirname "$file")"
		cp -L "$file" "$1$file"
	done
}

# put_modules ROOT RELEASE MODULE...: and what they need, in /modules, in the order of /modules/order.
put_modules() {
	local root=$1 dir=$K/root/lib/modules/$2 name file
	shift 2
	mkdir -p "$root/modules"
	for name; do
		[ ! -e "$root/modules/$name.ko" ] || continue
		file=$(find "$dir/kernel" -name "$name.ko*" | head -1)
		[ -n "$file" ] || continue # built in, or not in this kernel: the tests that need it say so
		case $file in
		*.xz) xz -dc "$file" >"$root/modules/$name.ko" ;;
		*) cp "$file" "$root/modules/$name.ko" ;;
		esac
		# shellcheck disable=SC2046 # a list
		put_modules "$root" "${dir##*/}" $(modinfo -F depends "$root/modules/$name.ko" | tr ',-' ' _')
		echo "$name" >>"$root/modules/order"
	done
}

# make_guest ROOT RELEASE-OR-"" TCPK.KO PROGRAMS-FOLDER TEST...: an initramfs beside ROOT, ROOT.gz
make_guest() {
	local root=$1 release=$2 module=$3 programs=$4 p
	shift 4
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,tests}
	cp "$(command -v busybox)" "$root/bin/busybox"
	put_program "$root" ip
	put_program "$root" nft
	# Busybox's shell has an ip of its own, and iproute2's wants to be called so.
	printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v ip)" >"$root/bin/iproute"
	chmod +x "$root/bin/iproute"
	[ -z "$release" ] || put_modules "$root" "$release" tun veth vrf nf_tables nft_ct nft_numgen nf_conntrack \
		nf_defrag_ipv4
	cp "$module" "$root/tcpk.ko"
	cp tests/kernel/init "$root/init"
	cp tests/kernel/*.nft "$root/tests/"
	for p; do
		cp "$programs/$p" "$root/tests/"
	done
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$root.gz"
}

TROUBLE='BUG:|WARNING:|Oops|Kernel panic|KASAN|UBSAN|unreferenced object|possible recursive|inconsistent lock'
TROUBLE="$TROUBLE|suspicious RCU|INFO: task|rcu_.*detected stalls|soft lockup|general protection|sleeping function"
TROUBLE="$TROUBLE|circular locking"
TROUBLE="$TROUBLE|refcount_t:|ODEBUG:|invalid context|unregister_netdevice: waiting|scheduling while atomic"

# qemu of Debian 12 emulates cmpxchg16b in a way that kernels since 6.12 do not survive; and where it emulates two
# processors at once (thread=multi), one of them sees old code after the kernel has changed its own: of 40 boots one
# ends by int3.
#
# boot KERNEL INITRAMFS LOG SECONDS MEGABYTES ARGUMENT...: 0 when the guest ran to its end, all checks passed, and the
# kernel complained of nothing. The log is what the serial console said. EARLY=yes ends it when that is not so any more.
boot() {
	local kernel=$1 initramfs=$2 log=$3 seconds=$4 memory=$5 pid
	shift 5
	: >"$log.raw" # which is looked at before qemu has begun
	qemu-system-x86_64 -accel tcg,thread=single -cpu max,cx16=off,la57=off -smp 2 \
		-m "$memory" -nographic -no-reboot -nodefaults -serial stdio -monitor none \
		-kernel "$kernel" -initrd "$initramfs" \
		-append "console=ttyS0 panic=-1 oops=panic quiet loglevel=5 random.trust_cpu=on $*" \
		</dev/null >"$log.raw" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		if [ -n "${EARLY-}" ] && grep -qE "$TROUBLE|^not ok" "$log.raw"; then
			sleep 5 # for the rest of what it has to say
			kill "$pid"
		elif [ $((seconds--)) = 0 ]; then
			echo "# the guest did not end in time" >>"$log.raw"
			kill "$pid"
		fi
		sleep 1
	done
	wait "$pid" || true
	tr -d '\r' <"$log.raw" >"$log"
	if grep -qE "$TROUBLE" "$log"; then
		echo "# the kernel complained" >>"$log"
	fi
	grep -q '^GUEST END 0$' "$log" && ! grep -q '^# the ' "$log"
}

# sum LOG: "PASSED FAILED" of the checks in it; one that fails beside them when there was trouble.
sum() {
	awk '/^ok [0-9]/ { p++ } /^not ok [0-9]/ { f++ } /^GUEST END/ { end++ } /^# the / { f++ }
		END { print p + 0, f + (end ? 0 : 1) }' "$1"
}
