/* The two commands over UDP: a connection, the turns of its end, and the wait between them. */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum status load_picture(const struct options *o, struct picture *p)
{
	struct image i;
	enum status s = o->image ? image_read(o->image, &i) : image_paint(&i);
	int e;

	if (s != OK)
		return s;
	e = picture_open(p, i.width, i.height, o->edge);
	if (!e)
		picture_fill(p, i.rgb);
	free(i.rgb);
	return e ? complain(FAILED, "%s", strerror(-e)) : OK;
}

/* Until something may have come, or something is due. */
static enum status rest(const struct options *o, int fd, const struct alf *alf, const struct screen *screen, int due_ms)
{
	const int alf_ms = adu_timeout(alf), screen_ms = screen ? screen_timeout(screen) : -1;
	struct pollfd fds[2] = { { .fd = fd, .events = (short)(POLLIN | (adu_pending(alf) ? POLLOUT : 0)) },
		{ .fd = screen ? screen_fd(screen) : -1, .events = POLLIN } };
	int ms = (int)o->road.timeout_s * 1000;

	ms = due_ms >= 0 && due_ms < ms ? due_ms : ms;
	ms = alf_ms >= 0 && alf_ms < ms ? alf_ms : ms;
	ms = screen_ms >= 0 && screen_ms < ms ? screen_ms : ms;
	poll_tcpu(fds, 2, ms);
	return interrupted ? INTERRUPTED : BUSY;
}

/* Whether the peer lives: its last segment is not older than patience. */
struct patience {
	uint64_t segments, since_us;
};
static enum status live(struct patience *p, const struct options *o, int fd)
{
	struct tcpu_info info = { 0 };
	uint64_t now_us = now_tcpu();

	info_tcpu(fd, &info);
	if (!p->since_us || info.segments_in != p->segments)
		*p = (struct patience){ info.segments_in, now_us };
	if (now_us - p->since_us < o->road.timeout_s * 1000000ULL)
		return BUSY;
	return complain(FAILED, "the other end has been silent for %u s", o->road.timeout_s);
}

/* good: what was said is waited for. */
static void part(int fd, bool good)
{
	struct timeval patience = { .tv_sec = PARTING_S };

	setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	fcntl_tcpu(fd, F_SETFL, good ? 0 : O_NONBLOCK);
	close_tcpu(fd);
}

/* ---- sending ---- */

enum status send_picture(const struct options *o)
{
	struct patience patience = { 0 };
	struct picture p = { 0 };
	struct sender x = { 0 };
	enum status s = load_picture(o, &p);
	int fd = -1;

	if (s == OK)
		s = road_connect(&o->road, "`tiles recv`", &fd);
	if (s == OK) {
		fcntl_tcpu(fd, F_SETFL, O_NONBLOCK);
		s = sender_open(&x, fd, &o->profile, &p, o->patience_ms);
	}
	if (s == OK)
		for (s = BUSY; s == BUSY;) {
			s = sender_turn(&x);
			if (s == BUSY)
				s = rest(o, fd, x.alf, NULL, sender_timeout(&x));
			if (s == BUSY)
				s = live(&patience, o, fd);
		}
	if (s == OK)
		complain(OK, "sent %u by %u pixels: %u tiles, %u superseded", p.width, p.height, x.sent, x.superseded);
	sender_close(&x);
	if (fd >= 0)
		part(fd, s == OK);
	picture_close(&p);
	return s;
}

/* ---- receiving ---- */

static enum status accept_one(const struct options *o, const struct screen *screen, int *fd)
{
	int listener;
	enum status s = road_listen(&o->road, 1, &listener);

	if (s != OK)
		return s;
	fcntl_tcpu(listener, F_SETFL, O_NONBLOCK);
	while (!interrupted && (*fd = accept_tcpu(listener, NULL, NULL)) < 0 && (errno == EAGAIN || errno == EINTR)) {
		struct pollfd fds[2] = { { .fd = listener, .events = POLLIN },
			{ .fd = screen_fd(screen), .events = POLLIN } };
		poll_tcpu(fds, 2, 1000);
		if (screen->web)
			web_turn(screen->web, false);
	}
	s = *fd >= 0 ? OK : interrupted ? INTERRUPTED : complain(FAILED, "accept: %s", strerror(errno));
	close_tcpu(listener);
	return s;
}

static enum status take_all(const struct options *o, struct receiver *x, struct screen *screen)
{
	struct patience patience = { 0 };
	enum status s = BUSY, shown = OK;

	while (s == BUSY && shown == OK) {
		s = receiver_turn(x);
		shown = screen_turn(screen, s != BUSY);
		if (s == BUSY)
			s = rest(o, x->fd, x->alf, screen, -1);
		if (s == BUSY)
			s = live(&patience, o, x->fd);
	}
	return s == OK || s == BUSY ? shown : s;
}

enum status receive_picture(const struct options *o)
{
	struct view v = { .title = o->profile.ordered ? "in order" : "over holes" };
	struct receiver x = { 0 };
	struct screen screen;
	int fd = -1;
	enum status s = screen_open(&screen, o, &v, 1);

	if (s == OK)
		s = accept_one(o, &screen, &fd);
	if (s == OK) {
		fcntl_tcpu(fd, F_SETFL, O_NONBLOCK);
		s = receiver_open(&x, fd, &o->profile, &v);
	}
	if (s == OK)
		s = take_all(o, &x, &screen);
	receiver_close(&x);
	if (fd >= 0)
		part(fd, s == OK);
	if (s == OK) {
		complain(OK, "received %u by %u pixels, %s: %u tiles, of which %u overtook another; covered after %u ms, "
			"whole after %u ms", v.picture.width, v.picture.height, v.title, v.drawn, view_overtook(&v),
			v.covered_ms, v.whole_ms);
		screen_stay(&screen);
	}
	screen_close(&screen);
	view_close(&v);
	return s;
}
