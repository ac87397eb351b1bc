/* XDR at run time: encodings worked out by hand from RFC 4506, and what is hostile. The types are those of
 * tests/xdr/standard.x and ledger.x. */
#include "ledger.h"
#include "standard.h"
#include "tests/xdr/check.h"

/* What is encoded is that, as long as wire_size says, and comes back as the same; one byte less of room is too little,
 * and so are fewer bytes of input. */
static void check_encoding(const char *name, const void *v, const char *text)
{
	const struct ilp_xdr_type *t = type(name);
	static uint8_t want[1024], back[4096];
	const size_t n = hex(text, want);
	struct ilp_xdr_out out = ilp_xdr_out(buffer, n);
	struct ilp_xdr_in in = ilp_xdr_in(want, n);

	ck_assert_int_eq(t->encode(v, &out), 0);
	ck_assert_ptr_eq(out.at, buffer + n);
	ck_assert_mem_eq(buffer, want, n);
	ck_assert_uint_eq(t->wire_size(v), n);
	out = ilp_xdr_out(buffer, n - 1);
	ck_assert_int_eq(t->encode(v, &out), -EMSGSIZE);
	ck_assert_ptr_eq(out.at, buffer);
	for (size_t cut = 0; cut < n; cut++)
		refused_bytes(t, want, cut, -EBADMSG);
	out = ilp_xdr_out(buffer, sizeof buffer);
	const long before = in_use;
	const int decoded = t->decode(back, &in), encoded = t->encode(back, &out);
	t->free(back);
	const long after = in_use;
	ck_assert_int_eq(decoded, 0);
	ck_assert_int_eq(encoded, 0);
	ck_assert_ptr_eq(in.at, want + n);
	ck_assert_mem_eq(buffer, want, n);
	check_zeros(back, t->size);
	ck_assert_int_eq(before, after);
}

START_TEST(numbers_are_as_the_standard_says)
{
	scalars v = { .i = -2, .u = 0x80000001, .c = MINUS, .b = 1, .h = -3, .uh = 0x0102030405060708, .f = 1.5F, .d = -2 };

	v.q = -2.5;
	check_encoding("scalars", &v, "fffffffe 80000001 ffffffff 00000001 fffffffffffffffd 0102030405060708 3fc00000"
		"c000000000000000 c0004000000000000000000000000000");
}
END_TEST

START_TEST(opaques_are_padded)
{
	uint8_t open[] = { 1, 2, 3, 4, 5 }, limited[] = { 9 };
	opaques v = { .exact = { 0xa, 0xb, 0xc, 0xd }, .odd = { 1, 2, 3, 4, 5 }, .odd_pad = { 0x77, 0x77, 0x77 },
		.open = { sizeof open, open }, .limited = { sizeof limited, limited }, .name = { 3, (char[]){ "abc" } } };

	check_encoding("opaques", &v, "0a0b0c0d 0102030405 000000 00000005 0102030405 000000 00000001 09 000000 00000000"
		"00000003 616263 00");
}
END_TEST

START_TEST(long_opaques_are_padded)
{
	long257 v = { .at_pad = { 0x77, 0x77, 0x77 } };
	static char text[2 * 260 + 1];

	for (size_t i = 0; i < 260; i++) {
		if (i < 257)
			v.at[i] = (uint8_t)(i + 1);
		sprintf(text + 2 * i, "%02x", i < 257 ? (unsigned)v.at[i] : 0);
	}
	check_encoding("long257", &v, text);
}
END_TEST

START_TEST(strings_have_a_zero_behind_them)
{
	uint8_t bytes[64];
	const size_t n = hex("00000000 0000000000000000 00000000 00000000 00000005 68656c6c 6f000000 00000000", bytes);
	struct ilp_xdr_in in = ilp_xdr_in(bytes, n);
	opaques v;

	ck_assert_int_eq(opaques_decode(&v, &in), 0);
	ck_assert_ptr_eq(v.open.val, NULL);
	ck_assert_uint_eq(v.text.len, 5);
	ck_assert_str_eq(v.text.val, "hello");
	ck_assert_str_eq(v.name.val, "");
	opaques_free(&v);
}
END_TEST

START_TEST(unions_have_arms)
{
	uint8_t code[] = "abc";
	by_color red = { .which = RED, .u.number = 7 }, minus = { .which = MINUS };
	by_color yellow = { .which = YELLOW, .u.bytes = { { code[0], code[1], code[2] }, { 0xff } } };
	by_default none = { .value = 0, .u.none = -1 }, other = { .value = 4000000000, .u.other = &red };
	by_default null = { .value = 1 };

	check_encoding("by_color", &red, "00000002 00000007");
	check_encoding("by_color", &yellow, "00000003 61626300");
	check_encoding("by_color", &minus, "ffffffff");
	check_encoding("by_default", &none, "00000000 ffffffff");
	check_encoding("by_default", &other, "ee6b2800 00000001 00000002 00000007");
	check_encoding("by_default", &null, "00000001 00000000");
}
END_TEST

