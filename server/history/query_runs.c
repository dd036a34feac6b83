/* The quick way for what lies within a bucket: many rows at once, series by series. What is at a bucket's edge, where
 * schemas change or decimals differ goes through query_steps.c row by row. */
#include "history/query_parts.h"

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
        return a > b ? a : b;
}

/* Values that were reported; each holds until the next. */
static void add_gauge_rows(struct query_state *s, const struct query_run *run, const int64_t *values, int64_t from,
                           uint32_t hold) {
        int64_t tick = query_run_tick(run, 0), min = values[0], max = values[0], covered = 0;
        struct wide integral;

        query_settle_series(s, from, tick);
        query_begin_series(s);
        integral = s->integral;
        for (unsigned i = 1; i < run->n; i++) {
                int64_t ticks = run->ticks[i] - run->ticks[i - 1];

                ticks = least(ticks, hold);
                covered += ticks;
                wide_add(&integral, values[i - 1], (uint32_t) ticks);
                min = least(min, values[i]);
                max = most(max, values[i]);
        }
        s->integral = integral;
        s->covered += covered;
        query_add_extremes(s, min, max);
        if (s->count == 0)
                s->first = values[0];
        s->last = s->value = values[run->n - 1];
        s->count += run->n;
        s->until = query_run_tick(run, run->n - 1) + hold;
        s->held = true;
}

static int64_t total_of(const struct query_lane *lane, unsigned i) {
        const struct stream_reader *readings = &lane->streams[0], *more = &lane->streams[1];

        return (int64_t) ((uint64_t) readings->values[readings->at + i] + (uint64_t) more->values[more->at + i]);
}

static void add_counter_rows(struct query_state *s, const struct query_lane *lane, unsigned n) {
        query_add_totals(s, total_of(lane, 0), total_of(lane, n - 1), n);
}

static void add_rows(struct query *q, const struct query_run *run, const struct query_slot *slot) {
        int64_t from = most(q->settled, q->bucket_start), last = query_run_tick(run, run->n - 1);
        uint32_t present = 0;

        for (unsigned i = 0; i < q->page.n_lanes; i++) {
                const struct query_lane *lane = &q->page.lanes[i];
                const int64_t *values = lane->streams[0].values + lane->streams[0].at;

                if (!(run->mask & lane->bit))
                        continue;
                present |= 1u << lane->series;
                if (lane->is_counter)
                        add_counter_rows(&q->series[lane->series], lane, run->n);
                else
                        add_gauge_rows(&q->series[lane->series], run, values, from, slot->hold_ticks);
        }
        for (unsigned k = 0; k < q->n_series; k++)
                if (!(present >> k & 1))
                        query_settle_series(&q->series[k], from, last);
        q->settled = last;
}

static void add_gauge_buckets(struct query_state *s, const int64_t *const *fields, unsigned n) {
        query_begin_series(s);
        for (unsigned i = 0; fields[GAUGE_MIN] && i < n; i++)
                s->min = least(s->min, fields[GAUGE_MIN][i]);
        for (unsigned i = 0; fields[GAUGE_MAX] && i < n; i++)
                s->max = most(s->max, fields[GAUGE_MAX][i]);
        for (unsigned i = 0; fields[GAUGE_INTEGRAL] && i < n; i++)
                wide_add(&s->integral, fields[GAUGE_INTEGRAL][i], 1);
        for (unsigned i = 0; fields[GAUGE_COVERED] && i < n; i++)
                s->covered += fields[GAUGE_COVERED][i];
        for (unsigned i = 0; fields[GAUGE_COUNT] && i < n; i++) {
                if (fields[GAUGE_COUNT][i] <= 0)
                        continue;
                if (fields[GAUGE_FIRST] && s->count == 0)
                        s->first = fields[GAUGE_FIRST][i];
                if (fields[GAUGE_LAST])
                        s->last = fields[GAUGE_LAST][i];
                s->count += fields[GAUGE_COUNT][i];
        }
}

static void add_counter_buckets(struct query_state *s, const int64_t *const *fields, unsigned n) {
        int64_t count = 0, first = fields[COUNTER_FIRST] ? fields[COUNTER_FIRST][0] : 0;

        for (unsigned i = 0; fields[COUNTER_COUNT] && i < n; i++)
                count += fields[COUNTER_COUNT][i];
        query_add_totals(s, first, fields[COUNTER_LAST] ? fields[COUNTER_LAST][n - 1] : first, count);
}

static void add_buckets(struct query *q, const struct query_run *run) {
        for (unsigned i = 0; i < q->page.n_lanes; i++) {
                const struct query_lane *lane = &q->page.lanes[i];
                const int64_t *fields[GAUGE_FIELDS] = { NULL };

                if (!(run->mask & lane->bit))
                        continue;
                for (unsigned k = 0; k < lane->n_streams; k++)
                        fields[lane->fields[k]] = lane->streams[k].values + lane->streams[k].at;
                if (lane->is_counter)
                        add_counter_buckets(&q->series[lane->series], fields, run->n);
                else
                        add_gauge_buckets(&q->series[lane->series], fields, run->n);
        }
}

/* Adds what is at hand and lies within the bucket. False when there is no such thing: the next item has to be looked
 * at by itself. */
bool query_add_run(struct query *q) {
        const struct query_segment *g = &q->segment;
        const struct query_slot *slot;
        struct query_run run;
        int64_t to = least(g->to, q->bucket_end - 1);
        bool is_raw = g->tier == TIER_RAW;

        if (!q->in_segment || !q->page_open || !q->page.has_chunk)
                return false;
        slot = &q->slots[g->chunk_slot];
        if (is_raw && q->current != slot)
                return false;
        if (is_raw)
                to = least(to, slot->to - 1);
        if (!query_peek_run(q, to, &run))
                return false;
        if (query_run_tick(&run, 0) <= g->done || query_run_tick(&run, 0) < q->bucket_start)
                return false;
        if (is_raw && query_run_tick(&run, 0) <= most(slot->begin, q->bucket_start))
                return false;
        if (is_raw)
                add_rows(q, &run, slot);
        else
                add_buckets(q, &run);
        query_take_run(q, &run);
        return true;
}
