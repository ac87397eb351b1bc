/* Profiles in files (alf/profile.h): what they set, what they leave alone, what is wrong with them, told with the line,
 * and that one from somebody who means no good is refused, soon. */
#include "alf/profile.h"

#include "alf/conn.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char why[2048];
static bool without_luajit;

/* In the place of libc's: a machine where LuaJIT is not installed. */
void *dlopen(const char *file, int flags)
{
	void *(*real)(const char *, int);

	*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	return real(without_luajit && file && strstr(file, "luajit") ? "libnosuch.so.7" : file, flags);
}

static int load(struct alf_profile *p, const char *text)
{
	place_write("p.lua", text);
	return alf_profile_load(p, place("p.lua"), why, sizeof why);
}

/* p.lua is refused, on that line. */
static void refused(const char *text, unsigned line, const char *what)
{
	struct alf_profile p = { .forgeries_max = 77 };
	char start[512];

	snprintf(start, sizeof start, "%s:%u: ", place("p.lua"), line);
	int e = load(&p, text);
	ck_assert_msg(e == -EINVAL && !strncmp(why, start, strlen(start)) && strstr(why, what),
		"%.200s\n%d, %s, expected %u, %s",
		text, e, why, line, what);
	ck_assert_ptr_null(strchr(why, '\n'));
	ck_assert(p.forgeries_max == 77 && !p.framer && !p.congestion);
}

/* Before any other: what was fetched once stays. */
START_TEST(no_luajit)
{
	struct alf_profile p = { .adu_max = 77 };

	without_luajit = true;
	ck_assert_int_eq(load(&p, "return profile {}\n"), -ENOPKG);
	ck_assert_ptr_nonnull(strstr(why, "libnosuch.so.7"));
	ck_assert_ptr_nonnull(strstr(why, "install LuaJIT's library"));
	without_luajit = false;
	ck_assert_int_eq(load(&p, "return profile {}\n"), 0);
	ck_assert_str_eq(why, "");
}
END_TEST

/* ---- what is right ---- */

static void opens(const struct alf_profile *loaded)
{
	static const uint8_t key[32] = "a key", iv[12] = "an IV";
	struct alf_profile p = *loaded;

	if (p.chain.plain && p.chain.plain->associate) {
		p.key = key;
		p.iv = iv;
	}
	struct alf *a = alf_new(&p);
	ck_assert_ptr_nonnull(a);
	alf_free(a);
}

START_TEST(examples)
{
	struct alf_profile bulk = { .ordered = true }, frames = { 0 }, tiles = { .ordered = true }, rpc = { 0 },
		sealed = { 0 };
	const struct {
		const char *file;
		struct alf_profile *p;
	} all[] = { { "bulk", &bulk }, { "frames", &frames }, { "tiles", &tiles }, { "rpc", &rpc }, { "sealed", &sealed } };

	ck_assert_uint_eq(place_count("alf/profiles", NULL), sizeof all / sizeof *all);
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		char file[64];
		snprintf(file, sizeof file, "alf/profiles/%s.lua", all[i].file);
		ck_assert_msg(alf_profile_load(all[i].p, file, why, sizeof why) == 0, "%s", why);
		opens(all[i].p);
	}
	ck_assert(bulk.crc && bulk.ordered && bulk.adu_max == 64U << 20 && bulk.credit == 256U << 20 &&
		!bulk.chain.plain);
	ck_assert(tiles.markers && tiles.quickack && tiles.recovery == ADU_DEFAULT && !tiles.deadline_ms && !tiles.ordered);
	ck_assert(frames.markers && frames.quickack && frames.recovery == ADU_TOLERATE && frames.deadline_ms == 200);
	ck_assert_ptr_eq(frames.chain.marker, ilp_find("xdr_marker_crc32c_copy_sum"));
	ck_assert_ptr_eq(rpc.framer, &alf_record);
	ck_assert_ptr_eq(rpc.chain.plain, ilp_find("copy_sum"));
	ck_assert(sealed.ordered && sealed.rekey_after == 1U << 20 && sealed.chain.plain->associate);
}
END_TEST

