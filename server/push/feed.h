/* Turns the history's rows into batches of samples, in order of the rows' numbers, and knows when a series has gone
 * stale. What comes out depends on the rows alone, so that a batch made anew after a crash says the same again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "history/query.h"

#define BATCH_SAMPLES_MAX 5000   /* some 100 KB before compression, 320 KB of memory while it is encoded */

/* The value of a stale marker: a NaN with these very bits. */
#define STALE_MARKER UINT64_C(0x7ff0000000000002)

/* A series of a batch is a column of a schema; the schema is the history's and lives as long as it. */
struct batch_series {
        const struct schema *schema;
        unsigned column;
        uint8_t quantity;               /* enum quantity */
        unsigned n_samples;
};

struct batch_sample {
        uint16_t series;
        bool is_stale;
        int64_t utc_ms;
        int64_t value;                  /* times the metric's factor: a count of 10^-places */
        unsigned places;
};

struct batch {
        unsigned n_samples, n_series;
        struct batch_sample samples[BATCH_SAMPLES_MAX];
        struct batch_series series[BATCH_SAMPLES_MAX];
        uint64_t last_number;           /* of the last row that is in it */
        int64_t last_tick;              /* of that row; 0: there was none yet */
};

struct feed;

/* Rows with numbers above after. The history is borrowed; series (NULL or n of them, as in the configuration) too. */
int feed_new(struct history *h, uint64_t after, struct feed **ret);
struct feed *feed_free(struct feed *f);
/* Before the first row, or with an equal list. */
void feed_choose(struct feed *f, char *const *series, unsigned n);

/* Goes on with the batch, with rows below the number end alone; stale_ms: UTC up to which all rows are known, 0 when
 * that cannot be told. 1: it is full, or everything is in it (n_samples may be 0); -EAGAIN: call again; -errno. */
int feed_fill(struct feed *f, uint64_t end, int64_t stale_ms, struct batch *b);

/* Begins an empty batch. */
void feed_begin(struct feed *f, struct batch *b);

/* When the next of the series goes stale: UTC, INT64_MAX when none can. */
int64_t feed_stale_at(const struct feed *f);

/* Rows that the ring had overwritten before they were read. */
uint64_t feed_lost(const struct feed *f);
