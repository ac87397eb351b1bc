/* How much each user may have of what is dear: BUCKET_AT_ONCE at once, and one more every BUCKET_EACH_US after that. */
#ifndef KERNEL_TCPKD_BUCKET_H
#define KERNEL_TCPKD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BUCKET_AT_ONCE 32
#define BUCKET_EACH_US UINT64_C(100000)

struct bucket;

/* Whether that user may have so much now; if so, he has had it. More than BUCKET_AT_ONCE counts as that. Of *all, NULL
 * at first, those go that are full again. false, too: no memory. */
bool bucket_take(struct bucket **all, uid_t, unsigned much, uint64_t now_us);
void bucket_free(struct bucket **all);

#endif
