/* Metrics as text for Prometheus: its own format 0.0.4, or OpenMetrics 1.0. Families come one after the other, each
 * with all of its samples; one without samples does not appear. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum metrics_type {
        METRICS_GAUGE,
        METRICS_COUNTER,   /* its name ends in _total */
        METRICS_INFO,      /* its name ends in _info, its value is 1 */
};

/* When a counter was 0. */
struct metrics_begin {
        bool known;
        int64_t utc_ms;
};

/* out and openmetrics are the caller's to set, the rest is 0 at the start. */
struct metrics_text {
        struct buffer *out;
        bool openmetrics;
        const char *name, *unit, *help;  /* the family being written, borrowed */
        enum metrics_type type;
        bool has_header;
};

/* Samples of another family follow. name as the samples have it; unit "" where there is none; help of one line
 * without quotes and backslashes. All must live as long as the family is written. */
void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_type type, const char *unit,
                         const char *help);

/* A sample of value / 10^places. labels are name, value, ..., NULL. begin is for counters, and may be NULL. */
void metrics_text_sample(struct metrics_text *t, const char *const *labels, int64_t value, unsigned places,
                         const struct metrics_begin *begin);

void metrics_text_end(struct metrics_text *t);
