/* Scripts in packetdrill's language: what the wire of one TCP looks like and which calls its user makes, line by line,
 * played in virtual time against the socket calls of core/tcpu.h.
 *
 *	script.rl       the grammar: text -> struct script, or where and why not
 *	script_config.c the options at the top of a script     script_names.c  constants, errors, fields of TCP_INFO
 *	script_print.c  segments in the script's own notation  script_wire.c   segments to and from bytes, and compared
 *	script_world.c  time, link, stack, the blocked call    script_call.c   the calls
 *	script_play.c   events, one after another              script_run.c    the program
 *
 * Of packetdrill's language (google/packetdrill) there is what TCP over IPv4 needs; and of our own:
 *	--tcpu=key=value,...   how the stack is configured, see script_config.c
 *	<raw 0502>             an option by its bytes; how an option that has no name is printed, too
 *	tcpu_*                 in assertions: fields of struct tcpu_info beside those of struct tcp_info */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "core/tcpu.h"

struct tcp_info; /* <linux/tcp.h>: that of <netinet/tcp.h> ends earlier */

#define SCRIPT_BYTES_MAX (1 << 20) /* of a script's text */
#define SCRIPT_OPTIONS_MAX 40      /* bytes of a TCP header's options */

/* Where reading stopped: line and column from 1, what was expected and what stood there. */
struct script_error {
	unsigned line, column;
	char text[240];
};

struct script_text { /* not terminated */
	const char *at;
	size_t len;
};

/* ---- how the world of a script is made ---- */

struct script_config {
	struct tcpu_config engine;
	uint32_t local_ip, remote_ip;      /* network byte order [192.168.0.1, 192.0.2.1] */
	uint16_t bind_port, connect_port;  /* host byte order [8080] */
	uint32_t mtu;                      /* [1500] */
	uint64_t tolerance_us;             /* by which outbound packets may be early or late [4000] */
	uint64_t ts_tick_us;               /* of the timestamps that scripts write; 0: not compared */
	bool ts_ecr_scaled;                /* an echo of no timestamp that we have sent counts from the first */
};

void script_config_default(struct script_config *);
/* An option of the script, "--name=value"; NULL, or what would have been right. */
const char *script_config_set(struct script_config *, struct script_text name, struct script_text value);

/* ---- what a script says ---- */

enum script_kind { SCRIPT_IN, SCRIPT_OUT, SCRIPT_ICMP, SCRIPT_CALL, SCRIPT_SHELL, SCRIPT_ASSERT };

struct script_when {
	enum { SCRIPT_AT, SCRIPT_AFTER, SCRIPT_ANY } kind; /* since the beginning, since the event before; at any time */
	uint64_t from_us, to_us;
};

enum { SCRIPT_FIN = 1, SCRIPT_SYN = 2, SCRIPT_RST = 4, SCRIPT_PSH = 8, SCRIPT_ACK = 16, SCRIPT_URG = 32,
	SCRIPT_ECE = 64, SCRIPT_CWR = 128 };
enum { SCRIPT_ECN_ANY = -1, SCRIPT_ECT01 = 4 }; /* beside the four values of the field */

/* In the script's numbers. */
struct script_segment {
	uint16_t src_port, dst_port; /* host byte order; 0: the connection's */
	uint32_t seq, len, ack;
	uint8_t flags;
	int window;                  /* not scaled; -1: not said */
	uint16_t urgent;
	int ecn;
	bool options_any;            /* <...> */
	uint8_t options[SCRIPT_OPTIONS_MAX];
	uint8_t options_len;
};

struct script_icmp {
	int error;         /* as struct link_in has it */
	uint32_t mtu;
	uint32_t seq, len; /* of the segment it quotes */
};

/* An argument of a call. */
struct script_value {
	enum { SCRIPT_NUMBER, SCRIPT_STRING, SCRIPT_ELLIPSIS, SCRIPT_LIST, SCRIPT_STRUCT, SCRIPT_FUNCTION, SCRIPT_WORD } kind;
	struct script_text name; /* of a field: name = value */
	struct script_text text; /* of string, function */
	int64_t number;
	uint32_t first, next;    /* of list, struct, function: what is in it; behind it. 0: none */
};

struct script_call {
	struct script_text name;
	uint32_t first;    /* argument; 0: none */
	bool blocks;       /* may wait, and is to return at end_us */
	uint64_t end_us;
	bool result_any;
	int64_t result;
	int error;         /* 0: none was said */
};

/* One number or field, and what stands before it: * + -, a comparison (= ! < > l for <=, g for >=), & for a new one. */
struct script_term {
	const struct script_field *field; /* NULL: number */
	int64_t number;
	char before;
};

struct script_event {
	enum script_kind kind;
	unsigned line;
	struct script_text text; /* as it was written, its time left out */
	struct script_when when;
	union {
		struct script_segment segment;
		struct script_icmp icmp;
		struct script_call call;
		struct {
			uint32_t first, count;
		} terms;
	};
};

struct script {
	char *text;
	struct script_config config;
	struct script_event *events;
	struct script_value *values; /* 0 is none */
	struct script_term *terms;
	uint32_t event_count, value_count, term_count;
};

/* A pure function of the text; memory is bounded by its length. -EBADMSG: *error says why; -EFBIG; -ENOMEM. */
int script_read(const char *text, size_t len, struct script **out, struct script_error *error);
void script_free(struct script *);

/* ---- names ---- */

/* A constant or errno, by its name; false: there is none. */
bool script_constant(struct script_text name, int64_t *value);
int script_errno(struct script_text name); /* 0: none */
/* The errno that a link makes of an ICMP message, by packetdrill's names; 0: none. */
int script_icmp_error(struct script_text type, struct script_text code);

struct script_field {
	const char *name;
	int64_t (*get)(const struct tcp_info *, const struct tcpu_info *);
};
const struct script_field *script_field(struct script_text name); /* NULL: none */

/* ---- notation ---- */

#define SCRIPT_LINE_MAX 400 /* characters of a segment or event in the script's notation */

/* "> P. 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 1 ecr 2>" */
void script_print_segment(char line[SCRIPT_LINE_MAX], bool out, const struct script_segment *);
void script_print_event(char line[SCRIPT_LINE_MAX], const struct script_event *);

/* ---- play ---- */

struct script_play {
	bool verbose; /* each event is printed as it happens */
	/* As packetdrill: segments that come when no line expects any more do not matter. Without it they fail the script,
	 * unless the last event brought them about. */
	bool open_end;
};
/* Plays the script; 0, or -1 with one line, without "file:", in why. */
int script_play(const struct script *, const struct script_play *, char why[1000]);

static inline bool script_text_is(struct script_text t, const char *s)
{
	return t.len == __builtin_strlen(s) && !__builtin_memcmp(t.at, s, t.len);
}

#endif
