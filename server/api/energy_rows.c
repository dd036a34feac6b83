#include "api/energy_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/tariffs.h"
#include "history/query.h"
#include "protocols/quantity.h"

/* Import, export, and all others for what tells whether the meter was heard. */
enum { SERIES_IMPORT, SERIES_EXPORT, SERIES_ENERGIES };

struct total {
        int column, count_column;        /* of the query; -1: none */
        bool known;                      /* there is one at the end of what was read */
};

struct energy_rows {
        struct history *history;         /* borrowed */
        char meter[SCHEMA_METER_MAX + 1];
        char channel[ENERGY_CHANNEL_MAX + 1];
        enum energy_period period;
        int64_t start, end, stop;        /* ticks: of the period in work; where all ends */
        int64_t from;                    /* of the first period */
        int64_t hold_ticks;
        unsigned n_tariffs;
        struct tariff *tariffs;

        struct query *query;             /* NULL: nothing is known */
        bool begun, has_bucket, drained;
        struct query_row bucket;
        struct total totals[SERIES_ENERGIES];
        unsigned n_covers;
        int covers[QUERY_SERIES_MAX];    /* columns */

        struct energy_row row;           /* in work */
        int64_t covered;                 /* ticks of it */
        bool cost_lost;                  /* without a price, or beyond 64 bits */
};

void energy_key(const char *channel, const char *quantity, char *buf) {
        snprintf(buf, SCHEMA_KEY_MAX + 1, "%s%s%s", channel, channel[0] ? "." : "", quantity);
}

bool energy_has_series(struct history *h, const char *meter, const char *key) {
        const struct schema *s;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(h, meter, i, &slot)); i++)
                if (schema_find(s, key) >= 0)
                        return true;
        return false;
}

/* ---- what to ask ---- */

static void ask(struct query_spec *q, const char *key, uint32_t aggregates) {
        for (unsigned i = 0; i < q->n_series; i++)
                if (strcmp(q->series[i].key, key) == 0)
                        return;
        if (q->n_series == QUERY_SERIES_MAX)
                return;
        strcpy(q->series[q->n_series].key, key);
        q->series[q->n_series++].aggregates = aggregates;
}

static bool is_of_channel(const char *key, const char *channel) {
        size_t len = strlen(channel);

        if (len == 0)
                return !strchr(key, '.');
        return strncmp(key, channel, len) == 0 && key[len] == '.';
}

/* Gauges of the channel; of all channels when it is NULL. */
static void ask_gauges(const struct energy_rows *e, struct query_spec *q, const char *channel) {
        const struct schema *s;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(e->history, e->meter, i, &slot)); i++)
                for (unsigned k = 0; k < s->n_columns; k++) {
                        const struct schema_column *c = &s->columns[k];

                        if (c->kind == COLUMN_GAUGE && (!channel || is_of_channel(c->key, channel)))
                                ask(q, c->key, 1u << QUERY_COVERED);
                }
}

/* What tells whether the meter was heard: the power; else any other value of the channel, else of the meter. */
static void ask_covers(const struct energy_rows *e, struct query_spec *q) {
        char key[SCHEMA_KEY_MAX + 1];
        unsigned energies = q->n_series;

        energy_key(e->channel, quantity_catalogue[Q_POWER].key, key);
        if (energy_has_series(e->history, e->meter, key))
                ask(q, key, 1u << QUERY_COVERED);
        if (q->n_series == energies)
                ask_gauges(e, q, e->channel);
        if (q->n_series == energies)
                ask_gauges(e, q, NULL);
}

static const char *energy_quantity(unsigned i) {
        return quantity_catalogue[i == SERIES_IMPORT ? Q_ENERGY_IMPORT : Q_ENERGY_EXPORT].key;
}

static void ask_energies(const struct energy_rows *e, const struct energy_spec *spec, struct query_spec *q) {
        char key[SCHEMA_KEY_MAX + 1];

        for (unsigned i = 0; i < SERIES_ENERGIES; i++) {
                energy_key(e->channel, energy_quantity(i), key);
                if (!energy_has_series(e->history, e->meter, key))
                        continue;
                ask(q, key, 1u << QUERY_DELTA | 1u << QUERY_COUNT);
                q->series[q->n_series - 1].limit = i == SERIES_IMPORT ? spec->import_limit : spec->export_limit;
        }
}

/* ---- where it is in the answers ---- */

