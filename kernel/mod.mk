# The module of kernel/mod and its guest: included by build.mk, once for the verbs and once for what is built.
ifndef INNER
NEED_MODULE := bc flex bison libelf-dev kmod sparse
NEED_GUEST  := $(NEED_MODULE) busybox-static cpio qemu-system-x86 iproute2 nftables xz-utils
# Who cannot have them is told, and skips.
try_need = @tools/need.sh

.PHONY: module check-kernel check-kernel-debug lint-kernel
module: ## tcpk.ko for the running kernel, or for that of KDIR=headers, in build/kernel
	@tools/module.sh

check-kernel: ## the module in guests under qemu: Debian's kernels, from its packages; sparse (two minutes)
	$(need) $(NEED_BUILD)
	$(try_need) $(NEED_GUEST) || true
	@$(BUILD) CC=gcc guest
	@tests/kernel/check.sh build/gcc/kernel

check-kernel-debug: ## the same under KASAN, lockdep and kmemleak, and with bugs planted (half an hour; builds a kernel once)
	$(need) $(NEED_BUILD)
	$(try_need) $(NEED_GUEST) linux-source-6.1 || true
	@$(BUILD) CC=gcc guest
	@tests/kernel/debug.sh build/gcc/kernel

lint-kernel: ## sparse and the kernel's checkpatch over kernel/mod
	$(need) gcc $(NEED_MODULE) linux-source-6.1
	@tests/kernel/lint.sh

else
# Static, since the guest has next to nothing; without sanitizers and Check.
GUEST_C := $(wildcard tests/kernel/*.c)
GUEST_MAINS := $(call mains,$(GUEST_C))
GUEST := $(GUEST_MAINS:tests/kernel/%.c=$(B)/kernel/%)
.PHONY: guest
guest: $(GUEST)
$(GUEST): $(B)/kernel/%: $(B)/tests/kernel/%.o $(call object,$(filter-out $(GUEST_MAINS),$(GUEST_C))) $(LIB)
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS_) $(CFLAGS) -static -o $@ $^ -pthread
endif
