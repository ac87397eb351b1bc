/* The run time that generated loops include, and the only thing they include: the shape of a chain, as the
 * generator (ilp/gen/) emits it and ilp/ilp.c hands it out.
 *
 * A chain is generated in both directions, ILP_SEND as its file names the stages and ILP_RECV its inverse in
 * the opposite order, in several schedules (ways), for each instruction set. All loops of one direction compute the
 * same: same bytes, same folds, same state afterwards, wherever the input is cut. */
#ifndef ILP_RUN_H
#define ILP_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__s390x__) || defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__) && defined(__clang__)
#include <cpuid.h>
#endif

/* What is declared here, as a number: loops that were made for another are not run. */
#define ILP_ABI 8

/* Who compiles what includes this: "gcc 12.2.0". */
#define ILP_TEXT_OF(x) #x
#define ILP_DOTTED(a, b, c) ILP_TEXT_OF(a) "." ILP_TEXT_OF(b) "." ILP_TEXT_OF(c)
#ifdef __clang__
#define ILP_COMPILER "clang " ILP_DOTTED(__clang_major__, __clang_minor__, __clang_patchlevel__)
#else
#define ILP_COMPILER "gcc " ILP_DOTTED(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__)
#endif

/* A word of 128 bits (ilp/quad.h). */
__extension__ typedef unsigned __int128 ilp_quad;

enum ilp_direction { ILP_SEND, ILP_RECV, ILP_DIRECTIONS };

/* How a chain is run: the ways that every chain has, at these places of its table; partitions between tiled and fused
 * follow. layered: a pass over the whole for each stage. tiled: the same over strips of `tile` bytes, which stay in the
 * L1 cache. fused: one loop, or as few as there can be, over strips. streaming: fused, with stores that go by the
 * caches where the CPU has them: for what will not be read soon. */
enum ilp_schedule { ILP_LAYERED, ILP_TILED, ILP_FUSED, ILP_STREAMING, ILP_SCHEDULES };
#define ILP_TILE 2048       /* what begin sets: a multiple of 64 */
#define ILP_TILE_MAX 65536

/* ILP_AESNI, ILP_VAES, ILP_VAES512 and ILP_NEON_AES have AES and products without carries, all but the first SHA-256; a
 * chain has loops for these and plain C, or for the others. */
enum ilp_isa {
	ILP_SCALAR, ILP_SSE2, ILP_SSSE3, ILP_AESNI, ILP_AVX2, ILP_VAES, ILP_AVX512, ILP_VAES512, ILP_NEON, ILP_NEON_AES,
	ILP_VX, ILP_ISAS
};

/* Whether this CPU has it. */
static inline __attribute__((unused)) bool ilp_has(enum ilp_isa isa)
{
#if defined(__x86_64__)
	const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			    __builtin_cpu_supports("avx512vl");
	const bool aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#if defined(__clang__) /* which knows no such feature yet; the instruction takes long where there is a hypervisor */
	static int known;
	unsigned a, b = 0, c = 0, d;

	if (!known && __get_cpuid_count(7, 0, &a, &b, &c, &d))
		known = c & 1u << 9 && c & 1u << 10 && b & 1u << 29 ? 2 : 1;
	const bool vaes = aes && known == 2;
#else
	const bool vaes = aes && __builtin_cpu_supports("vaes") && __builtin_cpu_supports("vpclmulqdq") &&
			  __builtin_cpu_supports("sha");
#endif
	switch (isa) {
	case ILP_SSE2:
		return true;
	case ILP_SSSE3:
		return __builtin_cpu_supports("ssse3");
	case ILP_AESNI:
		return aes && __builtin_cpu_supports("sse4.1");
	case ILP_AVX2:
		return __builtin_cpu_supports("avx2");
	case ILP_VAES:
		return vaes && __builtin_cpu_supports("avx2");
	case ILP_AVX512:
		return avx512;
	case ILP_VAES512:
		return vaes && avx512;
	default:
		return isa == ILP_SCALAR;
	}
#elif defined(__aarch64__) && defined(__ARM_NEON)
	const unsigned long need = 1 << 3 | 1 << 4 | 1 << 6; /* HWCAP_AES, HWCAP_PMULL, HWCAP_SHA2 */

	return isa == ILP_SCALAR || isa == ILP_NEON || (isa == ILP_NEON_AES && (getauxval(AT_HWCAP) & need) == need);
#elif defined(__s390x__)
	return isa == ILP_SCALAR || (isa == ILP_VX && getauxval(AT_HWCAP) & HWCAP_S390_VXRS);
#else
	return isa == ILP_SCALAR;
#endif
}

