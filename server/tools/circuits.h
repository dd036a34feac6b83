/* The circuits behind a meter: a load, split over the meter's channels, and everything else that can be measured
 * there. Integers only; the same for the same seed, load and times. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/load_curve.h"
#include "tools/measured.h"

struct circuits {
        unsigned n_channels;         /* as in struct profile: channel 0 is the whole */
        uint64_t seed;
        uint64_t at_ms;              /* energy has been counted up to here */
        bool started;
        struct measured fixed;       /* what somebody set */
        struct measured now;
        int64_t import_mWms[CHANNELS_MAX], export_mWms[CHANNELS_MAX];
};

void circuits_init(struct circuits *c, unsigned n_channels, uint64_t seed);

/* This value stays as it is, whatever the load; values that follow from it follow. */
void circuits_fix(struct circuits *c, unsigned channel, enum quantity quantity, int64_t value);
void circuits_free(struct circuits *c);  /* nothing is fixed any more */

/* Renews c->now. Time must not go back. */
void circuits_update(struct circuits *c, uint64_t now_ms, const struct load *load);
