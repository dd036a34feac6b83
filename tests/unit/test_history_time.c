/* The time of rows, and the schemas they follow. */
#include "history_case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "from_environment.h"
#include "history/history_parts.h"
#include "tools/random.h"

static uint64_t seed;

/* ---- time ---- */

static void test_rows_wait_for_a_clock(void **state) {
        struct history *h = case_new(bench_directory(), NULL);
        unsigned meter = case_define(h, "main", "power_w"), other = case_define(h, "other", "voltage_v");
        struct bench_contents *c;

        (void) state;
        for (unsigned s = 0; s < 100; s++) {
                case_append(h, meter, s * 1000, s);
                case_append(h, other, s * 1000 + 500, s);
        }
        assert_int_equal(history_stats(h).waiting, 200);
        bench_make_ready(h);
        assert_int_equal(history_stats(h).waiting, 200);
        history_set_clock(h, 100000, false, false, 0);
        assert_int_equal(history_stats(h).waiting, 200);
        history_set_clock(h, 100000, true, true, UTC_MS);
        assert_int_equal(history_stats(h).waiting, 0);
        c = bench_read(h);
        assert_int_equal(c->n_rows, 200);
        for (unsigned i = 0; i < 200; i++) {
                assert_int_equal(c->rows[i].tick, TICK0 + i * 5);
                assert_int_equal(c->rows[i].values[0], i / 2);
        }
        bench_free(c);
        history_free(h);
}

/* The oldest go; changes of a schema among them are made all the same. */
static void test_too_many_wait(void **state) {
        struct history *h = case_ready(NULL, NULL);
        unsigned meter = case_define(h, "main", "power_w");
        struct bench_contents *c;
        unsigned slot;

        (void) state;
        history_set_clock(h, 0, false, false, UTC_MS);
        for (unsigned i = 0; i < HISTORY_WAITING_MAX + 1000; i++) {
                if (i == 500)
                        assert_int_equal(case_define(h, "main", "voltage_v"), meter);
                if (i == 2000)
                        assert_int_equal(case_define(h, "main", "current_a"), meter);
                case_append(h, meter, i * 1000, i);
        }
        assert_int_equal(history_stats(h).waiting, HISTORY_WAITING_MAX);
        assert_int_equal(history_stats(h).dropped, 1000);
        history_set_clock(h, 1000000, true, true, UTC_MS);
        c = bench_read(h);
        assert_int_equal(c->n_rows, HISTORY_WAITING_MAX);
        for (unsigned i = 0; i < HISTORY_WAITING_MAX; i++) {
                assert_int_equal(c->rows[i].tick, TICK0 + (i + 1000) * 10);
                assert_int_equal(c->rows[i].totals[1], (i + 1000) * 10 + 5000);
                assert_string_equal(schema_at(h, c->rows[i].slot)->columns[0].key,
                                    i + 1000 < 2000 ? "voltage_v" : "current_a");
        }
        assert_string_equal(history_schema(h, "main", 0, &slot)->columns[0].key, "voltage_v");
        assert_null(history_schema(h, "main", 2, &slot));
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
}

static int64_t newest_tick(struct history *h, unsigned meter) {
        struct history_row row;
        int64_t tick = 0;

        history_newest(h, meter, &tick, &row);
        return tick;
}