START_TEST(every_field)
{
	struct alf_profile p = { 0 };

	ck_assert_msg(load(&p, "return profile {\n"
		"\tname = \"p\", congestion = \"reno\", order = \"begun\", acks = \"quick\", framer = \"mpa\",\n"
		"\tmarkers = true, crc = true, chain = \"xdr_copy\", schedule = \"tiled\", recovery = \"supersede\",\n"
		"\tlimits = { adu = 3 * KiB, credit = 5 * GiB, quantum = 1, deadline_ms = 65534 },\n"
		"}\n") == 0, "%s", why);
	ck_assert_str_eq(p.congestion, "reno");
	ck_assert(p.ordered && p.quickack && p.markers && p.crc);
	ck_assert_ptr_eq(p.framer, &alf_mpa);
	ck_assert_ptr_eq(p.chain.plain, ilp_find("xdr_copy_sum"));
	ck_assert_ptr_eq(p.chain.crc, ilp_find("xdr_crc32c_copy_sum"));
	ck_assert_ptr_eq(p.chain.marker, ilp_find("xdr_marker_crc32c_copy_sum"));
	ck_assert_str_eq(p.schedule, "tiled");
	ck_assert_uint_eq(p.recovery, ADU_SUPERSEDE);
	ck_assert_uint_eq(p.adu_max, 3072);
	ck_assert_uint_eq(p.credit, 5ULL << 30);
	ck_assert_uint_eq(p.quantum, 1);
	ck_assert_uint_eq(p.deadline_ms, 65534);
	ck_assert_uint_eq(p.rekey_after, 0);
	opens(&p);
	ck_assert_msg(load(&p, "local most = 2^32 - 1\nreturn profile { order = \"any\", acks = \"delayed\", "
		"markers = false,\n"
		"crc = false, chain = \"aes256_gcm_copy\", schedule = \"layered\", recovery = \"keep\",\n"
		"limits = { adu = 2^53 - 600, credit = 2^53 - 1, quantum = most, rekey = 2^24, forgeries = most } "
		"}\n") == 0,
		"%s", why);
	ck_assert(!p.ordered && !p.quickack && !p.markers && !p.crc && p.recovery == ADU_KEEP &&
		!strcmp(p.schedule, "layered"));
	ck_assert_str_eq(p.congestion, "reno");
	ck_assert_uint_eq(p.adu_max, (1ULL << 53) - 600);
	ck_assert_uint_eq(p.quantum, UINT32_MAX);
	ck_assert_uint_eq(p.rekey_after, 1U << 24);
	ck_assert_uint_eq(p.forgeries_max, UINT32_MAX);
	ck_assert_uint_eq(p.deadline_ms, 65534);
	opens(&p);
}
END_TEST

/* Words that this and alf/profile.lua must agree on. */
START_TEST(every_word)
{
	static const struct {
		const char *framer, *chain;
		const struct alf_framer *is;
	} framers[] = { { "mpa", "copy", &alf_mpa }, { "record", "xdr_copy_sum", &alf_record },
		{ "cobs", "cobs_copy_sum", &alf_cobs }, { "plain", "copy_sum", &alf_plain } };
	static const char *const schedules[] = { "layered", "tiled", "fused", "streaming" };
	static const char *const recoveries[] = { "keep", "recompute", "tolerate", "supersede" };
	static const char *const congestions[] = { "cubic", "reno" };
	int fd = socket_tcpu(AF_INET, SOCK_STREAM, 0);
	char text[256];

	for (unsigned i = 0; i < 4; i++) {
		struct alf_profile p = { 0 };
		snprintf(text, sizeof text, "return profile { framer = \"%s\", chain = \"%s\", schedule = \"%s\" }",
			framers[i].framer, framers[i].chain, schedules[i]);
		ck_assert_msg(load(&p, text) == 0, "%s", why);
		ck_assert_ptr_eq(p.framer, framers[i].is);
		ck_assert_str_eq(alf_framer_name(p.framer), framers[i].framer);
		ck_assert_str_eq(p.schedule, schedules[i]);
		opens(&p);
		snprintf(text, sizeof text, "return profile { framer = \"%s\", crc = false }", framers[i].framer);
		p = (struct alf_profile){ 0 };
		ck_assert_msg(load(&p, text) == 0, "%s", why);
		opens(&p);
		snprintf(text, sizeof text, "return profile { recovery = \"%s\" }", recoveries[i]);
		p = (struct alf_profile){ 0 };
		ck_assert_msg(load(&p, text) == 0, "%s", why);
		ck_assert_uint_eq(p.recovery, ADU_KEEP + i);
	}
	ck_assert_int_ge(fd, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct alf_profile p = { 0 };
		snprintf(text, sizeof text, "return profile { congestion = \"%s\" }", congestions[i]);
		ck_assert_msg(load(&p, text) == 0, "%s", why);
		ck_assert_int_eq(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, p.congestion,
			(socklen_t)strlen(p.congestion)),
			0);
	}
	close_tcpu(fd);
}
END_TEST

