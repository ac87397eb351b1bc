/* ADUs over TCPU: over holes, with markers and CRC32C; or, for comparison, in the order of the stream. What
 * tests/netns/delay.sh measures. */
#include "alf/alf.h"
#include "tests/netns/delay.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#define BUFFER_BYTES (4 << 20) /* never what limits */

static int fd;
static struct alf *alf;

static void set(int s, int level, int name, const void *value, socklen_t len)
{
	if (setsockopt_tcpu(s, level, name, value, len))
		delay_fail("setsockopt");
}

static void way_open(const struct delay_options *o)
{
	const int on = 1, bytes = BUFFER_BYTES;
	const struct alf_profile profile = { .initiator = o->sends, .markers = true, .crc = true,
		.ordered = o->ordered, .congestion = "cubic" };
	int s = socket_tcpu(AF_INET, SOCK_STREAM, 0);

	if (s < 0)
		delay_fail("socket");
	set(s, IPPROTO_TCPK, TCPU_THREAD, &on, sizeof on); /* ACKs come while the sender sleeps */
	set(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	set(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (o->sends) {
		if (connect_tcpu(s, &o->address, sizeof o->address))
			delay_fail("connect");
		fd = s;
	} else {
		if (bind_tcpu(s, &o->address, sizeof o->address) || listen_tcpu(s, 1))
			delay_fail("listen");
		delay_listens();
		fd = accept_tcpu(s, NULL, NULL);
		if (fd < 0)
			delay_fail("accept");
	}
	alf = alf_open(fd, &profile);
	if (!alf)
		delay_fail("alf_open");
}

static void way_send(const uint8_t *adu)
{
	if (adu_send(alf, adu, DELAY_BYTES, NULL) < 0)
		delay_fail("send");
}

static bool way_recv(uint8_t *adu)
{
	int64_t id;
	ssize_t n = adu_recv(alf, adu, DELAY_BYTES, NULL, &id, NULL);

	if (n == 0 && id == 0)
		return false;
	if (n != DELAY_BYTES)
		delay_fail("recv");
	return true;
}

static void way_close(void)
{
	struct adu_event e;

	if (shutdown_tcpu(fd, SHUT_WR))
		delay_fail("close");
	while (adu_next(alf, &e, -1) == 1)
		if (e.kind == ADU_ERROR)
			delay_fail("end");
	alf_close(alf);
	close_tcpu(fd);
}

int main(int argc, char **argv)
{
	static const struct delay_way tcpu = { way_open, way_send, way_recv, way_close };

	return delay_main(&tcpu, argc, argv);
}