static int find_column(const struct query *q, const char *key, enum query_aggregate aggregate) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);
        size_t len = strlen(key);

        for (unsigned i = 0; i < n; i++)
                if (strncmp(columns[i].name, key, len) == 0 && columns[i].name[len] == '.' &&
                    strcmp(columns[i].name + len + 1, query_aggregate_names[aggregate]) == 0)
                        return (int) i;
        return -1;
}

static void find_columns(struct energy_rows *e, const struct query_spec *spec) {
        const struct query_column *columns;
        char key[SCHEMA_KEY_MAX + 1];

        query_columns(e->query, &columns);
        for (unsigned i = 0; i < SERIES_ENERGIES; i++) {
                struct total *t = &e->totals[i];

                energy_key(e->channel, energy_quantity(i), key);
                t->column = find_column(e->query, key, QUERY_DELTA);
                t->count_column = find_column(e->query, key, QUERY_COUNT);
                if (t->column >= 0 && columns[t->column].decimals != quantity_catalogue[Q_ENERGY_IMPORT].decimals)
                        t->column = -1;
        }
        for (unsigned i = 0; i < spec->n_series; i++) {
                int column = find_column(e->query, spec->series[i].key, QUERY_COVERED);

                if (column >= 0)
                        e->covers[e->n_covers++] = column;
        }
}

static void find_hold(struct energy_rows *e) {
        const struct schema *s;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(e->history, e->meter, i, &slot)); i++)
                e->hold_ticks = s->hold_ticks;
}

/* ---- life ---- */

static int open_query(struct energy_rows *e, const struct energy_spec *spec) {
        int64_t unit = period_unit_s(spec->from_s, spec->to_s) * TICKS_PER_S;
        struct query_spec q = { .meter = e->meter, .now = spec->now, .step_kind = QUERY_STEP_TICKS, .step = unit };
        unsigned index;
        int r;

        q.from = e->from > 0 ? e->from : 0;
        q.to = e->stop > q.from ? e->stop : q.from;
        ask_energies(e, spec, &q);
        ask_covers(e, &q);
        if (q.n_series == 0 || q.from == q.to)
                return 0;
        r = query_new(e->history, &q, &e->query, &index);
        if (r < 0)
                return r;
        find_columns(e, &q);
        find_hold(e);
        return 0;
}

static int copy_tariffs(struct energy_rows *e, const struct energy_spec *spec) {
        e->n_tariffs = spec->n_tariffs;
        if (e->n_tariffs == 0)
                return 0;
        e->tariffs = calloc(e->n_tariffs, sizeof *e->tariffs);
        if (!e->tariffs)
                return -ENOMEM;
        memcpy(e->tariffs, spec->tariffs, e->n_tariffs * sizeof *e->tariffs);
        return 0;
}

static int64_t next_edge(const struct energy_rows *e) {
        int64_t end = period_next(e->period, e->start / TICKS_PER_S - (e->start % TICKS_PER_S < 0)) * TICKS_PER_S;

        return end < e->stop ? end : e->stop;
}

int energy_rows_new(struct history *h, const struct energy_spec *spec, struct energy_rows **ret) {
        CLEANUP(energy_rows_freep) struct energy_rows *e = calloc(1, sizeof *e);
        int64_t to = spec->to_s * TICKS_PER_S;
        int r;

        if (!e)
                return -ENOMEM;
        if (strlen(spec->meter) > SCHEMA_METER_MAX || strlen(spec->channel) > ENERGY_CHANNEL_MAX)
                return -EINVAL;
        strcpy(e->meter, spec->meter);
        strcpy(e->channel, spec->channel);
        e->history = h;
        e->period = spec->period;
        e->start = e->from = spec->from_s * TICKS_PER_S;
        e->stop = to < spec->now ? to : spec->now;
        e->end = next_edge(e);
        for (unsigned i = 0; i < SERIES_ENERGIES; i++)
                e->totals[i].column = e->totals[i].count_column = -1;
        r = copy_tariffs(e, spec);
        if (r >= 0)
                r = open_query(e, spec);
        if (r < 0)
                return r;
        *ret = TAKE(e);
        return 0;
}

struct energy_rows *energy_rows_free(struct energy_rows *e) {
        if (!e)
                return NULL;
        query_free(e->query);
        free(e->tariffs);
        free(e);
        return NULL;
}

const char *energy_rows_currency(const struct energy_rows *e) {
        return e->n_tariffs > 0 ? e->tariffs[0].currency : NULL;
}

