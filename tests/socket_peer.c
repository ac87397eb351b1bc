#include "tests/socket_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int new_socket(void)
{
	int fd = socket_tcpu(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

int listener(struct sockaddr_in *at)
{
	int fd = new_socket();
	socklen_t len = sizeof *at;

	*at = loopback(0);
	ck_assert_int_eq(bind_tcpu(fd, at, sizeof *at), 0);
	ck_assert_int_eq(getsockname_tcpu(fd, at, &len), 0);
	ck_assert_uint_eq(len, sizeof *at);
	ck_assert_uint_ne(at->sin_port, 0);
	return fd;
}

void close_both(int a, int b)
{
	ck_assert_int_eq(fcntl_tcpu(a, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl_tcpu(b, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(close_tcpu(a), 0);
	ck_assert_int_eq(close_tcpu(b), 0);
}

void start(struct peer *p, void *(*body)(void *))
{
	ck_assert_int_eq(pthread_create(&p->thread, NULL, body, p), 0);
}

void *just_connect(void *ctx)
{
	struct peer *p = ctx;

	p->fd = new_socket();
	ck_assert_int_eq(connect_tcpu(p->fd, &p->at, sizeof p->at), 0);
	return NULL;
}

void pair(int *server, int *client)
{
	struct peer p;
	int l = listener(&p.at);

	start(&p, just_connect);
	*server = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(*server, 0);
	pthread_join(p.thread, NULL);
	*client = p.fd;
	ck_assert_int_eq(close_tcpu(l), 0);
}

uint8_t byte_at(size_t off)
{
	return (uint8_t)((off * 0x9e3779b97f4a7c15) >> 40);
}

void *send_pattern(void *ctx)
{
	struct peer *p = ctx;
	static const size_t chunk = 100000;
	uint8_t *b = malloc(chunk);

	for (size_t at = 0; at < p->bytes;) {
		size_t n = p->bytes - at < chunk ? p->bytes - at : chunk;

		for (size_t i = 0; i < n; i++)
			b[i] = byte_at(at + i);
		ck_assert_int_eq(send_tcpu(p->fd, b, n, 0), (ssize_t)n);
		at += n;
	}
	free(b);
	ck_assert_int_eq(close_tcpu(p->fd), 0);
	return NULL;
}

void *connect_and_send(void *ctx)
{
	just_connect(ctx);
	return send_pattern(ctx);
}

size_t read_pattern(int fd, size_t chunk, int flags)
{
	uint8_t *b = malloc(chunk);
	size_t at = 0;
	ssize_t n;

	while ((n = recv_tcpu(fd, b, chunk, flags)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(at + (size_t)i))
				ck_abort_msg("byte %zu is wrong", at + (size_t)i);
		at += (size_t)n;
	}
	ck_assert_msg(n == 0, "recv: %s", strerror(errno));
	free(b);
	return at;
}

void *accept_and_read(void *ctx)
{
	struct peer *p = ctx;
	int l = p->fd, fd = accept_tcpu(l, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	p->bytes = read_pattern(fd, 20000, 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	return NULL;
}
