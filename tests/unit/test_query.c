/* Every answer of the history against a model that goes through all rows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "from_environment.h"
#include "history_world.h"

#define SERIES_MAX 6
#define ALL_AGGREGATES ((1u << QUERY_AGGREGATES) - 1)

static const char *const zones[] = { "Europe/Warsaw", "America/St_Johns", "Australia/Lord_Howe" };

static void set_zone(const char *name) {
        setenv("TZ", name, 1);
        tzset();
}

/* ---- comparing ---- */

struct expected {
        struct model_series series[SERIES_MAX];
        const struct query_spec *spec;
        unsigned meter;
};

static void expect(struct expected *e, const struct world *w, unsigned meter, const struct query_spec *spec) {
        e->spec = spec;
        e->meter = meter;
        for (unsigned k = 0; k < spec->n_series; k++)
                model_series_init(&e->series[k], &w->model, meter, spec->series[k].key, spec->now);
}

static void forget(struct expected *e) {
        for (unsigned k = 0; k < e->spec->n_series; k++)
                model_series_free(&e->series[k]);
}

static bool applies(const struct model_series *s, int aggregate) {
        if (s->kind == COLUMN_COUNTER)
                return aggregate != QUERY_AVG && aggregate != QUERY_COVERED;
        return aggregate != QUERY_DELTA;
}

static void print_spec(const struct query_spec *s, const struct query *q) {
        print_message("# meter %s from %lld to %lld now %lld kind %d step %lld avoid %u tier %d\n", s->meter,
                      (long long) s->from, (long long) s->to, (long long) s->now, (int) s->step_kind,
                      (long long) s->step, s->avoid_tiers, (int) query_tier(q));
}

static void compare_value(const struct expected *e, const struct query *q, const struct query_row *row, unsigned k,
                          int aggregate, unsigned column) {
        int64_t value = 0;
        bool known = model_aggregate(&e->series[k], (enum query_aggregate) aggregate, row->tick, row->end, &value);

        if (row->known[column] == known && (!known || row->values[column] == value))
                return;
        print_spec(e->spec, q);
        fail_msg("%s.%s of [%lld, %lld): %s %lld instead of %s %lld", e->spec->series[k].key,
                 query_aggregate_names[aggregate], (long long) row->tick, (long long) row->end,
                 row->known[column] ? "known" : "unknown", (long long) row->values[column],
                 known ? "known" : "unknown", (long long) value);
}

static void compare_bucket(const struct expected *e, const struct query *q, const struct query_row *row) {
        unsigned column = 0;

        for (unsigned k = 0; k < e->spec->n_series; k++)
                for (int i = 0; i < QUERY_AGGREGATES; i++)
                        if ((e->spec->series[k].aggregates >> i & 1) && applies(&e->series[k], i))
                                compare_value(e, q, row, k, i, column++);
}

static int next(struct query *q, unsigned max_pages, struct query_row *row) {
        int r;

        while ((r = query_next(q, max_pages, row)) == -EAGAIN)
                ;
        return r;
}

static struct query *ask(struct world *w, const struct query_spec *spec) {
        struct query *q = NULL;
        unsigned index;

        assert_int_equal(query_new(w->history, spec, &q, &index), 0);
        return q;
}

static void check_columns(const struct expected *e, const struct query *q) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns), at = 0;

        for (unsigned k = 0; k < e->spec->n_series; k++)
                for (int i = 0; i < QUERY_AGGREGATES; i++) {
                        char name[80];

                        if (!(e->spec->series[k].aggregates >> i & 1) || !applies(&e->series[k], i))
                                continue;
                        snprintf(name, sizeof name, "%s.%s", e->spec->series[k].key, query_aggregate_names[i]);
                        assert_string_equal(columns[at].name, name);
                        assert_int_equal(columns[at].kind, e->series[k].kind);
                        assert_int_equal(columns[at].decimals,
                                         i == QUERY_COUNT || i == QUERY_COVERED ? 0 : e->series[k].decimals);
                        at++;
                }
        assert_int_equal(n, at);
}

