/* Trains (link_out.segment_len) cut into segments, as TSO does. Private to core/link/; no system call. */
#ifndef CORE_LINK_TRAIN_H
#define CORE_LINK_TRAIN_H

#include "core/link.h"

#define TRAIN_HEADER_MAX 60

/* Segment i of a train, from 0 on; its header is written to header, and its data stays where it is. false: there is
 * none any more. */
bool train_cut(const struct link_out *train, uint32_t i, uint8_t header[TRAIN_HEADER_MAX], struct link_out *segment);

#endif
