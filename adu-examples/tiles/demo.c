/* Both ways side by side: the same picture from one end of a road to the other twice, over holes and in order, in one
 * process. Each has a road of its own (core/link/sim.h), and the same seed says what they lose: the k-th packet of a
 * direction is lost on both or on none. Time is real. */
#include "adu-examples/tiles/tiles.h"
#include "core/link/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define WAYS 2
#define SEGMENT_MAX 1480
#define INPUT_BYTES (4U << 20)
#define PORT 2651
#define QUEUE_MS 100 /* what waits at the road's narrow end */

/* One of the ways: a road, and the stacks at its ends: the sender's, the receiver's. */
struct lane {
	const struct options *o;
	struct link_sim *sim;
	struct tcpu_stack *stack[2];
	int fd[2], listener;
	struct sender sender;
	struct receiver receiver;
	enum status sent, received;
};

struct demo {
	const struct options *o;
	struct picture picture;
	struct view view[WAYS];
	struct lane lane[WAYS];
	struct screen screen;
};

static uint32_t address(int end)
{
	return htonl(0x0a630001 + (uint32_t)end);
}

/* Whether a packet passes: by its direction and number alone (splitmix64 of them). */
static bool passes(void *ctx, struct link_sim_packet *p)
{
	const struct options *o = ((struct lane *)ctx)->o;
	uint64_t z = ((uint64_t)o->seed << 32) + p->number * 2 + (p->src.ip == address(1));

	z *= 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53 >= o->loss;
}

/* The sender knocks, the receiver waits. */
static int connect_ends(struct lane *r)
{
	const struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(PORT),
		.sin_addr.s_addr = address(1) };

	r->listener = stack_socket_tcpu(r->stack[1], SOCK_STREAM | SOCK_NONBLOCK);
	r->fd[0] = stack_socket_tcpu(r->stack[0], SOCK_STREAM | SOCK_NONBLOCK);
	if (r->listener < 0 || r->fd[0] < 0 || bind_tcpu(r->listener, &there, sizeof there) ||
		listen_tcpu(r->listener, 1) || (connect_tcpu(r->fd[0], &there, sizeof there) && errno != EINPROGRESS))
		return -errno;
	return 0;
}

static int lane_open(struct lane *r, const struct options *o)
{
	const double bps = o->rate_mbit * 1e6;
	const struct link_sim_path path = { .delay_us = o->delay_ms * 1000ULL, .rate_bps = (uint64_t)bps,
		.queue_bytes = (uint32_t)(bps / 8 * QUEUE_MS / 1000) };

	*r = (struct lane){ .o = o, .sim = link_sim_new(o->seed), .fd = { -1, -1 }, .listener = -1, .sent = BUSY,
		.received = BUSY };
	if (!r->sim)
		return -ENOMEM;
	link_sim_clock(r->sim, now_tcpu());
	link_sim_filter(r->sim, passes, r);
	for (int i = 0; i < 2; i++) {
		struct tcpu_stack_config c = { .turns = true,
			.link = link_sim_host(r->sim, address(i), SEGMENT_MAX, INPUT_BYTES) };
		if (stack_tcpu(&c, &r->stack[i]))
			return -errno;
	}
	link_sim_path(r->sim, address(0), address(1), &path);
	link_sim_path(r->sim, address(1), address(0), &path);
	return connect_ends(r);
}

static void lane_close(struct lane *r)
{
	const int fds[3] = { r->fd[0], r->fd[1], r->listener };

	sender_close(&r->sender);
	receiver_close(&r->receiver);
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close_tcpu(fds[i]);
	for (int i = 0; i < 2; i++)
		if (r->stack[i])
			stack_close_tcpu(r->stack[i]);
	if (r->sim)
		link_sim_free(r->sim);
}

/* Ends are opened when the connection is. */
static enum status open_ends(struct demo *d, int way)
{
	struct lane *r = &d->lane[way];
	struct pollfd out = { .fd = r->fd[0], .events = POLLOUT };
	struct alf_profile receiving = receiver_profile;
	enum status s = OK;

	receiving.ordered = way == 1;
	if (r->fd[1] < 0) {
		r->fd[1] = accept_tcpu(r->listener, NULL, NULL);
		if (r->fd[1] < 0)
			return errno == EAGAIN ? OK : complain(FAILED, "accept: %s", strerror(errno));
		fcntl_tcpu(r->fd[1], F_SETFL, O_NONBLOCK);
		s = receiver_open(&r->receiver, r->fd[1], &receiving, &d->view[way]);
	}
	if (s == OK && !r->sender.alf && poll_tcpu(&out, 1, 0) == 1)
		s = out.revents & POLLERR ? complain(FAILED, "the road is too bad to connect over")
					  : sender_open(&r->sender, r->fd[0], &sender_profile, &d->picture,
						d->o->patience_ms);
	return s;
}