/* All buckets from the first edge at or before from to the one at or after to. */
static void check_buckets(struct world *w, const struct expected *e, const int64_t *edges, size_t n,
                          unsigned max_pages) {
        const struct query_spec *spec = e->spec;
        struct query *q = ask(w, spec);
        struct query_row row;

        check_columns(e, q);
        assert_int_equal(query_from(q), edges[0]);
        assert_int_equal(query_to(q), edges[n - 1]);
        assert_int_equal(query_points(q), n - 1);
        for (size_t i = 0; i + 1 < n; i++) {
                assert_int_equal(next(q, max_pages, &row), 1);
                assert_int_equal(row.tick, edges[i]);
                assert_int_equal(row.end, edges[i + 1]);
                compare_bucket(e, q, &row);
        }
        assert_int_equal(next(q, max_pages, &row), 0);
        query_free(q);
}

static void check_every_tier(struct world *w, unsigned meter, struct query_spec spec) {
        static const unsigned max_pages[] = { 1, 2, 7, 1000 };
        struct expected e;
        int64_t *edges;
        size_t n;

        expect(&e, w, meter, &spec);
        edges = model_edges(spec.step_kind, spec.step, spec.from, spec.to, &n);
        for (uint32_t avoid = 0; avoid < 8; avoid += 2) {
                spec.avoid_tiers = avoid;
                check_buckets(w, &e, edges, n, max_pages[world_random(w, 4)]);
        }
        free(edges);
        forget(&e);
}

/* ---- raw ---- */

static bool is_asked(const struct world *w, const struct expected *e, const struct model_row *r) {
        const struct schema *s = &w->model.schemas[r->schema];
        int64_t from, to;

        model_visible(&w->model, e->meter, r->era, &from, &to);
        if (r->meter != e->meter || r->tick < from || r->tick >= to)
                return false;
        if (r->tick < e->spec->from || r->tick >= e->spec->to)
                return false;
        for (unsigned k = 0; k < e->spec->n_series; k++) {
                int at = schema_find(s, e->spec->series[k].key);

                if (at >= 0 && s->columns[at].kind == e->series[k].kind && (r->mask >> at & 1))
                        return true;
        }
        return false;
}

static void compare_raw(const struct world *w, const struct expected *e, const struct model_row *r,
                        const struct query_row *row) {
        const struct schema *s = &w->model.schemas[r->schema];

        assert_int_equal(row->tick, r->tick);
        assert_int_equal(row->number, r->number);
        for (unsigned k = 0; k < e->spec->n_series; k++) {
                int at = schema_find(s, e->spec->series[k].key);
                bool known = at >= 0 && s->columns[at].kind == e->series[k].kind && (r->mask >> at & 1);
                int64_t value;

                assert_int_equal(row->known[k], known);
                if (!known)
                        continue;
                value = s->columns[at].kind == COLUMN_COUNTER && !e->spec->registers ? r->totals[at] : r->values[at];
                for (int i = s->columns[at].decimals; i < e->series[k].decimals; i++)
                        value *= 10;
                assert_int_equal(row->values[k], value);
        }
}

static void check_raw(struct world *w, unsigned meter, struct query_spec spec) {
        struct expected e;
        struct query_row row;
        struct query *q;

        spec.step_kind = QUERY_STEP_RAW;
        spec.registers = world_random(w, 2);
        expect(&e, w, meter, &spec);
        q = ask(w, &spec);
        for (size_t i = 0; i < w->model.n_rows; i++) {
                if (!is_asked(w, &e, &w->model.rows[i]))
                        continue;
                assert_int_equal(next(q, 1 + world_random(w, 3), &row), 1);
                compare_raw(w, &e, &w->model.rows[i], &row);
        }
        assert_int_equal(next(q, 1, &row), 0);
        query_free(q);
        forget(&e);
}

/* ---- random questions ---- */

