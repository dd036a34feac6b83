/* Asks the history: one meter, some of its series, a stretch of time, in steps or row by row. Works page by page with
 * a fixed scratch; the caller decides how much is done at a time.
 * All results are integers in the column's resolution.
 *
 * What a bucket [start, end) says of a gauge: avg is its integral over the time it is known, divided by that time and
 * rounded half away from zero; a value holds until the next one, at most the schema's hold time. min and max are
 * those of all values reported in the bucket or in effect in it for at least a tick; first, last and count are of the
 * values reported in it. Of a counter: first, last, min, max and count of the totals reported in (start, end]; delta
 * is the total at end minus the total at start, where the total at an edge is that of the last row at or before it
 * (the first row of all counts as the beginning); it is unknown where nothing was reported in between.
 * The answer does not depend on the tier it was read from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/history.h"
#include "history/total_limit.h"

#define QUERY_SERIES_MAX  16
#define QUERY_COLUMNS_MAX (QUERY_SERIES_MAX * QUERY_AGGREGATES)
#define QUERY_POINTS_MAX  11000

enum query_aggregate { QUERY_AVG, QUERY_MIN, QUERY_MAX, QUERY_FIRST, QUERY_LAST, QUERY_COUNT, QUERY_DELTA,
                       QUERY_COVERED, QUERY_AGGREGATES };
/* "avg", "min", ..., "covered" (ticks, internal) */
extern const char *const query_aggregate_names[QUERY_AGGREGATES];

enum query_step { QUERY_STEP_RAW, QUERY_STEP_TICKS, QUERY_STEP_DAYS, QUERY_STEP_MONTHS };

struct query_series {
        char key[SCHEMA_KEY_MAX + 1];
        uint32_t aggregates;            /* bit by enum query_aggregate; those not of its kind are left out */
        struct total_limit limit;       /* counters only */
};

struct query_spec {
        const char *meter;              /* id; borrowed for the query's life */
        unsigned n_series;
        struct query_series series[QUERY_SERIES_MAX];
        int64_t from, to;               /* ticks, half-open; widened to whole steps */
        int64_t now;                    /* beyond this tick nothing is in effect and, in buckets, no row counts */
        enum query_step step_kind;
        int64_t step;                   /* ticks, days (local midnights; weeks begin on Mondays) or months */
        bool registers;                 /* raw: counters as the meter's register said, not as the total */
        unsigned auto_points;           /* > 0: choose kind and step so that there are at most this many */
        uint32_t avoid_tiers;           /* bit by enum history_tier: aggregated ones not to be asked, to compare */
};

struct query_column {
        char name[SCHEMA_KEY_MAX + 16]; /* "power_w.avg"; raw: "power_w" */
        uint8_t decimals;               /* of its values */
        uint8_t kind;                   /* enum column_kind of its series */
};

struct query;

/* -ENOENT: the meter has never had rows; -ESRCH: it has no such series (ret_index tells which); -EINVAL. */
int query_new(struct history *h, const struct query_spec *spec, struct query **ret, unsigned *ret_index);
struct query *query_free(struct query *q);
static inline void query_freep(struct query **q) { query_free(*q); }

unsigned query_columns(const struct query *q, const struct query_column **ret);
int64_t query_from(const struct query *q);        /* after alignment */
int64_t query_to(const struct query *q);
int64_t query_step(const struct query *q);        /* ticks; 0 for raw; of days and months the nominal length */
enum history_tier query_tier(const struct query *q);  /* the coarsest that it reads */
uint64_t query_points(const struct query *q);     /* buckets it will give, at most; 0 for raw */
int64_t query_begin(const struct query *q);       /* tick before which that tier's data is gone; 0: nothing is */

struct query_row {
        int64_t tick;                   /* start of the bucket, or time of the row */
        int64_t end;                    /* of the bucket */
        uint64_t number;                /* raw: of the row */
        bool known[QUERY_COLUMNS_MAX];   /* raw counters: the total, in rows that have one */
        int64_t values[QUERY_COLUMNS_MAX];
};

/* The next row. 1, 0 at the end, -EAGAIN after having read max_pages pages without one: call again later. A bucket
 * without data is a row with nothing known; raw rows that have none of the series are left out. New rows may be
 * appended between calls. Where the ring has overtaken a query it goes on with what is left. */
int query_next(struct query *q, unsigned max_pages, struct query_row *ret);

/* ---- every stored row in order of its number ---- */

struct samples;

struct sample {
        uint64_t number;
        int64_t tick;
        unsigned slot;                  /* of its schema */
        const struct schema *schema;
        struct history_row row;
        uint64_t lost;                  /* numbers between the row before (or after) and this one that are not there */
};

/* Rows with numbers above after. */
int samples_new(struct history *h, uint64_t after, struct samples **ret);
struct samples *samples_free(struct samples *s);
static inline void samples_freep(struct samples **s) { samples_free(*s); }
/* 1, 0 when there is none newer, -EAGAIN as above. */
int samples_next(struct samples *s, unsigned max_pages, struct sample *ret);
/* Number of the oldest row that is still there; the next number to be given. */
uint64_t samples_oldest(struct history *h);
uint64_t samples_end(const struct history *h);

/* A counter's total at an edge: that of the last row at or before tick. False when there is none.
 * Costs a few pages. */
bool query_total_at(struct history *h, const char *meter, const char *key, int64_t tick, int64_t *ret_total);
