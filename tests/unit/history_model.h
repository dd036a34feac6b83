/* The history as plain arrays of all rows ever given, and every answer by going through all of them: what queries are
 * compared with. Written from query.h's words alone. */
#pragma once

#include "history/query.h"

#define MODEL_METERS_MAX  4
#define MODEL_SCHEMAS_MAX 64
#define MODEL_COLUMNS_MAX 8

struct model_row {
        unsigned meter, schema, era;
        int64_t tick;
        uint64_t number;
        uint64_t mask;
        int64_t values[MODEL_COLUMNS_MAX], totals[MODEL_COLUMNS_MAX];
};

struct model_meter {
        unsigned schema, n_eras;
        int64_t last_tick, clock_tick;          /* of its newest row, and what the clock said then */
        bool has_rows;
        int64_t era_starts[MODEL_SCHEMAS_MAX];
};

struct model {
        unsigned n_schemas, n_meters;
        struct schema schemas[MODEL_SCHEMAS_MAX];
        struct model_meter meters[MODEL_METERS_MAX];
        struct model_row *rows;
        size_t n_rows, cap;
};

void model_free(struct model *m);

/* The meter's rows follow this schema from now on. */
void model_define(struct model *m, unsigned meter, const struct schema *schema);

/* A row at that time of the wall clock: its tick is that one, or the next after the meter's newest row, or, when the
 * clock was set back by more than a minute, the first of a new era. What the clock said is forgotten by a restart. */
const struct model_row *model_append(struct model *m, unsigned meter, int64_t tick, const struct history_row *row);
void model_restart(struct model *m);

/* Where rows of an era count. */
void model_visible(const struct model *m, unsigned meter, unsigned era, int64_t *ret_from, int64_t *ret_to);

/* All that is known of a series, up to now. */
struct model_stretch {
        int64_t from, to, value;
};

struct model_series {
        bool found;
        uint8_t kind, decimals;
        struct model_stretch *stretches;        /* of gauges: a value in effect */
        struct model_stretch *reports;          /* of both: from is its tick; counters: totals */
        size_t n_stretches, n_reports;
};

void model_series_init(struct model_series *s, const struct model *m, unsigned meter, const char *key, int64_t now);
void model_series_free(struct model_series *s);

/* An aggregate of [from, to). False: not known. */
bool model_aggregate(const struct model_series *s, enum query_aggregate aggregate, int64_t from, int64_t to,
                     int64_t *ret);

/* The edges of steps that cover [from, to): an array that the caller frees. */
int64_t *model_edges(enum query_step kind, int64_t step, int64_t from, int64_t to, size_t *ret_n);