static void choose_series(struct world *w, unsigned meter, struct query_spec *spec) {
        const struct schema *s = &w->meters[meter].schema;

        spec->meter = s->meter;
        spec->n_series = 1 + world_random(w, SERIES_MAX);
        for (unsigned k = 0; k < spec->n_series; k++) {
                strcpy(spec->series[k].key, s->columns[world_random(w, s->n_columns)].key);
                spec->series[k].aggregates = world_random(w, 3) ? ALL_AGGREGATES : 1 + world_random(w, ALL_AGGREGATES);
        }
}

static void choose_step(struct world *w, struct query_spec *spec) {
        static const int64_t ticks[] = { 1,    3,    7,    10,   50,   300,   600,    1200,   1800,
                                         3000, 5400, 9000, 9010, 18000, 36000, 108000, 432000, 864000 };

        switch (world_random(w, 6)) {
        case 0:
                spec->step_kind = QUERY_STEP_DAYS;
                spec->step = world_random(w, 2) ? 1 : 1 + world_random(w, 9);
                return;
        case 1:
                spec->step_kind = QUERY_STEP_MONTHS;
                spec->step = 1 + world_random(w, 2);
                return;
        default:
                spec->step_kind = QUERY_STEP_TICKS;
                spec->step = ticks[world_random(w, sizeof ticks / sizeof *ticks)];
        }
}

static int64_t any_tick(struct world *w) {
        const struct model_row *r = &w->model.rows[world_random(w, (uint32_t) w->model.n_rows)];

        return r->tick + (int64_t) world_random(w, 200) - 100;
}

static void choose_range(struct world *w, struct query_spec *spec) {
        int64_t step = spec->step_kind == QUERY_STEP_TICKS ? spec->step : 864000 * spec->step;

        spec->from = any_tick(w);
        spec->to = spec->from + step * (1 + world_random(w, spec->step_kind == QUERY_STEP_TICKS ? 200 : 20));
        if (world_random(w, 2))
                spec->from -= step * world_random(w, 3);
        switch (world_random(w, 3)) {
        case 0:
                spec->now = any_tick(w);
                break;
        case 1:
                spec->now = world_tick(w);
                break;
        default:
                spec->now = INT64_MAX;
        }
}

static void ask_anything(struct world *w) {
        struct query_spec spec = { 0 };
        unsigned meter = world_random(w, w->n_meters);

        choose_series(w, meter, &spec);
        choose_step(w, &spec);
        choose_range(w, &spec);
        check_every_tier(w, meter, spec);
        if (world_random(w, 4) == 0)
                check_raw(w, meter, spec);
}

static void test_random_lives(void **state) {
        static const int64_t starts[] = { 1774650000, 1289000000, 1775200000 };   /* shortly before clocks change */
        static const unsigned intervals[] = { 300, 1000, 10000, 60000, 300000 };
        uint64_t seed = test_seed();

        (void) state;
        for (uint64_t i = seed; i < seed + 8 * world_times(); i++) {
                static struct world w;

                set_zone(zones[i % 3]);
                world_begin(&w, i, starts[i % 3], 8 << 20, intervals[i % 5]);
                for (unsigned round = 0; round < 6; round++) {
                        world_live(&w, 1000);
                        for (unsigned k = 0; k < 12; k++)
                                ask_anything(&w);
                }
                world_end(&w);
        }
}

/* ---- while rows come in ---- */

