/* What is told of recorded totals: up to a limit only, whatever is asked and whichever tier tells; and the very first
 * total, which stays known for good. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/energy_rows.h"
#include "api/energy_statistics.h"
#include "base/cleanup.h"
#include "history/query.h"
#include "history_bench.h"
#include "tools/random.h"

#define MINUTE (60 * TICKS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define BEGIN  (INT64_C(20000) * DAY)
#define NOISE  1                         /* gauges that fill the pages */

static struct history *open_at(const char *directory, uint64_t size_bytes) {
        struct history_options options = { .directory = directory, .size_bytes = size_bytes, .flush_ms = 60000 };
        char error[STORE_ERROR_MAX];
        struct history *h;

        if (history_new(&options, &h, error) < 0)
                fail_msg("%s", error);
        bench_make_ready(h);
        return h;
}

static void add_column(struct schema *s, const char *key, unsigned kind) {
        struct schema_column *c = &s->columns[s->n_columns++];

        snprintf(c->key, sizeof c->key, "%s", key);
        c->kind = (uint8_t) kind;
        c->decimals = kind == COLUMN_COUNTER ? 6 : 3;
}

static unsigned define(struct history *h, bool with_export, unsigned hold_ticks) {
        struct schema s = { .meter = "m", .hold_ticks = hold_ticks };
        unsigned meter;
        char key[16];

        add_column(&s, "energy_import_kwh", COLUMN_COUNTER);
        for (unsigned i = 0; i < NOISE; i++) {
                snprintf(key, sizeof key, "g%u", i);
                add_column(&s, key, COLUMN_GAUGE);
        }
        if (with_export)
                add_column(&s, "energy_export_kwh", COLUMN_COUNTER);
        assert_int_equal(history_define(h, &s, &meter), 0);
        return meter;
}

/* Counters by their totals; below 0: none. */
static void put(struct history *h, unsigned meter, int64_t tick, int64_t import, int64_t export) {
        static uint64_t random = 1;
        struct history_row row = { 0 };

        row.values[0] = row.totals[0] = import;
        row.mask = import >= 0;
        for (unsigned i = 1; i <= NOISE; i++) {
                row.values[i] = (int64_t) random_below(&random, UINT32_MAX) << 8;
                row.mask |= UINT64_C(1) << i;
        }
        if (export >= 0) {
                row.values[NOISE + 1] = row.totals[NOISE + 1] = export;
                row.mask |= UINT64_C(1) << (NOISE + 1);
        }
        assert_int_equal(history_append_at(h, meter, tick, &row), 0);
}

/* ---- the limit ---- */

struct asked {
        enum query_step kind;
        int64_t step, from, to;
        struct total_limit limit;
        bool registers;
};

/* All rows of the answer as text: "FIRST LAST MIN MAX DELTA COUNT;", "-" for what is not known. */
static const char *tell(struct history *h, const struct asked *a) {
        static const enum query_aggregate order[] = { QUERY_FIRST, QUERY_LAST, QUERY_MIN, QUERY_MAX, QUERY_DELTA,
                                                      QUERY_COUNT };
        struct query_spec spec = { .meter = "m", .n_series = 1, .from = a->from, .to = a->to, .now = a->to,
                                   .step_kind = a->kind, .step = a->step, .registers = a->registers };
        static char text[1000];
        CLEANUP(query_freep) struct query *q = NULL;
        const struct query_column *columns;
        struct query_row row;
        size_t len = 0;
        unsigned index, n;

        strcpy(spec.series[0].key, "energy_import_kwh");
        spec.series[0].aggregates = UINT32_MAX;
        spec.series[0].limit = a->limit;
        assert_int_equal(query_new(h, &spec, &q, &index), 0);
        n = query_columns(q, &columns);
        text[0] = 0;
        while (query_next(q, UINT16_MAX, &row) > 0) {
                for (unsigned k = 0; k < (a->kind == QUERY_STEP_RAW ? 1 : ELEMENTS(order)); k++) {
                        unsigned c = 0;

                        while (c < n && a->kind != QUERY_STEP_RAW &&
                               strcmp(strchr(columns[c].name, '.') + 1, query_aggregate_names[order[k]]) != 0)
                                c++;
                        assert_true(c < n);
                        len += (size_t) (row.known[c] ? snprintf(text + len, sizeof text - len, "%s%lld",
                                                                 k ? " " : "", (long long) row.values[c])
                                                      : snprintf(text + len, sizeof text - len, "%s-", k ? " " : ""));
                }
                len += (size_t) snprintf(text + len, sizeof text - len, ";");
        }
        return text;
}

static struct total_limit up_to(int64_t most) {
        return (struct total_limit) { true, most };
}

/* Ten rows a minute apart, of 10, 20, ... 100. */
static struct history *ten_rows(void) {
        struct history *h = open_at(NULL, 0);
        unsigned meter = define(h, false, 600);

        for (int64_t i = 1; i <= 10; i++)
                put(h, meter, BEGIN + i * MINUTE, i * 10, -1);
        return h;
}

