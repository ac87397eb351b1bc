/* tcpu explain: the verb. What there is to say is worked out by the generator's planner (ilp/gen/). */
#include "tools/tcpu.h"

#include "ilp/ilp.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

int verb_explain(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; ilp_chains[i]; i++)
		printf("%-24s %s\n", ilp_chains[i]->name, ilp_chains[i]->stages);
	return TCPU_OK;
}