static void test_rows_between_calls(void **state) {
        uint64_t seed = test_seed();

        (void) state;
        set_zone("UTC");
        for (unsigned i = 0; i < 6 * world_times(); i++) {
                static struct world w;
                struct query_spec spec = { .step_kind = QUERY_STEP_TICKS, .step = i % 2 ? 600 : 10 };
                struct expected e;
                struct query_row row;
                struct query *q;
                int r;

                world_begin(&w, seed + i, 1774650000, 8 << 20, 1000);
                for (unsigned k = 0; k < 3000; k++)
                        world_row(&w, world_random(&w, w.n_meters), 1000);
                choose_series(&w, 0, &spec);
                spec.now = spec.to = world_tick(&w);
                spec.from = spec.now - 20000;
                spec.avoid_tiers = world_random(&w, 4) * 2;
                expect(&e, &w, 0, &spec);
                q = ask(&w, &spec);
                while ((r = query_next(q, 1 + world_random(&w, 2), &row)) != 0) {
                        if (r > 0)
                                compare_bucket(&e, q, &row);
                        if (world_random(&w, 2))
                                world_row(&w, world_random(&w, w.n_meters), 1000 + world_random(&w, 20) * 1000);
                }
                assert_int_equal(row.end, query_to(q));
                query_free(q);
                forget(&e);
                world_end(&w);
        }
}

static const struct model_row *row_with(const struct model *m, uint64_t number) {
        assert_in_range(number, 1, m->n_rows);
        return &m->rows[number - 1];
}

/* The ring goes round under a query that nobody hurries: rows are missing then, and none is wrong. */
static void test_overtaken(void **state) {
        uint64_t seed = test_seed(), missing = 0;
        struct query_row row;
        static struct world w;

        (void) state;
        world_begin(&w, seed, 1774650000, STORE_MIN_BYTES, 1000);
        for (unsigned k = 0; k < 20000; k++)
                world_row(&w, world_random(&w, w.n_meters), 1000);
        for (unsigned i = 0; i < 4; i++) {
                struct query_spec spec = { .step_kind = i % 2 ? QUERY_STEP_RAW : QUERY_STEP_TICKS, .step = 600 };
                struct expected e;
                struct query *q;
                uint64_t last = 0;
                int r;

                choose_series(&w, 0, &spec);
                spec.now = spec.to = world_tick(&w);
                spec.from = spec.now - 3000000;
                spec.avoid_tiers = 6;
                expect(&e, &w, 0, &spec);
                q = ask(&w, &spec);
                for (unsigned k = 0; (r = query_next(q, 1, &row)) != 0; k++) {
                        if (k % 50 == 0)
                                for (unsigned n = 0; n < 1500; n++)
                                        world_row(&w, world_random(&w, w.n_meters), 1000);
                        if (r < 0 || spec.step_kind != QUERY_STEP_RAW)
                                continue;
                        compare_raw(&w, &e, row_with(&w.model, row.number), &row);
                        assert_true(row.number > last);
                        missing += last && row.number > last + 1000;
                        last = row.number;
                        if (k > 2000)
                                break;
                }
                query_free(q);
                forget(&e);
        }
        assert_true(missing > 0);
        world_end(&w);
}

/* What is left after the ring has gone round, from each tier as far back as it goes. */
static void test_gone_round(void **state) {
        uint64_t seed = test_seed();
        static struct world w;

        (void) state;
        world_begin(&w, seed, 1774650000, STORE_MIN_BYTES, 10000);
        for (unsigned k = 0; k < 100000; k++)
                world_row(&w, world_random(&w, w.n_meters), 10000);
        for (unsigned i = 0; i < 16; i++) {
                struct query_spec spec = { .step_kind = QUERY_STEP_TICKS, .step = 9000, .now = world_tick(&w) };
                struct expected e;
                struct query_row row;
                struct query *q;
                int64_t sure;
                unsigned compared = 0;

                choose_series(&w, 0, &spec);
                spec.avoid_tiers = i % 4 * 2;
                spec.to = spec.now;
                spec.from = spec.now - 40000000;
                expect(&e, &w, 0, &spec);
                q = ask(&w, &spec);
                sure = query_begin(q) + (int64_t) w.meters[0].schema.hold_ticks + spec.step;
                while (next(q, 5, &row) > 0)
                        if (row.tick > sure && ++compared > 1)
                                compare_bucket(&e, q, &row);
                assert_true(compared > 100);
                query_free(q);
                forget(&e);
        }
        world_end(&w);
}

/* ---- the rest ---- */

