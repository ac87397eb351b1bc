/* The default framer's wire: byte for byte as alf/ddp.c draws it, and whatever a peer may make of it. */
#include "tests/alf_pipe.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct alf *open_end(bool initiator)
{
	return pipe_open(-1, ilp_find("copy_sum"), ILP_FUSED, initiator);
}

START_TEST(golden)
{
	static const uint8_t want[] = {
		0, 18 + 4 + 4 + 12, 0x01, 0x42, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, /* first of ADU 1 */
		0, 0, 0, 15, 'a', 'b', 'c', 0, 'D', 'A', 'T', 'A', 'd', 'a', 't', 'a', '0', '1', '2', '3', 0, 0, 0, 0,
		0, 18 + 3, 0x41, 0x42, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 20, /* last of ADU 1 */
		'4', '5', '6', 0, 0, 0, 0, 0,
		0, 18 + 4, 0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ADU 2: empty */
	};
	struct adu_attr attr = { .name = "abc", .name_len = 3, .type = 0x42 };
	struct alf *a = open_end(true);
	struct stream s = { 0 };

	ck_assert_int_eq(stream_send(&s, a, "DATAdata0123456", 15, &attr, 47), 0);
	ck_assert_int_eq(stream_send(&s, a, NULL, 0, NULL, 47), 0);
	ck_assert_uint_eq(s.len, sizeof want);
	ck_assert_mem_eq(s.bytes, want, sizeof want);
	alf_close(a);
	stream_free(&s);
}
END_TEST

/* What a changed byte of the headers must lead to. */
enum verdict { BAD, HARMLESS, OTHER_ATTR, OTHER_DATA };

/* Offsets in the stream of golden(). The first piece's type stands in the second's header too. */
static enum verdict verdict(size_t at, uint8_t was, uint8_t is)
{
	size_t in_first = at, in_second = at - 44, in_third = at - 44 - 28;

	if (at == 2 || in_second == 2 || in_third == 2)
		return (was ^ is) & 0xc3 ? BAD : HARMLESS; /* Rsvd is not checked */
	if (at >= 24 && at < 27)
		return OTHER_ATTR; /* name */
	if ((at >= 28 && at < 40) || (in_second >= 20 && in_second < 23))
		return OTHER_DATA;
	if ((in_first >= 40 && in_first < 44) || (in_second >= 23 && in_second < 28) || (in_third >= 24 && in_third < 28))
		return HARMLESS; /* padding and CRC are not checked */
	if (in_third == 3)
		return OTHER_ATTR;
	return BAD;
}

static ssize_t receive_two(struct pipe *p, struct alf *in, uint8_t *buf, struct adu_attr attrs[2])
{
	ssize_t n = pipe_recv(p, in, buf, 15, &attrs[0]), m;

	if (n < 0)
		return n;
	ck_assert_int_eq(n, 15);
	m = pipe_recv(p, in, NULL, 0, &attrs[1]);
	return m < 0 ? m : pipe_recv(p, in, NULL, 0, NULL) == -ENODATA ? n : -1;
}

