/* A gateway in virtual time, without ports and without an event loop: reports go through values, and the history is
 * on a disk that may lose its power. */
#pragma once

#include "cut_disk.h"
#include "history/history.h"
#include "meters/values.h"
#include "virtual_clock.h"

#define VALUES_METERS_MAX 2
#define VALUES_FLUSH_MS   60000

struct values_bench {
        struct cut_disk *disk;
        const char *directory;
        uint64_t size_bytes;
        struct history *history;     /* NULL: the gateway does not run */
        struct events *events;
        unsigned n_meters;
        struct values_meter {
                struct profile *profile;
                struct meter_config config;
                struct values values;
        } meters[VALUES_METERS_MAX];
        uint64_t poll_ms;            /* when the history wants its turn */
};

/* A disk that is empty, meters of their own to be added, then values_bench_start. */
void values_bench_init(struct values_bench *b, uint64_t seed, uint64_t size_bytes);
void values_bench_end(struct values_bench *b);
/* A meter of these quantities, all of channel 0. */
void values_bench_add(struct values_bench *b, const char *id, unsigned n, const uint8_t quantities[]);

void values_bench_start(struct values_bench *b);
/* The two parts of it: the meters are there before the history has been read. */
void values_bench_open(struct values_bench *b);
void values_bench_read(struct values_bench *b);
/* The gateway ends as it should. */
void values_bench_stop(struct values_bench *b);
/* The power goes and comes back. */
void values_bench_cut(struct values_bench *b);

/* Time passes up to this boot-time. */
void values_bench_wait(struct values_bench *b, uint64_t until_ms);
/* A report of this moment. */
void values_bench_report(struct values_bench *b, unsigned meter, unsigned n, const struct reading readings[]);
/* What is published: INT64_MIN, nothing. */
int64_t values_bench_value(const struct values_bench *b, unsigned meter, unsigned quantity);
