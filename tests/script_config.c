/* Options of a script: packetdrill's, as far as they mean something here, and --tcpu=key=value,key=value...:
 *	isn=N            initial sequence number: makes "seq" absolute when a capture is looked at
 *	iw=N             initial window in segments      delack=T, quickack   delay of ACKs, none
 *	rto_initial=T, rto_min=T, rto_max=T              msl=T                half of TIME-WAIT
 *	user_timeout=T, fin_wait=T                       syn_retries=N, data_retries=N
 *	rcvbuf=N, rcvbuf_max=N, sndbuf=N                 mss=N, mtu=N
 *	syn_backlog=N, connections=N                     congestion=reno|cubic
 *	no_sack, no_timestamps, no_scale, no_ecn, no_quickack, ecn, pacing, nodelay
 * Times T are written 40ms, 500us or 1s. */
#include "tests/script.h"

#include <arpa/inet.h>
#include <string.h>

void script_config_default(struct script_config *c)
{
	*c = (struct script_config){
		.local_ip = inet_addr("192.168.0.1"), .remote_ip = inet_addr("192.0.2.1"),
		.bind_port = 8080, .connect_port = 8080, .mtu = 1500, .tolerance_us = 4000,
	};
}

/* A number up to max at the beginning of text, cut off from it. */
static bool take(struct script_text *t, uint64_t max, uint64_t *n)
{
	const char *from = t->at;

	for (*n = 0; t->len && *t->at >= '0' && *t->at <= '9'; t->at++, t->len--) {
		*n = *n * 10 + (uint64_t)(*t->at - '0');
		if (*n > max)
			return false;
	}
	return t->at > from;
}

static bool number(struct script_text t, uint64_t max, uint64_t *n)
{
	return take(&t, max, n) && !t.len;
}

static bool duration(struct script_text t, uint64_t *us)
{
	if (!take(&t, UINT32_MAX, us))
		return false;
	if (script_text_is(t, "s"))
		*us *= 1000000;
	else if (script_text_is(t, "ms"))
		*us *= 1000;
	else
		return script_text_is(t, "us");
	return true;
}

