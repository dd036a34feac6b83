/* What a meter measures as the datapoints of a profile: each value with the bytes it has on the wire. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/profile.h"
#include "tools/layout_writer.h"
#include "tools/measured.h"

#define TUYA_POINTS_MAX 255

struct tuya_point {
        uint8_t id;
        uint8_t type;          /* of the wire */
        uint8_t quantity;      /* of a plain number; Q_NONE: anything else */
        bool varies;           /* zero while the meter measures nothing */
        bool direction;        /* tells the sign of another one */
        bool writable;         /* the module may set it */
        uint8_t len;
        uint8_t value[LAYOUT_BYTES_MAX];
};

struct tuya_points {
        unsigned count;
        struct tuya_point items[TUYA_POINTS_MAX];
};

/* Marks what meters of this profile measure; all values 0. */
void tuya_points_has(const struct profile *p, enum phase_form form, struct measured *ret);

/* Rounds each value to what all the datapoints that carry it can express. What is left is what the peer has to
 * show, to the digit. */
void tuya_points_round(const struct profile *p, enum phase_form form, struct measured *m);

/* All datapoints of the profile, in its order. */
void tuya_points_put(const struct profile *p, enum phase_form form, const struct measured *m,
                     struct tuya_points *ret);

/* The same before anything was measured. */
void tuya_points_zero(const struct tuya_points *points, struct tuya_points *ret);

/* Appends the datapoint as a unit. Returns bytes written, 0: no room. */
size_t tuya_point_write(const struct tuya_point *point, uint8_t *buf, size_t cap);

/* A product that is known to the last detail: what the captured PJ-MGW1103 reports, in its order. */
extern const struct profile pj_mgw1103_captured;
