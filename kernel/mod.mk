# The module of kernel/mod and its guest: included by build.mk, once for the verbs and once for what is built.
ifndef INNER
NEED_MODULE := bc flex bison libelf-dev kmod
NEED_GUEST  := $(NEED_BUILD) $(NEED_MODULE) sparse busybox-static cpio qemu-system-x86 iproute2 nftables xz-utils
need_kernel = $(if $(filter 0,$(shell id -u)),$(need) $(NEED_GUEST))

.PHONY: module check-kernel check-kernel-debug lint-kernel
module: ## tcpk.ko for the running kernel, or for that of KDIR=headers, in build/kernel
	@tools/module.sh

check-kernel: ## the module in guests under qemu: Debian's kernels, from its packages; sparse (two minutes)
	$(need) $(NEED_GUEST)
	@$(BUILD) CC=gcc guest
	@tests/kernel/check.sh build/gcc/kernel

check-kernel-debug: ## the same under KASAN, lockdep, RCU's checks and kmemleak, with planted bugs (half an hour; once more to build)
	$(need) $(NEED_GUEST) linux-source-6.1
	@$(BUILD) CC=gcc guest
	@tests/kernel/debug.sh build/gcc/kernel

lint-kernel: ## sparse and the kernel's checkpatch over kernel/mod
	$(need) $(NEED_MODULE) sparse linux-source-6.1
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
