/* What OpenBeken's words for types mean: of channels (unit, divider) and of datapoints (what is on the wire). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/profile.h"
#include "protocols/quantity.h"

enum openbeken_kind {
        OPENBEKEN_MEASURE,   /* a number that is measured */
        OPENBEKEN_CONTROL,   /* people change it */
        OPENBEKEN_STATE,     /* neither */
};

struct openbeken_channel_type {
        const char *name;         /* as OpenBeken writes it; scripts do not mind the case */
        enum openbeken_kind kind;
        unsigned divider;         /* of the number on the wire */
        enum quantity quantity;   /* Q_NONE: none of the catalogue's */
        const char *unit;         /* where there is no quantity; "" */
};

/* NULL when there is no such type. */
const struct openbeken_channel_type *openbeken_find_channel_type(const char *name);

struct openbeken_wire_type {
        const char *name;
        enum datapoint_type type;
        enum datapoint_layout layout;
};

/* Of a word or a number from 0 to 5. Unknown words count as "val" in OpenBeken: NULL here. */
const struct openbeken_wire_type *openbeken_find_wire_type(const char *name);