/* What every chain's state begins with. The whole state is chain->state_size bytes, aligned to ILP_ALIGN; it
 * is plain data: it may be copied to take a snapshot and copied back to undo. It may hold secrets. */
#define ILP_ALIGN 64
#define ILP_STATE_MAX 8192
#define ILP_HELD_MAX 1024
struct ilp_state {
	uint64_t pos;      /* bytes of the ADU that went in so far */
	uint32_t held_len; /* of these, bytes that wait for more, since the cut leaves a unit incomplete or the ADU's end is
			    * not to be told from its data yet */
	uint32_t tile;     /* bytes of a strip; may be set after begin to another multiple of 64, up to
			    * ILP_TILE_MAX */
	uint32_t bad;      /* what came is not what was sent: end() says so */
	uint32_t row;      /* by which instruction set it is begun and ended, where that makes a difference: 1 more than one
			    * of enum ilp_isa that is here; anything else: the best there is. May be set before begin */
	uint32_t expanded; /* ILP_EXPANDED: keys are expanded already, and begin need not do it again. ilp_set() says that
			    * they are not; who writes parameters himself sets it to 0 */
	uint32_t bytes;    /* how long the ADU will be, as far as begin is told (chain->once tells it): it makes as much
			    * keystream then. 0: not known; and after begin */
};
#define ILP_EXPANDED 0x65787064u

/* Bytes of stack that calls and loops take there beyond what is cleared elsewhere: a frame has 160 at least, and few
 * registers hold what portable AES and folds of many ways have alive. */
#if defined(__s390x__)
#define ILP_STACK_MORE 4096
#else
#define ILP_STACK_MORE 0
#endif

/* All that this CPU has, 1 << enum ilp_isa each: found out once. */
static inline __attribute__((unused)) unsigned ilp_here(void)
{
	static unsigned known;
	unsigned here = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (here)
		return here;
	for (unsigned isa = 0; isa < ILP_ISAS; isa++)
		here |= ilp_has((enum ilp_isa)isa) ? 1u << isa : 0;
	__atomic_store_n(&known, here, __ATOMIC_RELAXED);
	return here;
}

/* The best row that this CPU has of those in the mask; or the one that the state names, if it is one of these. (ILP_ISA
 * in the environment counts for loops.) */
static inline __attribute__((unused)) enum ilp_isa ilp_row(const void *state, unsigned rows)
{
	const uint32_t row = ((const struct ilp_state *)state)->row - 1;
	const unsigned here = (rows & ilp_here()) | 1u << ILP_SCALAR;

	if (row < ILP_ISAS && here >> row & 1 && rows >> row & 1)
		return (enum ilp_isa)row;
	return (enum ilp_isa)(31 - __builtin_clz(here));
}

/* What a fold carries: the value of the len bytes that it has counted. */
struct ilp_fold {
	uint64_t value, len;
};

/* How long n bytes may become: fixed bytes more, and size more for each `every` of them or part of it (0: none). */
struct ilp_growth {
	uint32_t fixed, every, size;
};
static inline size_t ilp_grown(const struct ilp_growth *g, size_t n)
{
	const size_t more = g->every ? (n / g->every + 2) * g->size : 0;

	return (n + more + g->fixed + ILP_ALIGN - 1) / ILP_ALIGN * ILP_ALIGN;
}

/* Bytes of a piece of scratch memory, for a call of n bytes: what a loop within the chain is handed may be more, by
 * what waited and by what others have put to it; and that may become longer again. */
static inline size_t ilp_piece(const struct ilp_growth *g, size_t n)
{
	return ilp_grown(g, ilp_grown(g, n < ILP_HELD_MAX ? ILP_HELD_MAX : n));
}

/* Runs the chain over the next n bytes of the ADU, src to dst, which do not overlap (chain->inplace: or are the same,
 * as long as no call but the last holds something back: cuts stand at multiples of chain->unit then, and nothing is
 * taken off at the end). Returns the bytes written to dst. Some may be held back: of a unit that the cut leaves
 * incomplete, or what may be the ADU's end; they are written by the next call, or end. Where chain->whole says so, the
 * n bytes are the whole ADU, and all of it is written. tmp: ilp_scratch() bytes. */
typedef size_t ilp_loop(void *state, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp);

/* All of an ADU in one call: begin, what is associated with it (chain->associate, if with_len > 0), the loop, end.
 * Nothing of the key is left behind, as after each of these, but only one time is spent on that. Returns the bytes
 * written to dst. -EBADMSG, -EFBIG: as end has it; what was written to dst is wiped. -EINVAL: something is associated,
 * and there is no pair. A tap's sink cannot be set in between. dst: ilp_room() bytes; tmp: ilp_scratch(). */
typedef ptrdiff_t ilp_once(void *state, uint8_t *dst, const uint8_t *src, size_t n, const uint8_t *with,
	size_t with_len, uint8_t *tmp);

