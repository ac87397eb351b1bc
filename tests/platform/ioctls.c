/* What a client can do to its TAP by ioctl, of which nothing reaches another device; and that it gets no TAP of its
 * own, nor one that another client has. */
#include "tests/platform/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct ifreq fresh(const char *name, int flags)
{
	struct ifreq r = { .ifr_flags = (short)flags };

	strcpy(r.ifr_name, name);
	return r;
}

static int told(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/* An error, or 0: what the kernel answers to each. */
static bool client(const int *fds)
{
	struct ifreq own = fresh("mine%d", IFF_TAP | IFF_NO_PI), queue = fresh("", IFF_DETACH_QUEUE), mac = fresh("wire", 0);
	struct sock_filter all = { .code = BPF_RET, .k = 0 };
	struct sock_fprog filter = { .len = 1, .filter = &all };
	int header = 12, off = 0, none = -1, sndbuf = 1 << 30;
	const struct {
		const char *name;
		unsigned long request;
		void *argument;
		int answer;
	} asked[] = {
		{ "TUNSETIFF", TUNSETIFF, &own, -EEXIST },
		{ "TUNSETPERSIST", TUNSETPERSIST, (void *)1, 0 },
		{ "TUNSETPERSIST back", TUNSETPERSIST, NULL, 0 },
		{ "TUNSETOWNER", TUNSETOWNER, (void *)65534, 0 },
		{ "TUNSETLINK of a device that is up", TUNSETLINK, (void *)ARPHRD_PPP, -EBUSY },
		{ "TUNSETOFFLOAD", TUNSETOFFLOAD, NULL, 0 },
		{ "TUNSETVNETHDRSZ", TUNSETVNETHDRSZ, &header, 0 },
		{ "TUNSETSNDBUF", TUNSETSNDBUF, &sndbuf, 0 },
		{ "TUNSETCARRIER", TUNSETCARRIER, &off, 0 },
		{ "TUNSETQUEUE", TUNSETQUEUE, &queue, -EINVAL },
		{ "TUNATTACHFILTER", TUNATTACHFILTER, &filter, 0 },
		{ "TUNSETSTEERINGEBPF, none", TUNSETSTEERINGEBPF, &none, 0 },
		{ "TUNSETFILTEREBPF, none", TUNSETFILTEREBPF, &none, 0 },
		{ "TUNGETDEVNETNS", TUNGETDEVNETNS, NULL, -EPERM },
		{ "SIOCSIFMTU, which is a socket's", SIOCSIFMTU, &mac, -EINVAL },
		{ "SIOCSIFNAME, which is a socket's", SIOCSIFNAME, &mac, -EINVAL },
		{ "SIOCSIFFLAGS, which is a socket's", SIOCSIFFLAGS, &mac, -EINVAL },
	};

	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		int answer = told(fds[0], asked[i].request, asked[i].argument);

		check(answer == asked[i].answer, "%s: %d, not %d", asked[i].name, answer, asked[i].answer);
	}
	mac.ifr_hwaddr = (struct sockaddr){ .sa_family = ARPHRD_ETHER, .sa_data = { 2, 1, 1, 1, 1, 1 } };
	check(told(fds[0], SIOCSIFHWADDR, &mac) == 0, "SIOCSIFHWADDR, of another device's name");
	return true;
}

/* /dev/net/tun itself, where everybody may open it. */
static bool opener(const int *fds)
{
	struct ifreq own = fresh("mine", IFF_TAP | IFF_NO_PI), other = fresh("tap1", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	struct ifreq owned = fresh("owned", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	struct ifreq free = fresh("free", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);

	check(told(fds[0], TUNSETIFF, &own) == -EPERM, "no new device");
	check(told(fds[0], TUNSETIFF, &other) == -EBUSY, "not one that another holds");
	check(told(fds[0], TUNSETIFF, &owned) == -EPERM, "not a persistent one with an owner");
	check(told(fds[0], TUNSETIFF, &free) == 0, "but one that is persistent, without owner and holder");
	return true;
}

/* A device that stays without a holder. */
static void leave(const char *name, bool owned)
{
	struct ifreq r = fresh(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || (owned && ioctl(fd, TUNSETOWNER, 0)) || ioctl(fd, TUNSETPERSIST, 1))
		give_up("a persistent TAP");
	close(fd);
}

/* What the kernel tells of all devices but the client's. */
static size_t others(char text[8192])
{
	FILE *f = popen("ip -o -d link show | grep -vw tap0 | sort", "r");
	size_t len = f ? fread(text, 1, 8192, f) : 0;

	if (!len || pclose(f))
		give_up("the list of devices");
	return len;
}

int main(void)
{
	char before[8192], after[8192];
	int near, far, fd;
	size_t len;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	fd = tap("tap0");
	tap("tap1");
	leave("owned", true);
	leave("free", false);
	len = others(before);
	check(as_nobody(client, &fd, 1), "the client came to its end");
	check(others(after) == len && !memcmp(before, after, len), "no other device has changed");
	check(try_run("ip link show tap0 | grep -q 02:01:01:01:01:01"), "only its own");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	check(fd >= 0 && as_nobody(opener, &fd, 1), "who may open the node");
	return conclude();
}
