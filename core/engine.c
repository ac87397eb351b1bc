/* The engine's body: configuration, the table of connections, their memory, and the driver's turn. */
#include "core/siphash.h"
#include "core/tcb.h"

#include <errno.h>
#include <string.h>

#define TABLE_MIN 8

/* Fills in what is 0. */
void options_complete(struct tcpu_options *o, const struct tcpu_options *defaults)
{
#define DEFAULT(field) (o->field = o->field ? o->field : defaults->field)
	DEFAULT(sndbuf_bytes);
	DEFAULT(rcvbuf_bytes);
	DEFAULT(mss_max);
	DEFAULT(syn_retries);
	DEFAULT(data_retries);
	DEFAULT(user_timeout_us);
	DEFAULT(fin_wait_us);
	DEFAULT(keep_idle_us);
	DEFAULT(keep_interval_us);
	DEFAULT(keep_probes);
	DEFAULT(keepalive);
	DEFAULT(nodelay);
	DEFAULT(quickack);
	DEFAULT(cork);
	DEFAULT(pacing_max_bps);
	DEFAULT(notsent_bytes);
#undef DEFAULT
	if (!o->congestion[0])
		memcpy(o->congestion, defaults->congestion, sizeof o->congestion);
}

static void defaults(struct tcpu_config *k)
{
	const struct tcpu_config d = { .delack_us = 40000, .rto_initial_us = 1000000, .rto_min_us = 200000,
		.rto_max_us = 60000000, .msl_us = 30000000, .initial_cwnd = 10, .sndbuf_max = 4 << 20,
		.rcvbuf_max = 4 << 20, .syn_backlog = 256,
		.connections_max = 4096 };
	const struct tcpu_options o = { .syn_retries = 7, .data_retries = 15,
		.fin_wait_us = 60000000, .keep_idle_us = 7200000000, .keep_interval_us = 75000000, .keep_probes = 9,
		.congestion = "cubic" };

#define DEFAULT(field) (k->field = k->field ? k->field : d.field)
	DEFAULT(delack_us);
	DEFAULT(rto_initial_us);
	DEFAULT(rto_min_us);
	DEFAULT(rto_max_us);
	DEFAULT(msl_us);
	DEFAULT(initial_cwnd);
	DEFAULT(sndbuf_max);
	DEFAULT(rcvbuf_max);
	DEFAULT(syn_backlog);
	DEFAULT(connections_max);
#undef DEFAULT
	options_complete(&k->options, &o);
}

int tcpu_new(const struct tcpu_config *config, struct tcpu **out)
{
	struct tcpu *e;

	if (!config->link || !config->alloc || !config->free || config->link->segment_max < HEADER_MAX + MSS_MIN)
		return -EINVAL;
	e = config->alloc(config->alloc_ctx, sizeof *e);
	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof *e);
	e->config = *config;
	defaults(&e->config);
	e->link = config->link;
	e->now = config->now_us;
	e->retry = TCPU_NEVER;
	e->table_size = TABLE_MIN;
	e->table = memory_take(e, TABLE_MIN * sizeof(struct tcb *));
	if (!e->table) {
		memory_give(e, e, sizeof *e);
		return -ENOMEM;
	}
	memset(e->table, 0, TABLE_MIN * sizeof(struct tcb *));
	*out = e;
	return 0;
}

void tcpu_free(struct tcpu *e)
{
	struct tcb *c;

	e->batch = 0;
	for (uint32_t i = 0; i < e->table_size; i++)
		while ((c = e->table[i])) {
			c->parent = NULL;
			c->detached = true;
			tcb_drop(c, 0);
		}
	while ((c = e->listeners)) {
		e->listeners = c->hash_next;
		memory_give(e, c, sizeof(struct listener));
	}
	/* Those that were closed but that the user still held are his no more. */
	while ((c = e->held)) {
		c->detached = true;
		tcb_drop(c, 0);
	}
	memory_give(e, e->again, e->again ? UINT16_MAX : 0);
	memory_give(e, e->few_spans, SPANS_FEW * sizeof(struct span));
	memory_give(e, e->heap, e->heap_max * sizeof(struct tcb *));
	memory_give(e, e->table, e->table_size * sizeof(struct tcb *));
	memset(e->config.secret, 0, sizeof e->config.secret);
	memory_give(e, e, sizeof *e);
}

static uint32_t hash(const struct tcpu *e, struct link_addr local, struct link_addr remote)
{
	uint32_t key[3] = { local.ip, remote.ip, (uint32_t)local.port << 16 | remote.port };

	return (uint32_t)siphash(e->config.secret, key, sizeof key);
}

