/* What of the rows a live stream asked for: some series, and of those the values that come long enough after the last
 * one, or differ enough from it. Remembers the last value of each series that it let pass; a new stream remembers
 * nothing, so the first value of each series always passes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/query.h"
#include "protocols/quantity.h"

#define STREAM_KEYS_MAX     32    /* in series, and in delta */
#define STREAM_COLUMNS_MAX  256   /* whose last values are remembered: 6 KiB for each stream that asks for it */

struct stream_key {
        char key[SCHEMA_KEY_MAX + 1];
        int64_t delta;               /* in 10^-decimals; of deltas only */
        uint8_t decimals;
};

struct stream_passed;

/* The columns of a meter's rows. */
struct stream_lane {
        char meter[SCHEMA_METER_MAX + 1];
        uint64_t serial;             /* of their schema */
        uint64_t shown;
        unsigned n_columns;
        struct stream_passed *passed;  /* NULL where every value passes */
};

/* All zero lets everything pass. */
struct stream_filter {
        uint32_t interval_ms;        /* 0: not asked for */
        unsigned n_keys, n_deltas;
        struct stream_key *keys, *deltas;   /* owned; no keys: all series */
        unsigned n_lanes, n_columns; /* in all lanes that remember */
        struct stream_lane *lanes;   /* owned */
};

/* "l1.power_w" is of the quantity power_w; Q_NONE: of none that is known. */
enum quantity stream_quantity(const char *key);

void stream_filter_free(struct stream_filter *f);

/* "power_w,l1.voltage_v" and "power_w:20,voltage_v:0.5". 0; -EINVAL: not of that form; -E2BIG: too many; -ENOMEM. */
int stream_filter_set_series(struct stream_filter *f, const char *text);
int stream_filter_set_deltas(struct stream_filter *f, const char *text);

/* Whether the series is asked for at all. */
bool stream_filter_shows(const struct stream_filter *f, const char *key);

/* Whether every row passes as it is. */
bool stream_filter_is_open(const struct stream_filter *f);

/* Columns of the row that pass, as bits; from then on their values are the last ones. 0 or -ENOMEM. */
int stream_filter_take(struct stream_filter *f, const struct sample *s, uint64_t *ret);
