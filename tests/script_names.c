/* What words of a script stand for: Linux's constants, errors, ICMP as packetdrill calls it, and fields of struct
 * tcp_info and struct tcpu_info. */
#include "tests/script.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#define ERRNO_MAX 133 /* EHWPOISON */
#define SOL_TCP IPPROTO_TCP /* of <netinet/tcp.h>, which does not stand beside <linux/tcp.h> */

#define CONSTANTS(X) \
	X(AF_INET) X(AF_INET6) X(PF_INET) X(AF_UNIX) X(SOCK_STREAM) X(SOCK_DGRAM) X(SOCK_NONBLOCK) X(SOCK_CLOEXEC) \
	X(IPPROTO_IP) X(IPPROTO_TCP) X(IPPROTO_UDP) X(IPPROTO_TCPK) X(SOL_SOCKET) X(SOL_TCP) X(SOL_IP) \
	X(SO_REUSEADDR) X(SO_KEEPALIVE) X(SO_LINGER) X(SO_SNDBUF) X(SO_RCVBUF) X(SO_SNDTIMEO) X(SO_RCVTIMEO) \
	X(SO_ERROR) X(SO_TYPE) X(SO_ACCEPTCONN) X(SO_PROTOCOL) X(SO_DOMAIN) X(SO_MAX_PACING_RATE) X(SO_OOBINLINE) \
	X(SO_BROADCAST) X(SO_RCVLOWAT) \
	X(TCP_NODELAY) X(TCP_CORK) X(TCP_MAXSEG) X(TCP_KEEPIDLE) X(TCP_KEEPINTVL) X(TCP_KEEPCNT) \
	X(TCP_USER_TIMEOUT) X(TCP_LINGER2) X(TCP_SYNCNT) X(TCP_QUICKACK) X(TCP_CONGESTION) X(TCP_INFO) \
	X(TCP_DEFER_ACCEPT) X(TCP_WINDOW_CLAMP) X(TCP_FASTOPEN) X(TCPU_THREAD) \
	X(F_GETFL) X(F_SETFL) X(F_GETFD) X(F_SETFD) X(O_RDONLY) X(O_WRONLY) X(O_RDWR) X(O_NONBLOCK) X(O_APPEND) \
	X(FIONREAD) X(FIONBIO) X(SIOCINQ) X(SIOCOUTQ) X(SIOCOUTQNSD) X(SIOCATMARK) \
	X(MSG_PEEK) X(MSG_DONTWAIT) X(MSG_WAITALL) X(MSG_MORE) X(MSG_NOSIGNAL) X(MSG_OOB) X(MSG_TRUNC) \
	X(MSG_ERRQUEUE) X(MSG_EOR) X(MSG_ZEROCOPY) X(MSG_FASTOPEN) X(TF_NODELAY) \
	X(SHUT_RD) X(SHUT_WR) X(SHUT_RDWR) X(POLLIN) X(POLLOUT) X(POLLERR) X(POLLHUP) X(POLLNVAL) X(POLLPRI) X(POLLRDHUP) \
	X(TCP_CA_Open) X(TCP_CA_Disorder) X(TCP_CA_CWR) X(TCP_CA_Recovery) X(TCP_CA_Loss) \
	X(TCPI_OPT_TIMESTAMPS) X(TCPI_OPT_SACK) X(TCPI_OPT_WSCALE) X(TCPI_OPT_ECN) X(TCPI_OPT_ECN_SEEN) \
	X(TCPU_CLOSED) X(TCPU_LISTEN) X(TCPU_SYN_SENT) X(TCPU_SYN_RECEIVED) X(TCPU_ESTABLISHED) X(TCPU_FIN_WAIT_1) \
	X(TCPU_FIN_WAIT_2) X(TCPU_CLOSE_WAIT) X(TCPU_CLOSING) X(TCPU_LAST_ACK) X(TCPU_TIME_WAIT)

static const struct constant {
	const char *name;
	int64_t value;
} constants[] = {
#define X(c) { #c, c },
	CONSTANTS(X)
#undef X
};

int script_errno(struct script_text name)
{
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *s = strerrorname_np(e);

		if (s && script_text_is(name, s))
			return e;
	}
	return 0;
}

