/* Datapoint units inside TuyaMCU frames: id, type, 16-bit length, value. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/profile.h"
#include "protocols/quantity.h"
#include "protocols/report.h"

enum { TUYA_UNIT_HEADER_SIZE = 4 };  /* id, type, length (16 bit, big-endian) */

struct tuya_datapoint {
        uint8_t id;
        uint8_t type;        /* wire type; may be above DATAPOINT_BITMAP */
        bool numeric;        /* number holds the value; else only the bytes do */
        int64_t number;
        struct span value;   /* the wire bytes */
};

/* Why a list of datapoints ended early. */
struct tuya_truncation {
        bool has_declared;   /* the header was complete, so the announced length is known */
        uint8_t id;          /* 0 when not even the id was there */
        uint16_t declared;   /* announced length */
        size_t present;      /* bytes left for it */
};

/* Reads the unit at *offset and moves *offset behind it.
 * Returns 1, 0 at the end of the data, -EBADMSG when the unit runs past the end (ret_truncation then says how). */
int tuya_datapoint_next(struct span data, size_t *offset, struct tuya_datapoint *ret,
                        struct tuya_truncation *ret_truncation);

/* Appends one unit with a 4-byte value (type value), 1 byte (bool, enum, bitmap).
 * Returns bytes written, 0: no room. */
size_t tuya_datapoint_put(uint8_t *buf, size_t cap, uint8_t id, uint8_t type, int32_t number);

/* Last raw numbers by datapoint id, for rows whose sign comes from another datapoint. */
struct tuya_directions {
        bool known[256];
        uint8_t value[256];
};

/* Remembers d if it may be some row's direction. */
void tuya_directions_note(struct tuya_directions *dir, const struct tuya_datapoint *d);

/* Turns datapoints into readings by the profile and adds them to the report, replacing readings of the same
 * channel and quantity. Returns how many were set: 0 when the profile has no quantity for it, the wire's type
 * does not fit, the direction is not known yet, or the value does not fit into a sample. */
unsigned tuya_datapoint_map(const struct profile *profile, const struct tuya_directions *dir,
                            const struct tuya_datapoint *d, struct report *report);
