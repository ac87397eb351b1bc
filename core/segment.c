#include "core/segment.h"

#include "core/cksum.h"

#include <string.h>

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

bool segment_read(const struct link_in *in, struct segment *s)
{
	const uint8_t *p = in->segment;

	if (in->len < HEADER_MIN)
		return false;
	s->header_len = (uint32_t)(p[12] >> 4) * 4;
	if (s->header_len < HEADER_MIN || s->header_len > in->len)
		return false;
	s->src.ip = in->src.ip;
	s->dst.ip = in->dst.ip;
	memcpy(&s->src.port, p, 2);
	memcpy(&s->dst.port, p + 2, 2);
	s->seq = get32(p + 4);
	s->ack = get32(p + 8);
	s->flags = p[13];
	s->wnd = get16(p + 14);
	s->header = p;
	s->data = p + s->header_len;
	s->len = in->len - s->header_len;
	s->ecn = in->ecn & 3;
	return true;
}

void segment_options(struct segment *s)
{
	static const uint8_t timestamp[4] = { 1, 1, 8, 10 };
	const uint8_t *p = s->header + HEADER_MIN;

	/* RFC 7323 appendix A: the layout that nearly every segment has */
	if (s->header_len == HEADER_MIN)
		s->options = (struct options){ 0 };
	else if (s->header_len == HEADER_MIN + 12 && !memcmp(p, timestamp, 4))
		s->options = (struct options){ .has_timestamp = true, .ts_val = get32(p + 4), .ts_ecr = get32(p + 8) };
	else
		s->options = options_read(p, s->header_len - HEADER_MIN);
}

uint32_t segment_length(const struct segment *s)
{
	return s->len + !!(s->flags & TH_SYN) + !!(s->flags & TH_FIN);
}

void segment_write(uint8_t *header, const struct segment *s, const uint8_t *options, uint32_t options_len,
	uint32_t data_len, uint16_t data_sum)
{
	uint32_t header_len = HEADER_MIN + options_len;
	uint16_t sum;

	memcpy(header, &s->src.port, 2);
	memcpy(header + 2, &s->dst.port, 2);
	put32(header + 4, s->seq);
	put32(header + 8, s->ack);
	header[12] = (uint8_t)(header_len / 4 << 4);
	header[13] = s->flags;
	put16(header + 14, s->wnd);
	put32(header + 16, 0); /* checksum, urgent pointer */
	if (options_len)
		memcpy(header + HEADER_MIN, options, options_len);
	/* The header is an even number of bytes, so the sums simply add. */
	sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(s->src.ip, s->dst.ip, header_len + data_len) +
		tcpu_sum(header, header_len) + data_sum);
	sum = (uint16_t)~sum;
	memcpy(header + 16, &sum, 2);
}