static bool same(struct link_addr a, struct link_addr b)
{
	return a.ip == b.ip && a.port == b.port;
}

struct tcb *tcb_find(const struct tcpu *e, struct link_addr local, struct link_addr remote)
{
	struct tcb *c = e->table[hash(e, local, remote) & (e->table_size - 1)];

	while (c && !(same(c->remote, remote) && same(c->local, local)))
		c = c->hash_next;
	return c;
}

struct tcb *listener_find(const struct tcpu *e, struct link_addr local)
{
	struct tcb *c = e->listeners;

	while (c && !(c->local.port == local.port && (c->local.ip == 0 || c->local.ip == local.ip)))
		c = c->hash_next;
	return c;
}

static struct tcb **bucket(struct tcpu *e, const struct tcb *c)
{
	return &e->table[hash(e, c->local, c->remote) & (e->table_size - 1)];
}

/* Doubles the table; where there is no memory for it, the old one goes on with longer chains. */
static void grow(struct tcpu *e)
{
	uint32_t old_size = e->table_size;
	struct tcb **old = e->table, **table = memory_take(e, 2 * old_size * sizeof *table);

	if (!table)
		return;
	memset(table, 0, 2 * old_size * sizeof *table);
	e->table = table;
	e->table_size = 2 * old_size;
	for (uint32_t i = 0; i < old_size; i++)
		for (struct tcb *c = old[i], *next; c; c = next) {
			struct tcb **b = bucket(e, c);
			next = c->hash_next;
			c->hash_next = *b;
			*b = c;
		}
	memory_give(e, old, old_size * sizeof *old);
}

struct tcb *tcb_new(struct tcpu *e, struct link_addr local, struct link_addr remote, const struct tcpu_options *options)
{
	struct tcb *c;

	if (e->connections >= e->config.connections_max || !(c = memory_take(e, sizeof *c)))
		return NULL;
	memset(c, 0, sizeof *c);
	c->engine = e;
	c->options = *options;
	c->local = local;
	c->remote = remote;
	for (int i = 0; i < TIMERS; i++)
		c->timer[i] = TCPU_NEVER;
	c->deadline = TCPU_NEVER;
	if (heap_add(c) < 0) {
		memory_give(e, c, sizeof *c);
		return NULL;
	}
	if (e->connections >= e->table_size)
		grow(e);
	struct tcb **b = bucket(e, c);
	c->hash_next = *b;
	*b = c;
	e->connections++;
	e->receiving++;
	tcb_init(c);
	return c;
}

static void unlink_from(struct tcb **list, const struct tcb *c)
{
	while (*list != c)
		list = &(*list)->hash_next;
	*list = c->hash_next;
}

void queue_add(struct queue *q, struct tcb *c)
{
	*(q->last ? &q->last->queue_next : &q->first) = c;
	q->last = c;
	q->count++;
}

void queue_remove(struct queue *q, struct tcb *c)
{
	struct tcb *before = NULL;

	for (struct tcb *i = q->first; i != c; i = i->queue_next)
		before = i;
	*(before ? &before->queue_next : &q->first) = c->queue_next;
	if (q->last == c)
		q->last = before;
	c->queue_next = NULL;
	q->count--;
}

static void leave_flush(struct tcb *c)
{
	struct tcb **p = &c->engine->flush;

	if (!c->on_flush)
		return;
	while (*p != c)
		p = &(*p)->flush_next;
	*p = c->flush_next;
	c->on_flush = false;
}

void tcb_changed(struct tcb *c)
{
	if (c->on_changed || !c->user)
		return;
	c->on_changed = true;
	c->changed_next = c->engine->changed;
	c->engine->changed = c;
}

struct tcb *tcpu_changed(struct tcpu *e)
{
	struct tcb *c = e->changed;

	if (c) {
		e->changed = c->changed_next;
		c->on_changed = false;
	}
	return c;
}

void tcpu_set_user(struct tcb *c, uint32_t user)
{
	c->user = user;
}

uint32_t tcpu_user(const struct tcb *c)
{
	return c->user;
}

void tcb_detach(struct tcb *c)
{
	struct tcb **p = &c->engine->changed;

	c->detached = true;
	c->user = 0;
	if (!c->on_changed)
		return;
	while (*p != c)
		p = &(*p)->changed_next;
	*p = c->changed_next;
	c->on_changed = false;
}

