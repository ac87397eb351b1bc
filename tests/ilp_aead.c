/* Authenticated encryption against what its standards print (RFC 8439 (2.8.2); the GCM specification's test cases 1
 * to 4 and 13 to 16), Wycheproof's vectors, OpenSSL and libsodium: each instruction set that this CPU has, whole ADUs
 * at once and in pieces. What is forged is refused, and leaves nothing of its plaintext. ILP_AEAD_CASES: how many
 * random ones. */
#include "build/gen/aes128_gcm_copy.h"
#include "ilp/ilp.h"
#include "tests/hex.h"
#include "tests/run.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM 4096
#define TAG 16

struct sealed {
	const struct ilp_chain *c;
	const char *pair; /* whose parameters these are */
	uint8_t key[32], nonce[12];
	size_t key_len;
	const uint8_t *with, *data, *wire; /* wire: ciphertext and tag */
	size_t with_len, len;
};

static unsigned long *compared; /* shared with the children that Check forks */

static const struct ilp_chain *chain_of(const char *pair)
{
	char name[64];

	snprintf(name, sizeof name, "%s_copy", pair);
	return ilp_find(name);
}

static uint64_t seed = 20651;
static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

static void set(const struct sealed *x, struct ilp_any *s, const char *what, const uint8_t *value, size_t len)
{
	char name[64];

	snprintf(name, sizeof name, "%s.%s", x->pair, what);
	if (next(2)) { /* in either way */
		ck_assert_int_eq(ilp_set(x->c, s, name, value, len), 0);
		return;
	}
	const struct ilp_param *p = ilp_find_param(x->c, name);
	ck_assert(p && p->size == len);
	ilp_put(p, s, value);
	name[strlen(name) - 1] = 0;
	ck_assert_ptr_null(ilp_find_param(x->c, name));
}

static void begin(const struct sealed *x, struct ilp_any *s, enum ilp_isa isa)
{
	memset(s, 0, sizeof *s);
	set(x, s, "key", x->key, x->key_len);
	set(x, s, "nonce", x->nonce, sizeof x->nonce);
	((struct ilp_state *)s)->row = 1 + isa;
}

#define ANY ILP_ISAS

/* Any row of the pair's chain that is here. */
static enum ilp_isa any_row(const struct ilp_chain *c)
{
	enum ilp_isa isa;

	do
		isa = (enum ilp_isa)next(ILP_ISAS);
	while (!c->once[ILP_SEND][isa] || !ilp_isa_here(isa));
	return isa;
}

/* n bytes in pieces of up to `piece`; ANY: of any length up to it, each by the loop of any row. */
static ptrdiff_t in_pieces(const struct sealed *x, struct ilp_any *s, enum ilp_direction d, enum ilp_isa isa,
	size_t piece, uint8_t *dst, const uint8_t *src, size_t n)
{
	static uint8_t tmp[1 << 16];
	size_t out = 0;

	x->c->begin(s);
	if (x->with_len > 0 || isa == ANY)
		x->c->associate(s, x->with, x->with_len);
	for (size_t i = 0, now; i < n; i += now) {
		now = isa == ANY ? 1 + next((uint32_t)piece) : piece;
		now = now < n - i ? now : n - i;
		out += x->c->ways[d][ILP_FUSED].loop[isa == ANY ? any_row(x->c) : isa](s, dst + out, src + i, now, tmp);
	}
	const int more = x->c->end[d](s, dst + out);
	return more < 0 ? more : (ptrdiff_t)out + more;
}

static void expect_sealed(const struct sealed *x, enum ilp_isa isa, size_t piece)
{
	uint8_t dst[ROOM + 256];
	struct ilp_any s;

	begin(x, &s, isa);
	ptrdiff_t n = x->c->once[ILP_SEND][isa](&s, dst, x->data, x->len, x->with, x->with_len, NULL);
	ck_assert_int_eq(n, (ptrdiff_t)x->len + TAG);
	ck_assert_mem_eq(dst, x->wire, x->len + TAG);
	/* The same key again, which is expanded already. */
	n = in_pieces(x, &s, ILP_SEND, isa, piece, dst, x->data, x->len);
	ck_assert_int_eq(n, (ptrdiff_t)x->len + TAG);
	ck_assert_mem_eq(dst, x->wire, x->len + TAG);
	__atomic_fetch_add(compared, 2, __ATOMIC_RELAXED);
}

