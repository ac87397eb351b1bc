/* How often each user may have what is dear: BUCKET_AT_ONCE at once, and one more every BUCKET_EACH_US after that. */
#ifndef KERNEL_TCPKD_BUCKET_H
#define KERNEL_TCPKD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BUCKET_AT_ONCE 32
#define BUCKET_EACH_US UINT64_C(100000)

struct bucket;

/* Whether that user may now; if so, he has had it. Of *all, NULL at first, those go that are full again. false, too:
 * no memory. */
bool bucket_take(struct bucket **all, uid_t, uint64_t now_us);
void bucket_free(struct bucket **all);

#endif
