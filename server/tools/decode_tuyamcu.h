/* One TuyaMCU frame as one NDJSON line. A recording does not tell which command set its device uses, nor always
 * the direction: the shape of a frame decides what it holds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_writer.h"
#include "protocols/profile.h"
#include "protocols/tuyamcu/datapoint.h"

struct decode_tuyamcu {
        const struct profile *profile;      /* borrowed; NULL: none yet */
        bool fixed_profile;                 /* given by the user: product answers do not change it */
        struct tuya_directions directions;
};

/* Writes the members of the line's object that describe this frame. Product answers may change d->profile. */
void decode_tuyamcu_frame(struct decode_tuyamcu *d, const uint8_t *frame, size_t len, struct json_writer *w);