/* Who is shown the n bytes from place `at` on that pass a stage which taps the data (ilp/stages/hexdump.lua): the
 * parameter NAME.sink, which is set after begin; nobody, if show is NULL. It must not look at the chain's state. */
struct ilp_tap {
	void (*show)(void *with, const char *stage, uint64_t at, const uint8_t *bytes, size_t n);
	void *with;
};

/* A parameter: size bytes at offset of the state, written there by the caller before begin. */
struct ilp_param {
	const char *name; /* "chacha20.key" */
	uint16_t offset, size;
	bool expanded; /* what is expanded once for a key is made from it, among others: another value makes that stale */
	bool secret;   /* nothing of it stays behind, and no time tells it */
};

/* What a fold has come to, once the ADU has ended: size bytes, as they are sent, ILP_VALUE_MAX at most. */
#define ILP_VALUE_MAX 32
struct ilp_value {
	const char *name; /* "crc32c" */
	uint16_t size;
	uint16_t carried_at, carried; /* where in the state it is carried, and in how many bytes: loops of different
				       * instruction sets may write the same number in different ways there */
	void (*get)(const void *state, uint8_t *to); /* leaves what it had of keys: ilp_value() clears that */
};

struct ilp_way {
	const char *name;  /* "fused" */
	const char *loops; /* "xdr_u32+copy | inet_checksum" */
	uint8_t pieces;    /* of scratch memory: ilp_scratch() */
	uint8_t tiled;
	ilp_loop *loop[ILP_ISAS]; /* NULL where there is none */
};

struct ilp_chain {
	uint32_t abi;             /* ILP_ABI */
	const char *compiler;     /* that made the loops: ILP_COMPILER */
	const char *name;
	const char *stages;       /* in send order: "xdr_u32 chacha20 copy inet_checksum" */
	uint32_t state_size;
	uint16_t ahead_at, ahead; /* where in the state keystream is kept, and how many bytes: it is not the same there for all
				   * instruction sets */
	uint32_t unit;            /* bytes: an ADU cut elsewhere than at multiples has bytes held back */
	uint32_t block;           /* bytes: pieces that begin at multiples run fastest */
	bool keyed;               /* parameters may be secrets: loops leave none behind in registers or on the stack */
	bool inplace;             /* src and dst may be the same */
	bool keeps;               /* what goes out is as long as what goes in */
	bool whole[ILP_DIRECTIONS]; /* an ADU must be given in one call: a value stands before it */
	const struct ilp_param *params; /* ends with name NULL */
	const struct ilp_value *values; /* likewise */
	/* Begins an ADU: derives what the stages need from the parameters; pos 0, nothing held, folds at zero. */
	void (*begin)(void *state);
	/* Counts n bytes that go with the ADU beside its data, and are not sent by the chain, into the tag of the pair that
	 * the chain has (AEAD's associated data): once, after begin and before any data. NULL: there is none. */
	void (*associate)(void *state, const uint8_t *from, size_t n);
	/* Ends an ADU: what is still held, as the stages treat an incomplete last unit, goes to dst, and what they put
	 * behind the data. Returns how many bytes. Their share of the folds is in the next sum. -EBADMSG: what a stage takes
	 * off the data or compares was not what it puts there; dst and what was written before is to be wiped. -EFBIG:
	 * likewise, since there was more data than the cipher of a pair may encipher under one nonce. */
	int (*end[ILP_DIRECTIONS])(void *state, uint8_t *dst);
	/* By ILP_FUSED. NULL where there is none. */
	ilp_once *once[ILP_DIRECTIONS][ILP_ISAS];
	/* The Internet sum (core/seam.h) of the bytes on the wire's side since the last call, as if they began at an
	 * even offset; begins anew. NULL when the chain has no inet_checksum on the wire's side.
	 * Bytes that a cut holds back are summed by the call that takes them in on the way in (ILP_RECV), since these are
	 * the wire's bytes as they came, and by the call, or end, that writes them on the way out (ILP_SEND), since they are
	 * not the wire's before. Either way the sums of all calls and end make the ADU's. */
	uint16_t (*sum)(void *state);
	struct ilp_growth growth[ILP_DIRECTIONS];
	const struct ilp_way *ways[ILP_DIRECTIONS]; /* ILP_LAYERED …, then partitions */
	uint32_t way_count[ILP_DIRECTIONS];
};

/* EBADMSG, EINVAL and EFBIG without <errno.h>: the same numbers on all machines that we build for. */
#define ILP_EINVAL 22
#define ILP_EFBIG 27
#define ILP_EBADMSG 74