START_TEST(bodies_in_bodies)
{
	nested_inner inner[2] = { { .x = 1, .choice = { .which = 1, .u.one.deep = 5 } },
		{ .x = 2, .choice = { .which = 3, .u.two = INNER } } };
	nested v = { .inner = { 2, inner }, .kind = OTHER };

	check_encoding("nested", &v, "00000002 00000001 00000001 00000005 00000002 00000003 00000009 00000008");
	inner[0].choice.which = 99; /* void */
	check_encoding("nested", &v, "00000002 00000001 00000063 00000002 00000003 00000009 00000008");
}
END_TEST

START_TEST(lists_are_optional_after_optional)
{
	stringentry second = { .item = { 1, (char[]){ "b" } } }, first = { .item = { 1, (char[]){ "a" } }, .next = &second };
	stringlist v = &first, none = NULL;

	check_encoding("stringlist", &v, "00000001 00000001 61000000 00000001 00000001 62000000 00000000");
	check_encoding("stringlist", &none, "00000000");
	check_encoding("stringentry", &second, "00000001 62000000 00000000");
}
END_TEST

/* Arrays of all lengths, those that loops take and those that they do not: as one element after the other. */
START_TEST(arrays_are_their_elements)
{
	static five all[300];
	static uint8_t one[sizeof buffer];

	for (size_t i = 0; i < sizeof all; i++)
		((uint8_t *)all)[i] = (uint8_t)(i * 7 + i / 256);
	for (uint32_t n = 0; n <= 300; n++) {
		const fives v = { n, all };
		struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer), each = ilp_xdr_out(one, sizeof one);

		ck_assert_int_eq(fives_encode(&v, &out), 0);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(five_encode(&all[i], &each), 0);
		ck_assert_uint_eq((size_t)(out.at - buffer), 4 + n * sizeof(five));
		ck_assert_mem_eq(buffer + 4, one, n * sizeof(five));
		struct ilp_xdr_in in = ilp_xdr_in(buffer, 4 + n * sizeof(five));
		fives back;
		ck_assert_int_eq(fives_decode(&back, &in), 0);
		ck_assert_uint_eq(back.len, n);
		ck_assert(n == 0 || memcmp(back.val, all, n * sizeof(five)) == 0);
		fives_free(&back);
	}
}
END_TEST

/* The same where padding stands among numbers: memory has there what it likes, the wire zeros. */
START_TEST(padding_in_arrays_is_zero)
{
	static padded all[300];
	static uint8_t one[sizeof buffer];
	enum { BEFORE = 40 * sizeof(padded) + 4 };

	for (uint32_t n = 1; n <= 300; n++) {
		const paddeds v = { .more = { n, all } };
		struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer), each = ilp_xdr_out(one, sizeof one);
		const size_t size = BEFORE + n * sizeof(padded), pad = BEFORE + (n - 1) * sizeof(padded) + 9;
		paddeds back;

		for (size_t i = 0; i < sizeof all; i++)
			((uint8_t *)all)[i] = (uint8_t)(1 + i % 251);
		ck_assert_int_eq(paddeds_encode(&v, &out), 0);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(padded_encode(&all[i], &each), 0);
		ck_assert_uint_eq((size_t)(out.at - buffer), size);
		ck_assert_mem_eq(buffer + BEFORE, one, n * sizeof(padded));
		check_zeros(buffer + pad, 3);
		for (uint32_t i = 0; i < n; i++)
			memset(all[i].b_pad, 0, sizeof all[i].b_pad);
		for (size_t i = 0; i < 3; i++) {
			struct ilp_xdr_in in = ilp_xdr_in(buffer, size);

			buffer[pad + i] = 1;
			refused_bytes(type("paddeds"), buffer, size, -EBADMSG);
			in.lax_padding = true;
			ck_assert_int_eq(paddeds_decode(&back, &in), 0);
			ck_assert_mem_eq(back.more.val, all, n * sizeof(padded));
			paddeds_free(&back);
			buffer[pad + i] = 0;
		}
	}
}
END_TEST

