/* tcpkd: TCPK on stock kernels. kernel/uapi/tcpk.h says what it does for programs, `tcpkd --help` what for its user. */
#include "kernel/tcpkd/confine.h"
#include "kernel/tcpkd/server.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PINS "/sys/fs/bpf/tcpkd"
#define POLICY "/etc/tcpkd.conf"
#define POLICY_BYTES (64 << 10)
#define BPF_FS_MAGIC 0xcafe4a11

enum { OK, FAILED, USAGE };

static const struct argp_option options[] = {
	{ "socket", 's', "PATH", 0, "listen here [" TCPKD_PATH "]", 0 },
	{ "policy", 'p', "FILE", 0, "who may claim what [" POLICY ", where there is one]", 0 },
	{ "pins", 'b', "DIR", 0, "keep the port table in this folder of a BPF file system, which is this user's alone, so "
		"that the next tcpkd goes on with it; or \"none\" [" PINS ", where /sys/fs/bpf is one]", 0 },
	{ "shortcut", 'c', "VETH", 0, "what leaves by this veth goes to its other end, in another namespace, at once: faster, "
		"but past queues, tc and what watches this end; may be given more than once", 0 },
	{ "remove", 'r', NULL, 0, "do not serve: take down what an earlier tcpkd has left", 0 },
	{ 0 },
};
static const char doc[] = "Lets programs have TCP ports of this host that their own TCP serves: TCPK for kernels "
	"without its module. Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; all but CAP_BPF and CAP_NET_ADMIN "
	"(and CAP_NET_BIND_SERVICE, where the policy gives ports below 1024) are given up before anybody is served.\v"
	"The policy file has lines of these forms; # begins a comment:\n"
	"  allow user alice ports 80,443,8000-8999\n"
	"  allow group tcpk ports 1024-65535\n"
	"  allow anyone ports 20000-20099\n"
	"  clients 64      at a time, of one user; whose ring somebody keeps, counts\n"
	"  claims 4096     at a time, of one user\n"
	"  ring 64M        the largest\n"
	"  rings 256M      of one user together\n"
	"Without a file: ports from 1024 on for the group tcpk, all for the user that tcpkd runs as.\n"
	"Below the host's first unprivileged port a policy that names it is what is needed, and nothing else.\n"
	"\nSIGTERM ends it. Clients that have claims keep them, and the next tcpkd takes them over; without pins they "
	"lose them, and are told.\n"
	"\nExample: tcpkd & tcpu status\n"
	"Exit status: 0 ended by a signal, or removed; 1 failed, and said why; 2 wrong arguments.";

