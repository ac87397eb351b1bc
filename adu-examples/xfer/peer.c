/* The other end of a transfer: ADUs to it and from it, and patience that ends. */
#include "adu-examples/xfer/xfer.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int peer_socket(const struct options *o)
{
	return socket_tcpu(AF_INET, SOCK_STREAM, o->tcpk ? IPPROTO_TCPK : 0);
}

static enum status broken(struct peer *p)
{
	if (interrupted)
		return INTERRUPTED;
	p->broken = true;
	if (errno == EAGAIN)
		return complain(FAILED, "the peer has been silent for %u s", p->options->timeout_s);
	if (errno == EBADMSG)
		return complain(FAILED, "the peer went away, or does not speak xfer");
	return complain(FAILED, "the connection broke: %s", strerror(errno));
}

static enum status open_alf(struct peer *p)
{
	const struct options *o = p->options;
	struct greeting mine = { .magic = MAGIC, .version = htobe32(VERSION) };
	struct alf_profile profile = {
		.chain = o->chains,
		.schedule = o->schedule,
		.initiator = p->initiator,
		.markers = true,
		.crc = true,
		.adu_max = ADU_LARGEST,
		.wanted = 1U << ADU_OPENED | 1U << ADU_COMPLETE | 1U << ADU_ERROR | 1U << ADU_ENDED,
		.private_data = &mine,
		.private_len = sizeof mine,
	};

	snprintf(mine.chain, sizeof mine.chain, "%s", o->chain);
	p->alf = alf_open(p->fd, &profile);
	return p->alf ? OK : complain(FAILED, "chain %s: %s", o->chain, strerror(errno));
}

/* Each end says by itself what keeps them from talking: there is no chain yet that both know. */
static enum status greeted(struct peer *p)
{
	struct alf_peer said;
	struct greeting g;

	if (!alf_peer(p->alf, &said) || said.private_len != sizeof g)
		return complain(FAILED, "the peer does not speak xfer");
	memcpy(&g, said.private_data, sizeof g);
	if (memcmp(g.magic, MAGIC, sizeof g.magic) != 0)
		return complain(FAILED, "the peer does not speak xfer");
	if (be32toh(g.version) != VERSION)
		return complain(FAILED, "the other end has another version of xfer");
	g.chain[peer_legible(g.chain, sizeof g.chain - 1)] = 0;
	if (strcmp(g.chain, p->options->chain) != 0)
		return complain(FAILED, "the other end's chain is %s, here it is %s: give both the same --chain", g.chain,
				p->options->chain);
	return OK;
}

enum status peer_open(struct peer *p, const struct options *o, int fd, bool initiator)
{
	struct timeval patience = { .tv_sec = o->timeout_s };
	struct adu_event e;
	enum status s;
	int r;

	*p = (struct peer){ .options = o, .fd = fd, .initiator = initiator };
	setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	s = open_alf(p);
	if (s != OK)
		return s;
	r = adu_next(p->alf, &e, (int)o->timeout_s * 1000);
	if (r == 0)
		errno = EAGAIN;
	else if (r > 0 && e.kind == ADU_ERROR)
		errno = e.error;
	return r > 0 && e.kind == ADU_OPENED ? greeted(p) : broken(p);
}

void peer_close(struct peer *p)
{
	alf_close(p->alf);
	if (p->broken) /* nobody there to wait for */
		fcntl_tcpu(p->fd, F_SETFL, O_NONBLOCK);
	if (interrupted) /* the other end should hear of it, but the user does not wait long */
		alarm(PARTING_S);
	close_tcpu(p->fd);
}

/* A call ran out of time, though perhaps not because the peer is silent: an ADU is large, the path may be slow. */
static bool moves(const struct peer *p, struct tcpu_info *before)
{
	struct tcpu_info now;

	if (interrupted || (errno != EAGAIN && errno != EINTR) || info_tcpu(p->fd, &now))
		return false;
	if (errno == EAGAIN && now.acked_bytes == before->acked_bytes && now.received_bytes == before->received_bytes)
		return false;
	*before = now;
	return true;
}

enum status peer_send(struct peer *p, enum adu_type type, const void *name, uint8_t name_len, const void *data,
		      size_t len)
{
	struct adu_attr attr = { .type = (uint8_t)type, .name_len = name_len };
	struct tcpu_info before = { 0 };

	if (name_len)
		memcpy(attr.name, name, name_len);
	info_tcpu(p->fd, &before);
	while (adu_send(p->alf, data, len, &attr) < 0)
		if (!moves(p, &before))
			return broken(p);
	return OK;
}

enum status peer_tell(struct peer *p, enum status status, const char *text)
{
	uint8_t name = (uint8_t)status;

	return peer_send(p, p->options->receive ? ANSWER : GIVE_UP, &name, 1, text, strlen(text));
}

size_t peer_legible(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (uint8_t)text[n] >= ' ' && text[n] != 0x7f)
		n++;
	return n;
}

/* What the peer told, in its words where they can be read. */
static enum status told(const struct adu_attr *attr, const char *text, size_t len)
{
	enum status status = attr->name_len == 1 ? attr->name[0] : FAILED;

	if (status == OK)
		return OK;
	if (status == WRONG_KEY)
		return complain(status, "the key is wrong: the receiver's is another");
	/* Of all statuses that are left only this one is the same at both ends. */
	return complain(status == UNWRITABLE ? UNWRITABLE : FAILED, "the other end gives up: %.*s",
			(int)peer_legible(text, len), text);
}

enum status peer_recv(struct peer *p, void *buf, size_t cap, struct adu_attr *attr, size_t *len)
{
	struct tcpu_info before = { 0 };
	int64_t id;
	ssize_t n;

	info_tcpu(p->fd, &before);
	while ((n = adu_recv(p->alf, buf, cap, attr, &id, NULL)) < 0) {
		if (errno == EMSGSIZE)
			return complain(FAILED, "the peer sends an ADU that is too large here");
		if (!moves(p, &before))
			return broken(p);
	}
	*len = (size_t)n;
	if (id == 0)
		return complain(FAILED, "the peer went away");
	if (attr->type == (p->options->receive ? GIVE_UP : ANSWER))
		return told(attr, buf, *len);
	return OK;
}

bool peer_speaks(struct peer *p)
{
	struct adu_event e;

	return adu_next(p->alf, &e, 0) != 0;
}
