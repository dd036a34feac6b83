/* Items to the buckets that were asked for. A row first belongs, with its counters, to the bucket that its tick ends,
 * and then, with its gauges, to the one that its tick begins. */
#include "history/query_parts.h"

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
        return a > b ? a : b;
}

/* ---- what a bucket is told ---- */

void query_begin_series(struct query_state *s) {
        if (s->any)
                return;
        s->any = true;
        s->min = INT64_MAX;
        s->max = INT64_MIN;
        s->count = s->covered = 0;
        s->integral = (struct wide) { 0 };
}

void query_add_extremes(struct query_state *s, int64_t min, int64_t max) {
        query_begin_series(s);
        s->min = least(s->min, min);
        s->max = most(s->max, max);
}

static void add_reported(struct query_state *s, int64_t first, int64_t last, int64_t count) {
        if (s->count == 0)
                s->first = first;
        s->last = last;
        s->count += count;
}

void query_add_totals(struct query_state *s, int64_t first, int64_t last, int64_t count) {
        if (!total_limit_apply(&s->limit, &first) || !total_limit_apply(&s->limit, &last))
                return;
        if (!s->any)
                s->first = first;
        query_add_extremes(s, first, last);
        s->last = last;
        s->count += count;
}

void query_settle_series(struct query_state *s, int64_t from, int64_t to) {
        int64_t ticks = least(to, s->until) - from;

        if (!s->held)
                return;
        if (ticks > 0) {
                query_add_extremes(s, s->value, s->value);
                s->covered += ticks;
                wide_add(&s->integral, s->value, (uint32_t) ticks);
        }
        s->held = s->until > to;
}

/* Values in effect count up to tick, which is not beyond the bucket's end. */
static void settle(struct query *q, int64_t tick) {
        int64_t from = most(q->settled, q->bucket_start);

        if (!q->current)
                return;
        tick = least(tick, least(q->current->to, q->now));
        if (tick <= q->settled)
                return;
        for (unsigned k = 0; k < q->n_series; k++)
                query_settle_series(&q->series[k], from, tick);
        q->settled = tick;
}

static void add_bucket(struct query *q, const struct query_item *item) {
        for (unsigned k = 0; k < q->n_series; k++) {
                struct query_state *s = &q->series[k];
                const int64_t *v = item->values[k];

                if (!(item->present >> k & 1))
                        continue;
                if (s->kind == COLUMN_COUNTER) {
                        query_add_totals(s, v[COUNTER_FIRST], v[COUNTER_LAST], v[COUNTER_COUNT]);
                        continue;
                }
                query_add_extremes(s, v[GAUGE_MIN], v[GAUGE_MAX]);
                s->covered += v[GAUGE_COVERED];
                wide_add(&s->integral, v[GAUGE_INTEGRAL], item->slot->sources[k].factor);
                if (v[GAUGE_COUNT] > 0)
                        add_reported(s, v[GAUGE_FIRST], v[GAUGE_LAST], v[GAUGE_COUNT]);
        }
}

static void add_counters(struct query *q, const struct query_item *row) {
        for (unsigned k = 0; k < q->n_series; k++) {
                struct query_state *s = &q->series[k];

                if ((row->present >> k & 1) && s->kind == COLUMN_COUNTER)
                        query_add_totals(s, row->values[k][0], row->values[k][0], 1);
        }
}

static void add_gauges(struct query *q, const struct query_item *row, bool reported) {
        for (unsigned k = 0; k < q->n_series; k++) {
                struct query_state *s = &q->series[k];
                int64_t value = row->values[k][0];

                if (!(row->present >> k & 1) || s->kind != COLUMN_GAUGE)
                        continue;
                s->held = true;
                s->value = value;
                s->until = row->tick + row->slot->hold_ticks;
                if (!reported)
                        continue;
                query_add_extremes(s, value, value);
                add_reported(s, value, value, 1);
        }
}

/* Within an era values go on in the columns that a new schema still has. */
static void change_slot(struct query *q, const struct query_item *row) {
        const struct query_slot *slot = row->slot;

        for (unsigned k = 0; k < q->n_series && q->current; k++) {
                const struct query_source *a = &q->current->sources[k], *b = &slot->sources[k];

                q->series[k].held &= b->column >= 0 && a->factor == b->factor;
        }
        q->current = slot;
        q->settled = most(row->tick, slot->begin);
}

