/* Runs a program as a kernel before 6.16 would, which cannot refuse descriptors (SO_PASSRIGHTS): older PROGRAM
 * ARGUMENTS... */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSRIGHTS 83

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2 || !filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOPROTOOPT), SCMP_SYS(setsockopt), 2,
			SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0), SCMP_A2(SCMP_CMP_EQ, PASSRIGHTS, 0)) || seccomp_load(filter)) {
		fprintf(stderr, "older: expected a program, and a kernel with seccomp\n");
		return 1;
	}
	seccomp_release(filter);
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