/* Whatever chain a file names: what is taken here, alf_open takes, so that what it refuses is not the file's fault. */
START_TEST(every_chain)
{
	static const struct alf_framer *const framers[] = { &alf_mpa, &alf_record, &alf_cobs, &alf_plain };
	unsigned taken = 0;

	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		for (unsigned i = 0; i < 8; i++) {
			/* Of a family, which is what MPA takes, the name ends before the sum. */
			const int over = i % 2 && strlen((*c)->name) > 4 ? 4 : 0;
			struct alf_profile p = { .framer = framers[i / 2] };
			char text[256];
			snprintf(text, sizeof text, "return profile { chain = \"%.*s\" }", (int)strlen((*c)->name) - over,
				(*c)->name);
			if (load(&p, text))
				continue;
			opens(&p);
			taken++;
		}
	ck_assert_uint_ge(taken, 14); /* as many as are built in now */
}
END_TEST

static int place_nowhere(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	(void)ctx, (void)where, (void)to, (void)max;
	return 0;
}

START_TEST(left_alone)
{
	static const uint8_t secret[32];
	const struct alf_profile mine = { .framer = &alf_record, .chain.plain = ilp_find("xdr_copy_sum"),
		.initiator = true,
		.markers = true, .crc = true, .ordered = true, .key = secret, .iv = secret, .rekey_after = 1,
			.forgeries_max = 2,
		.adu_max = 3, .credit = 4, .quantum = 5, .wanted = 6, .private_data = secret, .private_len = 7,
		.hooks.place = place_nowhere, .recovery = ADU_TOLERATE, .deadline_ms = 8, .congestion = "mine",
		.quickack = true, .schedule = "tiled" };
	struct alf_profile p;

	/* Byte by byte, so that a field that comes later is seen as well. */
	memcpy(&p, &mine, sizeof p);
	ck_assert_msg(load(&p, "return profile {}") == 0, "%s", why);
	ck_assert_mem_eq(&p, &mine, sizeof p);
	ck_assert_msg(load(&p, "return profile { name = \"p\", limits = {} }") == 0, "%s", why);
	ck_assert_mem_eq(&p, &mine, sizeof p);
	ck_assert_int_eq(load(&p, "return profile { acks = \"delayed\", limits = { quantum = 9, adu = 0 } }"), -EINVAL);
	ck_assert_mem_eq(&p, &mine, sizeof p);
	/* What goes with the framer that the program has set, and what with the chain. */
	ck_assert_msg(load(&p, "return profile { chain = \"copy_sum\" }") == 0, "%s", why);
	ck_assert_ptr_eq(p.chain.plain, ilp_find("copy_sum"));
	ck_assert_int_eq(load(&p, "return profile { chain = \"copy\" }"), -EINVAL);
	ck_assert_int_eq(load(&p, "return profile {\nframer = \"mpa\" }"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "p.lua:2: framer mpa cannot carry the chain that the program has set"));
	/* Where nobody says, loops are fused. */
	p = (struct alf_profile){ 0 };
	ck_assert_int_eq(load(&p, "return profile {}"), 0);
	alf_complete(&p);
	ck_assert_str_eq(p.schedule, "fused");
}
END_TEST

START_TEST(lines)
{
	struct alf_profile p = { 0 };

	ck_assert_msg(load(&p, "local n = 5\nreturn profile {\n\tframer = \"mpa\", limits = {\n\t\tquantum = n } }") == 0,
		"%s", why);
	ck_assert_uint_eq(alf_profile_line(place("p.lua"), "framer"), 3);
	ck_assert_uint_eq(alf_profile_line(place("p.lua"), "quantum"), 4);
	ck_assert_uint_eq(alf_profile_line(place("p.lua"), "adu"), 0);
	ck_assert_uint_eq(alf_profile_line(place("none.lua"), "framer"), 0);
	ck_assert_int_eq(load(&p, "return profile { framer = 7 }"), -EINVAL);
	ck_assert_uint_eq(alf_profile_line(place("p.lua"), "framer"), 0);
}
END_TEST