static void nothing_above_it_is_told(void **state) {
        struct history *h = ten_rows();
        struct asked all = { .kind = QUERY_STEP_TICKS, .step = 5 * MINUTE, .from = BEGIN, .to = BEGIN + 15 * MINUTE };

        (void) state;
        assert_string_equal(tell(h, &all), "10 50 10 50 40 5;60 100 60 100 50 5;- - - - - -;");
        all.limit = up_to(100);
        assert_string_equal(tell(h, &all), "10 50 10 50 40 5;60 100 60 100 50 5;- - - - - -;");
        all.limit = up_to(75);
        assert_string_equal(tell(h, &all), "10 50 10 50 40 5;60 75 60 75 25 5;- - - - - -;");
        all.limit = up_to(35);
        assert_string_equal(tell(h, &all), "10 35 10 35 25 5;35 35 35 35 0 5;- - - - - -;");
        /* What was before is told up to it, too. */
        all.from = BEGIN + 5 * MINUTE;
        assert_string_equal(tell(h, &all), "35 35 35 35 0 5;- - - - - -;");
        all.limit = up_to(INT64_MIN);
        assert_string_equal(tell(h, &all), "- - - - - -;- - - - - -;");
        history_free(h);
}

static void rows_by_themselves(void **state) {
        struct history *h = ten_rows();
        struct asked rows = { .kind = QUERY_STEP_RAW, .from = BEGIN, .to = BEGIN + 6 * MINUTE };

        (void) state;
        assert_string_equal(tell(h, &rows), "10;20;30;40;50;");
        rows.limit = up_to(35);
        assert_string_equal(tell(h, &rows), "10;20;30;35;35;");
        rows.limit = up_to(INT64_MIN);
        assert_string_equal(tell(h, &rows), "");
        rows.registers = true;           /* what the meter said is nobody's total */
        assert_string_equal(tell(h, &rows), "10;20;30;40;50;");
        history_free(h);
}

/* The same answer from minutes and quarters as from the rows. */
static void every_tier_keeps_to_it(void **state) {
        static const int64_t steps[] = { MINUTE, 15 * MINUTE, HOUR, DAY };
        struct history *h = open_at(NULL, 0);
        unsigned meter = define(h, false, 600);
        uint64_t random = random_seed(7);
        int64_t total = 0;

        (void) state;
        for (int64_t i = 0; i < 800; i++)
                put(h, meter, BEGIN + i * MINUTE / 2 + random_below(&random, 100), total += random_below(&random, 9),
                    -1);
        for (unsigned i = 0; i < 40; i++) {
                struct asked a = { .kind = QUERY_STEP_TICKS, .step = steps[i % ELEMENTS(steps)],
                                   .limit = up_to(random_below(&random, (uint32_t) total + 100)) };
                int64_t at = BEGIN + random_below(&random, 6) * HOUR, before = INT64_MIN;
                struct query_spec spec = { .meter = "m", .n_series = 1, .now = BEGIN + DAY, .step_kind = a.kind,
                                           .step = a.step, .from = at, .to = BEGIN + DAY };
                struct query *limited, *free_of_it, *rows;
                struct query_row x, y, z;
                unsigned index;

                strcpy(spec.series[0].key, "energy_import_kwh");
                spec.series[0].aggregates = 1u << QUERY_LAST | 1u << QUERY_DELTA;
                assert_int_equal(query_new(h, &spec, &free_of_it, &index), 0);
                spec.series[0].limit = a.limit;
                assert_int_equal(query_new(h, &spec, &limited, &index), 0);
                spec.avoid_tiers = 1u << TIER_MINUTE | 1u << TIER_QUARTER;
                assert_int_equal(query_new(h, &spec, &rows, &index), 0);
                while (query_next(free_of_it, UINT16_MAX, &x) > 0) {
                        assert_int_equal(query_next(limited, UINT16_MAX, &y), 1);
                        assert_int_equal(query_next(rows, UINT16_MAX, &z), 1);
                        assert_int_equal(x.known[0], y.known[0]);
                        assert_memory_equal(y.values, z.values, 2 * sizeof y.values[0]);
                        if (!x.known[0])
                                continue;
                        assert_int_equal(y.values[0], x.values[0] < a.limit.most ? x.values[0] : a.limit.most);
                        if (before != INT64_MIN)
                                assert_int_equal(y.values[1], y.values[0] - before);
                        before = y.values[0];
                }
                query_free(limited);
                query_free(free_of_it);
                query_free(rows);
        }
        history_free(h);
}

/* ---- the first total ---- */

