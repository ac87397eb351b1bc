# How everything is built. `make help` says what there is to ask for.
#
# A verb first makes sure that the packages it needs are installed (tools/need.sh), then calls make again with
# INNER=1 for what is built: only that second make may ask for luajit, pkg-config or what the generator wrote.
# Files are found, not listed: put a .c, .rl, stage or chain into its folder and it is built; a file of tests/,
# tools/ or an example that has a main is a program, the others of its folder are linked with every program there.
# Those of tests/netns are for its scripts to run; a file of tests/fuzz with LLVMFuzzerTestOneInput is a fuzz target;
# tests/platform is built by check-net alone, its *.bpf.c for the kernel.

# A built-in rule's cc is not a choice.
ifeq ($(origin CC),default)
CC := gcc
endif
SHELL := /bin/sh
MAKEFLAGS += --no-builtin-rules --no-print-directory
Q := $(if $(V),,@)

# As it was given, and by the environment: neither make nor the shell looks into a file's name.
override FILE := $(value FILE)
export FILE

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

ifndef INNER
# ------------------------------------------------------------------------------------------------- verbs
.NOTPARALLEL:
# As parallel as there are processors, unless -j says otherwise.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
BUILD = $(MAKE) INNER=1 $(JOBS)

NEED_BUILD := gcc libc6-dev pkg-config ragel luajit libluajit-5.1-dev libjansson-dev libssl-dev libtirpc-dev \
	liborc-0.4-dev clang bpftool libbpf-dev libmnl-dev libseccomp-dev libcap-ng-dev libsystemd-dev \
	libpng-dev libmicrohttpd-dev
# For tests that only root's processes may run: the others skip them.
NEED_ROOT  := iproute2 socat curl busybox-static tshark ethtool nftables iperf3 rpcbind
NEED_TESTS := check liblwip-dev libsodium-dev libusrsctp-dev valgrind nodejs
NEED_CHECK := $(NEED_BUILD) $(NEED_TESTS) clang llvm rpcsvc-proto libnsl-dev \
	$(if $(filter 0,$(shell id -u)),$(NEED_ROOT))