/* ---- what is wrong ---- */

static const struct {
	const char *text;
	unsigned line;
	const char *what;
} wrong[] = {
	/* no profile */
	{ "", 1, "the file returns nothing, expected `return profile { … }`" },
	{ "return 7", 1, "the file returns 7" },
	{ "return { acks = \"quick\" }", 1, "the file returns a table" },
	{ "return profile()", 1, "profile was given nothing, expected a table" },
	{ "return profile {\n\tacks = \"quick\"\n\tcrc = true }", 3, "expected" },
	{ "\nreturn chain { name = \"p\" }", 2, "unknown name 'chain', expected a local or KiB, MiB, GiB" },
	{ "return profile {\n\n\tacks = quick }", 3, "unknown name 'quick'" },
	{ "acks = \"quick\"", 1, "'acks' is assigned as a global" },
	/* fields */
	{ "return profile {\n\tcrc = true,\n\tack = \"quick\",\n}", 3, "unknown field 'ack', expected one of acks, "
		"chain, " },
	{ "return profile { crc = true,\n\tcrc = true, key = \"0123456789abcdef\" }", 2, "unknown field 'key'" },
	{ "return profile {\n\"mpa\" }", 1, "unknown field '1'" },
	{ "return profile {\n\tadu = 1 }", 2, "unknown field 'adu'" },
	{ "return profile {\n\n\tname = \"q\" }", 3, "name is \"q\", expected \"p\" as the file is called" },
	{ "return profile {\n\tname = 7 }", 2, "name is 7, expected a string" },
	{ "return profile {\n\tcongestion = \"vegas\" }", 2, "congestion is \"vegas\", expected \"cubic\" or "
		"\"reno\"; correct it" },
	{ "return profile {\n\tcongestion = 1 }", 2, "congestion is 1" },
	{ "return profile {\n\torder = \"all\" }", 2, "order is \"all\", expected \"any\" or \"begun\"" },
	{ "return profile {\n\torder = true }", 2, "order is a boolean" },
	{ "return profile {\n\tacks = \"\" }", 2, "acks is \"\", expected \"delayed\" or \"quick\"" },
	{ "return profile {\n\tframer = \"MPA\" }", 2, "framer is \"MPA\", expected \"mpa\" or \"record\" or "
		"\"cobs\" or \"plain\"" },
	{ "return profile {\n\tmarkers = 1 }", 2, "markers is 1, expected true or false" },
	{ "return profile {\n\tcrc = \"true\" }", 2, "crc is \"true\", expected true or false" },
	{ "return profile {\n\tcrc = {} }", 2, "crc is a table" },
	{ "return profile {\n\tschedule = \"fast\" }", 2, "schedule is \"fast\"" },
	{ "return profile {\n\tschedule = 2 }", 2, "schedule is 2" },
	{ "return profile {\n\trecovery = \"forget\" }", 2, "recovery is \"forget\", expected \"keep\" or "
		"\"recompute\"" },
	{ "return profile {\n\tlimits = 5 }", 2, "limits is 5, expected a table" },
	{ "return profile {\n\tchain = { \"copy\" } }", 2, "chain is a table, expected a string" },
	{ "return profile {\n\tchain = function() end }", 2, "chain is a function" },
	/* limits */
	{ "return profile { limits = {\n\tadus = 5 } }", 2, "unknown field 'adus', expected one of adu, credit, "
		"deadline_ms, " },
	{ "return profile { limits = {\n\tcrc = true } }", 2, "unknown field 'crc'" },
	{ "return profile { limits = {\n\tadu = 0 } }", 2, "adu is 0, expected an integer from 1 to 9007199254740991" },
	{ "return profile { limits = {\n\tadu = -1 } }", 2, "adu is -1" },
	{ "return profile { limits = {\n\tadu = 2^53 } }", 2, "adu is 9007199254740992" },
	{ "return profile { limits = {\n\tadu = 1 / 0 } }", 2, "adu is inf" },
	{ "return profile { limits = {\n\tadu = 0 / 0 } }", 2, "adu is nan" },
	{ "return profile { limits = {\n\tadu = 1.5 * MiB + 0.5 } }", 2, "adu is 1572864.5" },
	{ "return profile { limits = {\n\tadu = \"16 MiB\" } }", 2, "adu is \"16 MiB\", expected an integer" },
	{ "return profile { limits = {\n\tadu = 16ULL } }", 2, "adu is 16ULL" },
	{ "return profile { limits = {\n\tcredit = 0 } }", 2, "credit is 0" },
	{ "return profile { limits = {\n\tquantum = 4 * GiB } }", 2, "quantum is 4294967296, expected an integer "
		"from 1 to 4294967295" },
	{ "return profile { limits = {\n\tquantum = 0 } }", 2, "quantum is 0" },
	{ "return profile { chain = \"aes256_gcm_copy\", limits = {\n\trekey = 2^24 + 1 } }", 2, "from 1 to 16777216" },
	{ "return profile { chain = \"aes256_gcm_copy\", limits = {\n\trekey = 0 } }", 2, "rekey is 0" },
	{ "return profile { limits = {\n\tforgeries = -1 } }", 2, "forgeries is -1, expected an integer from 0 to "
		"4294967295" },
	{ "return profile { limits = {\n\tdeadline_ms = 65535 } }", 2, "deadline_ms is 65535, expected an integer "
		"from 0 to 65534" },
	{ "return profile { limits = {\n\tdeadline_ms = true } }", 2, "deadline_ms is a boolean" },
	/* what does not go together */
	{ "return profile {\n\tframer = \"record\",\n\tmarkers = true }", 3, "markers is true, expected false with "
		"framer record" },
	{ "return profile { framer = \"plain\",\n\n\tcrc = true }", 3, "crc is true, expected false with framer "
		"plain" },
	{ "return profile {\n\tframer = \"cobs\", recovery = \"keep\",\n\tcrc = true }", 3,
		"framer cobs, which has none" },
	{ "return profile { framer = \"record\",\n\trecovery = \"recompute\" }", 2,
		"recovery is \"recompute\", expected another" },
	{ "return profile { framer = \"record\",\n\tchain = \"xdr_aes128_gcm_copy_sum\" }", 2,
		"chain is \"xdr_aes128_gcm_copy_sum\", which authenticates, what framer record cannot carry, "
		"expected one of" },
	{ "return profile { framer = \"plain\",\n\tchain = \"xdr_copy_sum\" }", 2,
		"chain is \"xdr_copy_sum\", which does what framer plain cannot carry, expected one of copy_sum; " },
	{ "return profile { framer = \"cobs\",\n\tchain = \"copy_sum\" }", 2, "expected one of cobs_copy_sum; " },
	{ "return profile { framer = \"record\",\n\tchain = \"chacha20_copy_sum\" }", 2,
		"which does what framer record cannot" },
	{ "return profile { framer = \"record\",\n\tchain = \"copy\" }", 2, "chain is \"copy\", which does not "
		"exist for framer record" },
	{ "return profile {\n\tchain = \"copy_sum\" }", 2, "chain is \"copy_sum\", which does not exist for framer "
		"mpa, expected one of "
		"aes256_gcm_copy, copy, xdr64_copy, xdr_copy; " },
	{ "return profile {\n\tchain = \"\" }", 2, "chain is \"\", which does not exist" },
	{ "return profile {\n\tchain = \"copy\\0\" }", 2, "chain is \"copy\", which does not exist" },
	{ "return profile {\n\tchain = \"../../copy\" }", 2, "does not exist" },
	{ "return profile { limits = {\n\trekey = 5 } }", 2, "rekey is given, expected none with chain copy_sum" },
	{ "return profile { chain = \"xdr_copy\",\n\tlimits = { forgeries = 0 } }", 2,
		"forgeries is given, expected none with chain xdr_copy_sum" },
	{ "return profile { limits = { adu = 1 * MiB,\n\tcredit = 1 * MiB } }", 2,
		"credit is 1048576, expected 1049088 or more" },
	{ "return profile { limits = {\n\tcredit = 16 * MiB } }", 2, "credit is 16777216, expected 16777728 or more" },
	/* where it stands */
	{ "-- acks = 1\nreturn profile { crc = true, -- , acks = 2\n\tmarkers = false, acks = 3, order = \"any\",\n}",
		3, "acks is 3" },
	{ "local l = {\n\tadu = 0 }\nreturn profile { limits = l }", 2, "adu is 0" },
	{ "return profile { [\"acks\"] = 5 }", 1, "acks is 5" },
};

