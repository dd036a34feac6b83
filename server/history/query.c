#include "history/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/query_parts.h"

const char *const query_aggregate_names[QUERY_AGGREGATES] = {
        [QUERY_AVG] = "avg",   [QUERY_MIN] = "min",     [QUERY_MAX] = "max",     [QUERY_FIRST] = "first",
        [QUERY_LAST] = "last", [QUERY_COUNT] = "count", [QUERY_DELTA] = "delta", [QUERY_COVERED] = "covered",
};

struct query *query_free(struct query *q) {
        if (q) {
                free(q->slots);
                free(q->streams);
                free(q);
        }
        return NULL;
}

int query_new(struct history *h, const struct query_spec *spec, struct query **ret, unsigned *ret_index) {
        CLEANUP(query_freep) struct query *q = NULL;
        int r;

        q = calloc(1, sizeof *q);
        if (!q)
                return -ENOMEM;
        q->history = h;
        q->meter = spec->meter;
        q->registers = spec->registers && spec->step_kind == QUERY_STEP_RAW;
        r = query_plan(q, spec, ret_index);
        if (r < 0)
                return r;
        q->streams = malloc(query_stream_count(q) * sizeof *q->streams);
        if (!q->streams)
                return -ENOMEM;
        q->generation = history_generation(h);
        q->next_tier = q->tier;
        if (q->step_kind != QUERY_STEP_RAW) {
                q->bucket_start = q->from;
                q->bucket_end = query_edge_after(q, q->from);
        }
        *ret = TAKE(q);
        return 0;
}

unsigned query_columns(const struct query *q, const struct query_column **ret) {
        *ret = q->columns;
        return q->n_columns;
}

int64_t query_from(const struct query *q) {
        return q->from;
}

int64_t query_to(const struct query *q) {
        return q->to;
}

int64_t query_step(const struct query *q) {
        switch (q->step_kind) {
        case QUERY_STEP_DAYS:
                return q->step * 86400 * TICKS_PER_S;
        case QUERY_STEP_MONTHS:
                return q->step * 30 * 86400 * TICKS_PER_S;
        default:
                return q->step;
        }
}

enum history_tier query_tier(const struct query *q) {
        return q->tier;
}

uint64_t query_points(const struct query *q) {
        return q->points;
}

int64_t query_begin(const struct query *q) {
        return q->begins[q->tier];
}

/* What may not be told counts as absent. */
static void limit_totals(const struct query *q, struct query_item *row) {
        for (unsigned k = 0; k < q->n_series; k++)
                if ((row->present >> k & 1) && !total_limit_apply(&q->series[k].limit, &row->values[k][0]))
                        row->present &= ~(1u << k);
}

static int next_row(struct query *q, struct query_row *ret) {
        struct query_item *item = &q->item;
        int r;

        do {
                r = query_read(q, item);
                if (r <= 0)
                        return r;
                if (item->kind == QUERY_ITEM_ROW)
                        limit_totals(q, item);
        } while (item->kind != QUERY_ITEM_ROW || item->present == 0 || item->tick < item->slot->begin);
        ret->tick = ret->end = item->tick;
        ret->number = item->number;
        for (unsigned k = 0; k < q->n_series; k++) {
                ret->known[k] = item->present >> k & 1;
                ret->values[k] = ret->known[k] ? item->values[k][0] : 0;
        }
        return 1;
}

static void begin_call(struct query *q, unsigned max_pages) {
        uint64_t generation = history_generation(q->history);

        q->budget = max_pages > 0 ? max_pages : 1;
        if (generation != q->generation)
                query_check_slots(q);
        q->generation = generation;
}

int query_next(struct query *q, unsigned max_pages, struct query_row *ret) {
        begin_call(q, max_pages);
        if (q->missing) {
                int r = query_before(q);

                if (r < 0)
                        return r;
        }
        return q->step_kind == QUERY_STEP_RAW ? next_row(q, ret) : query_next_bucket(q, ret);
}

bool query_total_at(struct history *h, const char *meter, const char *key, int64_t tick, int64_t *ret_total) {
        struct query_spec spec = {
                .meter = meter, .n_series = 1, .from = tick, .to = tick, .now = tick, .step_kind = QUERY_STEP_TICKS,
                .step = 1, .series = { { .aggregates = 1u << QUERY_DELTA } },
        };
        CLEANUP(query_freep) struct query *q = NULL;
        unsigned index;

        if (strlen(key) > SCHEMA_KEY_MAX)
                return false;
        strcpy(spec.series[0].key, key);
        if (query_new(h, &spec, &q, &index) < 0)
                return false;
        while (q->missing) {
                begin_call(q, UINT16_MAX);
                (void) query_before(q);
        }
        if (q->series[0].has_total)
                *ret_total = q->series[0].total;
        return q->series[0].has_total;
}
