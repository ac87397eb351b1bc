/* What the examples have in common as commands: exit statuses, complaints, signals, and words of the command line. */
#ifndef COMMON_COMMAND_H
#define COMMON_COMMAND_H

#include <argp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>

/* Exit statuses; what the latter ones are about, each example's --help says. */
enum status {
	BUSY = -1, /* none yet: it goes on */
	OK = 0,
	FAILED = 1,
	USAGE = 2,
	ABSENT = 3,     /* nobody answers there */
	UNREADABLE = 4, /* what is to be read is not there, or is wrong */
	UNWRITABLE = 5, /* what is to be written has no place */
	WRONG_KEY = 6,
	INTERRUPTED = 130,
};

/* `NAME: ...` on stderr, NAME being the program's. Returns status. */
__attribute__((format(printf, 2, 3))) enum status complain(enum status, const char *format, ...);

/* Set by SIGINT, SIGTERM and SIGHUP, once command_signals was called; the calls of TCPU return then. */
extern volatile sig_atomic_t interrupted;
void command_signals(void);
/* By this one as well. */
void command_heed(int signal);

/* These end the program where a word is none. */

/* ADDR:PORT, ADDR or :PORT; where nothing stands, 127.0.0.1 and that port. */
void command_address(struct argp_state *, const char *text, const char *port, struct sockaddr_in *);
/* Decimal, or hexadecimal behind 0x; K and M are known. */
uint32_t command_number(struct argp_state *, const char *text, uint32_t low, uint32_t high);

#endif
