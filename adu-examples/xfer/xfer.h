/* xfer: a real file, sent as ADUs named (file, offset), written at its offsets at the other end.
 *
 *	sender                                             receiver
 *	start-up frames of MPA: struct greeting       <->          each sees by itself whether they can talk
 *	HELLO  size, mode, name, ADU size             -->
 *	                                              <--  ANSWER  0, or why not
 *	DATA   name: the offset, 8 bytes              -->          as many as it takes
 *	END    ADUs sent, digest                      -->
 *	                                              <--  ANSWER  0: the file is whole and has its name
 *
 * An ANSWER with a status may come at any time, and so may the sender's GIVE_UP. The status is the one byte of the
 * ADU's name, which is never enciphered: it is an exit status, below, and the data says it in words.
 *
 * The digest is that of the file as it was read: the sum over the ADUs of digest.c, order being no matter. With the
 * offsets, each of which must come exactly once, it finds what goes wrong between one disk and the other. It is no
 * protection against attackers, and neither is the cipher without authentication. */
#ifndef XFER_H
#define XFER_H

#include "alf/alf.h"

#include <signal.h>

enum status {
	OK = 0,
	FAILED = 1,      /* the connection or the transfer */
	USAGE = 2,
	ABSENT = 3,      /* nobody answers there */
	UNREADABLE = 4,  /* the file to send, or the key's */
	UNWRITABLE = 5,  /* the file to write: disk full, no permission, too large */
	WRONG_KEY = 6,
	INTERRUPTED = 130,
};

enum adu_type { HELLO = 1, ANSWER, DATA, END, GIVE_UP };

#define ADU_MIN 4096u
#define ADU_LARGEST (16u << 20)
#define MAGIC "TCPUxfer"
#define CHAIN_CLEAR "copy"
#define CHAIN_KEYED "aes256_gcm_copy"
#define CHAIN_NAME_MAX 48
#define TEXT_MAX 256

/* On the wire as they stand: big-endian, without gaps. */
struct greeting {
	char magic[8];
	uint32_t version;
	char chain[CHAIN_NAME_MAX]; /* ends with 0 */
};
#define VERSION 2
struct hello {
	uint32_t adu_bytes, mode;
	uint64_t size;
	char name[256]; /* ends with 0 */
};

#define PARTING_S 2 /* how long one tries to part in peace */

struct end {
	uint64_t adus, digest;
};

#define NO_TCPK "this host has no TCPK (kernel/uapi/tcpk.h): leave out --tcpk, and UDP carries the segments"

struct options {
	bool receive, once, json, tcpk;
	const char *file, *key_file;
	const char *chain; /* a family's name, alf_family */
	struct alf_chains chains;
	enum ilp_schedule schedule;
	struct sockaddr_in address;
	uint32_t adu_bytes;
	unsigned timeout_s;
	uint8_t key[32];
};

/* The other end. */
struct peer {
	const struct options *options;
	int fd;
	struct alf *alf;
	bool initiator, broken;
};

/* Set by SIGINT, SIGTERM and SIGHUP; the calls of TCPU return then. */
extern volatile sig_atomic_t interrupted;

enum status send_file(const struct options *);
enum status receive_files(const struct options *);

/* key.c: 32 bytes or 64 hex digits. Complains. */
enum status key_read(const char *file, uint8_t key[32]);

/* digest.c */
uint64_t digest(uint64_t offset, const void *data, size_t len);

/* peer.c. Sockets: -1 with errno. Those that return a status have complained, unless it is OK. */
int peer_socket(const struct options *);
/* Until both ends have greeted one another, and agree. */
enum status peer_open(struct peer *, const struct options *, int fd, bool initiator);
void peer_close(struct peer *);
enum status peer_send(struct peer *, enum adu_type, const void *name, uint8_t name_len, const void *data,
		      size_t len);
/* The next ADU and its length. An ADU of type answer (the sender's: GIVE_UP, the receiver's: ANSWER) with a status
 * other than OK is said on stderr and becomes the result. */
enum status peer_recv(struct peer *, void *buf, size_t cap, struct adu_attr *, size_t *len);
/* Tells the peer, as ANSWER or GIVE_UP. */
enum status peer_tell(struct peer *, enum status, const char *text);
/* How much of a text from afar can be shown: no control characters, no escape sequences. */
size_t peer_legible(const char *text, size_t len);
/* Whether the peer has something to say now. */
bool peer_speaks(struct peer *);

/* progress.c: a bar on stderr if that is a terminal, and the last word. */
struct progress {
	const char *verb, *name;
	uint64_t size, done, adus, start_ns, drawn_ns;
	bool bar;
};
void progress_begin(struct progress *, const char *verb, const char *name, uint64_t size);
void progress_add(struct progress *, size_t bytes);
/* whole: also says how much it was, as text on stderr or as JSON on stdout. */
void progress_end(struct progress *, const struct peer *, bool whole);

/* `xfer: ...` on stderr. Returns status. */
__attribute__((format(printf, 2, 3))) enum status complain(enum status, const char *format, ...);

#endif