START_TEST(every_header_byte)
{
	struct adu_attr attr = { .name = "abc", .name_len = 3, .type = 0x42 }, right[2], got[2];
	struct alf *a = open_end(true);
	struct stream s = { 0 };
	uint8_t buf[15], want[15];
	struct pipe p;

	ck_assert_int_eq(stream_send(&s, a, "DATAdata0123456", 15, &attr, 47), 0);
	ck_assert_int_eq(stream_send(&s, a, NULL, 0, NULL, 47), 0);
	alf_close(a);
	for (enum arrival arrival = 0; arrival < DAMAGED; arrival++) {
		p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments, .arrival = arrival };
		a = open_end(false);
		ck_assert_int_eq(receive_two(&p, a, want, right), 15);
		alf_close(a);
		for (size_t at = 0; at < s.len; at++) {
			uint8_t was = s.bytes[at];
			/* Every value where nothing is known yet; every bit where it is. */
			for (int v = 1; v < 256; v = arrival == IN_ORDER ? v + 1 : 2 * v) {
				enum verdict verdict_ = verdict(at, was, s.bytes[at] = (uint8_t)(was ^ v));
				ssize_t n;
				memset(got, 0, sizeof got);
				p.at = p.came = 0;
				a = open_end(false);
				n = receive_two(&p, a, buf, got);
				if (verdict_ == BAD)
					ck_assert_msg(n == -EBADMSG || n == -EMSGSIZE, "byte %zu: 0x%02x became 0x%02x: %zd", at, was,
						      s.bytes[at], n);
				else
					ck_assert_msg(n == 15, "byte %zu: 0x%02x became 0x%02x: %zd", at, was, s.bytes[at], n);
				if (verdict_ == HARMLESS || verdict_ == OTHER_DATA)
					ck_assert(!memcmp(right, got, sizeof got));
				if (verdict_ == HARMLESS || verdict_ == OTHER_ATTR)
					ck_assert_mem_eq(buf, want, 15);
				if (n == -EBADMSG && a->rx_error) /* and for good */
					ck_assert_int_eq(pipe_recv(&p, a, buf, 15, NULL), -EBADMSG);
				alf_close(a);
			}
			s.bytes[at] = was;
		}
	}
	stream_free(&s);
}
END_TEST

/* Pieces that are right one by one but not after one another. In round 1 the first piece has room for the name only. */
START_TEST(pieces_out_of_place)
{
	struct adu_attr attr = { .name_len = _i ? ADU_NAME_MAX : 0 };
	uint8_t data[300], buf[300];
	struct stream s = { 0 };
	struct alf *a = open_end(true);

	pipe_bytes(data, sizeof data, 3);
	ck_assert_int_eq(stream_send(&s, a, data, sizeof data, &attr, 92), 0);
	ck_assert_int_eq(stream_send(&s, a, data, 10, NULL, 92), 0);
	alf_close(a);
	ck_assert_uint_ge(s.segments, 5);
	ck_assert(!_i || s.ends[0] == 92);
	for (unsigned i = 0; i < s.segments; i++) {
		for (int twice = 0; twice < 2; twice++) { /* a segment is missing, or there twice */
			size_t from = i ? s.ends[i - 1] : 0, upto = twice ? s.ends[i] : from, rest = twice ? from : s.ends[i];
			uint8_t *bytes = malloc(upto + s.len - rest);
			struct pipe p = { .bytes = bytes, .len = upto + s.len - rest, .arrival = VOUCHED };
			ssize_t n = 0;
			memcpy(bytes, s.bytes, upto);
			memcpy(bytes + upto, s.bytes + rest, s.len - rest);
			a = open_end(false);
			for (int adu = 0; adu < 4 && n >= 0; adu++)
				n = pipe_recv(&p, a, buf, sizeof buf, NULL);
			if (i == s.segments - 1 && !twice)
				ck_assert_int_eq(n, -ENODATA); /* the last ADU alone is missing */
			else
				ck_assert_int_eq(n, -EBADMSG);
			alf_close(a);
			free(bytes);
		}
	}
	stream_free(&s);
}
END_TEST

START_TEST(room)
{
	struct alf_piece piece = { .first = true, .name_len = 5 };

	ck_assert_int_eq(alf_ddp.room(&piece, 36), 0); /* 2 + 18 + 4 + 8 + 4 */
	ck_assert_int_eq(alf_ddp.room(&piece, 35), -4);
	ck_assert_int_eq(alf_ddp.room(&piece, 43), 4);
	piece.first = false;
	ck_assert_int_eq(alf_ddp.room(&piece, 1460), 1436);
	ck_assert_int_le(alf_ddp.room(&piece, 1 << 20), UINT16_MAX - 18); /* ULPDU_Length has 16 bits */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_ddp");
	TCase *tc = tcase_create("alf_ddp");

	tcase_add_test(tc, room);
	tcase_add_test(tc, golden);
	tcase_add_test(tc, every_header_byte);
	tcase_add_loop_test(tc, pieces_out_of_place, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
