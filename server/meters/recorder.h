/* Puts what a meter reports into the history, one row per report, and gives its counters back after a restart. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/history.h"
#include "meters/series.h"
#include "meters/totals.h"
#include "protocols/report.h"

struct recorder {
        struct history *history;     /* borrowed; NULL: nothing is recorded */
        unsigned handle;
        unsigned n_columns;          /* series when the schema was defined; 0: not yet */
};

/* Tells the history the time, as it is known now. */
void recorder_set_clock(struct history *h, uint64_t now_ms);

/* The meter's series are these from now on; also called by recorder_take when one came in addition. */
void recorder_define(struct recorder *r, const char *meter_id, const struct series_set *set, uint32_t stale_after_ms);

/* False until the counters can be told from where they were: the history is being read. */
bool recorder_is_ready(const struct recorder *r);

/* Where the meter's counters were when it was last recorded. at_ms gets the boot-time stamp, negative for times
 * before the boot; INT64_MIN while the time of day is not known. False when there is no such row or counter. */
bool recorder_restore(const struct recorder *r, const struct series_set *set, unsigned channel, unsigned quantity,
                      int64_t *ret_reading, int64_t *ret_total, int64_t *ret_at_ms);

/* An energy as it would survive a power cut now, and the boot-time stamp of its row (0 for times before the boot): a
 * total that was shown must never be lost, or it would step back. */
struct recorded_energy {
        int64_t reading, total;
        uint64_t at_ms;
};
bool recorder_safe(const struct recorder *r, unsigned series, struct recorded_energy *ret);

/* Whether the newest totals may be shown at once: what was last shown is what is known now, and is on the disk. A
 * meter that is made anew while the gateway runs has them written for that. */
bool recorder_may_show(const struct recorder *r);

/* Records what this report brought, with what derives from it and with every counter known by now. */
void recorder_take(struct recorder *r, const char *meter_id, const struct series_set *set,
                   const struct totals *totals, const struct report *report, uint32_t stale_after_ms);
