/* From rows to buckets of an aggregated tier, for one schema. Pure: the same code runs as rows arrive, when the tiers
 * are made complete after a crash, and in the tests beside a naive model. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/history.h"
#include "history/schema.h"
#include "history/tier.h"

struct gauge_bucket {
        int64_t min, max, integral, covered, count, first, last;   /* covered 0: no time; count 0: nothing reported */
};

struct counter_bucket {
        int64_t count, first, last, offset;
};

struct bucket {
        int64_t start;                      /* tick */
        uint64_t mask;                      /* columns that have something in it */
        union {
                struct gauge_bucket gauge;
                struct counter_bucket counter;
        } columns[SCHEMA_COLUMNS_MAX];
};

/* A finished bucket goes to this; userdata as given. */
typedef void (*bucket_fn)(void *userdata, const struct bucket *b);

struct accumulator {
        const struct schema *schema;        /* borrowed */
        int32_t step;
        bool open;
        struct bucket bucket;
        int64_t now;                        /* everything up to this tick is in the buckets */
        struct {
                bool held;                  /* a value is in effect */
                int64_t value, until;       /* it holds up to this tick at most */
        } gauges[SCHEMA_COLUMNS_MAX];
};

void accumulator_init(struct accumulator *a, const struct schema *schema, int32_t step);

/* Takes in a row; finished buckets (with something in them) go to done, oldest first. tick must not decrease. A
 * counter value at a bucket's very edge belongs to the bucket that ends there. */
void accumulator_row(struct accumulator *a, int64_t tick, const struct history_row *row, bucket_fn done,
                     void *userdata);

/* The same from a finished bucket of a finer tier. */
void accumulator_bucket(struct accumulator *a, const struct bucket *b, bucket_fn done, void *userdata);

/* Everything up to tick has been seen: finishes the buckets before it. */
void accumulator_advance(struct accumulator *a, int64_t tick, bucket_fn done, void *userdata);

/* The open bucket ends as it is: the schema's rows end here. */
void accumulator_finish(struct accumulator *a, bucket_fn done, void *userdata);

/* Values in effect in from, which is at the tick of the change, go on in columns of the same key. */
void accumulator_carry(struct accumulator *to, const struct accumulator *from);
