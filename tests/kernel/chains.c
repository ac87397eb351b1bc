/* The table of bound sockets when somebody claims one port on thousands of addresses: each has its own packets, and no
 * chain is long, since every TCP packet of the host walks one. How long they are only the kernel's memory tells, which
 * root may read: the module says nothing of its chains, so that nobody can look for sockets that share one. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LO 0x7f010001u /* and what follows it */
#define PORT 7500
#define CLAIMS 2000
#define LONG 20 /* in a table of thousands of chains, chance does not put so many into one */

static int claims[CLAIMS];
static int kcore;
static Elf64_Phdr parts[256];
static unsigned part_count;

/* ---- the kernel's memory ---- */

static bool open_memory(void)
{
	Elf64_Ehdr head;

	kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (kcore < 0 || pread(kcore, &head, sizeof head, 0) != sizeof head)
		return false;
	part_count = head.e_phnum < 256 ? head.e_phnum : 256;
	return pread(kcore, parts, part_count * sizeof *parts, (off_t)head.e_phoff) > 0;
}

static bool read_memory(uint64_t from, void *to, size_t len)
{
	for (unsigned i = 0; i < part_count; i++) {
		const Elf64_Phdr *h = &parts[i];

		if (h->p_type == PT_LOAD && from >= h->p_vaddr && from - h->p_vaddr < h->p_memsz)
			return pread(kcore, to, len, (off_t)(h->p_offset + (from - h->p_vaddr))) == (ssize_t)len;
	}
	return false;
}

/* Where a variable of the module's is; 0: the kernel does not say. */
static uint64_t find_variable(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], this_[256];
	uint64_t value, found = 0;

	while (f && fgets(line, sizeof line, f)) {
		if (strstr(line, "[tcpk]") && sscanf(line, "%lx %*c %255s", &value, this_) == 2 && !strcmp(this_, name))
			found = value;
	}
	if (f)
		fclose(f);
	return found;
}

/* And of how many bytes, which its file has. */
static size_t size_of(const char *name)
{
	static uint8_t file[16 << 20];
	const Elf64_Ehdr *head = (const void *)file;
	int fd = open("/tcpk.ko", O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	MUST(fd >= 0);
	for (ssize_t n; (n = read(fd, file + len, sizeof file - len)) > 0;)
		len += (size_t)n;
	close(fd);
	MUST(len > sizeof *head && len < sizeof file);
	for (unsigned i = 0; i < head->e_shnum; i++) {
		const Elf64_Shdr *sections = (const void *)(file + head->e_shoff), *table = &sections[i];
		const Elf64_Sym *s = (const void *)(file + table->sh_offset);

		for (size_t j = 0; table->sh_type == SHT_SYMTAB && j < table->sh_size / sizeof *s; j++) {
			if (!strcmp((const char *)file + sections[table->sh_link].sh_offset + s[j].st_name, name))
				return s[j].st_size;
		}
	}
	return 0;
}

/* ---- the checks ---- */

static void test_chains(void)
{
	uint64_t where = find_variable("wide"), *heads, node;
	size_t len = size_of("wide");
	unsigned all = 0, longest = 0;

	MUST(len);
	if (!where || !open_memory()) {
		printf("# this kernel's memory cannot be read: its chains are not counted\n");
		return;
	}
	heads = malloc(len);
	MUST(heads && read_memory(where, heads, len));
	for (size_t i = 0; i < len / sizeof *heads; i++) {
		unsigned n = 0;

		for (node = heads[i]; node && n < CLAIMS; n++)
			MUST(read_memory(node, &node, sizeof node)); /* struct hlist_node: next comes first */
		all += n;
		longest = n > longest ? n : longest;
	}
	OK(all == CLAIMS, "the table has them all: %u", all);
	OK(longest < LONG, "no chain has many of them: %u", longest);
	free(heads);
}

static void test_each(void)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP), right = 0, more = 0;
	static struct got g;
	uint8_t bytes[64];

	for (unsigned i = 0; i < CLAIMS; i++) {
		struct segment s = { .src = LO, .dst = LO + i, .sport = 9, .dport = PORT, .seq = i, .flags = TH_SYN };
		struct sockaddr_in to = at(LO + i, 0);

		MUST(sendto(raw, bytes, segment_make(bytes, &s), 0, (struct sockaddr *)&to, sizeof to) == 20);
	}
	for (unsigned i = 0; i < CLAIMS; i++) {
		right += get(claims[i], &g, 0) == 20 && ((const struct tcphdr *)(void *)g.data)->seq == htonl(i);
		more += recv(claims[i], bytes, sizeof bytes, MSG_DONTWAIT) >= 0;
	}
	OK(right == CLAIMS && !more, "each of %d addresses has what is for it: %d, and %d more", CLAIMS, right, more);
	close(raw);
}

int main(void)
{
	struct rlimit many = { CLAIMS + 100, CLAIMS + 100 };
	int all;

	MUST(!setrlimit(RLIMIT_NOFILE, &many));
	for (unsigned i = 0; i < CLAIMS; i++)
		MUST((claims[i] = tcpk_bound(LO + i, PORT)) >= 0);
	FAILS(tcpk_bound(INADDR_ANY, PORT), EADDRINUSE, "all addresses' port is partly taken");
	test_chains();
	test_each();
	for (int i = 0; i < CLAIMS; i++)
		close(claims[i]);
	all = tcpk_bound(INADDR_ANY, PORT);
	OK(all >= 0, "and is free with the last of them");
	close(all);
	return tap_end();
}
