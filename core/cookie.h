#ifndef CORE_COOKIE_H
#define CORE_COOKIE_H
#include "core/link.h"
#define COOKIE_NO_SCALE 15
struct cookie_options { uint8_t scale; bool sack, ecn; };
static inline uint32_t cookie_make(const uint8_t *k, struct link_addr a, struct link_addr b, uint32_t irs, uint16_t mss, uint64_t now) { (void)k;(void)a;(void)b;(void)mss;(void)now; return irs*7; }
static inline bool cookie_check(const uint8_t *k, struct link_addr a, struct link_addr b, uint32_t irs, uint32_t cookie, uint64_t now, uint16_t *mss) { (void)k;(void)a;(void)b;(void)now; *mss = 1460; return cookie == irs*7; }
static inline uint32_t cookie_timestamp(uint32_t clock, uint8_t scale, bool sack, bool ecn) { return (clock & ~63u) | (scale & 15u) | (sack ? 16u : 0u) | (ecn ? 32u : 0u); }
static inline struct cookie_options cookie_options(uint32_t t) { return (struct cookie_options){ t & 15, t & 16, t & 32 }; }
#endif
