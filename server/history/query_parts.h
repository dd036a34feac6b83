/* The parts of a query, for query*.c only. A plan says which stretch of time comes from which tier (query_plan.c),
 * pages become items (query_read.c), items become buckets (query_steps.c); what counters stood at before the first
 * bucket is looked up backwards (query_before.c). */
#pragma once

#include "history/page.h"
#include "history/query.h"
#include "history/wide.h"

#define QUERY_TICK_MAX (INT64_C(1) << 36)    /* the year 2187 */

/* Aggregated rows wait for their page in memory, and such pages may move until they are sealed: so many of the newest
 * ones are looked at again when something was added, and read in one go. */
#define QUERY_MOVING_PAGES 128

/* Looking at so many pages' infos costs about as much as reading a page. */
#define QUERY_INFOS_PER_PAGE 256

/* A column of a schema that a series is read from. */
struct query_source {
        int8_t column;                  /* -1: this schema does not have it */
        uint16_t raw_stream, tier_stream;
        uint32_t factor;                /* to the series' decimals */
};

/* A schema of the meter, oldest first. */
struct query_slot {
        uint16_t slot;
        uint32_t era;
        uint64_t serial;
        uint32_t hold_ticks;
        int64_t from, to;               /* visible */
        int64_t ends[TIER_COUNT];       /* aggregated tiers tell of it up to here, and what they tell is final */
        int64_t begin;                  /* from here on rows count, counters' after it; before it tiers tell */
        struct query_source sources[QUERY_SERIES_MAX];
};

/* A value in effect and what is known of the bucket in work. */
struct query_state {
        char key[SCHEMA_KEY_MAX + 1];
        uint8_t kind, decimals;
        uint32_t aggregates;
        uint32_t fields;                /* of aggregated tiers that are needed: bits by gauge_, counter_field */

        bool held;
        int64_t value, until;

        bool any;                       /* something is in the bucket */
        int64_t min, max, first, last, count, covered;
        struct wide integral;

        bool has_total;
        int64_t total;                  /* of a counter, at the start of the bucket */
        struct total_limit limit;       /* in the series' decimals; registers have none */
};

enum query_item_kind { QUERY_ITEM_ROW, QUERY_ITEM_BUCKET, QUERY_ITEM_END };

/* What reading gives: a row, a bucket of a tier, or the end of an era's rows. */
struct query_item {
        enum query_item_kind kind;
        const struct query_slot *slot;
        int64_t tick;
        uint64_t number;
        uint32_t present;               /* series */
        int64_t values[QUERY_SERIES_MAX][GAUGE_FIELDS];   /* rows: [0]; buckets: by field */
};

/* A series' streams in the chunk that is being read. */
struct query_lane {
        uint64_t bit;                   /* of its column in the presence mask */
        uint32_t factor;
        uint8_t series, n_streams;
        bool is_counter;
        uint8_t fields[GAUGE_FIELDS];
        struct stream_reader *streams;
};

/* The page in work and where in it reading is. */
struct query_page {
        uint8_t bytes[PAGE_BYTES];
        int64_t t_min;
        uint64_t first_number;
        enum history_tier tier;
        bool has_chunk;
        uint16_t rows_left;
        unsigned n_lanes;
        struct query_lane lanes[QUERY_SERIES_MAX];
        struct stream_reader *ticks, *masks, *numbers;
};

/* Rows or buckets that follow each other in the open chunk, decoded, with the same series in each. */
struct query_run {
        unsigned n;
        uint64_t mask;                  /* columns */
        const int64_t *ticks;           /* as they are coded: */
        int64_t base, unit;             /* tick = (base + ticks[i]) * unit */
};

/* A stretch of one tier: of one slot in the aggregated ones, of all slots of an era in the raw one. */
struct query_segment {
        enum history_tier tier;
        unsigned first, last;           /* slots */
        int64_t from, to;               /* first and last tick that is looked at */
        int64_t done;                   /* everything up to this tick was given */
        uint64_t seq, settled, generation;
        unsigned chunk_slot;            /* the chunk in work: of which slot, and where it begins */
        size_t chunk_at;
};

struct query {
        struct history *history;
        const char *meter;
        unsigned n_series, n_slots, n_columns;
        struct query_state series[QUERY_SERIES_MAX];
        struct query_column columns[QUERY_COLUMNS_MAX];
        struct query_slot *slots;

        enum query_step step_kind;
        int64_t step, from, to, now;
        bool registers;
        enum history_tier tier;
        int64_t begins[TIER_COUNT];     /* what lies before is gone */
        uint64_t points, generation;

        /* reading */
        unsigned budget;                /* pages, in the call that is running */
        bool in_segment, page_open;
        unsigned next_slot;
        enum history_tier next_tier;
        struct query_segment segment;
        struct query_page page;
        struct stream_reader *streams;

        /* what was before */
        uint32_t missing;               /* counters whose total at the start is still looked for */
        unsigned before_slot, before_stage;
        bool before_open;
        uint64_t before_seq, before_end;

        /* buckets */
        struct query_item item;
        bool has_item, counted;         /* counted: its counters are in */
        bool drained;
        int64_t bucket_start, bucket_end, settled;
        const struct query_slot *current;
};

static inline void query_spend(struct query *q) {
        if (q->budget > 0)
                q->budget--;
}

/* query_plan.c */
int query_plan(struct query *q, const struct query_spec *spec, unsigned *ret_index);
int64_t query_edge_after(const struct query *q, int64_t edge);
/* Schemas may go, and their slots be given to others, while a query waits: those are not read any more. */
void query_check_slots(struct query *q);

/* query_read.c */
size_t query_stream_count(const struct query *q);
bool query_open_page(struct query *q, enum history_tier tier, uint64_t seq);
/* Finds the chunk of one of the slots first .. last that comes after (slot *at, offset *ret_offset) and opens it. */
bool query_open_chunk(struct query *q, unsigned first, unsigned last, unsigned *slot, size_t *offset);
/* The next row of the open chunk; false at its end. */
bool query_chunk_item(struct query *q, const struct query_slot *slot, struct query_item *ret);
/* What is at hand up to tick to, without taking it; false when the next one has to be read by itself. */
bool query_peek_run(struct query *q, int64_t to, struct query_run *ret);
void query_take_run(struct query *q, const struct query_run *run);
static inline int64_t query_run_tick(const struct query_run *run, unsigned i) {
        return (run->base + run->ticks[i]) * run->unit;
}
/* 1, 0 at the end of everything, -EAGAIN when the budget is used up. */
int query_read(struct query *q, struct query_item *ret);

/* query_before.c */
int query_before(struct query *q);

/* query_runs.c */
bool query_add_run(struct query *q);

/* query_steps.c */
void query_begin_series(struct query_state *s);
void query_add_extremes(struct query_state *s, int64_t min, int64_t max);
void query_add_totals(struct query_state *s, int64_t first, int64_t last, int64_t count);
/* A value in effect counts in [from, to), which lies in one bucket. */
void query_settle_series(struct query_state *s, int64_t from, int64_t to);
int query_next_bucket(struct query *q, struct query_row *ret);