static const char *set_number(struct script_config *c, struct script_text key, struct script_text value)
{
	const struct {
		const char *name;
		uint32_t *to;
	} keys[] = {
		{ "isn", &c->engine.isn }, { "iw", &c->engine.initial_cwnd },
		{ "rcvbuf", &c->engine.options.rcvbuf_bytes }, { "rcvbuf_max", &c->engine.rcvbuf_max },
		{ "sndbuf", &c->engine.options.sndbuf_bytes }, { "mss", &c->engine.options.mss_max }, { "mtu", &c->mtu },
		{ "syn_retries", &c->engine.options.syn_retries }, { "data_retries", &c->engine.options.data_retries },
		{ "syn_backlog", &c->engine.syn_backlog }, { "connections", &c->engine.connections_max },
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (script_text_is(key, keys[i].name)) {
			if (!number(value, UINT32_MAX, &n))
				return "key=number";
			*keys[i].to = (uint32_t)n;
			c->engine.isn_fixed |= keys[i].to == &c->engine.isn;
			return NULL;
		}
	return "a key that script_config.c knows";
}

static const char *set_time(struct script_config *c, struct script_text key, struct script_text value)
{
	const struct {
		const char *name;
		uint32_t *to32;
		uint64_t *to64;
	} keys[] = {
		{ "delack", &c->engine.delack_us, NULL }, { "rto_initial", &c->engine.rto_initial_us, NULL },
		{ "rto_min", &c->engine.rto_min_us, NULL }, { "rto_max", &c->engine.rto_max_us, NULL },
		{ "msl", &c->engine.msl_us, NULL }, { "user_timeout", NULL, &c->engine.options.user_timeout_us },
		{ "fin_wait", NULL, &c->engine.options.fin_wait_us },
	};
	uint64_t us;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (script_text_is(key, keys[i].name)) {
			if (!duration(value, &us) || (keys[i].to32 && us > UINT32_MAX))
				return "key=time as 40ms, 500us or 1s";
			if (keys[i].to32)
				*keys[i].to32 = (uint32_t)us;
			else
				*keys[i].to64 = us;
			return NULL;
		}
	return set_number(c, key, value);
}

static const char *set_word(struct script_config *c, struct script_text word)
{
	const struct {
		const char *name;
		unsigned without;
	} offers[] = {
		{ "no_sack", TCPU_NO_SACK }, { "no_timestamps", TCPU_NO_TIMESTAMPS }, { "no_scale", TCPU_NO_SCALE },
		{ "no_ecn", TCPU_NO_ECN }, { "no_quickack", TCPU_NO_QUICKACK },
	};
	const struct {
		const char *name;
		bool *to;
	} words[] = {
		{ "ecn", &c->engine.ecn }, { "pacing", &c->engine.pacing }, { "quickack", &c->engine.options.quickack },
		{ "nodelay", &c->engine.options.nodelay },
	};

	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
		if (script_text_is(word, offers[i].name)) {
			c->engine.without |= offers[i].without;
			return NULL;
		}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (script_text_is(word, words[i].name)) {
			*words[i].to = true;
			return NULL;
		}
	return "a word that script_config.c knows";
}

static const char *set_tcpu(struct script_config *c, struct script_text list)
{
	while (list.len) {
		const char *comma = memchr(list.at, ',', list.len);
		struct script_text one = { list.at, comma ? (size_t)(comma - list.at) : list.len };
		const char *is = memchr(one.at, '=', one.len), *right;
		struct script_text key = { one.at, is ? (size_t)(is - one.at) : one.len };
		struct script_text value = { is ? is + 1 : NULL, is ? one.len - key.len - 1 : 0 };

		if (!is)
			right = set_word(c, key);
		else if (!script_text_is(key, "congestion"))
			right = set_time(c, key, value);
		else if (value.len >= sizeof c->engine.options.congestion)
			right = "congestion=reno or cubic";
		else
			right = memcpy(c->engine.options.congestion, value.at, value.len) ? NULL : "";
		if (right)
			return right;
		list.at += one.len + (comma != NULL);
		list.len -= one.len + (comma != NULL);
	}
	return NULL;
}

static const char *set_address(struct script_text value, uint32_t *ip)
{
	char s[INET_ADDRSTRLEN] = "";

	if (value.len < sizeof s)
		memcpy(s, value.at, value.len);
	return inet_pton(AF_INET, s, ip) == 1 ? NULL : "an IPv4 address";
}

const char *script_config_set(struct script_config *c, struct script_text name, struct script_text value)
{
	uint64_t n = 0;
	bool is_number = number(value, UINT32_MAX, &n), is_port = is_number && n && n <= UINT16_MAX;

	if (script_text_is(name, "tcpu"))
		return set_tcpu(c, value);
	if (script_text_is(name, "local_ip"))
		return set_address(value, &c->local_ip);
	if (script_text_is(name, "remote_ip"))
		return set_address(value, &c->remote_ip);
	if (script_text_is(name, "ip_version"))
		return script_text_is(value, "ipv4") ? NULL : "ipv4";
	if (script_text_is(name, "bind_port")) {
		c->bind_port = (uint16_t)n;
		return is_port ? NULL : "a port";
	}
	if (script_text_is(name, "connect_port")) {
		c->connect_port = (uint16_t)n;
		return is_port ? NULL : "a port";
	}
	if (script_text_is(name, "mtu")) {
		c->mtu = (uint32_t)n;
		return is_number && n >= 68 && n <= UINT16_MAX ? NULL : "from 68 to 65535";
	}
	if (script_text_is(name, "tolerance_usecs")) {
		c->tolerance_us = n;
		return is_number ? NULL : "microseconds";
	}
	if (script_text_is(name, "tcp_ts_tick_usecs")) {
		c->ts_tick_us = n;
		return is_number ? NULL : "microseconds";
	}
	if (script_text_is(name, "tcp_ts_ecr_scaled")) {
		c->ts_ecr_scaled = true;
		return value.len ? "no value" : NULL;
	}
	return "an option that script_config.c knows, and this is none";
}
