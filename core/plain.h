/* The simplest users of the seam: bytes from memory and bytes to memory, copied and summed in one pass. */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

#include "core/seam.h"

#include <sys/uio.h>

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

/* The same from and to several pieces of memory, one after the other. */
struct plain_place {
	const struct iovec *piece; /* borrowed */
	size_t at;                 /* bytes of it that are behind us */
	size_t left;               /* bytes from here to the end of the last piece */
};

struct plain_gather {
	struct seam_source seam; /* hand this to TCP */
	struct plain_place next;
};

struct plain_scatter {
	struct seam_sink seam;   /* hand this to TCP; done when full */
	struct plain_place next; /* bytes behind it are undefined */
};

/* len, cap: bytes, as many as the pieces hold together. */
void plain_gather(struct plain_gather *, const struct iovec *pieces, size_t len);
void plain_scatter(struct plain_scatter *, const struct iovec *pieces, size_t cap);

#endif
