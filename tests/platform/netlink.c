#include "tests/platform/probe.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr h;
	struct ifinfomsg link;
	uint8_t attributes[128];
};

/* Opens an attribute at the end; what is added until its length is set stands in it. */
static struct rtattr *open_attribute(struct request *r, uint16_t type)
{
	struct rtattr *a = (void *)((uint8_t *)r + r->h.nlmsg_len);

	a->rta_type = type;
	r->h.nlmsg_len += (uint32_t)sizeof *a;
	return a;
}

static void close_attribute(struct request *r, struct rtattr *a)
{
	a->rta_len = (uint16_t)((uint8_t *)r + r->h.nlmsg_len - (uint8_t *)a);
}

/* The kernel's answer: 0 or a negative errno. */
static int ask(struct request *r)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		uint8_t rest[512];
	} answer = { 0 };

	r->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, r, r->h.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0 ||
		answer.h.nlmsg_type != NLMSG_ERROR)
		give_up("rtnetlink");
	close(fd);
	return answer.e.error;
}

int set_ipv4(const char *device, uint16_t setting, uint32_t value)
{
	struct request r = { .h = { .nlmsg_type = RTM_SETLINK, .nlmsg_len = NLMSG_LENGTH(sizeof r.link) },
		.link.ifi_index = (int)index_of(device) };
	struct rtattr *spec = open_attribute(&r, IFLA_AF_SPEC), *inet = open_attribute(&r, AF_INET);
	struct rtattr *conf = open_attribute(&r, IFLA_INET_CONF), *a = open_attribute(&r, setting);

	memcpy(RTA_DATA(a), &value, sizeof value);
	r.h.nlmsg_len += (uint32_t)sizeof value;
	close_attribute(&r, a);
	close_attribute(&r, conf);
	close_attribute(&r, inet);
	close_attribute(&r, spec);
	return ask(&r);
}

int delete_device(unsigned index)
{
	struct request r = { .h = { .nlmsg_type = RTM_DELLINK, .nlmsg_len = NLMSG_LENGTH(sizeof r.link) },
		.link.ifi_index = (int)index };

	return ask(&r);
}
