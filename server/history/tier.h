/* The three rings of history and the one unit of time in all of them. */
#pragma once

#include <stdint.h>

/* Times are UTC in ticks of 100 ms since the epoch: finer ones cost up to three times the space and no meter of ours
 * reports faster. */
#define TICK_MS 100
#define TICKS_PER_S 10

enum history_tier {
        TIER_RAW,       /* the rows themselves */
        TIER_MINUTE,
        TIER_QUARTER,   /* 15 minutes: divides all tariffs and time zones' offsets, hours and days are sums of it */
        TIER_COUNT,
};

/* Bucket length; 0 for the raw tier. */
static const int32_t tier_step_ticks[TIER_COUNT] = { 0, 60 * TICKS_PER_S, 900 * TICKS_PER_S };
static const char *const tier_names[TIER_COUNT] = { "raw", "1min", "15min" };

/* Values beyond cannot be stored: the integral of one over 15 minutes has to fit 63 bits. 1e15 mWh are 1e9 kWh. */
#define HISTORY_VALUE_MAX ((int64_t) 1000000000000000)