/* ---- what it says ---- */

static bool value_of(const struct query_state *s, int aggregate, int64_t *ret) {
        switch (aggregate) {
        case QUERY_AVG:
                if (s->covered > 0)
                        *ret = wide_divide(s->integral, s->covered);
                return s->covered > 0;
        case QUERY_MIN:
                *ret = s->min;
                return true;
        case QUERY_MAX:
                *ret = s->max;
                return true;
        case QUERY_FIRST:
                *ret = s->first;
                return s->count > 0 || s->kind == COLUMN_COUNTER;
        case QUERY_LAST:
                *ret = s->last;
                return s->count > 0 || s->kind == COLUMN_COUNTER;
        case QUERY_COUNT:
                *ret = s->count;
                return true;
        case QUERY_COVERED:
                *ret = s->covered;
                return true;
        default:
                *ret = s->last - (s->has_total ? s->total : s->first);
                return true;
        }
}

static void finish_bucket(struct query *q, struct query_row *ret) {
        unsigned column = 0;

        settle(q, q->bucket_end);
        ret->tick = q->bucket_start;
        ret->end = q->bucket_end;
        ret->number = 0;
        for (unsigned k = 0; k < q->n_series; k++) {
                struct query_state *s = &q->series[k];

                for (int i = 0; i < QUERY_AGGREGATES; i++) {
                        if (!(s->aggregates >> i & 1))
                                continue;
                        ret->values[column] = 0;
                        ret->known[column] = s->any && value_of(s, i, &ret->values[column]);
                        column++;
                }
                if (s->any && s->kind == COLUMN_COUNTER) {
                        s->has_total = true;
                        s->total = s->last;
                }
                s->any = false;
                s->covered = 0;
        }
        q->bucket_start = q->bucket_end;
        if (q->bucket_end < q->to)
                q->bucket_end = query_edge_after(q, q->bucket_end);
}

/* ---- items ---- */

/* Each of these returns true when the item is done with, false when a bucket has to be given first. */

static bool take_bucket(struct query *q) {
        if (q->item.tick >= q->bucket_end)
                return false;
        if (q->item.tick >= q->bucket_start)
                add_bucket(q, &q->item);
        return true;
}

static bool take_row(struct query *q) {
        const struct query_item *row = &q->item;
        bool counts = row->tick >= row->slot->begin && row->tick >= q->bucket_start;

        if (row->tick > q->bucket_end)
                return false;
        if (counts && !q->counted && row->tick > row->slot->begin)
                add_counters(q, row);
        q->counted = true;
        if (row->tick == q->bucket_end)
                return row->tick == q->to;
        settle(q, row->tick);
        if (q->current != row->slot)
                change_slot(q, row);
        add_gauges(q, row, counts && row->tick < row->slot->to);
        return true;
}

/* An era's last values hold on. */
static bool take_end(struct query *q) {
        int64_t until = 0;

        for (unsigned k = 0; k < q->n_series && q->current; k++)
                if (q->series[k].held)
                        until = most(until, q->series[k].until);
        if (q->current)
                until = least(until, least(q->to, least(q->current->to, q->now)));
        if (until > q->bucket_end)
                return false;
        settle(q, until);
        for (unsigned k = 0; k < q->n_series; k++)
                q->series[k].held = false;
        q->current = NULL;
        return true;
}

static bool take_item(struct query *q) {
        switch (q->item.kind) {
        case QUERY_ITEM_BUCKET:
                return take_bucket(q);
        case QUERY_ITEM_ROW:
                return take_row(q);
        default:
                return take_end(q);
        }
}

int query_next_bucket(struct query *q, struct query_row *ret) {
        while (q->bucket_start < q->to) {
                if (!q->has_item && !q->drained) {
                        int r;

                        if (query_add_run(q))
                                continue;
                        r = query_read(q, &q->item);
                        if (r < 0)
                                return r;
                        q->has_item = r > 0;
                        q->drained = r == 0;
                        q->counted = false;
                }
                if (q->has_item && take_item(q)) {
                        q->has_item = false;
                        continue;
                }
                finish_bucket(q, ret);
                return 1;
        }
        return 0;
}
