#include "core/link/tcpk_ways.h"
#include "kernel/uapi/tcpk.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MTU_UNKNOWN 1500
#define ANY_PORT 9

int link_tcpk_open(const struct link_tcpk_config *config, struct link **out)
{
	long page = sysconf(_SC_PAGESIZE);
	int e = -EPROTONOSUPPORT;

	if (config->ring_bytes & (config->ring_bytes - 1) || (config->ring_bytes && config->ring_bytes < page))
		return -EINVAL;
	if (config->by != LINK_TCPK_BPF)
		e = tcpk_module_open(config, out);
	if (e == -EPROTONOSUPPORT && config->by != LINK_TCPK_MODULE)
		e = tcpk_bpf_open(config, out);
	return e;
}

enum link_tcpk_by link_tcpk_by(const struct link *link)
{
	return link->ops == &tcpk_bpf_ops ? LINK_TCPK_BPF : LINK_TCPK_MODULE;
}

struct link_tcpk_stats link_tcpk_stats(struct link *link)
{
	return link_tcpk_by(link) == LINK_TCPK_BPF ? tcpk_bpf_stats(link) : tcpk_module_stats(link);
}

bool link_tcpk_missing(const char *path, char *text, size_t size)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int module = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_TCPK), module_error = errno;
	int helper = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool there = module >= 0;

	if (!path)
		path = TCPKD_PATH;
	text[0] = 0;
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (!there && helper >= 0 && !connect(helper, (struct sockaddr *)&a, sizeof a))
		there = true;
	if (!there)
		snprintf(text, size, "no module: %s; load it with `insmod tcpk.ko' (make module)\n"
			"no helper: %s: %s; start it with `tcpkd', as root\n",
			strerror(module_error), path, strerror(errno));
	if (module >= 0)
		close(module);
	if (helper >= 0)
		close(helper);
	return there;
}

/* A UDP socket that is connected has looked up the way, and sent nothing. */
int tcpk_look_up(uint32_t remote_ip, uint32_t *local_ip, uint32_t *mtu)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(ANY_PORT), .sin_addr.s_addr = remote_ip };
	socklen_t len = sizeof a, found_len = sizeof(int);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), found = 0, e = 0;

	*local_ip = *mtu = 0;
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len) ||
		getsockopt(fd, IPPROTO_IP, IP_MTU, &found, &found_len))
		e = -errno;
	close(fd);
	*local_ip = a.sin_addr.s_addr;
	*mtu = (uint32_t)found;
	return e;
}

int tcpk_route(struct link *link, uint32_t remote_ip, uint32_t *local_ip)
{
	uint32_t found, mtu;
	int e = tcpk_look_up(remote_ip, &found, &mtu);

	(void)link;
	if (!e && !*local_ip)
		*local_ip = found;
	return e;
}

uint32_t tcpk_mtu(struct link *link, uint32_t remote_ip)
{
	uint32_t local_ip, mtu;

	(void)link;
	return tcpk_look_up(remote_ip, &local_ip, &mtu) ? MTU_UNKNOWN : mtu;
}
