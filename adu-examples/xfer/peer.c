/* The other end of a transfer: ADUs to it and from it, and patience that ends. */
#include "adu-examples/xfer/xfer.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define ALIVE_US 1000000

enum status peer_nonsense(void)
{
	return complain(FAILED, "the peer does not speak xfer");
}

static enum status broken(struct peer *p)
{
	enum alf_reason reason = p->alf ? alf_reason(p->alf) : ALF_NO_REASON;

	if (interrupted)
		return INTERRUPTED;
	p->broken = true;
	if (errno == EAGAIN)
		return complain(FAILED, "the peer has been silent for %u s", p->options->road.timeout_s);
	if (reason == ALF_FORGED)
		return complain(WRONG_KEY, "what comes is not authentic: the key is wrong, or it was changed on its way");
	if (errno == EBADMSG)
		return complain(FAILED, "the peer went away, or does not speak xfer: %s", alf_reason_text(reason));
	if (errno == ESTALE)
		return complain(UNREADABLE, "a file changed while it was sent: what was lost cannot be read again");
	return complain(FAILED, "the connection broke: %s", strerror(errno));
}

/* Hook. A peer that has said nonsense gets a key as well: then it is told so. */
static bool make_key(void *ctx, const struct alf_peer *said, uint8_t *key, uint8_t iv[12])
{
	const struct peer *p = ctx;
	struct greeting theirs = { .version = 0 };

	memcpy(&theirs, said->private_data, said->private_len < sizeof theirs ? said->private_len : sizeof theirs);
	if (p->options->receive)
		key_derive(p->options->key, theirs.salt, p->greeting.salt, key, iv);
	else
		key_derive(p->options->key, p->greeting.salt, theirs.salt, key, iv);
	return true;
}

static enum status open_alf(struct peer *p, const struct alf_hooks *hooks)
{
	const struct options *o = p->options;
	struct greeting *mine = &p->greeting;
	struct alf_profile profile = o->profile;

	profile.wanted = 1U << ADU_OPENED | 1U << ADU_PLACED | 1U << ADU_DELIVERED | 1U << ADU_ACKNOWLEDGED |
		1U << ADU_ENDED | 1U << ADU_ERROR;
	profile.private_data = mine;
	profile.private_len = sizeof *mine;
	profile.hooks = *hooks;
	*mine = (struct greeting){ .magic = MAGIC, .version = htobe32(VERSION) };
	memcpy(mine->chain, o->chain, sizeof mine->chain);
	if (o->key_file) {
		if (getrandom(mine->salt, sizeof mine->salt, 0) != sizeof mine->salt)
			return complain(FAILED, "getrandom: %s", strerror(errno));
		key_prove(o->key, !o->receive, mine->salt, mine->proof);
		profile.hooks.key = make_key;
	}
	p->alf = alf_open(p->fd, &profile);
	return p->alf ? OK : complain(FAILED, "chain %s: %s", o->chain, strerror(errno));
}

/* Each end says by itself what keeps them from talking: there is no chain yet that both know. */
static enum status greeted(struct peer *p)
{
	struct alf_peer said;
	struct greeting g;
	uint8_t proof[KEY_SALT];

	if (!alf_peer(p->alf, &said) || said.private_len != sizeof g)
		return peer_nonsense();
	memcpy(&g, said.private_data, sizeof g);
	if (memcmp(g.magic, MAGIC, sizeof g.magic) != 0)
		return peer_nonsense();
	if (be32toh(g.version) != VERSION)
		return complain(FAILED, "the other end has another version of xfer");
	g.chain[legible(g.chain, sizeof g.chain - 1)] = 0;
	if (strcmp(g.chain, p->options->chain) != 0)
		return complain(FAILED, "the other end's chain is %s, here it is %s: give both the same --chain",
				g.chain, p->options->chain);
	if (p->options->key_file) {
		key_prove(p->options->key, p->options->receive, g.salt, proof);
		if (memcmp(proof, g.proof, sizeof proof) != 0)
			return complain(WRONG_KEY, "the key is wrong: the other end's is another");
	}
	return OK;
}

enum status peer_open(struct peer *p, const struct options *o, int fd, const struct alf_hooks *hooks)
{
	struct adu_event e;
	enum status s;

	*p = (struct peer){ .options = o, .fd = fd };
	s = open_alf(p, hooks);
	if (s == OK)
		s = peer_next(p, &e, true);
	return s == OK ? greeted(p) : s;
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

/* ---- what it says ---- */

/* That it gives up, or not, in its words where they can be read. */
static enum status told(const struct adu_event *e)
{
	enum status status = e->attr.name_len == 1 ? e->attr.name[0] : FAILED;
	size_t len = e->len < TEXT_MAX ? (size_t)e->len : TEXT_MAX;

	if (status == OK)
		return OK;
	/* Of all statuses only this one is the same at both ends. */
	return complain(status == UNWRITABLE ? UNWRITABLE : FAILED, "the other end gives up: %.*s",
			(int)legible(e->data, len), len ? (const char *)e->data : "");
}

static bool tells(const struct peer *p, const struct adu_event *e)
{
	return e->kind == ADU_DELIVERED && e->attr.type == (p->options->receive ? GIVE_UP : ANSWER);
}

enum status peer_next(struct peer *p, struct adu_event *e, bool wait)
{
	for (;;) {
		int r = interrupted ? -1 : adu_next(p->alf, e, wait ? (int)p->options->road.timeout_s * 1000 : 0);
		if (r == 0 && !wait) {
			e->kind = ADU_EVENTS;
			return OK;
		}
		if (r == 0)
			errno = EAGAIN;
		if (r > 0 && e->kind == ADU_ERROR) {
			errno = e->error;
			r = -1;
		}
		if (r <= 0)
			return broken(p);
		if (e->kind == ADU_ENDED)
			return complain(FAILED, "the peer went away");
		if (tells(p, e))
			return told(e);
		if (e->kind != ADU_DELIVERED || e->attr.type != ALIVE)
			return OK;
		adu_release(p->alf, e->id);
	}
}

/* A call failed. Perhaps the peer has said why. */
static enum status why(struct peer *p)
{
	struct adu_event e;
	int error = errno;

	while (!interrupted && adu_next(p->alf, &e, 0) > 0)
		if (tells(p, &e))
			return told(&e);
	errno = error;
	return broken(p);
}

/* ---- what it is told ---- */

enum status peer_send(struct peer *p, enum adu_type type, const void *data, size_t len)
{
	struct adu_attr attr = { .type = (uint8_t)type };

	return adu_send(p->alf, data, len, &attr) < 0 ? why(p) : OK;
}

enum status peer_put(struct peer *p, uint32_t stag, uint64_t to, const void *data, size_t len,
		     const struct adu_attr *attr)
{
	return adu_put(p->alf, stag, to, data, len, attr) < 0 ? why(p) : OK;
}

enum status peer_tell(struct peer *p, enum status status, const char *text)
{
	struct adu_attr attr = { .type = p->options->receive ? ANSWER : GIVE_UP, .name = { (uint8_t)status },
				 .name_len = 1 };

	return adu_send(p->alf, text, strlen(text), &attr) < 0 ? why(p) : OK;
}

void peer_alive(struct peer *p)
{
	struct adu_attr attr = { .type = ALIVE };
	uint64_t now_us = now_tcpu();

	if (now_us - p->spoke_us < ALIVE_US)
		return;
	p->spoke_us = now_us;
	adu_send(p->alf, NULL, 0, &attr); /* what is wrong, the next call says */
}