START_TEST(mistakes)
{
	refused(wrong[_i].text, wrong[_i].line, wrong[_i].what);
}
END_TEST

START_TEST(files)
{
	struct alf_profile p = { 0 };

	ck_assert_int_eq(alf_profile_load(&p, place("none.lua"), why, sizeof why), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why, "none.lua: No such file or directory, expected a profile; name a file"));
	ck_assert_int_eq(alf_profile_load(&p, place("none.lua"), NULL, 0), -ENOENT);
	ck_assert_int_eq(alf_profile_load(&p, "", why, sizeof why), -ENOENT);
	ck_assert_int_eq(mkdir(place("folder.lua"), 0755), 0);
	ck_assert_int_eq(alf_profile_load(&p, place("folder.lua"), why, sizeof why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "folder.lua:1: no regular file"));
	ck_assert_int_eq(mkfifo(place("fifo.lua"), 0600), 0);
	ck_assert_int_eq(alf_profile_load(&p, place("fifo.lua"), why, sizeof why), -EINVAL);
	ck_assert_int_eq(load(&p, "return profile { acks = 1 }"), -EINVAL);
	for (size_t size = 0; size < 20; size++) { /* cut, and no further */
		memset(why, 'x', sizeof why);
		ck_assert_int_eq(alf_profile_load(&p, place("p.lua"), why, size), -EINVAL);
		ck_assert(why[size] == 'x' && (!size || strlen(why) == size - 1));
	}
}
END_TEST