/* A dead store that stays: for secrets. */
static inline void ilp_wipe(void *p, size_t n)
{
	/* Of a few bytes, not by the instruction that compilers take, which takes long to begin. */
	const bool few = __builtin_constant_p(n) && n <= 256;

	for (; few && n >= 16; p = (uint8_t *)p + 16, n -= 16) {
		__builtin_memset(p, 0, 16);
		__asm__ volatile("" : : "r"(p) : "memory");
	}
	__builtin_memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* A few bytes, without a call: a linker that looks up memcpy saves all vectors, secrets among them, on the stack. */
static inline void ilp_copy(uint8_t *dst, const uint8_t *src, size_t n)
{
	size_t i = 0;

	__asm__("" : "+r"(dst), "+r"(src)); /* n is known to fit by others than compilers */
	for (; n - i >= 16; i += 16) {
		__builtin_memcpy(dst + i, src + i, 16);
		__asm__("" : "+r"(i)); /* lest the compiler makes it that call */
	}
	if (n & 8)
		__builtin_memcpy(dst + i, src + i, 8), i += 8;
	if (n & 4)
		__builtin_memcpy(dst + i, src + i, 4), i += 4;
	if (n & 2)
		__builtin_memcpy(dst + i, src + i, 2), i += 2;
	if (n & 1)
		dst[i] = src[i];
}

/* Clears the stack below the caller's frame, where a function that has returned may have left secrets: a loop, begin,
 * or end. As much as a chain's file says that they use. */
#ifndef ILP_STACK
#define ILP_STACK 4096
#define ILP_STACK_OF_BEGIN 512
#define ILP_STACK_OF_END 4096
#endif
static __attribute__((noinline, unused)) void ilp_wipe_stack(void)
{
	_Alignas(ILP_ALIGN) uint8_t below[ILP_STACK];

	ilp_wipe(below, sizeof below);
}
static __attribute__((noinline, unused)) void ilp_wipe_begin(void)
{
	_Alignas(ILP_ALIGN) uint8_t below[ILP_STACK_OF_BEGIN];

	ilp_wipe(below, sizeof below);
}
static __attribute__((noinline, unused)) void ilp_wipe_end(void)
{
	_Alignas(ILP_ALIGN) uint8_t below[ILP_STACK_OF_END];

	ilp_wipe(below, sizeof below);
}

/* Clears the vectors' registers, all that this CPU has: memcpy of the C library may have gone through any of them.
 * Which these are no list of clobbers can say for all instruction sets; gcc must not look into it, lest a caller keeps
 * a number there that no call would leave alone. */
#ifdef __clang__
#define ILP_OPAQUE noinline
#else
#define ILP_OPAQUE noipa
#endif
static __attribute__((ILP_OPAQUE, unused)) void ilp_wipe_registers(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" : : : "memory");
	else
		__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tpxor %%xmm\\n, %%xmm\\n\n\t.endr" : : : "memory");
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
				 "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t.endr" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
			 "movi v\\n\\().16b, #0\n\t.endr" : : : "memory", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15");
#elif defined(__s390x__)
	__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tlzdr %%f\\n\n\t.endr"
			 : : : "memory", "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15");
	if (getauxval(AT_HWCAP) & HWCAP_S390_VXRS)
		__asm__ volatile(".machine push\n\t.machine z13\n\t"
				 ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
				 "vzero %%v\\n\n\t.endr\n\t.machine pop" : : : "memory", "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15");
#endif
}

/* a where c is not 0, else b, without a branch: compilers make one of the operator. */
static inline uint64_t ilp_select(uint64_t c, uint64_t a, uint64_t b)
{
	uint64_t all = 0 - ((c | (0 - c)) >> 63);

	__asm__("" : "+r"(all));
	return (a & all) | (b & ~all);
}

/* Whether n bytes differ, in a time that does not tell where. */
static inline unsigned ilp_differ(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t differ = 0;

	for (; n >= 8; a += 8, b += 8, n -= 8) {
		uint64_t x, y;

		__builtin_memcpy(&x, a, 8);
		__builtin_memcpy(&y, b, 8);
		differ |= x ^ y;
	}
	for (size_t i = 0; i < n; i++)
		differ |= (uint64_t)(a[i] ^ b[i]);
	return (unsigned)(differ >> 32 | differ);
}

/* Likewise in the bits of a mask. */
static inline unsigned ilp_differ_in(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t n)
{
	unsigned differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= (unsigned)((a[i] ^ b[i]) & mask[i]);
	return differ;
}

/* What was found, told: the one branch by what is secret, in a function by itself (tests/constant.supp). */
static __attribute__((noinline, unused)) int ilp_told(unsigned bad)
{
	if (!bad)
		return 0;
	__asm__ volatile("");
	return 1;
}

#endif
