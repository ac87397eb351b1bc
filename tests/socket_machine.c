#include "tests/socket_machine.h"

#include "core/link/host.h"
#include "tests/socket_peer.h"

#include <arpa/inet.h>

static uint64_t now(void *ctx)
{
	return ((struct machine *)ctx)->now_us;
}

/* Turns of both stacks; when the next thing is due. */
static uint64_t turn(struct machine *m)
{
	uint64_t due_us = TCPU_NEVER, at_us;

	link_sim_clock(m->sim, m->now_us);
	for (int i = 0; i < 2; i++) {
		if (!(m->turned & 1U << i))
			continue;
		at_us = stack_turn_tcpu(m->stack[i]);
		due_us = at_us < due_us ? at_us : due_us;
	}
	at_us = link_sim_next(m->sim);
	return at_us < due_us ? at_us : due_us;
}

static int sleep_until(void *ctx, struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	struct machine *m = ctx;
	uint64_t due_us;
	int ready;

	for (;;) {
		due_us = turn(m);
		if (m->meanwhile)
			m->meanwhile(m);
		ready = poll(fds, n, 0);
		if (ready || m->now_us >= until_us)
			return ready < 0 ? -errno : ready;
		due_us = due_us < until_us ? due_us : until_us;
		ck_assert_uint_ne(due_us, TCPU_NEVER); /* a sleep without end */
		m->now_us = due_us > m->now_us ? due_us : m->now_us;
	}
}

static void draw(void *ctx, void *p, size_t bytes)
{
	struct machine *m = ctx;

	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)p)[i] = (uint8_t)link_sim_random(m->sim);
}

void machine_start(struct machine *m, const struct tcpu_stack_config *config)
{
	static struct link_host host;
	struct tcpu_stack_config c = config ? *config : (struct tcpu_stack_config){ .turns = true };
	struct link_sim_path path = { .delay_us = 10000 };

	*m = (struct machine){ .sim = link_sim_new(1), .now_us = 1000000, .turned = 3 };
	host = (struct link_host){ .ctx = m, .now_us = now, .sleep = sleep_until, .random = draw };
	link_host_use(&host);
	link_sim_clock(m->sim, m->now_us);
	for (int i = 0; i < 2; i++) {
		c.link = m->link[i] = link_sim_host(m->sim, i ? THERE_IP : HERE_IP, 1480, 1 << 20);
		ck_assert_int_eq(stack_tcpu(&c, &m->stack[i]), 0);
	}
	link_sim_path(m->sim, HERE_IP, THERE_IP, &path);
	link_sim_path(m->sim, THERE_IP, HERE_IP, &path);
}

void machine_stop(struct machine *m)
{
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(stack_close_tcpu(m->stack[i]), 0);
	link_sim_free(m->sim);
	link_host_use(NULL);
}

void machine_pass(struct machine *m, uint64_t us)
{
	uint64_t until_us = m->now_us + us, due_us;

	while ((due_us = turn(m)) < until_us)
		m->now_us = due_us > m->now_us ? due_us : m->now_us;
	m->now_us = until_us;
	turn(m);
}

struct sockaddr_in machine_at(uint32_t ip, unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = ip };
}

int machine_listener(struct machine *m, unsigned port)
{
	struct sockaddr_in at = machine_at(THERE_IP, port);
	int l = stack_socket_tcpu(m->stack[1], SOCK_STREAM);

	ck_assert_int_ge(l, 0);
	ck_assert_int_eq(bind_tcpu(l, &at, sizeof at), 0);
	ck_assert_int_eq(listen_tcpu(l, 2000), 0);
	return l;
}

void machine_pair(struct machine *m, int listener, unsigned port, int *here, int *there)
{
	struct sockaddr_in at = machine_at(THERE_IP, port);

	*here = stack_socket_tcpu(m->stack[0], SOCK_STREAM);
	ck_assert_int_ge(*here, 0);
	ck_assert_int_eq(connect_tcpu(*here, &at, sizeof at), 0);
	*there = accept_tcpu(listener, NULL, NULL);
	ck_assert_int_ge(*there, 0);
}
