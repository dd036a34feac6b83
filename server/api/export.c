#include "api/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"

struct export {
        struct history *history;         /* borrowed */
        struct export_spec spec;
        char meter[SCHEMA_METER_MAX + 1];
        struct table table;
        struct query *query;
        bool begun;
        uint64_t rows;
        unsigned series;                 /* OpenMetrics: the one being written, index into order */
        unsigned order[QUERY_SERIES_MAX];
        uint64_t piece_ms;               /* when the piece was begun */
        struct query_row row;
};

/* Others want the loop, too. */
static bool is_enough(const struct export *e, const struct buffer *out, size_t begin) {
        return out->len - begin >= EXPORT_PIECE || clock_now_ms() - e->piece_ms >= EXPORT_MS;
}

/* ---- OpenMetrics: one series after the other ---- */

static const struct query_series *series_at(const struct export *e, unsigned i) {
        return &e->spec.query.series[e->order[i]];
}

static int compare_series(const struct export *e, unsigned a, unsigned b) {
        const struct query_series *sa = &e->spec.query.series[a], *sb = &e->spec.query.series[b];
        struct metric_name na, nb;
        int r;

        (void) metric_name_of(sa->key, &na);
        (void) metric_name_of(sb->key, &nb);
        r = strcmp(na.family, nb.family);
        return r != 0 ? r : strcmp(sa->key, sb->key);
}

static void sort_series(struct export *e) {
        for (unsigned i = 0; i < e->spec.query.n_series; i++) {
                unsigned k = i;

                for (; k > 0 && compare_series(e, i, e->order[k - 1]) < 0; k--)
                        e->order[k] = e->order[k - 1];
                e->order[k] = i;
        }
}

static bool can_be_sample(const struct query_series *series, bool raw) {
        const uint32_t none = 1u << QUERY_COUNT | 1u << QUERY_DELTA;
        struct metric_name name;

        if (!metric_name_of(series->key, &name))
                return false;
        return raw || (__builtin_popcount(series->aggregates) == 1 && !(series->aggregates & none));
}

static int check_metrics(const struct export *e, unsigned *ret_index) {
        const struct query_spec *q = &e->spec.query;

        for (unsigned i = 0; i < q->n_series; i++)
                if (!can_be_sample(&q->series[i], q->step_kind == QUERY_STEP_RAW)) {
                        *ret_index = i;
                        return -EPROTO;
                }
        return 0;
}

static int open_series(struct export *e) {
        struct query_spec spec = e->spec.query;
        unsigned index;

        spec.n_series = 1;
        spec.series[0] = *series_at(e, e->series);
        e->query = query_free(e->query);
        return query_new(e->history, &spec, &e->query, &index);
}

static const char *aggregate_of(const struct export *e) {
        uint32_t bits = series_at(e, e->series)->aggregates;

        if (e->spec.query.step_kind == QUERY_STEP_RAW)
                return NULL;
        return query_aggregate_names[__builtin_ctz(bits)];
}

static bool begins_family(const struct export *e, const struct metric_name *name) {
        struct metric_name before;

        if (e->series == 0)
                return true;
        (void) metric_name_of(series_at(e, e->series - 1)->key, &before);
        return strcmp(before.family, name->family) != 0;
}

static int next_metrics(struct export *e, struct buffer *out) {
        struct metric_name name;
        size_t begin = out->len;
        int r;

        (void) metric_name_of(series_at(e, e->series)->key, &name);
        if (!e->begun && begins_family(e, &name))
                table_family(&name, out);
        e->begun = true;
        for (;;) {
                if (is_enough(e, out, begin))
                        return 1;
                r = query_next(e->query, EXPORT_PAGES, &e->row);
                if (r < 0)
                        return r;
                if (r == 0 || (e->spec.limit > 0 && e->rows == e->spec.limit))
                        break;
                e->rows++;
                table_sample(&e->table, &name, aggregate_of(e), &e->row, out);
        }
        e->begun = false;
        e->rows = 0;
        if (++e->series < e->spec.query.n_series) {
                r = open_series(e);
                return r < 0 ? r : 1;
        }
        table_metrics_end(out);
        return 0;
}

/* ---- the others: row by row ---- */

static int next_rows(struct export *e, struct buffer *out) {
        size_t begin = out->len;

        if (!e->begun)
                table_begin(&e->table, e->query, out);
        e->begun = true;
        while (!is_enough(e, out, begin)) {
                int r = query_next(e->query, EXPORT_PAGES, &e->row);

                if (r < 0)
                        return r;
                if (r == 0) {
                        table_end(&e->table, -1, out);
                        return 0;
                }
                if (e->spec.limit > 0 && e->rows == e->spec.limit) {
                        table_end(&e->table, e->row.tick, out);
                        return 0;
                }
                e->rows++;
                table_row(&e->table, e->query, &e->row, out);
        }
        return 1;
}

/* ---- life ---- */

int export_new(struct history *h, const struct export_spec *spec, struct export **ret, unsigned *ret_index) {
        CLEANUP(export_freep) struct export *e = calloc(1, sizeof *e);
        int r;

        if (!e)
                return -ENOMEM;
        if (strlen(spec->query.meter) > SCHEMA_METER_MAX)
                return -ENOENT;
        e->history = h;
        e->spec = *spec;
        if (spec->query.step_kind != QUERY_STEP_RAW)
                e->spec.limit = 0;
        strcpy(e->meter, spec->query.meter);
        e->spec.query.meter = e->meter;
        e->table = (struct table) { .format = spec->format, .meter = e->meter };
        if (spec->format == TABLE_OPENMETRICS) {
                r = check_metrics(e, ret_index);
                if (r < 0)
                        return r;
                sort_series(e);
        }
        /* All of it first, so that an unknown series is found before anything is said. */
        r = query_new(h, &e->spec.query, &e->query, ret_index);
        if (r >= 0 && spec->format == TABLE_OPENMETRICS)
                r = open_series(e);
        if (r < 0)
                return r;
        *ret = TAKE(e);
        return 0;
}

struct export *export_free(struct export *e) {
        if (!e)
                return NULL;
        query_free(e->query);
        free(e);
        return NULL;
}

uint64_t export_points(const struct export *e) {
        return query_points(e->query);
}

int64_t export_to(const struct export *e) {
        return query_to(e->query);
}

uint64_t export_tag(uint64_t tag, const struct export *e) {
        const struct query_column *columns;
        unsigned n = query_columns(e->query, &columns);

        tag = hash_number(tag, e->spec.format);
        tag = hash_number(tag, e->spec.limit);
        tag = hash_number(tag, (uint64_t) query_from(e->query));
        tag = hash_number(tag, (uint64_t) query_to(e->query));
        tag = hash_number(tag, (uint64_t) query_step(e->query));
        tag = hash_number(tag, query_tier(e->query));
        tag = hash_number(tag, (uint64_t) query_begin(e->query));
        for (unsigned i = 0; i < n; i++)
                tag = hash_text(tag, columns[i].name);
        /* OpenMetrics goes through them one by one. */
        for (unsigned i = 0; i < e->spec.query.n_series; i++) {
                tag = hash_text(tag, e->spec.query.series[i].key);
                tag = hash_number(tag, e->spec.query.series[i].aggregates);
        }
        return tag;
}

int export_next(struct export *e, struct buffer *out) {
        e->piece_ms = clock_now_ms();
        return e->spec.format == TABLE_OPENMETRICS ? next_metrics(e, out) : next_rows(e, out);
}
