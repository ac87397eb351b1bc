/* The ABI of TCPK: it compiles beside the core's header, its layout is the one described, and asking for it where
 * there is none says so. */
#include "core/tcpu.h"
#include "kernel/uapi/tcpk.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

_Static_assert(IPPROTO_TCPK == 253 && SOL_TCPK == 253, "RFC 3692");
_Static_assert(sizeof(struct tcpk_info) == 8 && offsetof(struct tcpk_info, checksum) == 6, "ABI");
_Static_assert(sizeof(struct tcpk_offload) == 8 && offsetof(struct tcpk_offload, flags) == 6, "ABI");
_Static_assert(sizeof(struct tcpk_stats) == 48, "ABI");
_Static_assert(sizeof(struct tcpk_record) == 8 && offsetof(struct tcpk_record, checksum) == 6, "ABI");
_Static_assert(sizeof(struct tcpkd_request) == 32 && offsetof(struct tcpkd_request, cursor) == 24, "ABI");
_Static_assert(sizeof(struct tcpkd_reply) == 88 && offsetof(struct tcpkd_reply, stats) == 40, "ABI");

START_TEST(no_tcpk_says_so)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_TCPK);

	if (fd >= 0) {
		printf("skipped, because this host has TCPK\n");
		close(fd);
		return;
	}
	ck_assert_int_eq(errno, EPROTONOSUPPORT);
	errno = 0;
	ck_assert_int_eq(socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK), -1);
	ck_assert_int_eq(errno, EPROTONOSUPPORT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel_tcpk");
	TCase *tc = tcase_create("kernel_tcpk");

	tcase_add_test(tc, no_tcpk_says_so);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}
