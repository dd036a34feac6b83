/* The values of one meter: scaled, believed or withheld, current and recorded. From the protocol's report to what all
 * others show. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "meters/completeness.h"
#include "meters/energy_check.h"
#include "history/events.h"
#include "meters/plausibility.h"
#include "meters/recorder.h"
#include "meters/series.h"
#include "meters/totals.h"

/* Why values_take withholds: limits, the history is not read yet, and each verdict on counters. */
#define VALUES_REASONS (2 + COUNTER_VERDICT_COUNT - COUNTER_UNCONFIRMED)

struct values {
        const struct meter_config *config;   /* borrowed */
        const struct protocol *protocol;
        struct recorder recorder;            /* its history is set by the meter */
        struct events *events;               /* borrowed, set by the meter; NULL: nobody keeps them */
        struct series_set series;
        struct plausibility plausibility;
        struct totals totals;
        struct completeness completeness;    /* of the power, or of whatever comes where there is none */
        struct energy_check energy_check;    /* of the meter's own import */
        bool restored;                       /* counters know where they were */
        bool has_reading;
        uint64_t last_reading_ms;
        uint64_t withheld_by_limits, withheld_early;
        struct report early;                 /* the newest of each register, while nobody knows where it had been */
        uint64_t early_frame;                /* that brought the last of them */
};

/* The profile is this from now on (NULL: none): nothing is known of its series. */
void values_begin(struct values *v, const struct protocol *protocol, const struct profile *profile);

/* The history can be read: counters go on from where they were, with what their registers said meanwhile. Does
 * nothing a second time. */
void values_restore(struct values *v);

/* Takes in what the protocol reports. frame: number of the raw frame that brought the last of it, 0: none. */
void values_take(struct values *v, struct report *report, uint64_t frame);

/* Recorded totals of this series above *ret_most are not to be told yet, by anyone: what is published stands for them
 * until the checkpoint that has them (INT64_MIN: none may be told). False: all may. */
bool values_total_limit(const struct values *v, const struct series *s, int64_t *ret_most);

/* The i-th reason and its count. */
const char *values_withheld(const struct values *v, unsigned i, uint64_t *ret_count);

/* What the owner should look into; false when there is nothing. */
bool values_notice(const struct values *v, char *buf, size_t size);
