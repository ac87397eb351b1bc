/* TCP packets that somebody may not send. Each bears its name, by which watch.c knows it wherever it comes by. */
#ifndef TESTS_NETNS_FORGE_H
#define TESTS_NETNS_FORGE_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

#define FORGE_MARK "intruder:" /* and then the name and a semicolon */
#define FORGE_MAX 4096

/* 0 in a field: as it should be. */
struct forgery {
	const char *name;
	const char *src, *dst;
	uint16_t sport, dport;
	uint16_t frag;            /* flags and offset of the IP header */
	uint8_t protocol;
	uint16_t eth_type;        /* instead of IP's */
	uint16_t vlan;            /* type of a tag before it */
	uint8_t options[8];       /* of the IP header; length 8 when the first is not 0 */
	int length_by;            /* added to the IP header's length */
	uint32_t data_len;        /* of the payload, which is the name again and again */
	uint8_t mac[6];           /* destination */
};

/* Writes the frame, from its Ethernet header on; what is not said by f is said by otherwise. Returns its length. The
 * TCP checksum is wrong: no TCP answers. */
size_t forge(uint8_t frame[FORGE_MAX], const struct forgery *f, const struct forgery *otherwise);

#endif
