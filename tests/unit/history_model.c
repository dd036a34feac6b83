#include "history_model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUARTER 9000
#define MINUTE_BACK 600

__extension__ typedef __int128 big;

static void *grow(void *array, size_t n, size_t size) {
        if (n & (n - 1))
                return array;
        array = realloc(array, (n ? n * 2 : 1) * size);
        if (!array)
                abort();
        return array;
}

void model_free(struct model *m) {
        free(m->rows);
        m->rows = NULL;
}

void model_define(struct model *m, unsigned meter, const struct schema *schema) {
        struct model_meter *mm = &m->meters[meter];

        if (meter < m->n_meters && schema_equal(&m->schemas[mm->schema], schema))
                return;
        if (meter >= m->n_meters)
                m->n_meters = meter + 1;
        m->schemas[m->n_schemas] = *schema;
        mm->schema = m->n_schemas++;
}

const struct model_row *model_append(struct model *m, unsigned meter, int64_t tick, const struct history_row *row) {
        struct model_meter *mm = &m->meters[meter];
        int64_t clock_tick = tick;
        struct model_row *r;

        if (!mm->has_rows)
                mm->n_eras = 1;
        else if (tick <= mm->last_tick && tick < mm->clock_tick - MINUTE_BACK)
                mm->era_starts[mm->n_eras++] = tick;
        else if (tick <= mm->last_tick)
                tick = mm->last_tick + 1;
        mm->has_rows = true;
        mm->clock_tick = clock_tick;
        mm->last_tick = tick;
        m->rows = grow(m->rows, m->n_rows, sizeof *m->rows);
        r = &m->rows[m->n_rows++];
        *r = (struct model_row) {
                .meter = meter, .schema = mm->schema, .era = mm->n_eras - 1, .tick = tick, .number = m->n_rows,
                .mask = row->mask,
        };
        memcpy(r->values, row->values, sizeof r->values);
        memcpy(r->totals, row->totals, sizeof r->totals);
        return r;
}

void model_restart(struct model *m) {
        for (unsigned i = 0; i < m->n_meters; i++)
                m->meters[i].clock_tick = m->meters[i].last_tick;
}

void model_visible(const struct model *m, unsigned meter, unsigned era, int64_t *ret_from, int64_t *ret_to) {
        const struct model_meter *mm = &m->meters[meter];

        *ret_from = INT64_MIN;
        *ret_to = INT64_MAX;
        if (era > 0)
                *ret_from = (mm->era_starts[era] / QUARTER + 1) * QUARTER;
        for (unsigned e = era + 1; e < mm->n_eras; e++) {
                int64_t edge = (mm->era_starts[e] / QUARTER + 1) * QUARTER;

                if (edge < *ret_to)
                        *ret_to = edge;
        }
}

/* ---- series ---- */

static void add(struct model_stretch **list, size_t *n, int64_t from, int64_t to, int64_t value) {
        *list = grow(*list, *n, sizeof **list);
        (*list)[(*n)++] = (struct model_stretch) { from, to, value };
}

static int64_t scaled(int64_t value, int places) {
        while (places-- > 0)
                value *= 10;
        return value;
}

/* What the meter's newest schema with this key says, with the most decimals that one of that kind has. */
static void describe(struct model_series *s, const struct model *m, unsigned meter, const char *key) {
        for (unsigned i = m->n_schemas; i-- > 0;) {
                int at = schema_find(&m->schemas[i], key);
                const struct schema_column *c = &m->schemas[i].columns[at < 0 ? 0 : at];

                if (strcmp(m->schemas[i].meter, m->schemas[m->meters[meter].schema].meter) != 0 || at < 0)
                        continue;
                if (!s->found)
                        s->kind = c->kind;
                if (c->kind == s->kind && c->decimals > s->decimals)
                        s->decimals = c->decimals;
                s->found = true;
        }
}

