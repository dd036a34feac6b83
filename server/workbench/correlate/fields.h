/* Every way of reading a number out of packets that is worth trying. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workbench/correlate/packets.h"

enum {
        FIELD_WIDTH_MAX = 6,      /* bytes: the widest number known from a meter */
        FIELD_DISTINCT_MIN = 4,   /* a field with fewer different values fits anything */
};

enum field_sign {
        FIELD_UNSIGNED,
        FIELD_SIGNED,             /* two's complement */
        FIELD_SIGN_MAGNITUDE,     /* the top bit is the sign of the rest */
};

struct field {
        uint16_t offset;
        uint8_t width;            /* bytes */
        bool big_endian;
        uint8_t sign;             /* enum field_sign */
};

struct fields {
        struct field *list;       /* owned */
        size_t n;
        bool *varies;             /* owned; for each byte of the group: it is not the same in all packets looked at */
};

/* What of a group can be a number that changes: its lowest byte does. Signed readings only where the top bit was set.
 * -ENOMEM. */
int fields_of(const struct packet_group *g, struct fields *ret);
void fields_free(struct fields *f);

static inline uint64_t field_bits(struct field f, const uint8_t *packet) {
        uint64_t v = 0;

        for (unsigned i = 0; i < f.width; i++)
                v = v << 8 | packet[f.offset + (f.big_endian ? i : f.width - 1U - i)];
        return v;
}

static inline int64_t field_read(struct field f, const uint8_t *packet) {
        uint64_t v = field_bits(f, packet), top = UINT64_C(1) << (8 * f.width - 1);

        if (f.sign == FIELD_UNSIGNED || !(v & top))
                return (int64_t) v;
        return f.sign == FIELD_SIGNED ? (int64_t) (v - 2 * top) : -(int64_t) (v - top);
}

/* Position of the byte with the lowest bits. */
static inline unsigned field_lowest(struct field f) {
        return f.offset + (f.big_endian ? f.width - 1U : 0U);
}

static inline unsigned field_highest(struct field f) {
        return f.offset + (f.big_endian ? 0U : f.width - 1U);
}