/* ---- who means no good ---- */

START_TEST(no_way_out)
{
	static const char *const names[] = { "os", "io", "ffi", "debug", "package", "_G", "_ENV", "require", "load",
		"loadstring", "loadfile", "dofile", "getfenv", "setfenv", "getmetatable", "setmetatable", "rawget",
		"rawset",
		"pcall", "xpcall", "error", "coroutine", "string", "jit", "collectgarbage", "newproxy", "module",
		"print", "next",
		"pairs", "tostring", "select" };
	char text[256], what[64];

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(what, sizeof what, "unknown name '%s'", names[i]);
		snprintf(text, sizeof text, "\nlocal x = %s\nreturn profile {}\n", names[i]);
		refused(text, 2, what);
	}
	place_write("secret", "the secret");
	refused("return profile { chain = \"\\27[2J\\n/etc/passwd\" }", 1, "chain is \"?[2J?/etc/passwd\"");
	refused("return profile { [\"\\27[2J\\n\"] = 1 }", 1, "unknown field '?[2J?'");
	refused("return profile { chain = \"%s%n%n\" }", 1, "\"%s%n%n\"");
	refused("return profile { [profile] = 1 }", 1, "unknown field 'function: ");
	refused("return profile(profile)", 1, "profile was given a function");
	refused("return profile { limits = profile {} }", 1, "unknown field");
}
END_TEST

START_TEST(no_end)
{
	refused("while true do end\nreturn profile {}", 1, "still running after 2000000 instructions");
	refused("::a:: goto a", 1, "still running");
	refused("local function f(x) return f(x) end f(1)", 1, "still running");
	refused("\nlocal function f(x) return 1 + f(x) end f(1)", 2, "overflow");
	refused("for i = 1, 1e300 do end", 1, "still running");
	refused("local s = \"x\" for _ = 1, 99 do s = s .. s end", 1, "joins strings");
	refused("local x = (\"x\"):rep(1e9)", 1, "method 'rep'");
	refused("local t = { unpack({}, 1, 1e8) }", 1, "too many results");
	refused("local t = {} for i = 1, 7000 do t[i] = i end local u = {}\n"
		"while true do u[#u + 1] = { unpack(t) } end", 1, "takes more than 64 MB, expected less");
}
END_TEST

START_TEST(no_bounds)
{
	static char large[(1 << 20) + 100];
	struct alf_profile p = { 0 };
	size_t n;

	refused("\033LJ\002", 1, "compiled Lua");
	refused("\xef\xbb\xbf\033LJ\002\n", 1, "expected");
	memset(large, ' ', sizeof large - 1);
	refused(large, 1, "longer than 1048576 bytes");
	/* What nests, where Lua's parser calls itself. */
	large[1 << 19] = 0;
	memset(large, '(', 1 << 19);
	refused(large, 1, "");
	memset(large, '{', 1 << 19);
	memcpy(large, "return", 6);
	refused(large, 1, "");
	/* A megabyte that is right, but for its last line; and one of fields. */
	memset(large, '\n', 1 << 20);
	strcpy(large + (1 << 20) - 40, "return profile { acks = 1 }");
	refused(large, (1 << 20) - 40 + 1, "acks is 1");
	n = (size_t)sprintf(large, "return profile {");
	for (unsigned i = 0; n < (1 << 20) - 20; i++)
		n += (size_t)sprintf(large + n, "\n[%u]=0,", i);
	strcpy(large + n, "}");
	ck_assert_int_eq(load(&p, large), -EINVAL);
	/* A word of half a megabyte. */
	n = (size_t)sprintf(large, "return profile { chain = \"");
	memset(large + n, 'a', 1 << 19);
	strcpy(large + n + (1 << 19), "\" }");
	refused(large, 1, "chain is \"aaaa");
	large[n - 2] = ' ';
	large[n - 1] = ' ';
	strcpy(large + n + (1 << 19), " }");
	refused(large, 1, "unknown name 'aaaa");
}
END_TEST

