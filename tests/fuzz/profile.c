/* Profiles of connections in files: whatever a file says, it is a profile with which connections can be made, or there
 * is one line of complaint that begins with where, and what the program had set is as it was. The first byte says what
 * that is, and how long a complaint may be; the file is the rest, and is called 200. */
#include "alf/conn.h"
#include "alf/profile.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define FD 200
#define FILE_NAME "/proc/self/fd/200"
#define LONGEST 8192
#define WHY_MAX 1024

/* The chains that a profile may ask for here. */
extern const struct ilp_chain ilp_chain_copy_sum, ilp_chain_crc32c_copy_sum, ilp_chain_marker_crc32c_copy_sum,
	ilp_chain_xdr_copy_sum, ilp_chain_xdr_crc32c_copy_sum, ilp_chain_xdr_marker_crc32c_copy_sum,
	ilp_chain_aes256_gcm_copy_sum, ilp_chain_aes256_gcm_crc32c_copy_sum, ilp_chain_aes256_gcm_marker_crc32c_copy_sum,
	ilp_chain_cobs_copy_sum;
const struct ilp_chain *const ilp_chains[] = { &ilp_chain_aes256_gcm_copy_sum, &ilp_chain_aes256_gcm_crc32c_copy_sum,
	&ilp_chain_aes256_gcm_marker_crc32c_copy_sum, &ilp_chain_cobs_copy_sum, &ilp_chain_copy_sum,
	&ilp_chain_crc32c_copy_sum, &ilp_chain_marker_crc32c_copy_sum, &ilp_chain_xdr_copy_sum,
	&ilp_chain_xdr_crc32c_copy_sum, &ilp_chain_xdr_marker_crc32c_copy_sum, NULL };

static bool regenerate(void *ctx, uint64_t id, const struct adu_attr *attr, uint64_t offset, void *to, size_t len)
{
	(void)ctx, (void)id, (void)attr, (void)offset, (void)to, (void)len;
	return false;
}

static void write_file(const uint8_t *text, size_t len)
{
	static bool there;

	if (!there) {
		int fd = memfd_create("profile", 0);
		must(fd >= 0 && dup2(fd, FD) == FD && close(fd) == 0);
		there = true;
	}
	must(ftruncate(FD, 0) == 0 && pwrite(FD, text, len, 0) == (ssize_t)len);
}

/* What the program may have set already. */
static struct alf_profile given(uint32_t choices)
{
	static const char *const families[] = { NULL, "copy", "xdr_copy", "aes256_gcm_copy" };
	static const struct alf_framer *const framers[] = { NULL, &alf_record, &alf_cobs, &alf_plain };
	struct alf_profile p = { .framer = framers[choices & 3], .initiator = true, .hooks.regenerate = regenerate };

	if (families[choices >> 2 & 3])
		must(alf_family(families[choices >> 2 & 3], &p.chain) == 0);
	p.recovery = choices & 16 ? ADU_TOLERATE : ADU_DEFAULT;
	p.ordered = choices & 32;
	return p;
}

static bool has_chain(const struct ilp_chain *chain)
{
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		if (*c == chain)
			return true;
	return !chain;
}

/* A connection can be made with it: nobody has to look at it again. */
static void use(struct alf_profile *p)
{
	static const uint8_t key[32], iv[12];
	struct alf *a;

	must(has_chain(p->chain.plain) && has_chain(p->chain.crc) && has_chain(p->chain.marker));
	must(!p->congestion || !strcmp(p->congestion, "cubic") || !strcmp(p->congestion, "reno"));
	must(p->initiator && p->hooks.regenerate == regenerate && !p->key && !p->private_data && !p->wanted);
	alf_complete(p);
	if (p->chain.plain->associate) {
		p->key = key;
		p->iv = iv;
	}
	a = alf_new(p);
	must(a);
	alf_free(a);
}

/* FILE:LINE: what, in one line. */
static void read_why(const char *why, size_t size)
{
	const size_t name = strlen(FILE_NAME);
	const char *at = why;

	must(memchr(why, 0, size));
	must(!strpbrk(why, "\n\r"));
	if (size < WHY_MAX)
		return;
	must(!strncmp(why, FILE_NAME ":", name + 1));
	for (at += name + 1; isdigit((unsigned char)*at); at++)
		;
	must(at > why + name + 1 && !strncmp(at, ": ", 2) && at[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, data + len };
	const uint32_t choices = take8(&in);
	const size_t size = choices >> 6 == 0 ? WHY_MAX : choices >> 6 == 1 ? 0 : choices >> 6 == 2 ? 1 : 40;
	struct alf_profile profile = given(choices), before = profile;
	char *why = malloc(size + !size); /* as long as it is */
	int e;

	must(why);
	if (in.end - in.at > LONGEST)
		in.end = in.at + LONGEST;
	write_file(in.at, (size_t)(in.end - in.at));
	e = alf_profile_load(&profile, FILE_NAME, size ? why : NULL, size);
	if (e && e != -EINVAL)
		fprintf(stderr, "%d: %s\n", e, size ? why : "");
	must(e == 0 || e == -EINVAL);
	if (e)
		must(!memcmp(&profile, &before, sizeof profile));
	if (e && size)
		read_why(why, size);
	if (!e)
		use(&profile);
	free(why);
	return 0;
}
