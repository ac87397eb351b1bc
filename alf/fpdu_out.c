/* Frames of the default framer, written: untagged and tagged DDP segments (RFC 5041) in MPA's FPDUs (RFC 5044).
 *
 *	+--------------+---------------+-----------+----------------------+-----------+------+
 *	| ULPDU_Length | DDP's header  | preface   | data, as the chain   | tag, with | pad, |
 *	|              | (segment.h)   | (first)   | wrote it             | AEAD      | CRC  |
 *	+--------------+---------------+-----------+----------------------+-----------+------+
 *
 * and markers. What stands around the data is a few bytes of C; markers in the data, and its share of the CRC, are the
 * chain's. Everything before the data is a multiple of 4 bytes and so is an FPDU; so a marker cuts no number, and words
 * of XDR are whole. The tag is a part of what DDP carries, so ULPDU_Length counts it; offsets do not: they count
 * bytes as the application has them. */
#include "alf/bytes.h"
#include "alf/conn.h"
#include "alf/crc32c.h"
#include "alf/fpdu.h"
#include "alf/segment.h"
#include "core/cksum.h"

#include <errno.h>

struct writer {
	uint8_t *dst, *at;
	uint64_t pos, begin; /* begin: of ULPDU_Length */
	bool markers;
};

/* RFC 5044 (4.3): 16 zeros, and how far the FPDU's first byte is back; 0 in front of it. */
static void mark(struct writer *w)
{
	if (!w->markers || w->pos % FPDU_EVERY)
		return;
	w->at = put32(w->at, w->pos < w->begin ? 0 : (uint16_t)(w->pos - w->begin));
	w->pos += FPDU_MARKER;
}

static void put(struct writer *w, const uint8_t *from, size_t n)
{
	while (n) {
		size_t k = n;
		mark(w);
		if (w->markers && k > FPDU_EVERY - w->pos % FPDU_EVERY)
			k = FPDU_EVERY - w->pos % FPDU_EVERY;
		memcpy(w->at, from, k);
		w->at += k;
		w->pos += k;
		from += k;
		n -= k;
	}
}

/* Bytes of an FPDU, markers not counted, that fit at pos into cap bytes. */
static size_t content(const struct writer *w, size_t cap)
{
	uint64_t end = w->pos + cap / 4 * 4;
	uint64_t marks = (end + FPDU_EVERY - 1) / FPDU_EVERY - (w->pos + FPDU_EVERY - 1) / FPDU_EVERY;

	return (size_t)(end - w->pos - (w->markers ? marks * FPDU_MARKER : 0));
}

/* What a frame is to be. (It is not cleared first: that would take as long as all that is written to it.) */
struct plan {
	struct ddp_segment seg;
	struct ddp_preface preface; /* where first */
	bool first;          /* with a preface */
	uint8_t message[CONTROL_LEN];
	const uint8_t *from; /* the data, if it is no ADU's that goes for the first time */
	const struct alf_key *key;
	uint64_t check;      /* of what was written */
	size_t head, data;   /* bytes before the data; of data */
	uint64_t offset;     /* of the data in the ADU */
	uint64_t number;     /* for the nonce */
	uint8_t what;
};

static void plan_adu(const struct alf *a, const struct adu_out *adu, uint64_t off, struct plan *p)
{
	const struct adu_attr *t = &adu->attr;

	p->what = a->profile.initiator ? NONCE_INITIATOR : 0;
	p->from = NULL;
	p->offset = adu->done;
	p->first = !adu->begun && !adu->tagged;
	if (adu->tagged) {
		p->seg = (struct ddp_segment){ .tagged = true, .stag = adu->stag, .to = adu->to + adu->done };
		p->head = FPDU_LENGTH + DDP_TAGGED;
		/* A place may be written twice; an offset of the stream never is. */
		p->what |= NONCE_TAGGED;
		p->number = off;
		return;
	}
	p->seg = (struct ddp_segment){ .name_len = t->name_len, .total = ddp_total(adu->total),
		.queue = DDP_ADUS, .msn = adu->msn };
	p->seg.mo = p->first ? 0 : (uint32_t)(ddp_preface_len(t->name_len) + adu->done);
	if (p->first)
		p->preface = (struct ddp_preface){ .total = (uint32_t)adu->total, .type = t->type,
			.recovery = (uint8_t)(t->recovery - ADU_KEEP), .priority = t->priority,
			.deadline_ms = (uint16_t)t->deadline_ms, .name_len = t->name_len, .name = t->name };
	p->head = FPDU_LENGTH + DDP_UNTAGGED + (p->first ? ddp_preface_len(t->name_len) : 0);
	p->number = (uint64_t)p->seg.msn << 32 | p->seg.mo;
}

