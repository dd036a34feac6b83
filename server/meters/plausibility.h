/* Does a meter's active power fit its voltage and current? The sources of device profiles often disagree by a factor
 * of ten; this tells. It only watches: no value is ever changed by it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/report.h"

#define PLAUSIBILITY_SAMPLES 8         /* in a row that have to agree */
#define PLAUSIBILITY_SPREAD_MS 5000    /* voltage, current and power of one sample lie no farther apart */
#define PLAUSIBILITY_MIN_MVA 20000     /* below 20 VA the meters' own resolution is too coarse to tell */

enum power_mismatch {
        POWER_FITS,
        POWER_TEN_TIMES_HIGH,
        POWER_TEN_TIMES_LOW,    /* only where the meter measures a power factor */
};

struct plausibility_value {
        bool known;
        bool is_new;            /* not part of a sample yet */
        int64_t value;
        uint64_t at_ms;
};

struct plausibility_channel {
        struct plausibility_value voltage, current, power, factor;
        enum power_mismatch streak;    /* what the last samples had in common, and how many they were */
        unsigned streak_len;
};

/* All zero to begin with, and again for every new profile. */
struct plausibility {
        enum power_mismatch found;     /* stays, so that it is told once */
        uint8_t channel;               /* where; valid when found */
        struct plausibility_channel channels[CHANNELS_MAX];
};

/* Looks at an accepted report. True when the mismatch has just been found. */
bool plausibility_take(struct plausibility *p, const struct report *report);

/* What was found and what to do about it, for people; found must be set.
 * channel is its name, "" for the plain one. */
void plausibility_describe(const struct plausibility *p, const char *channel, char *buf, size_t size);