static void expect_opened(const struct sealed *x, enum ilp_isa isa, size_t piece)
{
	uint8_t dst[ROOM + 256];
	struct ilp_any s;

	begin(x, &s, isa);
	ptrdiff_t n = x->c->once[ILP_RECV][isa](&s, dst, x->wire, x->len + TAG, x->with, x->with_len, NULL);
	ck_assert_int_eq(n, (ptrdiff_t)x->len);
	ck_assert_mem_eq(dst, x->data, x->len);
	n = in_pieces(x, &s, ILP_RECV, isa, piece, dst, x->wire, x->len + TAG);
	ck_assert_int_eq(n, (ptrdiff_t)x->len);
	ck_assert_mem_eq(dst, x->data, x->len);
	__atomic_fetch_add(compared, 2, __ATOMIC_RELAXED);
}

static void expect_refused(const struct sealed *x, enum ilp_isa isa, size_t piece)
{
	uint8_t dst[ROOM + 256];
	struct ilp_any s;

	begin(x, &s, isa);
	memset(dst, 0, sizeof dst);
	ptrdiff_t n = x->c->once[ILP_RECV][isa](&s, dst, x->wire, x->len + TAG, x->with, x->with_len, NULL);
	ck_assert_int_eq(n, -EBADMSG);
	size_t left = 0; /* an assertion for each byte takes long */
	while (left < sizeof dst && dst[left] == 0)
		left++;
	ck_assert_msg(left == sizeof dst, "byte %zu is left of what was refused", left);
	n = in_pieces(x, &s, ILP_RECV, isa, piece, dst, x->wire, x->len + TAG);
	ck_assert_int_eq(n, -EBADMSG);
	__atomic_fetch_add(compared, 2, __ATOMIC_RELAXED);
}

/* good: the tag is right. */
static void try(const struct sealed *x, bool good)
{
	for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++) {
		const size_t piece = 1 + (x->len * 7 + isa) % 301;

		if (!x->c->once[ILP_SEND][isa] || !ilp_isa_here(isa))
			continue;
		if (good) {
			expect_sealed(x, isa, piece);
			expect_opened(x, isa, piece);
		} else {
			expect_refused(x, isa, piece);
		}
	}
}

/* Files ----------------------------------------------------------------------------------------------------------- */

static const char *text(const json_t *test, const char *name)
{
	const char *value = json_string_value(json_object_get(test, name));

	ck_assert_msg(value, "no '%s'", name);
	return value;
}

static void try_vector(const json_t *test, const char *pair)
{
	static uint8_t with[ROOM], data[ROOM], wire[ROOM + TAG];
	struct sealed x = { .c = chain_of(pair), .pair = pair, .with = with, .data = data, .wire = wire };

	x.key_len = unhex(x.key, sizeof x.key, text(test, "key"));
	unhex(x.nonce, sizeof x.nonce, text(test, "iv"));
	x.with_len = unhex(with, sizeof with, text(test, "aad"));
	x.len = unhex(data, sizeof data, text(test, "msg"));
	ck_assert_uint_eq(unhex(wire, ROOM, text(test, "ct")), x.len);
	ck_assert_uint_eq(unhex(wire + x.len, TAG, text(test, "tag")), TAG);
	try(&x, strcmp(text(test, "result"), "valid") == 0);
}

