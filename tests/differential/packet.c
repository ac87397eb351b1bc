#include "tests/differential/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
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

uint16_t packet_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t tcp_sum(const struct packet *p, const uint8_t *tcp, size_t len)
{
	uint8_t pseudo[12] = { 0 };

	put32(pseudo, p->src_ip);
	put32(pseudo + 4, p->dst_ip);
	pseudo[9] = 6;
	put16(pseudo + 10, (uint32_t)len);
	return packet_sum((uint16_t)~packet_sum(0, pseudo, sizeof pseudo), tcp, len);
}

static bool read_option(struct packet *p, const uint8_t *o, uint32_t len)
{
	switch (o[0]) {
	case 2:
		p->mss = (uint16_t)get16(o + 2);
		return len == 4;
	case 3:
		p->scale = o[2];
		return len == 3;
	case 4:
		p->sack_ok = true;
		return len == 2;
	case 5:
		p->sacks = (len - 2) / 8;
		for (uint32_t i = 0; i < p->sacks && i < PACKET_SACKS; i++) {
			p->sack[i][0] = get32(o + 2 + 8 * i);
			p->sack[i][1] = get32(o + 6 + 8 * i);
		}
		return p->sacks >= 1 && p->sacks <= PACKET_SACKS && len == 2 + 8 * p->sacks;
	case 8:
		p->timestamps = true;
		p->tsval = get32(o + 2);
		p->tsecr = get32(o + 6);
		return len == 10;
	default:
		return false; /* neither side has anything else to say */
	}
}

static bool read_options(struct packet *p)
{
	const uint8_t *o = p->options;

	for (uint32_t i = 0, n; i < p->options_len; i += n) {
		n = 1;
		if (o[i] == 0)
			return true;
		if (o[i] == 1)
			continue;
		if (i + 1 >= p->options_len || o[i + 1] < 2 || i + o[i + 1] > p->options_len)
			return false;
		n = o[i + 1];
		if (!read_option(p, o + i, n))
			return false;
	}
	return true;
}

void packet_read(struct packet *p, const uint8_t *tcp, size_t len)
{
	size_t header = len < 20 ? 0 : (size_t)(tcp[12] >> 4) * 4;

	p->good = false;
	if (header < 20 || header > len || len - header > PACKET_DATA_MAX)
		return;
	p->src_port = (uint16_t)get16(tcp);
	p->dst_port = (uint16_t)get16(tcp + 2);
	p->seq = get32(tcp + 4);
	p->ack = get32(tcp + 8);
	p->flags = tcp[13];
	p->window = (uint16_t)get16(tcp + 14);
	p->urgent = (uint16_t)get16(tcp + 18);
	p->scale = -1;
	p->options_len = (uint32_t)header - 20;
	memcpy(p->options, tcp + 20, p->options_len);
	p->len = (uint32_t)(len - header);
	memcpy(p->data, tcp + header, p->len);
	p->good = read_options(p) && tcp_sum(p, tcp, len) == 0;
}

size_t packet_write(const struct packet *p, uint8_t tcp[PACKET_MAX])
{
	uint32_t padded = (p->options_len + 3) & ~3u;
	size_t len = 20 + padded + p->len;

	memset(tcp, 0, 20 + padded);
	put16(tcp, p->src_port);
	put16(tcp + 2, p->dst_port);
	put32(tcp + 4, p->seq);
	put32(tcp + 8, p->ack);
	tcp[12] = (uint8_t)((20 + padded) / 4 << 4);
	tcp[13] = p->flags;
	put16(tcp + 14, p->window);
	put16(tcp + 18, p->urgent);
	memcpy(tcp + 20, p->options, p->options_len);
	memcpy(tcp + 20 + padded, p->data, p->len);
	put16(tcp + 16, tcp_sum(p, tcp, len));
	return len;
}

struct text {
	char *at;
	size_t left;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *t, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->at, t->left, format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t)n >= t->left)
		n = t->left ? (int)t->left - 1 : 0;
	t->at += n;
	t->left -= (size_t)n;
}

static void add_options(struct text *t, const struct packet *p)
{
	const uint8_t *o = p->options;
	const char *comma = "";

	for (uint32_t i = 0, n; i < p->options_len; i += n, comma = ",") {
		n = o[i] < 2 ? 1 : i + 1 < p->options_len ? o[i + 1] : 0;
		if (n == 0 || i + n > p->options_len || (o[i] >= 2 && n < 2)) {
			add(t, "%smalformed %u", comma, o[i]);
			return;
		}
		if (o[i] < 2)
			add(t, "%s%s", comma, o[i] ? "nop" : "eol");
		else if (o[i] == 2 && n == 4)
			add(t, "%smss %u", comma, get16(o + i + 2));
		else if (o[i] == 3 && n == 3)
			add(t, "%swscale %u", comma, o[i + 2]);
		else if (o[i] == 4 && n == 2)
			add(t, "%ssackOK", comma);
		else if (o[i] == 8 && n == 10)
			add(t, "%sTS val %u ecr %u", comma, p->tsval, p->tsecr);
		else if (o[i] == 5 && p->sacks)
			for (unsigned b = 0; b < p->sacks && b < PACKET_SACKS; b++)
				add(t, "%s%s%u:%u", b ? " " : comma, b ? "" : "sack ", p->sack[b][0], p->sack[b][1]);
		else
			add(t, "%skind %u len %u", comma, o[i], n);
	}
}

void packet_text(const struct packet *p, char *text, size_t size)
{
	static const char flag[] = { 'F', 'S', 'R', 'P', '.', 'U', 'E', 'W' }, order[] = { 1, 0, 2, 3, 5, 6, 7, 4 };
	struct text t = { text, size };

	for (size_t i = 0; i < sizeof order; i++)
		if (p->flags & 1 << order[i])
			add(&t, "%c", flag[(size_t)order[i]]);
	add(&t, "%s %u:%u(%u)", p->flags ? "" : "-", p->seq, p->seq + p->len, p->len);
	if (p->flags & PF_ACK)
		add(&t, " ack %u", p->ack);
	add(&t, " win %u", p->window);
	if (p->flags & PF_URG)
		add(&t, " urg %u", p->urgent);
	if (p->options_len) {
		add(&t, " <");
		add_options(&t, p);
		add(&t, ">");
	}
	if (!p->good)
		add(&t, " [bad]");
}
