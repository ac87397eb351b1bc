/* What packetdrill's --so_flags says. */
#include "tests/packetdrill/adapter.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 20

static bool number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoull(text, &end, 10);
	*out = (uint32_t)n;
	return !*end && n >= least && n <= most;
}

static bool set(struct flags *f, const char *name, size_t len, const char *value)
{
	struct in_addr ip;

#define IS(what) (len == sizeof(what) - 1 && !memcmp(name, what, len))
	if (IS("local")) {
		bool good = inet_pton(AF_INET, value, &ip) == 1;

		f->local_ip = ip.s_addr;
		return good;
	}
	if (IS("mtu"))
		return number(value, 68, 65535, &f->mtu);
	if (IS("wait"))
		return number(value, 0, 3600, &f->wait_s);
	if (IS("iw"))
		return number(value, 1, 1000, &f->iw);
	if (IS("isn"))
		return f->has_isn = number(value, 0, UINT32_MAX, &f->isn);
	if (IS("delack")) {
		f->delack = !strcmp(value, "on");
		return f->delack || !strcmp(value, "off");
	}
#undef IS
	return false;
}

bool flags_read(const char *text, struct flags *f, const char **wrong)
{
	*f = (struct flags){ .mtu = 1500, .wait_s = 5, .iw = 10, .delack = true };
	inet_pton(AF_INET, "192.168.0.1", &f->local_ip);
	while (text && *text) {
		size_t len = strcspn(text, ","), name = strcspn(text, "=,");
		char value[VALUE_MAX + 1];

		*wrong = text;
		if (name == len || len - name - 1 > VALUE_MAX)
			return false;
		memcpy(value, text + name + 1, len - name - 1);
		value[len - name - 1] = 0;
		if (!set(f, text, name, value))
			return false;
		text += len + (text[len] == ',');
	}
	return true;
}