static void test_unsynchronised_clock(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned meter = case_define(h, "main", "power_w");
        struct page_header header;
        uint8_t page[PAGE_BYTES];

        (void) state;
        case_append_seconds(h, meter, 0, 100);
        history_free(h);
        /* The clock of the new start is a year late: time goes on where it ended. */
        h = case_new(directory, NULL);
        bench_make_ready(h);
        meter = case_define(h, "main", "power_w");
        history_set_clock(h, 5000, true, false, UTC_MS - INT64_C(31536000000));
        case_append(h, meter, 5000, 100);
        assert_int_equal(newest_tick(h, meter), TICK0 + 991);
        case_append(h, meter, 6000, 101);
        assert_int_equal(newest_tick(h, meter), TICK0 + 1001);
        assert_int_equal(history_page(h, TIER_RAW, history_end(h, TIER_RAW) - 1, page), 0);
        assert_true(page_read_header(page, &header));
        assert_int_equal(header.flags, PAGE_FLAG_UNSYNCED);
        /* Somebody sets it right, then it is synchronised: both are adopted. */
        history_set_clock(h, 7000, true, false, UTC_MS + 200000);
        case_append(h, meter, 7000, 102);
        assert_int_equal(newest_tick(h, meter), TICK0 + 2070);
        history_set_clock(h, 8000, true, true, UTC_MS + 300000);
        case_append(h, meter, 8000, 103);
        assert_int_equal(newest_tick(h, meter), TICK0 + 3080);
        history_free(h);
}

static void test_small_step_back(void **state) {
        struct history *h = case_ready(bench_directory(), NULL);
        unsigned meter = case_define(h, "main", "power_w"), slot;
        struct bench_contents *c;

        (void) state;
        case_append_seconds(h, meter, 0, 100);
        history_set_clock(h, 100000, true, true, UTC_MS - 59000);
        case_append_seconds(h, meter, 100, 200);
        c = bench_read(h);
        assert_int_equal(c->n_rows, 300);
        for (unsigned i = 1; i < 300; i++) {
                int64_t held = c->rows[i - 1].tick + 1, clock = TICK0 - (i >= 100 ? 590 : 0) + i * 10;

                assert_int_equal(c->rows[i].tick, clock > held ? clock : held);
        }
        assert_null(history_schema(h, "main", 1, &slot));
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
}

/* Two rows in a tick. */
static void test_fast_rows(void **state) {
        struct history *h = case_ready(NULL, NULL);
        unsigned meter = case_define(h, "main", "power_w");

        (void) state;
        case_append(h, meter, 1000, 1);
        case_append(h, meter, 1049, 2);
        assert_int_equal(newest_tick(h, meter), TICK0 + 11);
        case_append(h, meter, 1050, 3);
        assert_int_equal(newest_tick(h, meter), TICK0 + 12);
        case_append(h, meter, 1350, 3);
        assert_int_equal(newest_tick(h, meter), TICK0 + 14);
        history_free(h);
}

static void check_visible(struct history *h, unsigned i, int64_t from, int64_t to) {
        const struct schema *s;
        int64_t got_from, got_to;
        unsigned slot;

        s = history_schema(h, "main", i, &slot);
        assert_non_null(s);
        assert_int_equal(s->era, i);
        history_visible(h, slot, &got_from, &got_to);
        assert_int_equal(got_from, from);
        assert_int_equal(got_to, to);
}

/* An hour back, then two more; across a restart. */
static void test_eras(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned meter = case_define(h, "main", "power_w"), slot;
        struct bench_contents *c;

        (void) state;
        case_append_seconds(h, meter, 0, 2000);
        history_set_clock(h, 2000000, true, true, UTC_MS - 3600000);
        case_append_seconds(h, meter, 2000, 1000);
        check_visible(h, 0, INT64_MIN, TICK0 - 9000);
        check_visible(h, 1, TICK0 - 9000, INT64_MAX);
        assert_int_equal(history_schema(h, "main", 1, &slot)->era_start, TICK0 - 36000 + 20000);
        history_free(h);

        h = case_ready(directory, NULL);
        meter = case_define(h, "main", "power_w");
        history_set_clock(h, 3000000, true, true, UTC_MS - 3600000);
        case_append_seconds(h, meter, 3000, 1000);
        assert_null(history_schema(h, "main", 2, &slot));
        history_set_clock(h, 4000000, true, true, UTC_MS - 3 * 3600000);
        case_append_seconds(h, meter, 4000, 1000);
        check_visible(h, 0, INT64_MIN, TICK0 - 3 * 36000 + 45000);
        check_visible(h, 2, TICK0 - 3 * 36000 + 45000, INT64_MAX);
        c = bench_read(h);
        assert_int_equal(c->n_rows, 5000);
        assert_int_equal(c->rows[4999].tick, TICK0 - 3 * 36000 + 49990);
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
}