NEED_DEMO  := $(NEED_BUILD) check gnuplot-nox
NEED_CROSS := $(NEED_BUILD)
NEED_FUZZ  := $(NEED_BUILD) clang libclang-rt-14-dev
NEED_NET   := gcc libc6-dev pkg-config clang libbpf-dev bpftool iproute2 ethtool $(filter clang,$(CC))
NEED_LINT  := $(NEED_BUILD) $(NEED_TESTS) clang clang-tidy shellcheck lua-check libbpf-dev bpftool
need = @tools/need.sh
# random.lua writes descriptions for random.sh, delay.lua judges for delay.sh.
TESTS_LUA := $(filter-out tests/ilp/random.lua tests/netns/delay.lua,$(wildcard tests/*/*.lua))
TESTS_SH := $(wildcard tests/*.sh) tests/ilp/survey.sh tests/ilp/random.sh \
	$(filter-out %/common.sh %/tcpkd.sh %/tcpk_foreign.sh %/race.sh %/pace.sh,$(wildcard tests/netns/*.sh))

.PHONY: help all tests demo check check-asan check-cross check-net fuzz mutants prove survey random aead
.PHONY: xdr-differential packetdrill losstable race pace delay throughput bench lint clean
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  CC=gcc|clang chooses the compiler, V=1 shows the commands, FILE=path is what demo sends,"
	@echo "  SECONDS=n how long each target is fuzzed, MUTANTS='--count n --seed n' which mutants are made."

all: ## the library, the command tcpu and the examples, in build/gcc (the default)
	$(need) $(NEED_BUILD)
	@$(BUILD) programs

tests: ## all of that and the test programs, without running them
	$(need) $(NEED_BUILD) $(NEED_TESTS)
	@$(BUILD) tests

demo: ## fuse, check, measure, and send a file: under a minute
	$(need) $(NEED_DEMO)
	@$(BUILD) programs gen-tests
	@tools/demo.sh build/$(notdir $(CC)) "$$FILE"

check: ## build with gcc and clang and run every test
	$(need) $(NEED_CHECK)
	@$(BUILD) CC=gcc tests
	@$(BUILD) CC=clang tests
	@tools/check.sh build/gcc/tests.list build/clang/tests.list $(TESTS_SH) $(TESTS_LUA:%="luajit %")

# A fork, and a look for leaks at its end, costs a sanitized program a tenth of a second: where tests need none, all of
# a program's run in one process, and leaks are seen at its end.
check-asan: ## the same tests, scripts too, with gcc's address and undefined-behaviour sanitizers
	$(need) $(NEED_CHECK)
	@$(BUILD) CC=gcc SAN=1 tests
	@CK_FORK=no CFLAGS='$(SANITIZE)' tools/check.sh build/gcc-asan/tests.list $(TESTS_SH) $(TESTS_LUA:%="luajit %")

# What needs libc and nothing else: the loops' own tests, and those of ALF and TCP in virtual time; and what this
# machine encodes in XDR, read there. s390x, since its most significant byte comes first.
check-cross: ## tests of the loops, of ALF and TCP, on AArch64 and s390x, under qemu
	$(need) $(NEED_CROSS)
	@$(BUILD) CC=gcc programs
	@tools/cross.sh $(BUILD)

# Each in network namespaces of its own.
check-net: ## what TCPK takes for granted of the kernel: tc, BPF, TAP, sockets (root; the others skip it)
	$(need) $(NEED_NET)
	@$(BUILD) platform
	@tools/check.sh build/$(notdir $(CC))/platform.list \
		"tests/skips.sh build/$(notdir $(CC))/tests/platform/copy"

SECONDS = 60
fuzz: ## libFuzzer on every target of tests/fuzz, a minute each, from its corpus and what it has found before
	$(need) $(NEED_FUZZ)
	@$(BUILD) CC=clang programs
	@$(BUILD) CC=clang FUZZ=1 fuzzers
	@tools/fuzz.sh '$(SECONDS)'

# MUTANTS are more options of tests/ilp/mutate/main.lua: '--count 1000 --seed 2 --chain copy_sum'.
MUTANTS =
mutants: tests ## make faults in generated loops and see that their tests kill them (ten minutes)
	@luajit tests/ilp/mutate/main.lua --build build/$(notdir $(CC)) --cc $(CC) $(MUTANTS)

prove: ## the full proof of every chain's loops (an hour or less; goes on where it was stopped; JSON=file)
	$(need) $(NEED_CHECK)
	@$(BUILD) CC=gcc gen-tests
	@$(BUILD) CC=clang gen-tests
	@tests/ilp/prove.sh $(if $(JSON),--json '$(JSON)')

survey: ## every legal chain of four of eleven stages, and more; all verdicts (70 minutes; likewise)
	$(need) $(NEED_BUILD)
	@$(BUILD) build/gcc/bin/tcpu
	@tests/ilp/survey.sh --all $(if $(JSON),--json '$(JSON)')

RANDOM_SEEDS = 1 300
random: ## chains of stages by random numbers, their loops against what they say (RANDOM_SEEDS='FROM TO'; a second each)
	$(need) $(NEED_BUILD) clang
	@$(BUILD) build/gcc/bin/tcpu
	@tests/ilp/random.sh $(RANDOM_SEEDS)

AEAD_CASES = 1000000
aead: ## authenticated encryption, as many random cases as AEAD_CASES says (a million: 10 minutes), against others
	$(need) $(NEED_BUILD) check libsodium-dev
	@$(BUILD) build/gcc/tests/ilp_aead
	@ILP_AEAD_CASES=$(AEAD_CASES) build/gcc/tests/ilp_aead

VALUES = 100000
xdr-differential: ## values of all types of XDR files through our C and rpcgen's (VALUES=100000 of each; five minutes)
	$(need) $(NEED_CHECK)
	@$(BUILD) CC=gcc programs
	@tests/xdr.sh $(VALUES)

packetdrill: ## the adapter for packetdrill's --so_filename: build/gcc/packetdrill/tcpu.so
	$(need) $(NEED_BUILD)
	@$(BUILD) packetdrill

losstable: tests ## write tests/loss-table.txt anew: throughput by loss and buffer
	@build/$(notdir $(CC))/tests/loss_table refresh

adutable: tests ## write tests/adu-table.txt anew: how long ADUs wait for each other's holes
	@build/$(notdir $(CC))/tests/adu_table refresh

race: tests ## seconds of transfers over bad roads, by Linux and by TCPU in turn (root; two minutes)
	$(need) $(NEED_ROOT)
	@CC=$(CC) B=build/$(notdir $(CC)) tests/netns/race.sh

pace: tests ## how fast TCPU by TCPK is beside the kernel's TCP (root; five minutes; ROUNDS=7)
	$(need) $(NEED_ROOT)
	@B=build/$(notdir $(CC)) tests/netns/pace.sh

delay: tests ## how long ADUs wait for others' holes, by what carries them (root; ADUS=2000 ROUNDS=3; 16 minutes)
	$(need) $(NEED_ROOT)
	@ADUS=$(or $(ADUS),2000) ROUNDS=$(or $(ROUNDS),3) B=build/$(notdir $(CC)) tests/netns/delay.sh

throughput: tests ## how fast ADUs go beside the plain stream, with no losses (root; ROUNDS=7; JSON=file; three minutes)
	$(need) $(NEED_ROOT)
	@ROUNDS=$(or $(ROUNDS),7) B=build/$(notdir $(CC)) tests/netns/throughput.sh

bench: all ## ns per byte and per call of every chain, schedule and direction
	@build/$(notdir $(CC))/bin/tcpu bench

lint: ## clang-tidy, shellcheck, luacheck, and what CONTRIBUTING.md asks for
	$(need) $(NEED_LINT)
	@$(BUILD) lint

clean: ## remove build/
	$(Q)rm -rf build

include kernel/mod.mk
else
# ------------------------------------------------------------------------------------------- what is built
B := build/$(notdir $(CC))$(if $(FUZZ),-fuzz,$(if $(SAN),-asan))

PKGS := luajit libtirpc jansson libcrypto orc-0.4
ifdef CROSS
# For another machine, of which we have the libc.
PKGS :=
endif
CPPFLAGS_ := -I. -D_GNU_SOURCE $(if $(CROSS),-Itests/cross) $(if $(PKGS),$(shell pkg-config --cflags $(PKGS)))
WARN := -Wall -Wextra -Wconversion -Wshadow -Werror
CFLAGS_ := -std=gnu17 -O2 -g -pthread $(WARN)
LDLIBS_ := $(if $(CROSS),-static,-Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -lm -pthread)
ifneq ($(SAN)$(FUZZ),)
CFLAGS_ += $(SANITIZE) -fno-omit-frame-pointer
endif
ifdef FUZZ
CFLAGS_ += -fsanitize=fuzzer-no-link
endif
say = @$(if $(V),:,printf '  %-6s %s\n' $(1) $@)

# Loops and their tests: one run of the generator writes them all, and leaves alone what does not change.
GEN := build/gen
CHAINS := $(patsubst ilp/chains/%.lua,%,$(wildcard ilp/chains/*.lua))
GEN_C := $(CHAINS:%=$(GEN)/%.c) $(GEN)/chains.c
GEN_TESTS_C := $(CHAINS:%=$(GEN)/%_test.c)
# Rewritten only when it changes: a chain that goes, or comes with an old date, is a change that no file's date tells.
list = $(Q)mkdir -p $(@D) && echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@
$(GEN)/chains.list: FORCE
	$(call list,$(CHAINS))
FORCE:
$(GEN)/stamp: $(GEN)/chains.list $(wildcard ilp/gen/*.lua ilp/stages/*.lua ilp/chains/*.lua)
	$(call say,GEN)
	$(Q)luajit ilp/gen/main.lua --out $(GEN) --tests $(GEN) $(CHAINS:%=ilp/chains/%.lua) && touch $@
$(GEN_C) $(GEN_TESTS_C) $(CHAINS:%=$(GEN)/%.h): $(GEN)/stamp
	@:
# Chains made for the tests alone: two streams, inverses that are no self-inverses, a fold that is no sum, no fold.
# Apart from the others, since a list of chains is one for each program.
FIX := build/gen-fixture
FIX_CHAINS := $(patsubst tests/ilp/chains/%.lua,%,$(wildcard tests/ilp/chains/*.lua))
FIX_C := $(FIX_CHAINS:%=$(FIX)/%.c) $(FIX)/chains.c
FIX_TESTS_C := $(FIX_CHAINS:%=$(FIX)/%_test.c)
$(FIX)/chains.list: FORCE
	$(call list,$(FIX_CHAINS))
$(FIX)/stamp: $(FIX)/chains.list \
		$(wildcard ilp/gen/*.lua ilp/stages/*.lua tests/ilp/stages/*.lua tests/ilp/chains/*.lua)
	$(call say,GEN)
	$(Q)luajit ilp/gen/main.lua --out $(FIX) --tests $(FIX) $(FIX_CHAINS:%=tests/ilp/chains/%.lua) && touch $@
$(FIX_C) $(FIX_TESTS_C) $(FIX_CHAINS:%=$(FIX)/%.h): $(FIX)/stamp
	@:
# What all of these come to on a machine with its most significant byte first: other vectors for the same C.
BIG := build/gen-big
$(BIG)/stamp: $(GEN)/stamp $(FIX)/stamp
	$(call say,GEN)
	$(Q)mkdir -p $(@D) && luajit ilp/gen/main.lua --order big --tests $(BIG) $(CHAINS:%=ilp/chains/%.lua) \
		$(FIX_CHAINS:%=tests/ilp/chains/%.lua) && touch $@

# Wire grammars.
RL_C := $(patsubst %.rl,build/ragel/%.c,$(wildcard core/*.rl alf/*.rl $(if $(CROSS),,ilp/xdr/*.rl)))
KERNEL_RL_C := build/ragel/kernel/tcpkd/policy.c
TESTS_RL_C := $(if $(CROSS),,$(patsubst %.rl,build/ragel/%.c,$(wildcard tests/*.rl)))
build/ragel/%.c: %.rl
	$(call say,RAGEL)
	$(Q)mkdir -p $(@D) && ragel -C -G2 -o $@ $<

# What ragel writes falls through from case to case, and names states that nobody asks for.
$(B)/ragel/%.o $(B)/pic/ragel/%.o: CFLAGS_ += -Wno-implicit-fallthrough -Wno-unused-const-variable
.SECONDARY: $(RL_C) $(KERNEL_RL_C) $(TESTS_RL_C)

# TCPK for stock kernels: tcpkd carries the BPF programs with it.
TCPKD_SKEL := build/bpf/kernel/bpf/tcpk.skel.h
TCPKD_PKGS := libbpf libmnl libseccomp libcap-ng libsystemd
TCPKD_C := $(if $(CROSS),,$(wildcard kernel/tcpkd/*.c) $(KERNEL_RL_C))
$(B)/kernel/tcpkd/table.o: CPPFLAGS_ += -isystem $(dir $(TCPKD_SKEL))
$(B)/kernel/tcpkd/table.o: $(TCPKD_SKEL)

# Which of these files are programs.
MAIN_RE := ^(int )?main\b
mains = $(if $(1),$(shell grep -lE '$(MAIN_RE)' $(1)))

# For another machine: what makes no system call, and the tests of it that are quick under qemu, with a check.h of ours.
CROSS_C := $(wildcard core/*.c) core/link/sim.c core/link/train.c ilp/ilp.c \
	$(filter-out alf/call.c alf/profile.c,$(wildcard alf/*.c))
CROSS_TESTS_C := $(wildcard tests/ilp/*.c) $(patsubst %,tests/%.c,alf_bytes alf_dumps alf_gone alf_numbers alf_rules \
	alf_sim alf_stream alf_undo alf_wire alf_ends alf_flow alf_streams alf_watch invariants ranges_check sim_net)
LIB_C := $(if $(CROSS),$(CROSS_C),$(wildcard core/*.c core/link/*.c ilp/*.c ilp/xdr/*.c alf/*.c)) $(GEN_C)
TOOLS_C := $(if $(CROSS),,$(wildcard tools/*.c))
TESTS_C := $(if $(CROSS),$(CROSS_TESTS_C), \
	$(filter-out tests/fuzz/% tests/xdr/% tests/platform/% tests/kernel/%,$(wildcard tests/*.c tests/*/*.c)))