/* The newest hour's state less its sum, in mWh: what the sum counts from. */
static int64_t base_of(struct history *h, const char *key, int64_t now) {
        struct energy_statistics_spec spec = { .meter = "m", .channel = "", .from = now - now % HOUR - 10 * HOUR,
                                               .to = now - now % HOUR, .now = now };
        struct buffer out;
        struct energy_statistics *s;
        json_t *answer, *list, *one;
        int64_t base = INT64_MIN;
        size_t i;
        int r;

        buffer_init(&out, 1u << 20);
        assert_int_equal(energy_statistics_new(h, &spec, &s), 0);
        while ((r = energy_statistics_next(s, &out)) > 0 || r == -EAGAIN)
                ;
        assert_int_equal(r, 0);
        energy_statistics_free(s);
        answer = json_loadb(out.data, out.len, 0, NULL);
        assert_non_null(answer);
        list = json_object_get(answer, "statistics");
        json_array_foreach(list, i, one) {
                json_t *rows = json_object_get(one, "rows"), *row = json_array_get(rows, json_array_size(rows) - 1);

                if (row && strcmp(json_string_value(json_object_get(one, "series")), key) == 0)
                        base = (int64_t) ((json_number_value(json_object_get(row, "state")) -
                                           json_number_value(json_object_get(row, "sum"))) * 1e6 + 0.5);
        }
        json_decref(answer);
        buffer_free(&out);
        return base;
}

static bool has_gone_round(struct history *h) {
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (history_oldest(h, (enum history_tier) t) == 0)
                        return false;
        return true;
}

/* A quarter of an hour each. Import begins at 5 kWh. */
static int64_t fill(struct history *h, unsigned meter, int64_t tick, unsigned n, bool with_export) {
        for (unsigned i = 0; i < n; i++, tick += 15 * MINUTE)
                put(h, meter, tick, 5000000 + (tick - BEGIN) / 100, with_export ? 700 + (tick - BEGIN) / 900 : -1);
        return tick;
}

static void the_ring_forgets_it_and_the_statistics_do_not(void **state) {
        const char *directory = bench_directory();
        struct history *h = open_at(directory, STORE_MIN_BYTES);
        unsigned meter = define(h, false, 600), slots;
        int64_t tick = fill(h, meter, BEGIN, 100, false), first;

        (void) state;
        assert_int_equal(base_of(h, "energy_import_kwh", tick), 5000000);
        while (!has_gone_round(h))
                tick = fill(h, meter, tick, 200, false);
        assert_int_equal(base_of(h, "energy_import_kwh", tick), 5000000);
        /* Started again, another hold time, a register more, which comes up later. */
        history_free(h);
        h = open_at(directory, STORE_MIN_BYTES);
        meter = define(h, true, 300);
        tick = fill(h, meter, tick, 100, false);
        assert_int_equal(base_of(h, "energy_import_kwh", tick), 5000000);
        assert_false(history_first_total(h, "m", "energy_export_kwh", &first, &slots));
        first = 700 + (tick - BEGIN) / 900;
        tick = fill(h, meter, tick, 100, true);
        assert_int_equal(base_of(h, "energy_export_kwh", tick), first);
        /* Of another size, and round once more. */
        history_free(h);
        h = open_at(directory, STORE_MIN_BYTES + (1u << 20));
        meter = define(h, true, 300);
        for (unsigned i = 0; i < 20; i++)
                tick = fill(h, meter, tick, 200, true);
        assert_int_equal(base_of(h, "energy_import_kwh", tick), 5000000);
        assert_int_equal(base_of(h, "energy_export_kwh", tick), first);
        history_free(h);
        bench_remove_directory();
}

/* Each counter takes one schema more at most, when it comes up, however often the meter is defined anew. */
static void schemas_do_not_pile_up(void **state) {
        struct history *h = open_at(NULL, 0);
        unsigned meter = define(h, true, 600), slot, n = 0;
        int64_t tick = fill(h, meter, BEGIN, 3, false);

        (void) state;
        tick = fill(h, meter, tick, 3, true);
        for (unsigned i = 0; i < 5; i++) {
                assert_int_equal(define(h, true, 600), meter);
                tick = fill(h, meter, tick, 3, i % 2);
        }
        while (history_schema(h, "m", n, &slot))
                n++;
        assert_int_equal(n, 2);
        history_free(h);
}

/* The clock is set back: the new era knows where the counter began. */
static void an_era_later(void **state) {
        struct history *h = open_at(NULL, 0);
        unsigned meter = define(h, false, 600), decimals;
        struct history_row row = { .mask = 1 };
        int64_t first;

        (void) state;
        for (unsigned i = 0; i < 10; i++) {
                int64_t offset_ms = BEGIN * TICK_MS - (i < 5 ? 0 : INT64_C(7200000));

                history_set_clock(h, 1000 + i * 60000, true, true, offset_ms);
                row.values[0] = row.totals[0] = 5000 + i;
                history_append(h, meter, 1000 + i * 60000, &row);
        }
        assert_int_equal(history_schema(h, "m", 1, &meter)->era, 1);
        assert_true(history_first_total(h, "m", "energy_import_kwh", &first, &decimals));
        assert_int_equal(first, 5000);
        assert_int_equal(decimals, 6);
        assert_true(history_schema(h, "m", 1, &meter)->columns[0].has_first);
        history_free(h);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_above_it_is_told),
                cmocka_unit_test(rows_by_themselves),
                cmocka_unit_test(every_tier_keeps_to_it),
                cmocka_unit_test(the_ring_forgets_it_and_the_statistics_do_not),
                cmocka_unit_test(schemas_do_not_pile_up),
                cmocka_unit_test(an_era_later),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