/* ---- where it is looked for ---- */

static void in_share(const char *text, int error, const char *what)
{
	struct alf_profile p = { .adu_max = 77 };

	place_write("share/alf/profile.lua", text);
	ck_assert_msg(load(&p, "return profile {}") == error && strstr(why, what), "%s: %s", text, why);
	ck_assert_uint_eq(p.adu_max, 77);
}

START_TEST(shares)
{
	struct alf_profile p = { 0 };
	char here[PATH_MAX], path[PATH_MAX + 8];

	setenv("TCPU_SHARE", place("share"), 1);
	ck_assert_int_eq(load(&p, "return profile {}"), -ENOPKG);
	ck_assert_ptr_nonnull(strstr(why, "share/alf/profile.lua' that can be read: set TCPU_SHARE to the folder "
		"that holds ilp/"));
	in_share("local field = require 'gen.field'", -EPROTO, "alf/profile.lua failed, which is a bug: ");
	in_share("return {}", -EPROTO, "alf/profile.lua failed, which is a bug: ");
	in_share("return { read = function() return 7 end }", -EPROTO, "what nobody asked for");
	in_share("return { read = function() return { acks = 'slow', acks_line = 1 } end }", -EPROTO,
		"what nobody asked for");
	in_share("return { read = function() return nil, 'file:1: no' end }", -EINVAL, "file:1: no");
	in_share("return { read = function() return ('x'):rep(7e7) end }", -EINVAL, "p.lua:1: takes more than 64 MB");
	/* A tree that was moved elsewhere. */
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	snprintf(path, sizeof path, "%s/ilp", here);
	ck_assert_int_eq(symlink(path, place("share/ilp")), 0);
	unlink(place("share/alf/profile.lua"));
	rmdir(place("share/alf"));
	snprintf(path, sizeof path, "%s/alf", here);
	ck_assert_int_eq(symlink(path, place("share/alf")), 0);
	ck_assert_msg(load(&p, "return profile { acks = \"quick\" }") == 0, "%s", why);
	ck_assert(p.quickack);
	setenv("TCPU_SHARE", place("a;b"), 1);
	ck_assert_int_eq(load(&p, "return profile {}"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "has a ; or ?"));
	unsetenv("TCPU_SHARE");
	setenv("LUA_PATH", place("share/?.lua"), 1);
	setenv("LUA_INIT", "os.exit(3)", 1);
	ck_assert_int_eq(load(&p, "return profile {}"), 0);
}
END_TEST

static void teardown(void)
{
	struct alf_profile p = { 0 };

	/* After it all a good one is as good as ever, and nothing was written. */
	ck_assert_msg(load(&p, "return profile { acks = \"quick\" }") == 0, "%s", why);
	ck_assert(p.quickack);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ck_assert_int_eq(access(place("cache"), F_OK), -1);
	place_teardown();
}

int main(void)
{
	Suite *s = suite_create("alf_profile");
	TCase *t = tcase_create("alf_profile");

	tcase_add_checked_fixture(t, place_setup, teardown);
	tcase_add_test(t, no_luajit);
	tcase_add_test(t, examples);
	tcase_add_test(t, every_field);
	tcase_add_test(t, every_word);
	tcase_add_test(t, every_chain);
	tcase_add_test(t, left_alone);
	tcase_add_test(t, lines);
	tcase_add_loop_test(t, mistakes, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(t, files);
	tcase_add_test(t, no_way_out);
	tcase_add_test(t, no_end);
	tcase_add_test(t, no_bounds);
	tcase_add_test(t, shares);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}