/* What has come is taken, what is due is done. When is the next turn? */
static enum status lane_turn(struct demo *d, int way, uint64_t *due_us)
{
	struct lane *r = &d->lane[way];
	enum status s;

	link_sim_clock(r->sim, now_tcpu());
	s = open_ends(d, way);
	if (s != OK)
		return s;
	/* Before the stacks' own turns: what comes goes to the picture at once, and needs no keeping. */
	if (r->receiver.alf && r->received == BUSY)
		r->received = receiver_turn(&r->receiver);
	if (r->sender.alf && r->sent == BUSY) {
		r->sent = sender_turn(&r->sender);
		if (r->sent == OK)
			shutdown_tcpu(r->fd[0], SHUT_WR);
	}
	if (r->sent > OK || r->received > OK)
		return FAILED;
	for (int i = 0; i < 2; i++) {
		uint64_t at_us = stack_turn_tcpu(r->stack[i]);
		*due_us = at_us < *due_us ? at_us : *due_us;
	}
	*due_us = link_sim_next(r->sim) < *due_us ? link_sim_next(r->sim) : *due_us;
	return r->received;
}

static void rest(const struct demo *d, uint64_t due_us)
{
	const uint64_t now_us = now_tcpu(), most_us = 10000, us = due_us <= now_us ? 0 : due_us - now_us;
	const struct timespec t = { .tv_nsec = (long)((us < most_us ? us : most_us) * 1000) };
	struct pollfd p = { .fd = screen_fd(&d->screen), .events = POLLIN };

	ppoll(&p, 1, &t, NULL);
}

/* Whoever watches by HTTP should not miss the beginning. */
static enum status wait_for_reader(struct demo *d)
{
	while (d->screen.web && !web_is_watched(d->screen.web) && !interrupted) {
		screen_turn(&d->screen, false);
		rest(d, UINT64_MAX);
	}
	return interrupted ? INTERRUPTED : OK;
}

static enum status run(struct demo *d)
{
	enum status s = BUSY, shown = OK;

	while (s == BUSY && shown == OK) {
		uint64_t due_us = UINT64_MAX;
		s = OK;
		for (int way = 0; way < WAYS && (s == OK || s == BUSY); way++) {
			enum status r = lane_turn(d, way, &due_us);
			s = r == OK ? s : r;
		}
		shown = screen_turn(&d->screen, s != BUSY);
		if (interrupted)
			s = INTERRUPTED;
		if (s == BUSY)
			rest(d, due_us);
	}
	return s == OK || s == BUSY ? shown : s;
}

/* How much of the picture was sharp, and when. */
static uint32_t sharp_ms(const struct view *v, unsigned percent)
{
	const uint32_t all = v->picture.level[0].columns * v->picture.level[0].rows;
	uint64_t n = 0;
	uint32_t i = 0;

	while ((n += v->log[i].number >= v->picture.level[0].first) * 100 < (uint64_t)all * percent)
		i++;
	return v->log[i].ms;
}

static void report(const struct demo *d)
{
	static const unsigned percents[] = { 25, 50, 75, 100 };

	printf("%u by %u pixels in tiles of %u; %g %% lost, %u ms each way, %g Mbit/s, seed %u\n", d->picture.width,
		d->picture.height, d->picture.edge, d->o->loss * 100, d->o->delay_ms, d->o->rate_mbit, d->o->seed);
	printf("%-12s%10s%12s%12s%14s%10s%10s%10s%10s\n", "", "tiles", "overtook", "superseded", "covered, ms", "25 %",
		"50 %", "75 %", "sharp, ms");
	for (int way = 0; way < WAYS; way++) {
		const struct view *v = &d->view[way];
		printf("%-12s%10u%12u%12u%14u", v->title, v->drawn, view_overtook(v),
			d->lane[way].sender.superseded, v->covered_ms);
		for (int i = 0; i < 4; i++)
			printf("%10u", sharp_ms(v, percents[i]));
		putchar('\n');
	}
	fflush(stdout);
}

enum status demonstrate(const struct options *o)
{
	struct demo d = { .o = o, .view = { { .title = "over holes" }, { .title = "in order" } } };
	enum status s = load_picture(o, &d.picture);
	int e = 0;

	if (s == OK)
		s = screen_open(&d.screen, o, d.view, WAYS);
	if (s == OK)
		s = wait_for_reader(&d);
	for (int way = 0; way < WAYS && s == OK && !e; way++)
		e = lane_open(&d.lane[way], o);
	if (e)
		s = complain(FAILED, "%s", strerror(-e));
	if (s == OK)
		s = run(&d);
	if (s == OK) {
		report(&d);
		screen_stay(&d.screen);
	}
	for (int way = 0; way < WAYS; way++)
		if (d.lane[way].sim)
			lane_close(&d.lane[way]);
	screen_close(&d.screen);
	for (int way = 0; way < WAYS; way++)
		view_close(&d.view[way]);
	picture_close(&d.picture);
	return s;
}
