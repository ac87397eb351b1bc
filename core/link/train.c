#include "core/link/train.h"

#include "core/cksum.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define FLAGS 13 /* where they stand in the header */
#define TH_CWR 0x80

bool train_cut(const struct link_out *train, uint32_t i, uint8_t header[TRAIN_HEADER_MAX], struct link_out *segment)
{
	uint32_t size = train->segment_len ? train->segment_len : train->data_len, at = i * size, seq;
	struct link_out o = *train;
	uint16_t sum;

	if (i && at >= train->data_len)
		return false;
	o.header = header;
	o.data = train->data + at;
	o.data_len = train->data_len - at < size ? train->data_len - at : size;
	o.segment_len = 0;
	memcpy(header, train->header, train->header_len);
	memcpy(&seq, header + offsetof(struct tcphdr, seq), sizeof seq);
	seq = htonl(ntohl(seq) + at);
	memcpy(header + offsetof(struct tcphdr, seq), &seq, sizeof seq);
	if (i)
		header[FLAGS] &= (uint8_t)~TH_CWR;
	if (at + o.data_len < train->data_len)
		header[FLAGS] &= (uint8_t)~(TH_FIN | TH_PUSH);
	memset(header + offsetof(struct tcphdr, check), 0, sizeof sum);
	sum = tcpu_sum_join(tcpu_sum(header, o.header_len), tcpu_sum(o.data, o.data_len), o.header_len);
	sum = (uint16_t)~tcpu_sum_join(tcpu_sum_pseudo(o.src.ip, o.dst.ip, o.header_len + o.data_len), sum, 0);
	memcpy(header + offsetof(struct tcphdr, check), &sum, sizeof sum);
	*segment = o;
	return true;
}