static void plan_message(struct alf *a, struct plan *p)
{
	struct alf_control c;

	alf_control_next(a, &c);
	p->seg = (struct ddp_segment){ .code = (uint8_t)c.code, .queue = DDP_CONTROL, .last = true,
		.msn = a->out.msn[DDP_CONTROL] };
	if (!++a->out.msn[DDP_CONTROL])
		alf_fail(a, EOVERFLOW); /* the next one would repeat a nonce */
	p->data = control_write(&c, p->message);
	control_turn(p->message, a->out.way->word);
	p->from = p->message;
	p->first = false;
	p->offset = 0;
	p->head = FPDU_LENGTH + DDP_UNTAGGED;
	p->what = NONCE_CONTROL | (a->profile.initiator ? NONCE_INITIATOR : 0);
	p->number = (uint64_t)p->seg.msn << 32;
}

/* Wireshark (4.0) counts a marker too many in an FPDU that ends where the next one begins. */
static bool ends_at_marker(const struct alf *a, const struct writer *w, const struct plan *p)
{
	uint32_t ulpdu = (uint32_t)(p->head - FPDU_LENGTH + p->data + a->seal);

	return w->markers && fpdu_behind(true, w->begin, fpdu_content(ulpdu)) % FPDU_EVERY == 0;
}

/* So much that the frame is a word shorter, and none is cut. */
static size_t shorter(const struct ilp_chain *chain, size_t data)
{
	const size_t word = chain->unit > FPDU_MARKER ? chain->unit : FPDU_MARKER;

	return data ? (data - 1) / word * word : 0;
}

/* How much data goes into the frame. false: not even what stands around it fits. */
static bool fit(const struct alf *a, const struct adu_out *adu, const struct writer *w, size_t cap, struct plan *p)
{
	const struct ilp_chain *chain = a->way[0].chain;
	size_t room = content(w, cap), around = p->head + a->seal + FPDU_CRC;
	uint64_t left = adu->here - adu->done;

	if (room < around)
		return false;
	room -= around;
	if (room > FPDU_ULPDU_MAX + FPDU_LENGTH - p->head - a->seal)
		room = FPDU_ULPDU_MAX + FPDU_LENGTH - p->head - a->seal;
	if (adu->here < adu->total && left <= room)
		left -= left % chain->unit; /* no word is cut: what is over goes with the next part */
	p->data = left <= room ? (size_t)left : room - room % chain->unit;
	if (a->profile.unpacked && (p->first || shorter(chain, p->data)) && ends_at_marker(a, w, p))
		p->data = shorter(chain, p->data);
	p->seg.last = adu->done + p->data == adu->total;
	return p->data || p->first || p->seg.last;
}

static size_t data(struct alf *a, struct adu_out *adu, const struct plan *p, uint8_t *dst)
{
	struct alf_run_state *run = &a->out.run;

	if (!p->from)
		return alf_loop_out(a, adu, dst, p->data);
	return run->way->loop[ILP_SEND](&run->state, dst, p->from, p->data, a->scratch);
}

static size_t write_frame(struct alf *a, struct adu_out *adu, struct plan *p, struct writer *w, uint16_t *sum)
{
	static const uint8_t zeros[4];
	struct alf_run_state *run = &a->out.run;
	const struct ilp_chain *chain = a->out.way->chain;
	uint32_t ulpdu = (uint32_t)(p->head - FPDU_LENGTH + p->data + a->seal), crc;
	uint8_t copy[FPDU_LENGTH + DDP_UNTAGGED + DDP_PREFACE_MAX], *head, *at, *tail;
	struct alf_begin begin = { .key = p->key, .what = p->what, .number = p->number };
	bool marks = w->markers && (w->pos % FPDU_EVERY == 0 || w->pos % FPDU_EVERY + p->head > FPDU_EVERY);

	p->seg.key_phase = p->key->generation & 1;
	head = marks ? copy : w->at;
	at = put16(head, (uint16_t)ulpdu);
	at += ddp_write(&p->seg, at);
	if (p->first)
		ddp_preface_write(&p->preface, at);
	if (marks) {
		put(w, copy, p->head);
	} else {
		w->at += p->head;
		w->pos += p->head;
	}
	begin.place = (uint32_t)w->pos;
	begin.base = (uint32_t)(w->pos - w->begin);
	begin.before = a->out.way->crc ? alf_crc32c(0, w->dst, (size_t)(w->at - w->dst)) : 0;
	alf_chain_begin(a, run, a->out.way, &begin);
	if (a->seal)
		chain->associate(&run->state, head, p->head);

	at = w->at;
	w->at += data(a, adu, p, w->at);
	w->at += chain->end[ILP_SEND](&run->state, w->at);
	w->pos += (uint64_t)(w->at - at);
	*sum = tcpu_sum_join(tcpu_sum(w->dst, (size_t)(at - w->dst)), chain->sum(&run->state), (size_t)(at - w->dst));

	tail = w->at;
	crc = a->out.way->crc ? alf_chain_crc(run) : 0;
	put(w, zeros, -(FPDU_LENGTH + ulpdu) % 4);
	mark(w); /* (4.4) it is counted */
	crc = a->out.way->crc ? htole32(alf_crc32c(crc, tail, (size_t)(w->at - tail))) : 0;
	memcpy(w->at, &crc, sizeof crc);
	/* Of the tag as well, where there is one: who knows what was sent cannot make other bytes that agree. */
	memcpy(&p->check, tail - sizeof p->check, sizeof p->check);
	p->check ^= (uint64_t)crc << 32 | crc;
	w->at += sizeof crc;
	*sum = tcpu_sum_join(*sum, tcpu_sum(tail, (size_t)(w->at - tail)), (size_t)(tail - w->dst));
	return (size_t)(w->at - w->dst);
}

