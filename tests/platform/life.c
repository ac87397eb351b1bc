/* A client's TAP goes when its last holder dies, unless the client has made it persistent: then it is seen to be so,
 * and can be deleted all the same. */
#include "tests/platform/probe.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE "tap0"

static int persist;

/* Holds the TAP, of which it tells through the pipe, until it is killed. */
static bool hold(const int *fds)
{
	bool done = !persist || !ioctl(fds[0], TUNSETPERSIST, 1);

	if (done && write(fds[1], "", 1) == 1)
		pause();
	return false;
}

/* Until rtnetlink says that the device has gone, for a second at most. */
static bool is_told(int netlink, unsigned index)
{
	struct pollfd p = { .fd = netlink, .events = POLLIN };
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
		uint8_t rest[8192];
	} m;

	while (poll(&p, 1, 1000) == 1 && recv(netlink, &m, sizeof m, 0) > 0)
		if (m.h.nlmsg_type == RTM_DELLINK && m.link.ifi_index == (int)index)
			return true;
	return false;
}

/* Gives a new TAP to a client, and nobody else keeps it. */
static pid_t give_to_client(unsigned *index)
{
	int fds[2], ends[2];
	pid_t client;
	char byte;

	fds[0] = tap(DEVICE);
	*index = index_of(DEVICE);
	if (pipe(ends))
		give_up("a pipe");
	fds[1] = ends[1];
	client = start_nobody(hold, fds, 2);
	close(fds[0]);
	close(ends[1]);
	check(read(ends[0], &byte, 1) == 1, "the client has the TAP");
	close(ends[0]);
	check(if_nametoindex(DEVICE) == *index, "which lives as long as the client");
	return client;
}

static void kill_now(pid_t client)
{
	int status;

	kill(client, SIGKILL);
	check(waitpid(client, &status, 0) == client && WIFSIGNALED(status), "the client is killed");
}

int main(void)
{
	struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	unsigned index;
	uint64_t from;
	pid_t client;
	int netlink;

	need_platform();
	space();
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (netlink < 0 || bind(netlink, (struct sockaddr *)&links, sizeof links))
		give_up("rtnetlink");

	client = give_to_client(&index);
	check(!try_run("ip -d link show " DEVICE " | grep -q 'persist on'"), "it is not persistent");
	from = now_ns();
	kill_now(client);
	check(is_told(netlink, index), "the device goes, and rtnetlink tells");
	check(now_ns() - from < 1000000000, "within a second: %llu us", (unsigned long long)(now_ns() - from) / 1000);
	printf("killed, and gone after %llu us\n", (unsigned long long)(now_ns() - from) / 1000);
	check(!if_nametoindex(DEVICE), "it is not there");

	persist = 1;
	client = give_to_client(&index);
	check(try_run("ip -d link show " DEVICE " | grep -q 'persist on'"), "a client can make it persistent, and that shows");
	kill_now(client);
	check(!is_told(netlink, index) && if_nametoindex(DEVICE) == index, "then it stays");
	check(!delete_device(index) && !if_nametoindex(DEVICE), "until it is deleted");
	check(delete_device(index) == -ENODEV, "which is no error of another kind if it has gone");

	client = give_to_client(&index);
	check(!delete_device(index) && !if_nametoindex(DEVICE), "one whose client lives can be deleted, too");
	kill_now(client);
	return conclude();
}
