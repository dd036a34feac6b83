/* Unsigned integers in seven bits a byte, low ones first, and signed ones folded into them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX 10   /* bytes of the longest */

/* 0, -1, 1, -2 ... become 0, 1, 2, 3: small numbers of either sign are short. */
static inline uint64_t zigzag(uint64_t v) {
        return v << 1 ^ (0 - (v >> 63));
}

static inline uint64_t unzigzag(uint64_t v) {
        return v >> 1 ^ (0 - (v & 1));
}

static inline size_t varint_len(uint64_t v) {
        return (size_t) (63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static inline uint8_t *varint_put(uint8_t *p, uint64_t v) {
        for (; v >= 0x80; v >>= 7)
                *p++ = (uint8_t) (v | 0x80);
        *p++ = (uint8_t) v;
        return p;
}

/* Reads at *p, never at end or beyond, and moves *p behind it. */
static inline bool varint_get(const uint8_t **p, const uint8_t *end, uint64_t *ret) {
        uint64_t v = 0;

        /* Nearly all are of one or two bytes, and a query reads many. */
        if (end - *p >= 2 && ((*p)[0] & (*p)[1] & 0x80) == 0) {
                unsigned low = *(*p)++;

                *ret = low < 0x80 ? low : (low & 0x7f) | (uint64_t) *(*p)++ << 7;
                return true;
        }
        for (unsigned shift = 0; shift < 7 * VARINT_MAX && *p < end; shift += 7) {
                uint8_t byte = *(*p)++;

                v |= (uint64_t) (byte & 0x7f) << shift;
                if (byte < 0x80) {
                        *ret = v;
                        return true;
                }
        }
        return false;
}
