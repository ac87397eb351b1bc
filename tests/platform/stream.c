/* The kernel's TCP as the other end, and as the neighbour. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (256 << 10)

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port) };
}

int listen_at(uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = address(ip, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 8))
		give_up("a listener");
	return fd;
}

int take_connection(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	return poll(&p, 1, 2000) == 1 ? accept(listener, NULL, NULL) : -1;
}

int connect_to(uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = address(ip, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval second = { .tv_sec = 1 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
	if (!connect(fd, (struct sockaddr *)&a, sizeof a))
		return fd;
	close(fd);
	return -1;
}

static _Noreturn void write_stream(int fd, size_t bytes)
{
	static uint8_t chunk[CHUNK];

	for (size_t done = 0; done < bytes;) {
		size_t n = bytes - done < CHUNK ? bytes - done : CHUNK;
		ssize_t written;

		for (size_t i = 0; i < n; i++)
			chunk[i] = data_at((uint32_t)(done + i));
		for (size_t at = 0; at < n; at += (size_t)written)
			if ((written = write(fd, chunk + at, n - at)) <= 0)
				_exit(1);
		done += n;
	}
	_exit(0);
}

bool read_stream(int fd, size_t bytes)
{
	static uint8_t chunk[CHUNK];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (size_t done = 0; done < bytes;) {
		ssize_t n = poll(&p, 1, 10000) == 1 ? read(fd, chunk, CHUNK) : 0;

		if (n <= 0)
			return false;
		for (size_t i = 0; i < (size_t)n; i++)
			if (chunk[i] != data_at((uint32_t)(done + i)))
				return false;
		done += (size_t)n;
	}
	return true;
}

bool stream(int from, int to, uint32_t ip, uint16_t port, size_t bytes)
{
	int listener, out, in, status;
	pid_t pid;
	bool good;

	enter(to);
	listener = listen_at(ip, port);
	enter(from);
	out = connect_to(ip, port);
	in = take_connection(listener);
	if (out < 0 || in < 0 || (pid = fork()) < 0)
		give_up("a connection of the kernel's TCP");
	if (!pid)
		write_stream(out, bytes);
	good = read_stream(in, bytes);
	close(in);
	close(out);
	close(listener);
	return waitpid(pid, &status, 0) == pid && !status && good;
}