/* pairs: by bytes of the key; NULL: not offered. */
static void try_file(const char *name, const char *pair_of_16, const char *pair_of_32, unsigned there)
{
	char path[256];
	json_error_t error;
	size_t i, k;
	json_t *group, *test;
	unsigned passed = 0, nonces = 0, keys = 0;

	snprintf(path, sizeof path, "../shared/vectors/%s", name);
	json_t *all = json_load_file(path, 0, &error);
	if (!all) {
		printf("skipped, because %s\n", error.text);
		return;
	}
	json_array_foreach(json_object_get(all, "testGroups"), i, group) {
		const json_int_t key = json_integer_value(json_object_get(group, "keySize"));
		const bool nonce = json_integer_value(json_object_get(group, "ivSize")) == 96;
		const char *pair = key == 128 ? pair_of_16 : key == 256 ? pair_of_32 : NULL;

		ck_assert_int_eq(json_integer_value(json_object_get(group, "tagSize")), 128);
		json_array_foreach(json_object_get(group, "tests"), k, test) {
			if (!nonce)
				nonces++;
			else if (!pair)
				keys++;
			else
				try_vector(test, pair), passed++;
		}
	}
	printf("%s: %u passed; not offered: %u with nonces of other than 96 bits, %u with keys of 192\n", name, passed, nonces,
		keys);
	ck_assert_uint_eq(passed, there);
	json_decref(all);
}

START_TEST(wycheproof)
{
	try_file("aes_gcm_test.json", "aes128_gcm", "aes256_gcm", 133);
	try_file("chacha20_poly1305_test.json", NULL, "chacha20_poly1305", 316);
}
END_TEST

/* Standards ------------------------------------------------------------------------------------------------------- */

struct printed {
	const char *source, *pair, *key, *nonce, *with, *data, *wire;
};
#define KEY3 "feffe9928665731c6d6a8f9467308308"
#define DATA3 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define WITH4 "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define ZERO16 "00000000000000000000000000000000"
static const struct printed printed[] = {
	{ "GCM 1", "aes128_gcm", ZERO16, "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "GCM 2", "aes128_gcm", ZERO16, "000000000000000000000000", "", ZERO16,
		"0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf" },
	{ "GCM 3", "aes128_gcm", KEY3, "cafebabefacedbaddecaf888", "", DATA3 "1aafd255",
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97"
		"3d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4" },
	{ "GCM 4", "aes128_gcm", KEY3, "cafebabefacedbaddecaf888", WITH4, DATA3,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97"
		"3d58e0915bc94fbc3221a5db94fae95ae7121a47" },
	{ "GCM 13", "aes256_gcm", ZERO16 ZERO16, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "GCM 14", "aes256_gcm", ZERO16 ZERO16, "000000000000000000000000", "", ZERO16,
		"cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
	{ "GCM 15", "aes256_gcm", KEY3 KEY3, "cafebabefacedbaddecaf888", "", DATA3 "1aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
		"bcc9f662898015adb094dac5d93471bdec1a502270e3cc6c" },
	{ "GCM 16", "aes256_gcm", KEY3 KEY3, "cafebabefacedbaddecaf888", WITH4, DATA3,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
		"bcc9f66276fc6ece0f4e1768cddf8853bb2d551b" },
	{ "RFC 8439 (2.8.2)", "chacha20_poly1305", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
		"070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
		"4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f66666572"
		"20796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6"
		"a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
		"1ae10b594f09e26a7e902ecbd0600691" },
};

START_TEST(standards)
{
	for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
		const struct printed *p = &printed[i];
		uint8_t with[64], data[256], wire[256 + TAG];
		struct sealed x = { .c = chain_of(p->pair), .pair = p->pair, .with = with, .data = data, .wire = wire };

		x.key_len = unhex(x.key, sizeof x.key, p->key);
		unhex(x.nonce, sizeof x.nonce, p->nonce);
		x.with_len = unhex(with, sizeof with, p->with);
		x.len = unhex(data, sizeof data, p->data);
		ck_assert_uint_eq(unhex(wire, sizeof wire, p->wire), x.len + TAG);
		try(&x, true);
		for (size_t at = 0; at < x.len + TAG; at += 5) { /* one bit */
			wire[at] ^= (uint8_t)(1 << at % 8);
			try(&x, false);
			wire[at] ^= (uint8_t)(1 << at % 8);
		}
	}
	printf("standards: %zu vectors\n", sizeof printed / sizeof printed[0]);
}
END_TEST

/* Other implementations ------------------------------------------------------------------------------------------- */

static const char *const pairs[] = { "aes128_gcm", "aes256_gcm", "chacha20_poly1305" };