static void add_stretch(struct model_series *s, int64_t from, int64_t to, int64_t value, int64_t low, int64_t high) {
        from = from < low ? low : from;
        to = to > high ? high : to;
        if (from < to)
                add(&s->stretches, &s->n_stretches, from, to, value);
}

struct era_walk {
        bool held;
        int64_t value, from, until, low, high, now;
        int schema;                     /* of the row before */
};

static void walk_row(struct model_series *s, const struct model *m, const char *key, const struct model_row *r,
                     struct era_walk *w) {
        const struct schema *schema = &m->schemas[r->schema];
        int at = schema_find(schema, key);
        bool usable = at >= 0 && schema->columns[at].kind == s->kind;
        int64_t end = w->high < w->now ? w->high : w->now, value;

        if (w->held && w->schema != (int) r->schema) {
                const struct schema *before = &m->schemas[w->schema];
                int was = schema_find(before, key);

                if (!usable || before->columns[was].decimals != schema->columns[at].decimals) {
                        add_stretch(s, w->from, w->until < r->tick ? w->until : r->tick, w->value, w->low, end);
                        w->held = false;
                }
        }
        w->schema = (int) r->schema;
        if (!usable || !(r->mask >> at & 1))
                return;
        value = scaled(s->kind == COLUMN_COUNTER ? r->totals[at] : r->values[at],
                       s->decimals - schema->columns[at].decimals);
        if (s->kind == COLUMN_COUNTER) {
                if (r->tick > w->low && r->tick <= w->high && r->tick <= w->now)
                        add(&s->reports, &s->n_reports, r->tick, r->tick, value);
                return;
        }
        if (r->tick >= w->low && r->tick < w->high && r->tick <= w->now)
                add(&s->reports, &s->n_reports, r->tick, r->tick, value);
        if (w->held)
                add_stretch(s, w->from, w->until < r->tick ? w->until : r->tick, w->value, w->low, end);
        w->held = true;
        w->value = value;
        w->from = r->tick;
        w->until = r->tick + schema->hold_ticks;
}

void model_series_init(struct model_series *s, const struct model *m, unsigned meter, const char *key, int64_t now) {
        memset(s, 0, sizeof *s);
        describe(s, m, meter, key);
        for (unsigned era = 0; s->found && era < m->meters[meter].n_eras; era++) {
                struct era_walk w = { .now = now, .schema = -1 };

                model_visible(m, meter, era, &w.low, &w.high);
                for (size_t i = 0; i < m->n_rows; i++)
                        if (m->rows[i].meter == meter && m->rows[i].era == era)
                                walk_row(s, m, key, &m->rows[i], &w);
                if (w.held)
                        add_stretch(s, w.from, w.until, w.value, w.low, w.high < now ? w.high : now);
        }
}

void model_series_free(struct model_series *s) {
        free(s->stretches);
        free(s->reports);
}

/* ---- aggregates ---- */

/* The first of an ordered list that is not over before tick. */
static size_t first_after(const struct model_stretch *list, size_t n, int64_t tick) {
        size_t low = 0;

        while (low < n) {
                size_t middle = (low + n) / 2;

                if (list[middle].to < tick)
                        low = middle + 1;
                else
                        n = middle;
        }
        return low;
}

struct found {
        int64_t min, max, first, last, count, covered;
        big integral;
        bool any;
};

static void see(struct found *f, int64_t value) {
        if (!f->any || value < f->min)
                f->min = value;
        if (!f->any || value > f->max)
                f->max = value;
        f->any = true;
}

static void report(struct found *f, int64_t value) {
        see(f, value);
        if (f->count++ == 0)
                f->first = value;
        f->last = value;
}

static struct found find(const struct model_series *s, int64_t from, int64_t to) {
        struct found f = { 0 };