START_TEST(what_no_value_has_is_refused)
{
	check_refused("scalars", "00000000 00000000 00000004 00000000 0000000000000000 0000000000000000 00000000"
		"0000000000000000 00000000000000000000000000000000", -EBADMSG); /* color 4 */
	check_refused("scalars", "00000000 00000000 00000002 00000002 0000000000000000 0000000000000000 00000000"
		"0000000000000000 00000000000000000000000000000000", -EBADMSG); /* bool 2 */
	check_refused("by_color", "00000004 00000000", -EBADMSG);
	check_refused("stringlist", "00000002 00000000 00000000", -EBADMSG);
	check_refused("nested", "00000001 00000001 00000003 0000000a 00000007", -EBADMSG); /* INNER alone is one */

	scalars v = { .c = (color)4, .b = 1 };
	struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer);
	ck_assert_int_eq(scalars_encode(&v, &out), -EBADMSG);
	v.c = RED;
	v.b = 2;
	ck_assert_int_eq(scalars_encode(&v, &out), -EBADMSG);
	ck_assert_uint_eq(scalars_wire_size(&v), SIZE_MAX);
	const by_color wrong = { .which = (color)4 };
	ck_assert_int_eq(by_color_encode(&wrong, &out), -EBADMSG);
	const numbers null = { .len = 1 };
	ck_assert_int_eq(numbers_encode(&null, &out), -EBADMSG);
	const opaques bytes = { .open = { .len = 1 } };
	ck_assert_int_eq(opaques_encode(&bytes, &out), -EBADMSG);
	ck_assert_ptr_eq(out.at, buffer);
}
END_TEST

START_TEST(padding_is_zero_unless_it_is_lax)
{
	static const char *const texts[] = { "00000000 0102030405 000001 00000000 00000000 00000000 00000000",
		"00000000 0102030405 000000 00000001 09000100 00000000 00000000 00000000",
		"00000000 0102030405 000000 00000000 00000000 00000001 41010101 00000000" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t bytes[64];
		struct ilp_xdr_in in = ilp_xdr_in(bytes, hex(texts[i], bytes));
		opaques v;

		check_refused("opaques", texts[i], -EBADMSG);
		in.lax_padding = true;
		ck_assert_int_eq(opaques_decode(&v, &in), 0);
		check_zeros(v.odd_pad, sizeof v.odd_pad);
		opaques_free(&v);
	}
	/* of the second element of an array, and of the first of a list */
	uint8_t bytes[4 * 101 + 4] = { [7] = 1 };
	struct ilp_xdr_in in = ilp_xdr_in(bytes, sizeof bytes);
	odds v;
	ck_assert_int_eq(odds_decode(&v, &in), -EBADMSG);
	memset(bytes, 0, sizeof bytes);
	bytes[403] = bytes[407] = 1;
	in = ilp_xdr_in(bytes, sizeof bytes);
	ck_assert_int_eq(odds_decode(&v, &in), -EBADMSG);
	in.lax_padding = true;
	ck_assert_int_eq(odds_decode(&v, &in), 0);
	ck_assert_uint_eq(v.more.len, 1);
	odds_free(&v);
}
END_TEST

START_TEST(values_are_printed)
{
	notes_Asset path[1] = { { .kind = notes_KIND_SHORT, .u.code4 = "abcd" } };
	notes_Step steps[2] = { { .type = 4000000000, .u.path = { 1, path } }, { .type = 0, .u.pay = -5 } };
	notes_Bounds bounds = { .from = 1, .to = UINT64_MAX };
	notes_Transaction t = { .source = { { 0xab } }, .bounds = &bounds, .steps = { 2, steps }, .rate = 0.5 };
	notes_Result r = { .ok = 1, .u.done = t }, no = { .u.why = { 3, (char[]){ "a\"\n" } } };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(notes_Result_print(&r, f), 0);
	ck_assert_int_eq(notes_Result_print(&no, f), 0);
	fclose(f);
	ck_assert_str_eq(text,
		"notes_Result:\n  ok: TRUE\n  done:\n"
		"    source: ab00000000000000000000000000000000000000000000000000000000000000\n"
		"    bounds:\n      from: 1\n      to: 18446744073709551615\n"
		"    steps: [2]\n      -:\n        type: 4000000000\n        path: [1]\n          -:\n"
		"            kind: KIND_SHORT\n            code4: 61626364\n"
		"      -:\n        type: 0\n        pay: -5\n"
		"    signatures: [0]\n    rate: 0.5\n    share: 0\n"
		"notes_Result:\n  ok: FALSE\n  why: \"a\\\"\\x0a\"\n");
	free(text);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("xdr");
	tcase_set_timeout(c, 60);
	tcase_add_test(c, numbers_are_as_the_standard_says);
	tcase_add_test(c, opaques_are_padded);
	tcase_add_test(c, long_opaques_are_padded);
	tcase_add_test(c, strings_have_a_zero_behind_them);
	tcase_add_test(c, unions_have_arms);
	tcase_add_test(c, bodies_in_bodies);
	tcase_add_test(c, lists_are_optional_after_optional);
	tcase_add_test(c, arrays_are_their_elements);
	tcase_add_test(c, padding_in_arrays_is_zero);
	tcase_add_test(c, what_no_value_has_is_refused);
	tcase_add_test(c, padding_is_zero_unless_it_is_lax);
	tcase_add_test(c, values_are_printed);
	Suite *s = suite_create("ilp/xdr");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}
