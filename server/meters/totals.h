/* The energy counters of one meter: each of its registers has a struct counter, and what they withhold is counted
 * for the meter as a whole. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "meters/counter.h"
#include "protocols/report.h"

/* What flows at most where the configuration has no limit for power_w: more than 2^17 W no meter of a house shows. */
#define TOTALS_MAX_POWER_W 131072

struct totals_item {
        uint8_t channel;
        uint8_t quantity;
        struct counter counter;
        int64_t early;               /* increments that came before it was known where the counter had been */
};

/* All zero to begin with. */
struct totals {
        unsigned count;
        struct totals_item items[2 * CHANNELS_MAX];   /* in order of first use: import and export of each channel */
        uint64_t counts[COUNTER_VERDICT_COUNT];       /* since the start, whatever was forgotten */
};

/* The registers mean something else from now on; the counts stay. */
void totals_forget(struct totals *t);

/* The most that can flow, as configured or TOTALS_MAX_POWER_W behind the instrument transformer:
 * in either direction. */
int64_t totals_max_power_mw(const struct meter_config *config);

/* NULL: nothing is known of such a register. */
const struct counter *totals_find(const struct totals *t, unsigned channel, unsigned quantity);

/* Goes on from what was recorded, as counter_restore does. */
void totals_restore(struct totals *t, unsigned channel, unsigned quantity, int64_t reading, int64_t total,
                    int64_t at_ms);

/* An increment, already scaled, that has to wait until the counter is restored: it counts with the next one. */
void totals_wait(struct totals *t, const struct reading *reading);

/* Takes in a reading, already scaled. A counter's value becomes the total to publish; others pass unchanged. */
enum counter_verdict totals_take(struct totals *t, const struct meter_config *config, uint64_t at_ms,
                                 struct reading *reading);