/* k: of pairs. */
static void seal_openssl(unsigned k, const struct sealed *x, uint8_t *wire)
{
	const EVP_CIPHER *cipher = k == 0 ? EVP_aes_128_gcm() : k == 1 ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	ck_assert_int_eq(EVP_EncryptInit_ex(ctx, cipher, NULL, x->key, x->nonce), 1);
	if (x->with_len > 0)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, x->with, (int)x->with_len), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, wire, &n, x->data, (int)x->len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, wire + x->len, &n), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, wire + x->len), 1);
	EVP_CIPHER_CTX_free(ctx);
}

/* 0: libsodium has none of that, here. */
static unsigned long long seal_sodium(const struct sealed *x, uint8_t *wire)
{
	unsigned long long n = 0;

	if (strcmp(x->pair, "chacha20_poly1305") == 0)
		crypto_aead_chacha20poly1305_ietf_encrypt(wire, &n, x->data, x->len, x->with, x->with_len, NULL, x->nonce, x->key);
	else if (strcmp(x->pair, "aes256_gcm") == 0 && crypto_aead_aes256gcm_is_available())
		crypto_aead_aes256gcm_encrypt(wire, &n, x->data, x->len, x->with, x->with_len, NULL, x->nonce, x->key);
	return n;
}

START_TEST(others)
{
	const char *wanted = getenv("ILP_AEAD_CASES");
	const unsigned long cases = wanted ? strtoul(wanted, NULL, 10) : 3000;
	unsigned long by_sodium = 0;

	ck_assert_int_ge(sodium_init(), 0);
	for (unsigned long i = 0; i < cases; i++) {
		static uint8_t bytes[2 * ROOM], wire[ROOM + TAG], also[ROOM + TAG];
		const unsigned k = next(3);
		struct sealed x = { .c = chain_of(pairs[k]), .pair = pairs[k], .with = bytes, .data = bytes + ROOM, .wire = wire,
			.key_len = k == 0 ? 16 : 32, .with_len = next(4) ? next(40) : next(600),
			.len = next(3) ? next(200) : next(ROOM + 1) };

		for (size_t j = 0; j < sizeof x.key; j++)
			x.key[j] = (uint8_t)next(256);
		for (size_t j = 0; j < sizeof x.nonce; j++)
			x.nonce[j] = (uint8_t)next(256);
		for (int j = 0; j < 16; j++)
			bytes[next(sizeof bytes)] = (uint8_t)next(256);
		seal_openssl(k, &x, wire);
		if (seal_sodium(&x, also) > 0) {
			ck_assert_mem_eq(also, wire, x.len + TAG);
			by_sodium++;
		}
		try(&x, true);
		wire[next((uint32_t)x.len + TAG)] ^= (uint8_t)(1 + next(255));
		try(&x, false);
	}
	printf("random: %lu cases agree with OpenSSL, %lu of them with libsodium, too\n", cases, by_sodium);
}
END_TEST

/* The same in a state that any row has begun, or the best where the state names none that there is. */
static ptrdiff_t by_any(const struct sealed *x, struct ilp_any *s, uint8_t *dst, const uint8_t *src, size_t n,
	enum ilp_direction d)
{
	static const uint32_t hints[] = { 0, 1, 112, 113, 240, 241, UINT32_MAX }; /* of how long it will be */

	((struct ilp_state *)s)->bytes = hints[next(sizeof hints / sizeof hints[0])];
	((struct ilp_state *)s)->row = next(3) ? 1 + any_row(x->c) : next(2) ? 0 : 99;
	return in_pieces(x, s, d, ANY, 700, dst, src, n);
}