static void test_total_at(void **state) {
        uint64_t seed = test_seed();
        static struct world w;

        (void) state;
        set_zone("UTC");
        world_begin(&w, seed, 1774650000, 8 << 20, 1000);
        for (unsigned round = 0; round < 10; round++) {
                world_live(&w, 300);
                for (unsigned i = 0; i < 100; i++) {
                        unsigned meter = world_random(&w, w.n_meters);
                        const struct schema *s = &w.meters[meter].schema;
                        const char *key = s->columns[world_random(&w, s->n_columns)].key;
                        int64_t tick = any_tick(&w), total = 0, expected = 0;
                        struct model_series series;
                        bool known = false;

                        model_series_init(&series, &w.model, meter, key, INT64_MAX);
                        for (size_t k = 0; k < series.n_reports && series.kind == COLUMN_COUNTER; k++)
                                if (series.reports[k].from <= tick) {
                                        known = true;
                                        expected = series.reports[k].value;
                                }
                        assert_int_equal(query_total_at(w.history, s->meter, key, tick, &total), known);
                        assert_int_equal(total, expected);
                        model_series_free(&series);
                }
        }
        world_end(&w);
}

static void test_auto_step(void **state) {
        static const struct {
                int64_t span_s;
                unsigned points;
                int64_t step;
        } cases[] = {
                { 60, 1000, 10 }, { 1000, 1000, 10 }, { 1001, 1000, 20 }, { 86400, 1000, 1200 }, { 86400, 100, 9000 },
                { 86400 * 7, 1000, 9000 }, { 86400 * 365, 1000, 432000 }, { 86400 * 365, 500, 864000 },
                { 86400 * 365, 100, 6048000 }, { 86400 * 365, 20, 25920000 }, { 86400LL * 365, 2, 311040000 },
        };
        static struct world w;

        (void) state;
        set_zone("UTC");
        world_begin(&w, 1, 1774650000, STORE_MIN_BYTES, 1000);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct query_spec spec = {
                        .auto_points = cases[i].points, .from = INT64_C(17746560000), .now = INT64_MAX,
                };
                struct query *q;

                choose_series(&w, 0, &spec);
                spec.to = spec.from + cases[i].span_s * TICKS_PER_S;
                q = ask(&w, &spec);
                assert_int_equal(query_step(q), cases[i].step);
                assert_true(query_points(q) <= cases[i].points);
                query_free(q);
        }
        world_end(&w);
}

static void test_refused(void **state) {
        static struct world w;
        struct query_spec good = {
                .step_kind = QUERY_STEP_TICKS, .step = 10, .from = 100, .to = 200, .now = 200,
        }, spec;
        struct query *q = NULL;
        unsigned index = 99;

        (void) state;
        world_begin(&w, 1, 1774650000, STORE_MIN_BYTES, 1000);
        choose_series(&w, 0, &good);
        spec = good;
        spec.meter = "nobody";
        assert_int_equal(query_new(w.history, &spec, &q, &index), -ENOENT);
        spec = good;
        spec.n_series = 2;
        strcpy(spec.series[1].key, "nothing");
        assert_int_equal(query_new(w.history, &spec, &q, &index), -ESRCH);
        assert_int_equal(index, 1);
        spec = good;
        spec.to = 99;
        assert_int_equal(query_new(w.history, &spec, &q, &index), -EINVAL);
        spec = good;
        spec.step = 0;
        assert_int_equal(query_new(w.history, &spec, &q, &index), -EINVAL);
        spec = good;
        spec.n_series = 0;
        assert_int_equal(query_new(w.history, &spec, &q, &index), -EINVAL);
        assert_null(q);
        assert_false(query_total_at(w.history, "nobody", "x", 100, &(int64_t) { 0 }));
        world_end(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_lives),
                cmocka_unit_test(test_rows_between_calls),
                cmocka_unit_test(test_overtaken),
                cmocka_unit_test(test_gone_round),
                cmocka_unit_test(test_total_at),
                cmocka_unit_test(test_auto_step),
                cmocka_unit_test(test_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