/* The time of rows with a given one; what is refused. */
static void test_append_at(void **state) {
        struct history *h = case_new(bench_directory(), NULL);
        unsigned meter = case_define(h, "main", "power_w");
        struct history_row row = case_row(1);

        (void) state;
        assert_int_equal(history_append_at(h, meter, 600, &row), -EAGAIN);
        bench_make_ready(h);
        assert_int_equal(history_append_at(h, meter, 0, &row), -ERANGE);
        assert_int_equal(history_append_at(h, meter, 1, &row), 0);
        assert_int_equal(history_append_at(h, meter, 1, &row), -EEXIST);
        assert_int_equal(history_append_at(h, meter, HISTORY_TICK_MAX + 1, &row), -ERANGE);
        row.values[0] = HISTORY_VALUE_MAX + 1;
        assert_int_equal(history_append_at(h, meter, 2, &row), -ERANGE);
        row.values[0] = -HISTORY_VALUE_MAX;
        assert_int_equal(history_append_at(h, meter, 2, &row), 0);
        row.totals[1] = INT64_MIN;
        assert_int_equal(history_append_at(h, meter, 3, &row), -ERANGE);
        row = case_row(5);
        assert_int_equal(history_append_at(h, meter, HISTORY_TICK_MAX, &row), 0);
        assert_int_equal(history_stats(h).rows, 3);
        history_free(h);
}

/* ---- schemas ---- */

static void test_schema_changes(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned meter = case_define(h, "main", "power_w"), slot, first;
        struct history_row row;
        struct bench_contents *c;
        int64_t tick;

        (void) state;
        case_append_seconds(h, meter, 0, 100);
        assert_non_null(history_schema(h, "main", 0, &first));
        assert_int_equal(case_define(h, "main", "power_w"), meter);
        assert_int_equal(case_define(h, "main", "voltage_v"), meter);
        assert_true(history_newest(h, meter, &tick, &row));
        /* The counter goes on. */
        assert_true(tick == TICK0 + 990 && row.mask == 2 && row.totals[1] == 5990);
        case_append_seconds(h, meter, 100, 1000);
        assert_int_equal(case_define(h, "main", "power_w"), meter);
        case_append_seconds(h, meter, 1100, 1000);
        assert_non_null(history_schema(h, "main", 2, &slot));
        assert_null(history_schema(h, "main", 3, &slot));
        assert_int_equal(history_tier_end(h, first, TIER_MINUTE), TICK0 + 1200);
        assert_int_equal(history_tier_end(h, first, TIER_QUARTER), TICK0 + 9000);
        c = bench_read(h);
        assert_int_equal(c->n_rows, 2100);
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);

        h = case_ready(directory, NULL);
        assert_int_equal(history_tier_end(h, first, TIER_QUARTER), TICK0 + 9000);
        meter = case_define(h, "main", "power_w");
        history_set_clock(h, 2100000, true, true, UTC_MS);
        case_append_seconds(h, meter, 2100, 100);
        assert_null(history_schema(h, "main", 3, &slot));
        c = bench_read(h);
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
}

static void test_bad_schemas(void **state) {
        struct history *h = case_ready(NULL, NULL);
        struct schema s = case_schema("main", "power_w");
        unsigned handle;

        (void) state;
        s.n_columns = 0;
        assert_int_equal(history_define(h, &s, &handle), -EINVAL);
        s = case_schema("main", "energy_import_kwh");
        assert_int_equal(history_define(h, &s, &handle), -EINVAL);
        s = case_schema("", "power_w");
        assert_int_equal(history_define(h, &s, &handle), -EINVAL);
        for (unsigned i = 0; i < HISTORY_METERS_MAX; i++) {
                char id[16];

                snprintf(id, sizeof id, "m%u", i);
                assert_int_equal(case_define(h, id, "power_w"), i);
        }
        s = case_schema("one-more", "power_w");
        assert_int_equal(history_define(h, &s, &handle), -ENOSPC);
        history_free(h);
}

