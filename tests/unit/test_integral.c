/* Power over time, against a computation that knows nothing of rows and columns; over restarts, changes of the schema
 * and of the clock. */
#include "history_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "from_environment.h"
#include "history/integral.h"
#include "history/query.h"
#include "tools/random.h"

#define UTC_MS INT64_C(1795255200000)
#define HOLD 350
#define POWER 1
#define VOLTAGE 2
#define FLUSH_MS 60000

enum { IMPORT, EXPORT, SIDES };

static uint64_t seed;

/* What the history should have, in mW times ticks, without any rounding. */
struct truth {
        int64_t sums[SIDES];
        int64_t power, at, until;    /* in effect since at, which holds to until */
};

struct house {
        struct history *history;
        const char *directory;
        unsigned handle;
        uint64_t random, now_ms;
        int64_t offset_ms;
        struct schema schema;
        struct truth truth;
        int64_t losses;              /* mWh that restarts may have taken */
};

static const struct schema plain = {
        .meter = "m", .hold_ticks = HOLD, .n_columns = 4,
        .columns = { { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                     { .key = "voltage_v", .kind = COLUMN_GAUGE, .decimals = 3 },
                     { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6, .integral_of = 1 },
                     { .key = "energy_export_kwh", .kind = COLUMN_COUNTER, .decimals = 6, .integral_of = 1,
                       .is_export = true } },
};

/* The same in another order. */
static const struct schema turned = {
        .meter = "m", .hold_ticks = HOLD, .n_columns = 5,
        .columns = { { .key = "energy_export_kwh", .kind = COLUMN_COUNTER, .decimals = 6, .integral_of = 3,
                       .is_export = true },
                     { .key = "current_a", .kind = COLUMN_GAUGE, .decimals = 3 },
                     { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                     { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6, .integral_of = 3 },
                     { .key = "voltage_v", .kind = COLUMN_GAUGE, .decimals = 3 } },
};

static void set_clock(struct house *h) {
        history_set_clock(h->history, h->now_ms, true, true, h->offset_ms);
}

static void define(struct house *h, const struct schema *schema) {
        h->schema = *schema;
        assert_int_equal(history_define(h->history, schema, &h->handle), 0);
}

static void start(struct house *h, const struct schema *schema) {
        struct history_options options = { .directory = h->directory, .size_bytes = STORE_MIN_BYTES,
                                           .flush_ms = FLUSH_MS };
        char error[STORE_ERROR_MAX];

        assert_int_equal(history_new(&options, &h->history, error), 0);
        bench_make_ready(h->history);
        set_clock(h);
        define(h, schema);
}

static struct house house_with(bool has_file) {
        struct house h = { .random = random_seed(seed), .now_ms = 1000, .offset_ms = UTC_MS };

        if (has_file)
                h.directory = bench_directory();
        start(&h, &plain);
        return h;
}

static void end(struct house *h) {
        h->history = history_free(h->history);
        if (h->directory)
                bench_remove_directory();
}

static int64_t tick_of(const struct house *h) {
        return ((int64_t) h->now_ms + h->offset_ms) / TICK_MS;
}

static void let_flow(struct truth *t, int64_t to) {
        int64_t end = to < t->until ? to : t->until, ticks = end > t->at ? end - t->at : 0;

        t->sums[t->power < 0 ? EXPORT : IMPORT] += ticks * (t->power < 0 ? -t->power : t->power);
        t->at = to;
}

static int64_t total(const struct house *h, const char *key) {
        struct history_row row;
        int64_t tick;
        int i = schema_find(&h->schema, key);

        assert_true(i >= 0);
        assert_true(history_newest(h->history, h->handle, &tick, &row));
        assert_true(row.mask >> i & 1);
        assert_int_equal(row.totals[i], row.values[i]);
        return row.totals[i];
}

static void check(const struct house *h) {
        static const char *const keys[SIDES] = { "energy_import_kwh", "energy_export_kwh" };

        for (unsigned i = 0; i < SIDES; i++) {
                int64_t exact = h->truth.sums[i] / TICK_MW_PER_MWH, found = total(h, keys[i]);

                if (found > exact || found < exact - h->losses)
                        fail_msg("%s: %lld in place of %lld", keys[i], (long long) found, (long long) exact);
        }
}

/* A row at a multiple of ticks; with a power, a voltage or both. */
static void row(struct house *h, unsigned ticks, unsigned what, int64_t power) {
        int p = schema_find(&h->schema, "power_w"), u = schema_find(&h->schema, "voltage_v");
        struct history_row row = { 0 };

        h->now_ms += ticks * TICK_MS;
        let_flow(&h->truth, tick_of(h));
        if (what & POWER) {
                row.mask |= UINT64_C(1) << p;
                row.values[p] = h->truth.power = power;
                h->truth.until = tick_of(h) + HOLD;
        }
        if (what & VOLTAGE) {
                row.mask |= UINT64_C(1) << u;
                row.values[u] = 230000;
        }
        history_append(h->history, h->handle, h->now_ms, &row);
        history_poll(h->history, h->now_ms);
        check(h);
}

static void live(struct house *h, unsigned n) {
        while (n-- > 0)
                row(h, 1 + random_below(&h->random, random_below(&h->random, 5) ? 60 : 1200),
                    1 + random_below(&h->random, 3), (int64_t) random_below(&h->random, 8000000) - 4000000);
}

static void test_every_row_is_exact(void **state) {
        struct house h = house_with(false);

        (void) state;
        live(&h, 5000);
        assert_int_equal(h.losses, 0);
        end(&h);
}

static void test_a_value_holds_so_long(void **state) {
        struct house h = house_with(false);

        (void) state;
        row(&h, 1, POWER, 3600000);
        row(&h, HOLD - 1, VOLTAGE, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 34900);
        row(&h, 36000, VOLTAGE, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 35000);
        row(&h, 1, POWER, -3600000);
        row(&h, 10, POWER, 0);
        row(&h, 10, POWER, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 35000);
        assert_int_equal(total(&h, "energy_export_kwh"), 1000);
        end(&h);
}

static void test_restarts(void **state) {
        struct house h = house_with(true);

        (void) state;
        live(&h, 300);
        for (unsigned i = 0; i < 20; i++) {
                history_free(h.history);
                h.losses++;          /* what is no whole mWh yet */
                h.now_ms += random_below(&h.random, 100000) / TICK_MS * TICK_MS;
                start(&h, &plain);
                live(&h, random_below(&h.random, 200));
        }
        end(&h);
}

static void test_power_in_effect_goes_on(void **state) {
        struct house h = house_with(true);

        (void) state;
        row(&h, 1, POWER, 3600000);
        history_free(h.history);
        start(&h, &plain);
        row(&h, 20, VOLTAGE, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 2000);
        history_free(h.history);
        start(&h, &plain);
        row(&h, 3600, POWER, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 35000);
        end(&h);
}

static void test_changes_of_the_schema(void **state) {
        struct house h = house_with(true);

        (void) state;
        for (unsigned i = 0; i < 20; i++) {
                live(&h, 100);
                define(&h, i % 2 ? &plain : &turned);
        }
        end(&h);
}

static void test_energies_come_later(void **state) {
        struct schema before = plain;
        struct house h = house_with(true);
        struct history_row r = { .mask = 1, .values = { 3600000 } };

        (void) state;
        before.n_columns = 2;
        define(&h, &before);
        history_append(h.history, h.handle, h.now_ms += TICK_MS, &r);
        history_free(h.history);
        h.truth = (struct truth) { .power = 3600000, .at = tick_of(&h), .until = tick_of(&h) + HOLD };
        start(&h, &plain);
        row(&h, 1, VOLTAGE, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), 100);
        live(&h, 100);
        end(&h);
}

static void test_clock_set_back(void **state) {
        struct house h = house_with(true);
        int64_t before;

        (void) state;
        live(&h, 200);
        row(&h, 10, POWER, 2000000);
        before = total(&h, "energy_import_kwh");
        h.offset_ms -= 3600000;
        set_clock(&h);
        h.truth.at = tick_of(&h);
        h.truth.until = 0;           /* no value holds over that */
        row(&h, 10, VOLTAGE, 0);
        assert_int_equal(total(&h, "energy_import_kwh"), before);
        live(&h, 200);
        assert_true(total(&h, "energy_import_kwh") > before);
        history_free(h.history);
        h.losses++;
        start(&h, &plain);
        live(&h, 200);
        end(&h);
}

/* ---- the same integral as the mean of a query ---- */

static void test_equals_the_mean(void **state) {
        struct house h = house_with(false);
        struct query_spec spec = { .meter = "m", .n_series = 2, .step_kind = QUERY_STEP_TICKS, .step = 9000,
                                   .series = { { "power_w", 1u << QUERY_AVG | 1u << QUERY_COVERED },
                                               { "energy_import_kwh", 1u << QUERY_DELTA } } };
        struct query *q;
        struct query_row r;
        int64_t sum = 0, delta = 0, rounding = 0, covered = 0;
        unsigned index;

        (void) state;
        row(&h, 1, POWER, 0);
        for (unsigned i = 0; i < 3000; i++)
                row(&h, 1 + random_below(&h.random, 500), POWER, random_below(&h.random, 5000000));
        spec.from = UTC_MS / TICK_MS;
        spec.to = spec.now = tick_of(&h);
        assert_int_equal(query_new(h.history, &spec, &q, &index), 0);
        while (query_next(q, 1000, &r) > 0) {
                assert_true(r.known[1]);
                sum += r.values[0] * r.values[1];
                rounding += r.values[1] / 2 + 1;
                covered += r.values[1];
                delta += r.values[2];
        }
        query_free(q);
        assert_int_equal(delta, total(&h, "energy_import_kwh"));
        assert_true(llabs(sum - h.truth.sums[IMPORT]) <= rounding);
        assert_true(llabs(sum / TICK_MW_PER_MWH - delta) <= rounding / TICK_MW_PER_MWH + 1);
        assert_true(covered < tick_of(&h) - spec.from);
        end(&h);
}

static void test_nonsense_adds_nothing(void **state) {
        struct schema s = plain;
        struct integrals i = { 0 };
        struct history_row before = { .mask = 0xc }, r = { .mask = 1, .values = { HISTORY_VALUE_MAX } };

        (void) state;
        s.hold_ticks = INT64_MAX / HISTORY_VALUE_MAX + 10;
        integrals_row(&i, &s, NULL, 0, 100, &r);
        assert_int_equal(r.totals[2], 0);
        r = (struct history_row) { .mask = 2 };
        integrals_row(&i, &s, &before, 100, 100 + s.hold_ticks, &r);
        assert_int_equal(r.totals[2], 0);
        assert_int_equal(r.mask, 0xe);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_row_is_exact),
                cmocka_unit_test(test_a_value_holds_so_long),
                cmocka_unit_test(test_restarts),
                cmocka_unit_test(test_power_in_effect_goes_on),
                cmocka_unit_test(test_changes_of_the_schema),
                cmocka_unit_test(test_energies_come_later),
                cmocka_unit_test(test_clock_set_back),
                cmocka_unit_test(test_equals_the_mean),
                cmocka_unit_test(test_nonsense_adds_nothing),
        };
        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