/* Of a state that goes from ADU to ADU, the key is expanded for the first, and for another key. */
START_TEST(kept)
{

	for (unsigned k = 0; k < 3; k++) {
		static uint8_t bytes[ROOM], wire[ROOM + TAG], dst[ROOM + 256];
		struct sealed x = { .c = chain_of(pairs[k]), .pair = pairs[k], .with = bytes + 100, .data = bytes, .wire = wire,
			.key_len = k == 0 ? 16 : 32 };
		struct ilp_any s = { 0 };

		for (unsigned i = 0; i < 400; i++) {
			const uint32_t *const expanded = &((struct ilp_state *)&s)->expanded;

			if (i % 37 == 0) {
				x.key[next(16)] ^= (uint8_t)(1 + next(255));
				set(&x, &s, "key", x.key, x.key_len);
				ck_assert(k == 2 || *expanded != ILP_EXPANDED);
			}
			const uint32_t was = *expanded;
			x.nonce[i % 12]++;
			set(&x, &s, "nonce", x.nonce, sizeof x.nonce);
			ck_assert_uint_eq(*expanded, was);
			x.len = next(3) ? next(300) : next(ROOM + 1);
			x.with_len = next(40);
			seal_openssl(k, &x, wire);
			const bool forged = next(4) == 0;
			ptrdiff_t n = by_any(&x, &s, dst, x.data, x.len, ILP_SEND);
			ck_assert_int_eq(n, (ptrdiff_t)x.len + TAG);
			ck_assert_mem_eq(dst, wire, x.len + TAG);
			wire[next((uint32_t)x.len + TAG)] ^= forged;
			if (next(2)) { /* all at once, and in place where it is so */
				memcpy(dst, wire, x.len + TAG);
				n = x.c->once[ILP_RECV][any_row(x.c)](&s, dst, x.c->inplace ? dst : wire, x.len + TAG, x.with, x.with_len,
					NULL);
			} else {
				n = by_any(&x, &s, dst, wire, x.len + TAG, ILP_RECV);
			}
			ck_assert_int_eq(n, forged ? -EBADMSG : (ptrdiff_t)x.len);
			if (!forged)
				ck_assert_mem_eq(dst, x.data, x.len);
			bytes[next(ROOM)]++;
			__atomic_fetch_add(compared, 2, __ATOMIC_RELAXED);
		}
	}
}
END_TEST

/* NIST SP 800-38D (5.2.1.1): no more than 2^36 - 32 bytes, behind which the counter would come round to the mask of the
 * tag. Who is there says so himself here. */
START_TEST(too_long)
{
	static uint8_t bytes[64], dst[256];
	const struct ilp_chain *c = ilp_find("aes128_gcm_copy");
	struct ilp_any s = { 0 };
	uint64_t *const len = ((struct ilp_chain_aes128_gcm_copy *)&s)->aes128_gcm_tag_len;

	for (unsigned over = 0; over < 2; over++) {
		c->begin(&s);
		len[1] = (UINT64_C(1) << 36) - 32 - 32 + over;
		const size_t n = ilp_pick(c, ILP_SEND, ILP_FUSED)(&s, dst, bytes, 32, NULL);
		ck_assert_int_eq(c->end[ILP_SEND](&s, dst + n), over ? -EFBIG : TAG);
	}
}
END_TEST

/* What would be left out of the tag, if nobody said so. */
START_TEST(nothing_associated)
{
	const struct ilp_chain *c = ilp_find("encrypt_then_mac");
	struct ilp_any s = { 0 };
	uint8_t dst[256];

	ck_assert_int_eq(ilp_pick_once(c, ILP_SEND)(&s, dst, s.bytes, 64, s.bytes, 1, NULL), -EINVAL);
	ck_assert_int_eq(ilp_pick_once(c, ILP_SEND)(&s, dst, s.bytes, 64, s.bytes, 0, NULL), 64 + TAG);
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp aead");
	TCase *t = tcase_create("pairs");

	compared = mmap(NULL, sizeof *compared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (compared == MAP_FAILED)
		return 2;
	tcase_add_test(t, standards);
	tcase_add_test(t, wycheproof);
	tcase_add_test(t, others);
	tcase_add_test(t, kept);
	tcase_add_test(t, too_long);
	tcase_add_test(t, nothing_associated);
	tcase_set_timeout(t, getenv("ILP_AEAD_CASES") ? 0 : 60);
	suite_add_tcase(all, t);
	int failed = run_tests(srunner_create(all));
	printf("ilp aead: %lu calls compared\n", *compared);
	return failed;
}
