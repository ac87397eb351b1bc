#include "tests/netns/forge.h"

#include "core/cksum.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define SHORT 64 /* bytes of data */

#define EITHER(field) (f->field ? f->field : o->field)

size_t forge(uint8_t frame[FORGE_MAX], const struct forgery *f, const struct forgery *o)
{
	const uint16_t type = htons(f->eth_type ? f->eth_type : ETH_P_IP);
	const uint32_t data_len = f->data_len ? f->data_len : SHORT;
	const size_t options_len = f->options[0] ? sizeof f->options : 0;
	uint8_t *p = frame;
	struct iphdr ip = { .version = 4, .ihl = (unsigned)(5 + options_len / 4) & 15, .ttl = 64,
		.protocol = f->protocol ? f->protocol : IPPROTO_TCP, .frag_off = htons(f->frag),
		.saddr = inet_addr(EITHER(src)), .daddr = inet_addr(EITHER(dst)),
		.tot_len = htons((uint16_t)(20 + options_len + 20 + data_len + (uint32_t)f->length_by)) };
	const struct tcphdr tcp = { .source = htons(EITHER(sport)), .dest = htons(EITHER(dport)), .doff = 5, .ack = 1,
		.window = htons(1000), .check = 1 };
	char mark[128];
	size_t n = (size_t)snprintf(mark, sizeof mark, FORGE_MARK "%s;", f->name);

	memcpy(p, f->mac, 6);
	memset(p + 6, 0, 6);
	p += 12;
	if (f->vlan) {
		memcpy(p, &(uint16_t){ htons(f->vlan) }, 2);
		memcpy(p + 2, &(uint16_t){ htons(7) }, 2);
		p += 4;
	}
	memcpy(p, &type, 2);
	p += 2;
	memcpy(p, &ip, sizeof ip);
	memcpy(p + sizeof ip, f->options, options_len);
	ip.check = (uint16_t)~tcpu_sum(p, sizeof ip + options_len);
	memcpy(p, &ip, sizeof ip);
	p += sizeof ip + options_len;
	memcpy(p, &tcp, sizeof tcp);
	p += sizeof tcp;
	for (uint32_t i = 0; i < data_len; i++)
		*p++ = (uint8_t)mark[i % n];
	return (size_t)(p - frame);
}