struct arguments {
	const char *socket, *policy, *pins;
	bool remove;
	struct shortcuts shortcuts;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 's':
		a->socket = arg;
		break;
	case 'p':
		a->policy = arg;
		break;
	case 'b':
		a->pins = arg;
		break;
	case 'c':
		if (strlen(arg) >= IF_NAMESIZE || a->shortcuts.count == SHORTCUTS_MAX)
			argp_error(state, "--shortcut %s: no name of a device, or more than %d", arg, SHORTCUTS_MAX);
		a->shortcuts.names[a->shortcuts.count++] = arg;
		break;
	case 'r':
		a->remove = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected \"%s\": there are only options", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- what it starts from ---- */

static bool read_policy(struct policy *p, const char *named)
{
	const char *name = named ? named : POLICY;
	static char text[POLICY_BYTES];
	char complaint[512];
	size_t n;
	FILE *f;

	policy_default(p, geteuid());
	f = fopen(name, "re");
	if (!f && errno == ENOENT && !named)
		return true;
	n = f ? fread(text, 1, sizeof text, f) : 0;
	if (!f || ferror(f) || n == sizeof text) {
		fprintf(stderr, "tcpkd: %s: %s\n", name, n == sizeof text ? "longer than 64 KiB" : strerror(errno));
		if (f)
			fclose(f);
		return false;
	}
	fclose(f);
	if (!policy_read(p, name, text, n, complaint, sizeof complaint))
		return true;
	fprintf(stderr, "tcpkd: %s\n", complaint);
	return false;
}

/* What is wrong with a folder for pins; NULL: nothing. */
static const char *fault_of(int folder, bool of_anybody)
{
	struct statfs fs;
	struct stat s;

	if (folder < 0 || fstatfs(folder, &fs) || (unsigned long)fs.f_type != BPF_FS_MAGIC)
		return "is no folder of a BPF file system (mount -t bpf -o mode=0700 bpf /sys/fs/bpf)";
	/* Who can write there has maps of his own taken for ours; who can read, can lock it. */
	if (!of_anybody && (fstat(folder, &s) || s.st_uid != geteuid() || s.st_mode & 077))
		return "must be a folder of this user alone, of mode 0700 (remove it, or choose other --pins)";
	return NULL;
}

/* The folder for pins, made if it is not there; NULL: none. It is one tcpkd's at a time, until the process ends: what
 * another finds there it takes for its own, and for what nobody serves. */
static const char *find_pins(const struct arguments *a, bool *bad)
{
	const char *pins = a->pins ? a->pins : PINS, *fault;
	int fd;

	*bad = false;
	if (!strcmp(pins, "none"))
		return NULL;
	mkdir(pins, 0700);
	fd = open(pins, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fault = fault_of(fd, a->remove);
	if (fault) {
		*bad = a->pins;
		fprintf(stderr, "tcpkd: %s %s%s\n", pins, fault, a->pins ? "" : ": clients will not survive another tcpkd");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return pins;
	*bad = true;
	fprintf(stderr, "tcpkd: %s: %s\n", pins, errno == EWOULDBLOCK ?
		"another tcpkd has its maps there; end that one, or choose other --pins" : strerror(errno));
	return NULL;
}

static int socket_of(const struct arguments *a)
{
	int fd = SD_LISTEN_FDS_START;

	if (sd_listen_fds(1) > 0) {
		if (sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) > 0 && !fcntl(fd, F_SETFL, O_NONBLOCK))
			return fd;
		fprintf(stderr, "tcpkd: expected a Unix socket that listens, SOCK_SEQPACKET, as descriptor 3: is that in its "
			"socket unit (ListenSequentialPacket=)?\n");
		return -EPROTOTYPE;
	}
	fd = server_listen(a->socket);
	if (fd < 0)
		fprintf(stderr, "tcpkd: %s: %s\n", a->socket,
			fd == -EADDRINUSE ? "another tcpkd serves it; end that one, or choose another --socket" : strerror(-fd));
	return fd;
}

static int stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A claim is a descriptor here. */
static void many_descriptors(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void lose(void *clients, uint32_t ifindex)
{
	clients_lose(clients, ifindex);
}

static int confine(const struct policy *p)
{
	int e = confine_capabilities(policy_has_privileged(p));

	if (!e)
		e = confine_calls();
	if (e)
		fprintf(stderr, "tcpkd: cannot confine itself: %s\n", strerror(-e));
	return e;
}

static int serve(struct clients *all, const struct arguments *a)
{
	int stop = stop_signals(), fd, e;

	fd = socket_of(a);
	if (fd < 0)
		return fd;
	e = confine(all->policy);
	if (!e) {
		clients_adopt(all);
		sd_notify(0, "READY=1");
		e = server_run(all, fd, stop);
	}
	if (e)
		fprintf(stderr, "tcpkd: %s\n", strerror(-e));
	return e;
}

/* keep: who has claims keeps them, nothing is given back, and the programs stay. Else clients, whoever has served them,
 * have nothing any more. */
static void end(struct clients *all, bool keep)
{
	devices_close(all->devices, !keep);
	table_close(all->table, keep);
}

int main(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct arguments a = { .socket = TCPKD_PATH };
	struct policy policy;
	struct clients all = { .policy = &policy, .self = geteuid() };
	const char *pins;
	bool bad;
	int e = 0;

	argp_err_exit_status = USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!read_policy(&policy, a.policy))
		return FAILED;
	pins = find_pins(&a, &bad);
	if (bad)
		return FAILED;
	many_descriptors();
	all.table = table_open(pins);
	if (!all.table)
		return FAILED;
	all.devices = devices_open(all.table, &a.shortcuts, lose, &all);
	if (!all.devices) {
		table_close(all.table, true);
		return FAILED;
	}
	if (!a.remove)
		e = serve(&all, &a);
	/* Who could not begin to serve knows nothing of clients. */
	end(&all, !a.remove && pins && (e || clients_any(&all)));
	return e ? FAILED : OK;
}
