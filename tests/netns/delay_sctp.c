/* ADUs as SCTP's messages (RFC 9260), unordered or not, by usrsctp in UDP (RFC 6951): what tests/netns/delay.sh
 * compares with. Its congestion control is SCTP's own, since it has no CUBIC; what else could stand in its way is set
 * as in Linux's TCP: no limit of packets a burst, of which an ADU is six, timeouts of 200 ms at least, acknowledgements
 * delayed by 40 ms at most.
 *
 * Unordered messages in fragments, which ours are, are put together by usrsctp one after another in each stream: they
 * wait for each other's holes, unless they have streams of their own. */
#include "tests/netns/delay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <usrsctp.h>

#define BUFFER_BYTES (8 << 20) /* never what limits */
#define UDP_PORT 9899          /* RFC 6951 (4.1) */

static struct socket *fd;
static struct delay_options options;

static void set(struct socket *s, int name, const void *value, socklen_t len)
{
	if (usrsctp_setsockopt(s, IPPROTO_SCTP, name, value, len))
		delay_fail("setsockopt");
}

static void sctp_open(const struct delay_options *o)
{
	const int on = 1;
	struct sctp_initmsg streams = { .sinit_num_ostreams = o->streams, .sinit_max_instreams = o->streams };
	struct sctp_udpencaps by_udp = { .sue_address.ss_family = AF_INET, .sue_port = htons(UDP_PORT) };
	struct sockaddr_in address = o->address;
	struct socket *s;

	options = *o;
	usrsctp_init(UDP_PORT, NULL, NULL);
	usrsctp_sysctl_set_sctp_sendspace(BUFFER_BYTES);
	usrsctp_sysctl_set_sctp_recvspace(BUFFER_BYTES);
	usrsctp_sysctl_set_sctp_max_burst_default(0);
	usrsctp_sysctl_set_sctp_rto_min_default(200);
	usrsctp_sysctl_set_sctp_delayed_sack_time_default(40);
	s = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (!s)
		delay_fail("socket");
	set(s, SCTP_NODELAY, &on, sizeof on);
	set(s, SCTP_INITMSG, &streams, sizeof streams);
	set(s, SCTP_REMOTE_UDP_ENCAPS_PORT, &by_udp, sizeof by_udp);
	if (o->sends) {
		if (usrsctp_connect(s, (struct sockaddr *)&address, sizeof address))
			delay_fail("connect");
		fd = s;
		return;
	}
	if (usrsctp_bind(s, (struct sockaddr *)&address, sizeof address) || usrsctp_listen(s, 1))
		delay_fail("listen");
	delay_listens();
	fd = usrsctp_accept(s, NULL, NULL);
	if (!fd)
		delay_fail("accept");
	usrsctp_close(s);
}

static void sctp_send(const uint8_t *adu)
{
	static uint16_t stream;
	struct sctp_sndinfo how = { .snd_sid = stream, .snd_flags = options.ordered ? 0 : SCTP_UNORDERED };

	stream = (uint16_t)((stream + 1) % options.streams);
	if (usrsctp_sendv(fd, adu, DELAY_BYTES, NULL, 0, &how, sizeof how, SCTP_SENDV_SNDINFO, 0) != DELAY_BYTES)
		delay_fail("send");
}

/* A message may come in parts. */
static bool sctp_recv(uint8_t *adu)
{
	struct sctp_rcvinfo info;
	socklen_t info_len, from_len;
	struct sockaddr_in from;
	unsigned type;
	size_t have = 0;
	int flags = 0;

	while (!(flags & MSG_EOR)) {
		ssize_t n;

		info_len = sizeof info;
		from_len = sizeof from;
		n = usrsctp_recvv(fd, adu + have, DELAY_BYTES - have, (struct sockaddr *)&from, &from_len, &info,
			&info_len, &type, &flags);
		if (n == 0 && have == 0)
			return false;
		if (n <= 0)
			delay_fail("recv");
		have += (size_t)n;
	}
	errno = EBADMSG;
	if (have != DELAY_BYTES)
		delay_fail("recv");
	return true;
}

/* SHUTDOWN waits until all is acknowledged. */
static void sctp_close(void)
{
	uint8_t end[DELAY_BYTES];

	if (usrsctp_shutdown(fd, SHUT_WR) == 0)
		while (sctp_recv(end))
			continue;
	usrsctp_close(fd);
	while (usrsctp_finish())
		usleep(10000);
}

int main(int argc, char **argv)
{
	static const struct delay_way sctp = { sctp_open, sctp_send, sctp_recv, sctp_close };

	return delay_main(&sctp, argc, argv);
}