enum { NOTE_FIRST = 1, NOTE_PHASE = 2, NOTE_SHIFT = 2 };

/* What TCP keeps of a frame in the place of its bytes: how it was cut, and 48 bits of check. */
static void note(struct alf *a, const struct adu_out *adu, const struct plan *p)
{
	a->out.source.note = (struct seam_note){ { adu->again << NOTE_SHIFT | (p->first ? NOTE_FIRST : 0U) |
		(p->seg.key_phase ? NOTE_PHASE : 0U), (uint32_t)p->offset,
		(uint32_t)p->data << 16 | (uint16_t)(p->check >> 32), (uint32_t)p->check } };
}

size_t fpdu_put(struct alf *a, struct adu_out *adu, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct writer w = { .dst = dst, .at = dst, .pos = off - a->out.origin, .markers = a->out.markers };
	struct plan p;
	size_t n;

	w.begin = w.pos + (w.markers && w.pos % FPDU_EVERY == 0 ? FPDU_MARKER : 0);
	if (!adu && content(&w, cap) < (size_t)FPDU_LENGTH + DDP_UNTAGGED + CONTROL_LEN + a->seal + FPDU_CRC)
		return 0;
	if (adu)
		plan_adu(a, adu, off, &p);
	else
		plan_message(a, &p);
	if (adu && !fit(a, adu, &w, cap, &p))
		return 0;
	/* The peer, and what is made again, know of two keys: none is older than what is under way. */
	if (a->seal && a->out.key.sealed++ >= a->profile.rekey_after && a->out.acked >= a->out.key.from) {
		a->out.before = a->out.key;
		alf_rekey(a, &a->out.key, true, off);
		a->out.key.sealed = 1;
		a->stats.rekeys++;
	}
	p.key = &a->out.key;
	n = write_frame(a, adu, &p, &w, sum);
	if (adu && adu->again != AGAIN_NONE)
		note(a, adu, &p);
	return n;
}

/* ---- again ---- */

bool fpdu_again(struct alf *a, const struct seam_note *n, uint64_t off, uint8_t *dst, size_t len)
{
	const uint32_t place = n->word[0] >> NOTE_SHIFT;
	const struct adu_again *r = &a->out.again[place];
	struct adu_out adu = { .id = r->id, .total = r->total, .done = n->word[1], .msn = r->msn, .stag = r->stag, .to = r->to,
		.tagged = r->tagged, .begun = !(n->word[0] & NOTE_FIRST) };
	struct writer w = { .dst = dst, .at = dst, .pos = off - a->out.origin, .markers = a->out.markers };
	struct plan p;
	uint16_t sum;

	adu.attr = (struct adu_attr){ .type = r->type, .priority = r->priority, .recovery = ADU_RECOMPUTE,
		.name_len = r->name_len, .deadline_ms = r->deadline_ms };
	memcpy(adu.attr.name, r->name, r->name_len);
	plan_adu(a, &adu, off, &p);
	p.data = n->word[2] >> 16;
	p.seg.last = adu.done + p.data == adu.total;
	p.key = !(n->word[0] & NOTE_PHASE) == !(a->out.key.generation & 1) ? &a->out.key : &a->out.before;
	p.from = a->aside;
	w.begin = w.pos + (w.markers && w.pos % FPDU_EVERY == 0 ? FPDU_MARKER : 0);
	return alf_again_data(a, place, adu.done, p.data) && write_frame(a, &adu, &p, &w, &sum) == len &&
	       (uint16_t)(p.check >> 32) == (uint16_t)n->word[2] && (uint32_t)p.check == n->word[3];
}

size_t fpdu_start(struct alf *a, uint64_t off, uint8_t *dst, size_t cap)
{
	const struct mpa_hello hello = { .adu_max = a->profile.adu_max, .credit = a->in.limit };
	uint8_t private[MPA_HELLO + ALF_PRIVATE_MAX], frame[MPA_HEADER + MPA_PRIVATE_MAX];
	struct mpa_start s = { .reply = !a->profile.initiator, .reject = a->out.reject,
		.markers = a->profile.markers, .crc = a->profile.crc,
		.private_data = private };
	size_t n = mpa_hello_write(&hello, private);

	memcpy(private + n, a->private_data, a->profile.private_len);
	s.private_len = (uint16_t)(n + a->profile.private_len);
	n = mpa_write(&s, frame);
	/* A small segment takes a part of it. */
	n -= a->out.start_done;
	n = n < cap ? n : cap;
	memcpy(dst, frame + a->out.start_done, n);
	a->out.start_done += (uint16_t)n;
	a->out.started = a->out.start_done == (size_t)MPA_HEADER + s.private_len;
	a->out.origin = off + n;
	if (a->out.started && a->out.reject)
		alf_fail(a, EACCES);
	alf_opened(a);
	return n;
}
