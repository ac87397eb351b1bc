#include "core/link/tcpk_ways.h"

#include <errno.h>

const struct link_ops tcpk_module_ops;

int tcpk_module_open(const struct link_tcpk_config *config, struct link **out)
{
	(void)config;
	(void)out;
	return -EPROTONOSUPPORT;
}

struct link_tcpk_stats tcpk_module_stats(struct link *link)
{
	(void)link;
	return (struct link_tcpk_stats){ 0 };
}
