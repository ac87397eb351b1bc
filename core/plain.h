/* The simplest users of the seam: bytes from memory and bytes to memory, copied and summed in one pass. */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

#include "core/seam.h"

struct plain_source {
	struct seam_source seam; /* hand this to TCP */
	const uint8_t *data;     /* borrowed */
	size_t len, done;        /* bytes; done of them were taken */
};

struct plain_sink {
	struct seam_sink seam; /* hand this to TCP; done when full */
	uint8_t *data;         /* borrowed; bytes behind got are undefined */
	size_t cap, got;       /* bytes */
};

void plain_source(struct plain_source *, const void *data, size_t len);
void plain_sink(struct plain_sink *, void *data, size_t cap);

#endif
