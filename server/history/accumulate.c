#include "history/accumulate.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

void accumulator_init(struct accumulator *a, const struct schema *schema, int32_t step) {
        memset(a, 0, sizeof *a);
        a->schema = schema;
        a->step = step;
}

static void open_bucket(struct accumulator *a, int64_t tick) {
        if (a->open)
                return;
        a->open = true;
        a->bucket.start = tick - tick % a->step;
        a->bucket.mask = 0;
}

static void close_bucket(struct accumulator *a, bucket_fn done, void *userdata) {
        a->open = false;
        if (a->bucket.mask)
                done(userdata, &a->bucket);
}

static int64_t bucket_end(const struct accumulator *a) {
        return a->bucket.start + a->step;
}

/* True when the column had nothing in this bucket yet. */
static bool is_first(struct accumulator *a, unsigned column) {
        uint64_t bit = UINT64_C(1) << column;

        if (a->bucket.mask & bit)
                return false;
        a->bucket.mask |= bit;
        return true;
}

static struct gauge_bucket *gauge_at(struct accumulator *a, unsigned column, int64_t value) {
        struct gauge_bucket *g = &a->bucket.columns[column].gauge;

        if (is_first(a, column))
                *g = (struct gauge_bucket) { .min = value, .max = value };
        if (value < g->min)
                g->min = value;
        if (value > g->max)
                g->max = value;
        return g;
}

/* The values in effect from now to to, which lie in one bucket. Returns whether one still holds then. */
static bool cover(struct accumulator *a, int64_t to) {
        bool holding = false;

        for (unsigned i = 0; i < a->schema->n_columns; i++) {
                int64_t ticks = least(to, a->gauges[i].until) - a->now;

                if (!a->gauges[i].held)
                        continue;
                if (ticks > 0) {
                        struct gauge_bucket *g;

                        open_bucket(a, a->now);
                        g = gauge_at(a, i, a->gauges[i].value);
                        g->integral += a->gauges[i].value * ticks;
                        g->covered += ticks;
                }
                a->gauges[i].held = a->gauges[i].until > to;
                holding |= a->gauges[i].held;
        }
        a->now = to;
        return holding;
}

/* Time passes up to tick. The bucket that ends there stays open: a counter's row at its edge belongs to it. */
static void run(struct accumulator *a, int64_t tick, bucket_fn done, void *userdata) {
        while (a->now < tick) {
                if (!cover(a, least(tick, a->now - a->now % a->step + a->step)))
                        a->now = tick;
                if (a->open && bucket_end(a) < tick)
                        close_bucket(a, done, userdata);
        }
}

static void take_counter(struct accumulator *a, unsigned column, int64_t reading, int64_t total) {
        struct counter_bucket *c = &a->bucket.columns[column].counter;

        if (is_first(a, column))
                *c = (struct counter_bucket) { .first = total };
        c->count++;
        c->last = total;
        c->offset = total - reading;
}

static void take_gauge(struct accumulator *a, unsigned column, int64_t tick, int64_t value) {
        struct gauge_bucket *g = gauge_at(a, column, value);

        if (g->count++ == 0)
                g->first = value;
        g->last = value;
        a->gauges[column].held = true;
        a->gauges[column].value = value;
        a->gauges[column].until = tick + a->schema->hold_ticks;
}

static void take_columns(struct accumulator *a, enum column_kind kind, int64_t tick, const struct history_row *row) {
        for (unsigned i = 0; i < a->schema->n_columns; i++) {
                if (!(row->mask >> i & 1) || a->schema->columns[i].kind != kind)
                        continue;
                open_bucket(a, kind == COLUMN_COUNTER ? tick - 1 : tick);
                if (kind == COLUMN_COUNTER)
                        take_counter(a, i, row->values[i], row->totals[i]);
                else
                        take_gauge(a, i, tick, row->values[i]);
        }
}

void accumulator_row(struct accumulator *a, int64_t tick, const struct history_row *row, bucket_fn done,
                     void *userdata) {
        run(a, tick, done, userdata);
        take_columns(a, COLUMN_COUNTER, tick, row);
        if (a->open && bucket_end(a) <= tick)
                close_bucket(a, done, userdata);
        take_columns(a, COLUMN_GAUGE, tick, row);
}

static void merge_gauge(struct accumulator *a, unsigned column, const struct gauge_bucket *from) {
        struct gauge_bucket *g = gauge_at(a, column, from->min);

        if (from->max > g->max)
                g->max = from->max;
        g->integral += from->integral;
        g->covered += from->covered;
        if (from->count == 0)
                return;
        if (g->count == 0)
                g->first = from->first;
        g->last = from->last;
        g->count += from->count;
}

static void merge_counter(struct accumulator *a, unsigned column, const struct counter_bucket *from) {
        struct counter_bucket *c = &a->bucket.columns[column].counter;

        if (is_first(a, column))
                *c = (struct counter_bucket) { .first = from->first };
        c->count += from->count;
        c->last = from->last;
        c->offset = from->offset;
}

void accumulator_bucket(struct accumulator *a, const struct bucket *b, bucket_fn done, void *userdata) {
        if (a->open && bucket_end(a) <= b->start)
                close_bucket(a, done, userdata);
        open_bucket(a, b->start);
        for (unsigned i = 0; i < a->schema->n_columns; i++) {
                if (!(b->mask >> i & 1))
                        continue;
                if (a->schema->columns[i].kind == COLUMN_COUNTER)
                        merge_counter(a, i, &b->columns[i].counter);
                else
                        merge_gauge(a, i, &b->columns[i].gauge);
        }
}

void accumulator_advance(struct accumulator *a, int64_t tick, bucket_fn done, void *userdata) {
        run(a, tick, done, userdata);
        if (a->open && bucket_end(a) <= tick)
                close_bucket(a, done, userdata);
}

void accumulator_finish(struct accumulator *a, bucket_fn done, void *userdata) {
        if (a->open)
                close_bucket(a, done, userdata);
}

void accumulator_carry(struct accumulator *to, const struct accumulator *from) {
        to->now = from->now;
        for (unsigned i = 0; i < from->schema->n_columns; i++) {
                const struct schema_column *c = &from->schema->columns[i];
                int column = schema_find(to->schema, c->key);

                if (column >= 0 && to->schema->columns[column].kind == c->kind &&
                    to->schema->columns[column].decimals == c->decimals)
                        to->gauges[column] = from->gauges[i];
        }
}