/* A meter that is gone for long: its last buckets are finished, and its counters are still known. */
static void test_a_meter_that_left(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned gone = case_define(h, "gone", "power_w"), other = case_define(h, "other", "power_w"), slot;
        uint64_t random = random_seed(seed);
        struct history_row row;
        int64_t tick;

        (void) state;
        case_append_seconds(h, gone, 0, 100);
        for (unsigned s = 100; s < 300000; s++)
                case_append(h, other, s * UINT64_C(1000), random_below(&random, 1000000));
        assert_int_equal(history_flush(h), 0);
        assert_true(history_oldest(h, TIER_RAW) > 0);
        history_schema(h, "gone", 0, &slot);
        assert_int_equal(history_tier_end(h, slot, TIER_MINUTE), TICK0 + 1800);
        history_free(h);

        h = case_ready(directory, NULL);
        gone = case_define(h, "gone", "power_w");
        assert_int_equal(history_tier_end(h, slot, TIER_MINUTE), TICK0 + 1800);
        assert_true(history_newest_safe(h, gone, &tick, &row));
        assert_true(row.mask == 2 && row.values[1] == 990 && row.totals[1] == 5990);
        assert_int_equal(history_append_at(h, gone, TICK0 + 1700, &row), -EEXIST);
        assert_int_equal(history_append_at(h, gone, TICK0 + 1801, &row), 0);
        history_free(h);
}

/* More than a page can hold of one bucket. */
static void test_extreme_buckets(void **state) {
        struct history *h = case_ready(bench_directory(), NULL);
        struct schema s = { .meter = "wide", .hold_ticks = 9000, .n_columns = SCHEMA_COLUMNS_MAX };
        struct history_row row = { .mask = UINT64_MAX };
        struct page_header header;
        uint8_t page[PAGE_BYTES];
        unsigned meter, n_values = 0, n_rows = 0;

        (void) state;
        for (unsigned i = 0; i < SCHEMA_COLUMNS_MAX; i++)
                snprintf(s.columns[i].key, sizeof s.columns[i].key, "k%u", i);
        assert_int_equal(history_define(h, &s, &meter), 0);
        for (unsigned t = 0; t < 100; t++) {
                for (unsigned i = 0; i < SCHEMA_COLUMNS_MAX; i++)
                        row.values[i] = (t + i) % 2 ? HISTORY_VALUE_MAX - t * 999 - i : i + t - HISTORY_VALUE_MAX;
                history_append(h, meter, t * 30000, &row);
        }
        for (uint64_t seq = history_oldest(h, TIER_RAW); seq < history_end(h, TIER_RAW); seq++) {
                assert_int_equal(history_page(h, TIER_RAW, seq, page), 0);
                assert_true(page_read_header(page, &header));
                n_rows += header.n_rows;
        }
        assert_int_equal(n_rows, 100);
        for (uint64_t seq = history_oldest(h, TIER_MINUTE); seq < history_end(h, TIER_MINUTE); seq++) {
                assert_int_equal(history_page(h, TIER_MINUTE, seq, page), 0);
                assert_true(page_read_header(page, &header));
                n_values += header.n_values;
        }
        assert_int_equal(n_values, 49 * SCHEMA_COLUMNS_MAX);
        history_free(h);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_wait_for_a_clock),
                cmocka_unit_test(test_too_many_wait),
                cmocka_unit_test(test_unsynchronised_clock),
                cmocka_unit_test(test_small_step_back),
                cmocka_unit_test(test_fast_rows),
                cmocka_unit_test(test_eras),
                cmocka_unit_test(test_append_at),
                cmocka_unit_test(test_schema_changes),
                cmocka_unit_test(test_bad_schemas),
                cmocka_unit_test(test_a_meter_that_left),
                cmocka_unit_test(test_extreme_buckets),
        };
        int r;

        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        r = cmocka_run_group_tests(tests, NULL, NULL);
        bench_remove_directory();
        return r;
}
