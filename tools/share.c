/* Where the command finds what is read at run time: the generator, the conformance table. */
#include "tools/tcpu.h"

#include <stdlib.h>

#ifndef TCPU_SHARE
#define TCPU_SHARE "." /* build.mk gives the folder of the sources */
#endif

const char *share_folder(void)
{
	const char *share = getenv("TCPU_SHARE");

	return share ? share : TCPU_SHARE;
}
