/* Reads everything that a history has and compares its tiers with buckets made anew from its rows. */
#pragma once

#include "history/accumulate.h"
#include "history/history.h"

#define BENCH_COLUMNS 6                 /* of any schema in these tests */

struct bench_row {
        uint64_t number;
        int64_t tick;
        unsigned slot;
        uint64_t mask;
        int64_t values[BENCH_COLUMNS], totals[BENCH_COLUMNS];
};

struct bench_bucket {
        unsigned slot;
        int64_t start;
        uint64_t mask;
        union {
                struct gauge_bucket gauge;
                struct counter_bucket counter;
        } columns[BENCH_COLUMNS];
};

struct bench_buckets {
        size_t n, cap;
        struct bench_bucket *list;      /* in the order of their pages */
};

struct bench_contents {
        size_t n_rows, cap_rows;
        struct bench_row *rows;         /* by number */
        struct bench_buckets tiers[TIER_COUNT];
};

/* Fails the test when pages are missing in the middle, rows of a page are not numbered in a row, numbers or times go
 * back. */
struct bench_contents *bench_read(struct history *h);
struct bench_contents *bench_free(struct bench_contents *c);
/* Fails the test when a tier is not what the rows make. Buckets that begin before rows that are gone may be more. */
void bench_check_tiers(const struct history *h, const struct bench_contents *c);

/* Does the start-up to its end. */
void bench_make_ready(struct history *h);
/* A folder of this test program's own, emptied. */
const char *bench_directory(void);
void bench_remove_directory(void);