# The adapter for packetdrill: the core once more, position-independent, in one shared object.
SO_TESTS_C := tests/packetdrill/flags.c tests/packetdrill/hooks.c tests/packetdrill/wire.c
SO_C := $(filter core/%,$(LIB_C)) $(filter build/ragel/core/%,$(RL_C)) $(SO_TESTS_C)
SO := $(B)/packetdrill/tcpu.so
EXAMPLES := $(filter-out common,$(notdir $(patsubst %/,%,$(wildcard adu-examples/*/))))
EXAMPLES_COMMON_C := $(wildcard adu-examples/common/*.c)
TOOLS_MAINS := $(call mains,$(TOOLS_C))
TESTS_MAINS := $(call mains,$(TESTS_C))

object = $(patsubst %.c,$(B)/%.o,$(patsubst build/%,%,$(1)))

LIB_O := $(call object,$(LIB_C) $(RL_C))
LIB := $(B)/libtcpu.a
TOOLS_O := $(call object,$(filter-out $(TOOLS_MAINS),$(TOOLS_C)))
TESTS_O := $(call object,$(filter-out $(TESTS_MAINS) $(SO_TESTS_C),$(TESTS_C)) $(TESTS_RL_C))
SO_O := $(patsubst $(B)/%,$(B)/pic/%,$(call object,$(SO_C)))

PROGRAMS := $(TOOLS_MAINS:tools/%.c=$(B)/bin/%) $(if $(CROSS),,$(B)/bin/tcpkd) \
	$(foreach e,$(EXAMPLES),$(if $(wildcard adu-examples/$(e)/*.c),$(B)/bin/$(e)))
GEN_TESTS := $(GEN_TESTS_C:$(GEN)/%.c=$(B)/tests/%)
FIX_TESTS := $(FIX_TESTS_C:$(FIX)/%.c=$(B)/tests/%)
TESTS := $(TESTS_MAINS:tests/%.c=$(B)/tests/%)
# What keyed loops leave behind, of the fixtures' as well.
FIX_SECRETS := $(B)/tests/ilp/secrets_fixture

# Fuzz targets, and what all of them are linked with: only what knows nothing of Check.
FUZZ_C := $(shell grep -l '^int LLVMFuzzerTestOneInput' tests/fuzz/*.c)
FUZZ_NAMES := $(FUZZ_C:tests/fuzz/%.c=%)
FUZZ_WITH_O := $(call object,$(wildcard core/*.c) core/link/host.c core/link/ip.c core/link/packet.c core/link/tun.c \
	$(filter build/ragel/core/%,$(RL_C)) build/ragel/tests/script.c tests/fuzz/world.c tests/invariants.c \
	tests/ranges_check.c tests/script_config.c tests/script_names.c tests/script_print.c)
FUZZERS := $(FUZZ_NAMES:%=$(B)/fuzz/%)
REPLAYS := $(FUZZ_NAMES:%=$(B)/tests/fuzz/%)

# Assumptions about the kernel: a program each, and what several of them load into it.
PLATFORM_C := $(filter-out %.bpf.c,$(wildcard tests/platform/*.c))
PLATFORM_MAINS := $(call mains,$(PLATFORM_C))
PLATFORM := $(PLATFORM_MAINS:tests/%.c=$(B)/tests/%)
PLATFORM_BPF := build/bpf/tests/platform
PLATFORM_SKEL := $(patsubst tests/platform/%.bpf.c,$(PLATFORM_BPF)/%.skel.h,$(wildcard tests/platform/*.bpf.c))

XDR := $(B)/xdr
# Of an example's files in XDR's language, for its C as if it stood beside them.
MADE := $(B)/made
EXAMPLES_XDR := $(foreach e,$(EXAMPLES),$(if $(wildcard adu-examples/$(e)/*.x),$(MADE)/adu-examples/$(e)))
.PHONY: programs tests gen-tests cross-tests fuzzers packetdrill platform lint FORCE
lint: $(LIB_C) $(RL_C) $(TESTS_RL_C) $(XDR)/types.a $(EXAMPLES_XDR:%=%/all.a) $(PLATFORM_SKEL) $(TCPKD_SKEL)
	$(Q)tools/lint.sh '-std=gnu17 $(CPPFLAGS_) $(LWIP_CPPFLAGS) -I$(XDR) -I$(MADE) \
		-isystem $(PLATFORM_BPF) -isystem $(dir $(TCPKD_SKEL))'

programs: $(LIB) $(PROGRAMS)
gen-tests: $(LIB) $(GEN_TESTS)
	$(Q)printf '%s\n' $(foreach c,$(CHAINS),'$(c)_test $(GEN)/$(c).vec') > $(B)/gen-tests.list
# What tools/check.sh runs: a program of $(B)/tests, and its arguments.
tests: programs gen-tests $(TESTS) $(FIX_TESTS) $(FIX_SECRETS) $(REPLAYS)
	$(Q)printf '%s\n' $(patsubst tests/%.c,%,$(filter-out tests/netns/% tests/constant.c,$(TESTS_MAINS))) \
		$(FIX_SECRETS:$(B)/tests/%=%) \
		> $(B)/tests.list
	$(Q)cat $(B)/gen-tests.list >> $(B)/tests.list
	$(Q)printf '%s\n' $(foreach f,$(FUZZ_NAMES),'fuzz/$(f) tests/fuzz/corpus/$(f)') >> $(B)/tests.list
	$(Q)printf '%s\n' $(foreach c,$(FIX_CHAINS),'$(c)_test $(FIX)/$(c).vec') >> $(B)/tests.list
# For another machine, with the vectors for its order of bytes (CROSS): big or little.
cross-tests: $(GEN_TESTS) $(FIX_TESTS) $(TESTS) $(FIX_SECRETS) $(if $(filter big,$(CROSS)),$(BIG)/stamp)
	$(Q)printf '%s\n' $(foreach c,$(CHAINS),'$(c)_test $(if $(filter big,$(CROSS)),$(BIG),$(GEN))/$(c).vec') \
		$(foreach c,$(FIX_CHAINS),'$(c)_test $(if $(filter big,$(CROSS)),$(BIG),$(FIX))/$(c).vec') \
		$(TESTS_MAINS:tests/%.c=%) $(FIX_SECRETS:$(B)/tests/%=%) > $(B)/tests.list

packetdrill: $(SO)
$(SO): $(SO_O)
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(CC) -shared -Wl,-z,defs $(CFLAGS_) $(CFLAGS) $(LDFLAGS) -o $@ $^
$(B)/tests/packetdrill/plays: | $(SO)
$(B)/pic/%.o: CFLAGS_ += -fPIC -fvisibility=hidden

$(LIB): $(LIB_O)
	$(call say,AR)
	$(Q)rm -f $@ && ar rcs $@ $(LIB_O)

compile = $(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_) $(CPPFLAGS) $(CFLAGS_) $(CFLAGS) -MMD -MP -c -o $@ $<
link = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS_) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_) $(LDLIBS)

define object_rule
$(1)/%.o: $(2)%.c build.mk
	$$(call say,CC)
	$$(compile)
endef
$(foreach dir,$(B) $(B)/pic,$(eval $(call object_rule,$(dir),))$(eval $(call object_rule,$(dir),build/)))

# The TCP of another hand; its headers are not to our taste in warnings.
LWIP_CPPFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags lwip))
$(B)/tests/peer_lwip.o: CPPFLAGS_ += $(LWIP_CPPFLAGS)
$(B)/tests/ilp_aead.o: $(GEN)/stamp
$(B)/tests/ilp_aead: LDLIBS_ += $(shell pkg-config --libs libsodium)
$(B)/tests/peer_lwip: LDLIBS_ += $(shell pkg-config --libs lwip)

# Where the command finds the generator and the conformance table: here, unless TCPU_SHARE in the environment says
# otherwise.
$(B)/tools/share.o $(B)/ilp/generate.o: CPPFLAGS_ += -DTCPU_SHARE='"$(CURDIR)"'

# Loops come as vectors: a compiler that vectorizes their tails, or what was left scalar, makes them slower. The same
# for those that are compiled at run time, against the run.h that the library holds.
LOOP_CFLAGS := -O3 -fno-tree-vectorize -fno-tree-slp-vectorize
$(B)/gen/%.o $(B)/gen-fixture/%.o: CFLAGS_ += $(LOOP_CFLAGS)
$(B)/ilp/compile.o: CPPFLAGS_ += -DILP_LOOP_CFLAGS='"$(LOOP_CFLAGS)"'
$(B)/ilp/compile.o: ilp/run.h ilp/quad.h

$(TOOLS_MAINS:tools/%.c=$(B)/bin/%): $(B)/bin/%: $(B)/tools/%.o $(TOOLS_O) $(LIB)
	$(call say,LD)
	$(link)
# What tcpu xdr makes of those files, by these options, as an archive beside it.
XDR_BY := $(if $(FUZZ),build/$(notdir $(CC)),$(B))/bin/tcpu
XDR_MADE_BY := $(wildcard ilp/xdr/*.lua ilp/xdr/*.x ilp/gen/*.lua) ilp/xdr/code.h ilp/xdr.h $(XDR_BY)
define xdr
$(Q)rm -rf $(@D) && for x in $(1); do $(XDR_BY) xdr $(2) -o $(@D) $$x || exit; done
$(Q)for c in $(@D)/*.c; do case $$c in */xdr_*) flags='$(LOOP_CFLAGS)' ;; *) flags= ;; esac; \
	$(CC) $(CPPFLAGS_) $(CPPFLAGS) $(CFLAGS_) $(CFLAGS) $$flags -c -o $${c%.c}.o $$c || exit; done
$(Q)ar rcs $@ $(@D)/*.o
endef
define example
$(B)/bin/$(1): $(call object,$(wildcard adu-examples/$(1)/*.c) $(EXAMPLES_COMMON_C)) $(LIB)
	$$(call say,LD)
	$$(link)
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))
define example_xdr
$(1)/all.a: $(wildcard adu-examples/$(notdir $(1))/*.x) $(XDR_MADE_BY)
	$$(call say,XDR)
	$$(call xdr,$(wildcard adu-examples/$(notdir $(1))/*.x),)
$(call object,$(wildcard adu-examples/$(notdir $(1))/*.c)): $(1)/all.a
$(call object,$(wildcard adu-examples/$(notdir $(1))/*.c)): private CPPFLAGS_ += -I$(MADE)
$(B)/bin/$(notdir $(1)): private LDLIBS += $(1)/all.a $(LIB)
endef
$(foreach x,$(EXAMPLES_XDR),$(eval $(call example_xdr,$(x))))
$(B)/bin/tiles: LDLIBS = $(shell pkg-config --libs libpng libmicrohttpd)
$(B)/bin/tcpkd: $(call object,$(TCPKD_C))
	$(call say,LD)
	$(link)
$(B)/bin/tcpkd: LDLIBS = $(shell pkg-config --libs $(TCPKD_PKGS))
$(TESTS): LDLIBS = $(if $(CROSS),,$(shell pkg-config --libs check))
$(TESTS): $(B)/tests/%: $(B)/tests/%.o $(TESTS_O) $(TOOLS_O) $(LIB)
	$(call say,LD)
	$(link)
# Parts of tcpkd, without its maps and devices: tests/tcpkd_fake.c has others in their place.
TCPKD_POLICY_O := $(call object,$(KERNEL_RL_C))
TCPKD_CONNECTION_O := $(call object,kernel/tcpkd/connection.c)
TCPKD_CLIENT_O := $(call object,kernel/tcpkd/client.c kernel/tcpkd/bucket.c kernel/tcpkd/reservation.c) \
	$(TCPKD_CONNECTION_O) $(TCPKD_POLICY_O)
$(B)/tests/tcpkd_policy: $(TCPKD_POLICY_O)
$(B)/tests/tcpkd_client $(B)/tests/tcpkd_clients: $(TCPKD_CLIENT_O)
$(B)/tests/tcpkd_connection: $(TCPKD_CONNECTION_O)
$(B)/tests/tcpkd_confine: $(call object,kernel/tcpkd/confine.c)
$(B)/tests/tcpkd_confine: LDLIBS_ += $(if $(CROSS),,$(shell pkg-config --libs libseccomp libcap-ng))
$(B)/tests/tiles_image: LDLIBS_ += $(if $(CROSS),,$(shell pkg-config --libs libpng))
$(B)/tests/netns/delay_sctp: LDLIBS_ += $(if $(CROSS),,$(shell pkg-config --libs usrsctp))
$(B)/tests/netns/older: LDLIBS_ += $(if $(CROSS),,$(shell pkg-config --libs libseccomp))
$(GEN_TESTS): $(B)/tests/%: $(B)/gen/%.o $(filter $(B)/tests/ilp/%,$(TESTS_O)) $(LIB)
	$(call say,LD)
	$(link)

$(FIX_TESTS): $(B)/tests/%: $(B)/gen-fixture/%.o $(call object,$(FIX_C)) \
		$(filter $(B)/tests/ilp/%,$(TESTS_O)) $(LIB)
	$(call say,LD)
	$(link)

$(FIX_SECRETS): $(B)/tests/ilp/secrets.o $(call object,$(FIX_C)) $(LIB)
	$(call say,LD)
	$(link)

# What tcpu xdr makes of the files of tests/xdr.
$(XDR)/types.a: $(wildcard tests/xdr/*.x) $(XDR_MADE_BY)
	$(call say,XDR)
	$(call xdr,tests/xdr/standard.x tests/xdr/ledger.x,--dialect stellar --random)
XDR_TESTS := $(B)/tests/ilp_xdr $(B)/tests/ilp_xdr_limits
$(XDR_TESTS:%=%.o): $(XDR)/types.a
$(XDR_TESTS:%=%.o): private CPPFLAGS_ += -I$(XDR)
$(XDR_TESTS): private LDLIBS += $(XDR)/types.a $(LIB) -Wl,--wrap=malloc,--wrap=calloc,--wrap=free

$(B)/tests/alf_memory: private LDLIBS += \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free

fuzzers: $(FUZZERS)
$(FUZZERS): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_WITH_O)
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS_) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS)
$(REPLAYS): $(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(FUZZ_WITH_O)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)
# What some of them take besides; of the chains only those that ilp/xdr/ calls.
FUZZ_XDR := $(B)/fuzz/xdr $(B)/tests/fuzz/xdr
$(FUZZ_XDR): $(call object,ilp/xdr/get.c ilp/xdr/print.c ilp/xdr/words.c ilp/ilp.c core/cksum.c \
		$(GEN)/xdr_copy.c $(GEN)/xdr64_copy.c) $(XDR)/types.a
$(B)/fuzz/policy $(B)/tests/fuzz/policy: $(TCPKD_POLICY_O)
$(B)/fuzz/alf_wire $(B)/tests/fuzz/alf_wire: \
	$(call object,build/ragel/alf/control.c build/ragel/alf/mpa.c build/ragel/alf/segment.c)
# All of alf/ but the calls over a descriptor and Lua, and the chains that the target lists.
FUZZ_ALF := $(foreach t,alf alf_stream,$(B)/fuzz/$(t) $(B)/tests/fuzz/$(t))
$(FUZZ_ALF): $(call object,$(filter-out alf/call.c alf/profile.c,$(wildcard alf/*.c)) \
	build/ragel/alf/control.c build/ragel/alf/mpa.c build/ragel/alf/segment.c ilp/ilp.c \
	$(foreach c,copy_sum crc32c_copy_sum marker_crc32c_copy_sum, \
		$(GEN)/$(c).c $(GEN)/xdr_$(c).c $(GEN)/aes256_gcm_$(c).c) \
	$(GEN)/cobs_copy_sum.c)
# Profiles: Lua as well, and what reads chains at run time with it.
FUZZ_PROFILE := $(B)/fuzz/profile $(B)/tests/fuzz/profile
$(FUZZ_PROFILE): $(call object,$(filter-out alf/call.c,$(wildcard alf/*.c)) \
	build/ragel/alf/control.c build/ragel/alf/mpa.c build/ragel/alf/segment.c $(wildcard ilp/*.c) \
	$(foreach c,copy_sum crc32c_copy_sum marker_crc32c_copy_sum, \
		$(GEN)/$(c).c $(GEN)/xdr_$(c).c $(GEN)/aes256_gcm_$(c).c) \
	$(GEN)/cobs_copy_sum.c)
FUZZ_TCPKD := $(B)/fuzz/tcpkd $(B)/tests/fuzz/tcpkd
$(FUZZ_TCPKD): $(TCPKD_CLIENT_O) $(call object,tests/tcpkd_fake.c)
$(FUZZ_TCPKD): private FUZZ_LIBS = -Wl,--wrap=bind,--wrap=getsockname,--wrap=close
FUZZ_IMAGE := $(B)/fuzz/image $(B)/tests/fuzz/image
$(FUZZ_IMAGE): private FUZZ_LIBS = $(shell pkg-config --libs libpng) -lm
FUZZ_XDR_FILE := $(B)/fuzz/xdr_file $(B)/tests/fuzz/xdr_file
$(FUZZ_XDR_FILE): $(call object,tools/lua.c tools/share.c tools/source.c build/ragel/ilp/xdr/lexer.c)
$(FUZZ_XDR_FILE): private FUZZ_LIBS = $(LDLIBS_)

# For the kernel, whichever it will be: CO-RE. Its skeleton has the object in it.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -I. -I/usr/include/$(shell gcc -print-multiarch)
build/bpf/%.bpf.o: %.bpf.c
	$(call say,BPF)
	$(Q)mkdir -p $(@D) && clang $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
build/bpf/%.skel.h: build/bpf/%.bpf.o
	$(call say,SKEL)
	$(Q)PATH=$$PATH:/usr/sbin:/sbin bpftool gen skeleton $< name $(notdir $*) >$@.new && \
		(echo "/* NOLINTBEGIN */" && cat $@.new && echo "/* NOLINTEND */") >$@ && rm $@.new
.SECONDARY: $(PLATFORM_SKEL:%.skel.h=%.bpf.o) $(TCPKD_SKEL) $(TCPKD_SKEL:%.skel.h=%.bpf.o)

platform: $(PLATFORM)
	$(Q)printf '%s\n' $(PLATFORM_MAINS:tests/%.c=%) >$(B)/platform.list
# Skeletons are not to our taste in warnings.
$(PLATFORM:%=%.o): $(PLATFORM_SKEL)
$(PLATFORM:%=%.o): private CPPFLAGS_ += -isystem $(PLATFORM_BPF)
$(PLATFORM): private LDLIBS_ := -lbpf
$(PLATFORM): $(B)/tests/platform/%: $(B)/tests/platform/%.o \
		$(call object,$(filter-out $(PLATFORM_MAINS),$(PLATFORM_C)) core/cksum.c core/link/ip.c)
	$(call say,LD)
	$(link)

include kernel/mod.mk
-include $(shell find $(B) build/bpf -name '*.d' 2>/dev/null)
endif