void tcb_drop(struct tcb *c, int error)
{
	struct tcpu *e = c->engine;
	bool was_child = c->parent != NULL;

	if (error && !c->error)
		c->error = error;
	if (c->state != TCPU_CLOSED || c->heap_at != HEAP_OUT) {
		if (c->parent)
			queue_remove(c->state == TCPU_SYN_RECEIVED ? &listening(c->parent)->half_open : &listening(c->parent)->complete, c);
		c->parent = NULL;
		c->state = TCPU_CLOSED;
		leave_flush(c);
		heap_remove(c);
		unlink_from(bucket(e, c), c);
		e->connections--;
		e->receiving -= !c->fin_taken;
		tcb_promise(c);
		c->hash_next = e->held;
		e->held = c;
	}
	tcb_changed(c);
	if (!c->detached && !was_child)
		return; /* the user has yet to see the end, and may read what came */
	unlink_from(&e->held, c);
	memory_give_buffers(c);
	memory_give(e, c, sizeof *c);
}

uint32_t tcb_keyed(const struct tcb *c, uint32_t purpose)
{
	uint32_t key[4] = { c->local.ip, c->remote.ip, (uint32_t)c->local.port << 16 | c->remote.port, purpose };

	return (uint32_t)siphash(c->engine->config.secret, key, sizeof key);
}

uint32_t tcb_isn(const struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;

	/* RFC 6528 section 3: ISN = M + F(addresses, secret); M counts 4 us. */
	return k->isn_fixed ? k->isn : (uint32_t)(c->engine->now / 4) + tcb_keyed(c, 0x49534e);
}

void tcb_flush_later(struct tcb *c)
{
	if (c->on_flush)
		return;
	c->on_flush = true;
	c->flush_next = c->engine->flush;
	c->engine->flush = c;
}

static void flush_one(struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;
	uint32_t waiting;

	if (c->told_full && link_full(c->engine)) {
		tcb_flush_later(c);
	} else if (c->told_full) {
		c->told_full = false;
		tcb_changed(c);
	}
	if (c->output_wanted)
		tcb_output(c);
	waiting = c->rcv_nxt - c->rcv_acked;
	/* RFC 9293 3.8.6.3: at least every second full-sized segment is acknowledged, none later than 0.5 s. */
	if (c->ack_now || (waiting && (k->delack_us == TCPU_ACK_ON_FLUSH || c->options.quickack || c->quick ||
		waiting >= 2 * c->mss)))
		tcb_send_ack(c);
	else if (waiting && c->timer[TIMER_DELACK] == TCPU_NEVER)
		timer_set(c, TIMER_DELACK, c->engine->now + k->delack_us);
}

void tcpu_flush(struct tcpu *e)
{
	struct tcb *c, *list = e->flush;

	if (e->retry != TCPU_NEVER) {
		e->retry = TCPU_NEVER;
		batch_send(e);
	}
	e->flush = NULL; /* a connection that finds the link full comes back on the list */
	while ((c = list)) {
		list = c->flush_next;
		c->on_flush = false;
		flush_one(c);
	}
	batch_send(e);
}

void tcpu_clock(struct tcpu *e, uint64_t now_us)
{
	if (now_us > e->now)
		e->now = now_us;
	timers_run(e);
	if (e->retry <= e->now)
		tcpu_flush(e);
}

uint64_t tcpu_deadline(const struct tcpu *e)
{
	uint64_t next = e->heap_count ? e->heap[0]->deadline : TCPU_NEVER;

	return e->retry < next ? e->retry : next;
}

unsigned tcpu_count(const struct tcpu *e)
{
	return e->connections + e->listeners_count;
}

const struct tcpu_options *tcpu_defaults(const struct tcpu *e)
{
	return &e->config.options;
}

bool tcpu_holds(const struct tcpu *e, struct link_addr local)
{
	for (uint32_t i = 0; i < e->table_size; i++)
		for (const struct tcb *c = e->table[i]; c; c = c->hash_next)
			if (c->local.port == local.port && (!local.ip || !c->local.ip || c->local.ip == local.ip))
				return true;
	return false;
}

unsigned tcpu_owing(const struct tcpu *e)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < e->table_size; i++)
		for (const struct tcb *c = e->table[i]; c; c = c->hash_next)
			n += c->state != TCPU_FIN_WAIT_2 && c->state != TCPU_TIME_WAIT;
	return n;
}

void tcpu_abort_closed(struct tcpu *e)
{
	for (uint32_t i = 0; i < e->table_size; i++)
		for (struct tcb *c = e->table[i], *next; c; c = next) {
			next = c->hash_next;
			if (c->detached)
				tcpu_abort(c);
		}
}

void tcpu_drop_all(struct tcpu *e, int error)
{
	for (uint32_t i = 0; i < e->table_size; i++)
		for (struct tcb *c = e->table[i], *next; c; c = next) {
			next = c->hash_next;
			if (c->state != TCPU_LISTEN)
				tcb_drop(c, error);
		}
}