/* ---- counting ---- */

/* Whether there was a total before the first period, which is the value where nothing came meanwhile. */
static void begin(struct energy_rows *e) {
        char key[SCHEMA_KEY_MAX + 1];
        int64_t total;

        e->begun = true;
        for (unsigned i = 0; i < SERIES_ENERGIES && e->query; i++) {
                energy_key(e->channel, energy_quantity(i), key);
                if (e->totals[i].column >= 0)
                        e->totals[i].known = query_total_at(e->history, e->meter, key, query_from(e->query), &total);
        }
}

static void add_cost(struct energy_rows *e, int64_t energy) {
        const struct tariff *tariff;
        unsigned weekday, minute;
        int64_t cost;

        if (e->n_tariffs == 0 || energy == 0 || e->cost_lost)
                return;
        period_clock(e->bucket.tick / TICKS_PER_S, &weekday, &minute);
        tariff = tariff_at(e->tariffs, e->n_tariffs, weekday, minute);
        e->cost_lost = !tariff || __builtin_mul_overflow(energy, tariff->price, &cost) ||
                       __builtin_add_overflow(e->row.cost, cost, &e->row.cost);
}

/* A meter of nothing but counters: each of its rows tells that it was there for as long as a value holds. */
static int64_t covered_by_rows(const struct energy_rows *e) {
        int64_t rows = 0;

        for (unsigned i = 0; i < SERIES_ENERGIES; i++) {
                int column = e->totals[i].count_column;

                if (column >= 0 && e->bucket.known[column] && e->bucket.values[column] > rows)
                        rows = e->bucket.values[column];
        }
        return rows * e->hold_ticks;
}

static int64_t covered_by_gauges(const struct energy_rows *e) {
        int64_t most = 0;

        for (unsigned i = 0; i < e->n_covers; i++)
                if (e->bucket.known[e->covers[i]] && e->bucket.values[e->covers[i]] > most)
                        most = e->bucket.values[e->covers[i]];
        return most;
}

static void take_bucket(struct energy_rows *e) {
        int64_t *sums[] = { &e->row.import, &e->row.export }, end = e->bucket.end < e->end ? e->bucket.end : e->end;
        int64_t covered = e->n_covers > 0 ? covered_by_gauges(e) : covered_by_rows(e);

        for (unsigned i = 0; i < SERIES_ENERGIES; i++) {
                int column = e->totals[i].column;

                if (column < 0 || !e->bucket.known[column])
                        continue;
                e->totals[i].known = true;
                *sums[i] += e->bucket.values[column];
                if (i == SERIES_IMPORT)
                        add_cost(e, e->bucket.values[column]);
        }
        e->covered += covered < end - e->bucket.tick ? covered : end - e->bucket.tick;
}

static void finish_row(struct energy_rows *e, struct energy_row *ret) {
        e->row.start = e->start;
        e->row.end = e->end;
        e->row.import_known = e->totals[SERIES_IMPORT].known;
        e->row.export_known = e->totals[SERIES_EXPORT].known;
        e->row.cost_known = e->row.import_known && !e->cost_lost;
        e->row.complete = (unsigned) (e->covered * 1000 / (e->end - e->start));
        *ret = e->row;
        memset(&e->row, 0, sizeof e->row);
        e->covered = 0;
        e->cost_lost = false;
        e->start = e->end;
        e->end = next_edge(e);
}

static int read_bucket(struct energy_rows *e, unsigned *budget) {
        int r;

        if (!e->query) {
                e->drained = true;
                return 0;
        }
        if (*budget == 0)
                return -EAGAIN;
        r = query_next(e->query, ENERGY_PAGES, &e->bucket);
        if (r < 0)
                return r;
        --*budget;
        e->has_bucket = r > 0;
        e->drained = r == 0;
        return 0;
}

int energy_rows_next(struct energy_rows *e, unsigned *budget, struct energy_row *ret) {
        int r;

        if (!e->begun)
                begin(e);
        while (e->start < e->stop) {
                if (!e->has_bucket && !e->drained) {
                        r = read_bucket(e, budget);
                        if (r < 0)
                                return r;
                }
                if (!e->has_bucket || e->bucket.tick >= e->end) {
                        finish_row(e, ret);
                        return 1;
                }
                take_bucket(e);
                e->has_bucket = false;
        }
        return 0;
}