        for (size_t i = first_after(s->stretches, s->n_stretches, from); i < s->n_stretches; i++) {
                const struct model_stretch *x = &s->stretches[i];
                int64_t a = x->from > from ? x->from : from, b = x->to < to ? x->to : to;

                if (x->from >= to)
                        break;
                if (a >= b)
                        continue;
                see(&f, x->value);
                f.covered += b - a;
                f.integral += (big) x->value * (b - a);
        }
        for (size_t i = first_after(s->reports, s->n_reports, from); i < s->n_reports; i++) {
                int64_t tick = s->reports[i].from;

                if (tick > to)
                        break;
                if (s->kind == COLUMN_COUNTER ? tick > from : tick < to)
                        report(&f, s->reports[i].value);
        }
        return f;
}

/* That of the last row at or before; of the first row of all when there is none. */
static int64_t total_at(const struct model_series *s, int64_t tick) {
        size_t i = first_after(s->reports, s->n_reports, tick + 1);

        return s->reports[i ? i - 1 : 0].value;
}

static int64_t rounded(big sum, int64_t n) {
        big half = (sum < 0 ? -sum : sum) * 2 + n;

        half /= (big) n * 2;
        return (int64_t) (sum < 0 ? -half : half);
}

bool model_aggregate(const struct model_series *s, enum query_aggregate aggregate, int64_t from, int64_t to,
                     int64_t *ret) {
        struct found f = find(s, from, to);

        switch (aggregate) {
        case QUERY_AVG:
                if (f.covered > 0)
                        *ret = rounded(f.integral, f.covered);
                return f.covered > 0;
        case QUERY_MIN:
                *ret = f.min;
                return f.any;
        case QUERY_MAX:
                *ret = f.max;
                return f.any;
        case QUERY_FIRST:
                *ret = f.first;
                return f.count > 0;
        case QUERY_LAST:
                *ret = f.last;
                return f.count > 0;
        case QUERY_COUNT:
                *ret = f.count;
                return f.any;
        case QUERY_COVERED:
                *ret = f.covered;
                return f.any;
        default:
                if (f.count > 0)
                        *ret = total_at(s, to) - total_at(s, from);
                return f.count > 0;
        }
}

/* ---- steps ---- */

/* Which step a moment's local date lies in. */
static int64_t local_index(enum query_step kind, int64_t step, int64_t tick) {
        time_t t = (time_t) (tick / 10);
        struct tm tm;
        int64_t n;

        localtime_r(&t, &tm);
        if (kind == QUERY_STEP_MONTHS)
                return ((tm.tm_year - 70) * 12 + tm.tm_mon) / step;
        n = (t + tm.tm_gmtoff) / 86400 - 4;     /* days since Monday, 1970-01-05 */
        return (n < 0 ? n - step + 1 : n) / step;
}

static int64_t *local_edges(enum query_step kind, int64_t step, int64_t from, int64_t to, size_t *ret_n) {
        int64_t days = (step + 1) * (kind == QUERY_STEP_MONTHS ? 31 : 1), best, *edges = NULL;
        int64_t tick = (from / QUARTER - 96 * days) * QUARTER;
        size_t n = 0;

        if (tick < QUARTER * 96 * 4)
                tick = QUARTER * 96 * 4;
        for (best = local_index(kind, step, tick); n == 0 || edges[n - 1] < to; tick += QUARTER) {
                int64_t index = local_index(kind, step, tick);

                if (index <= best)
                        continue;
                best = index;
                if (n > 0 && tick <= from)
                        n = 0;  /* a later one still covers from */
                edges = grow(edges, n, sizeof *edges);
                edges[n++] = tick;
        }
        *ret_n = n;
        return edges;
}

int64_t *model_edges(enum query_step kind, int64_t step, int64_t from, int64_t to, size_t *ret_n) {
        int64_t *edges = NULL;
        size_t n = 0;

        if (kind != QUERY_STEP_TICKS)
                return local_edges(kind, step, from, to, ret_n);
        for (int64_t edge = from / step * step;; edge += step) {
                edges = grow(edges, n, sizeof *edges);
                edges[n++] = edge;
                if (edge >= to)
                        break;
        }
        *ret_n = n;
        return edges;
}