bool script_constant(struct script_text name, int64_t *value)
{
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (script_text_is(name, constants[i].name)) {
			*value = constants[i].value;
			return true;
		}
	*value = script_errno(name);
	return *value;
}

/* RFC 1122 4.2.3.9, as Linux maps it. */
int script_icmp_error(struct script_text type, struct script_text code)
{
	static const struct {
		const char *code;
		int error;
	} unreachable[] = {
		{ "net_unreachable", ENETUNREACH }, { "host_unreachable", EHOSTUNREACH },
		{ "protocol_unreachable", ENOPROTOOPT }, { "port_unreachable", ECONNREFUSED },
		{ "frag_needed", EMSGSIZE }, { "source_route_failed", EOPNOTSUPP }, { "net_unknown", ENETUNREACH },
		{ "host_unknown", EHOSTDOWN }, { "net_prohibited", ENETUNREACH }, { "host_prohibited", EHOSTUNREACH },
		{ "communication_prohibited", EHOSTUNREACH },
	};

	if (script_text_is(type, "time_exceeded") && script_text_is(code, "ttl_exceeded"))
		return EHOSTUNREACH;
	if (script_text_is(type, "unreachable"))
		for (size_t i = 0; i < sizeof unreachable / sizeof *unreachable; i++)
			if (script_text_is(code, unreachable[i].code))
				return unreachable[i].error;
	return 0;
}

/* Getters, since some of the fields are bits. */
#define TCPI(X) \
	X(state) X(ca_state) X(retransmits) X(probes) X(backoff) X(options) X(snd_wscale) X(rcv_wscale) X(rto) X(ato) \
	X(snd_mss) X(rcv_mss) X(unacked) X(sacked) X(lost) X(retrans) X(fackets) X(last_data_sent) X(last_ack_sent) \
	X(last_data_recv) X(last_ack_recv) X(pmtu) X(rcv_ssthresh) X(rtt) X(rttvar) X(snd_ssthresh) X(snd_cwnd) \
	X(advmss) X(reordering) X(rcv_rtt) X(rcv_space) X(total_retrans) X(pacing_rate) X(max_pacing_rate) \
	X(bytes_acked) X(bytes_received) X(segs_out) X(segs_in) X(notsent_bytes) X(min_rtt) X(data_segs_in) \
	X(data_segs_out) X(delivery_rate) X(busy_time) X(rwnd_limited) X(sndbuf_limited) X(delivered) X(delivered_ce) \
	X(bytes_sent) X(bytes_retrans) X(dsack_dups) X(reord_seen) X(rcv_ooopack) X(snd_wnd)
#define TCPU(X) \
	X(state) X(mss) X(cwnd_bytes) X(ssthresh_bytes) X(snd_wnd_bytes) X(rcv_wnd_bytes) X(srtt_us) X(rttvar_us) \
	X(rto_us) X(min_rtt_us) X(buffered_bytes) X(unsent_bytes) X(waiting_bytes) X(flight_bytes) X(sndbuf_bytes) \
	X(rcvbuf_bytes) X(path_mtu) X(soft_error) X(sack) X(timestamps) X(ecn) X(scaling) X(sent_bytes) X(acked_bytes) \
	X(received_bytes) X(direct_bytes) X(segments_out) X(segments_in) X(retransmits) X(timeouts) X(fast_retransmits) \
	X(tail_probes) X(spurious) X(dsacks_in) X(dsacks_out) X(paws_drops) X(ecn_marks_in) X(ecn_reductions) \
	X(bad_checksums) X(out_of_order) X(duplicates)

#define X(f) \
	static int64_t tcpi_##f(const struct tcp_info *i, const struct tcpu_info *u) \
	{ \
		(void)u; \
		return (int64_t)i->tcpi_##f; \
	}
TCPI(X)
#undef X
#define X(f) \
	static int64_t tcpu_##f(const struct tcp_info *i, const struct tcpu_info *u) \
	{ \
		(void)i; \
		return (int64_t)u->f; \
	}
TCPU(X)
#undef X

static const struct script_field fields[] = {
#define X(f) { "tcpi_" #f, tcpi_##f },
	TCPI(X)
#undef X
#define X(f) { "tcpu_" #f, tcpu_##f },
	TCPU(X)
#undef X
};

const struct script_field *script_field(struct script_text name)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (script_text_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}
