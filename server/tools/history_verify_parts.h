/* What the files of `metergate history verify` share. */
#pragma once

#include "base/clock.h"
#include "tools/history_tools.h"
#include "tools/progress.h"

#define PAGES_AT_ONCE 256

/* What the pages of a meter had, as far as they were read. */
struct watched {
        const char *meter;              /* borrowed */
        int64_t end[TIER_COUNT];        /* of its newest row or bucket so far; INT64_MIN: none yet */
        bool torn[TIER_COUNT];          /* a damaged page came since */
        int64_t sound_from;             /* behind everything that is lost of it */
        uint32_t era;
        int64_t tick;                   /* of its newest row in that era */
        struct meter_series series;
        bool has_total[METER_SERIES_MAX];
        int64_t totals[METER_SERIES_MAX];
};

struct verifier {
        struct history *history;        /* owned */
        const struct schema *schemas[STORE_SCHEMAS_MAX];
        struct watched *by_slot[STORE_SCHEMAS_MAX];
        struct watched *meters;         /* owned */
        unsigned n_meters;
        struct survey survey;
        struct progress progress;
        uint64_t rows, buckets;         /* read; compared */
        unsigned findings;
};

/* A line about something wrong. */
void finding(struct verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct time_text {
        char text[CLOCK_RFC3339_MAX];
};
struct time_text text_of(int64_t tick);

/* history_compare.c: each aggregated tier beside the next finer one. 0 or -errno. */
int compare_tiers(struct verifier *v);
