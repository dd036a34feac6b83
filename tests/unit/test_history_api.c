/* GET .../history: real handlers on a history whose rows are known; what is asked for, and by which rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known_history.h"

static void raw_rows_are_what_came(void **state) {
        json_t *t = get_table(*state, target_of(HISTORY_PATH, 100, 110,
                                               "&step=raw&series=power_w,voltage_v,energy_import_kwh"));

        assert_columns(t, "t_ms,power_w,voltage_v,energy_import_kwh");
        assert_int_equal(row_count(t), 10);
        assert_true(json_is_null(json_object_get(t, "step_s")));
        assert_true(json_is_null(json_object_get(t, "next")));
        assert_string_equal(json_string_value(json_object_get(t, "meter")), "main");
        assert_string_equal(json_string_value(json_object_get(t, "tier")), "raw");
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(cell(t, i, 0, 1), (base_s + 100 + i) * 1000);
                assert_int_equal(cell(t, i, 1, 1000), power_of(100 + i));
                if (has_voltage(100 + i))
                        assert_int_equal(cell(t, i, 2, 1000), voltage_of(100 + i));
                assert_int_equal(cell(t, i, 3, 1e6), import_of(100 + i));
        }
        assert_true(json_is_null(json_array_get(json_array_get(json_object_get(t, "rows"), 0), 2)));
        json_decref(t);
}

/* from and to are half-open to the digit. */
static void range_is_exact(void **state) {
        char target[200];
        json_t *t;

        snprintf(target, sizeof target, HISTORY_PATH "?step=raw&series=power_w&from=%lld.05&to=%lld.05",
                 (long long) base_s, (long long) base_s + 5);
        t = get_table(*state, target);
        assert_int_equal(row_count(t), 5);
        assert_int_equal(cell(t, 0, 0, 1), (base_s + 1) * 1000);
        assert_int_equal(cell(t, 4, 0, 1), (base_s + 5) * 1000);
        json_decref(t);
        t = get_table(*state, target_of(HISTORY_PATH, 1, 2, "&step=raw&series=power_w"));
        assert_int_equal(row_count(t), 1);
        json_decref(t);
}

static int64_t rounded(int64_t sum, int64_t n) {
        return (sum < 0 ? sum - n / 2 : sum + n / 2) / n;
}

static void check_minute(const json_t *t, unsigned row, unsigned begin) {
        int64_t sum = 0, min = INT64_MAX, max = INT64_MIN;

        for (unsigned i = begin; i < begin + 60; i++) {
                sum += power_of(i);
                min = power_of(i) < min ? power_of(i) : min;
                max = power_of(i) > max ? power_of(i) : max;
        }
        assert_int_equal(cell(t, row, 0, 1), (base_s + begin) * 1000);
        assert_int_equal(cell(t, row, 1, 1000), rounded(sum, 60));
        assert_int_equal(cell(t, row, 2, 1000), min);
        assert_int_equal(cell(t, row, 3, 1000), max);
        assert_int_equal(cell(t, row, 4, 1000), power_of(begin));
        assert_int_equal(cell(t, row, 5, 1000), power_of(begin + 59));
        assert_int_equal(cell(t, row, 6, 1), 60);
}

static void steps_aggregate(void **state) {
        json_t *t = get_table(*state, target_of(HISTORY_PATH, 0, 600,
                                               "&step=1min&series=power_w&agg=avg,min,max,first,last,count"));

        assert_columns(t, "t_ms,power_w.avg,power_w.min,power_w.max,power_w.first,power_w.last,power_w.count");
        assert_int_equal(row_count(t), 10);
        assert_int_equal(json_number_value(json_object_get(t, "step_s")), 60);
        assert_string_equal(json_string_value(json_object_get(t, "tier")), "1min");
        for (unsigned i = 0; i < 10; i++)
                check_minute(t, i, i * 60);
        json_decref(t);
        t = get_table(*state, target_of(HISTORY_PATH, 60, 120,
                                       "&step=1min&series=energy_import_kwh&agg=delta,last"));
        assert_columns(t, "t_ms,energy_import_kwh.last,energy_import_kwh.delta");
        assert_int_equal(row_count(t), 1);
        assert_int_equal(cell(t, 0, 1, 1e6), import_of(120));
        assert_int_equal(cell(t, 0, 2, 1e6), 60 * 253);
        json_decref(t);
}

/* Widened to whole steps; a step without data is null; defaults are what a chart needs. */
static void edges_and_gaps(void **state) {
        json_t *t = get_table(*state, target_of(HISTORY_PATH, -601, 1, "&step=5min&series=power_w"));

        assert_columns(t, "t_ms,power_w.avg,power_w.min,power_w.max");
        assert_int_equal(row_count(t), 4);
        assert_int_equal(cell(t, 0, 0, 1), (base_s - 900) * 1000);
        assert_int_equal(json_integer_value(json_object_get(t, "from_ms")), (base_s - 900) * 1000);
        assert_int_equal(json_integer_value(json_object_get(t, "to_ms")), (base_s + 300) * 1000);
        assert_true(json_is_null(json_array_get(json_array_get(json_object_get(t, "rows"), 2), 1)));
        assert_true(json_is_number(json_array_get(json_array_get(json_object_get(t, "rows"), 3), 1)));
        json_decref(t);
        t = get_table(*state, target_of(HISTORY_PATH, 0, 60, "&step=10s"));
        assert_columns(t, "t_ms,voltage_v.avg,voltage_v.min,voltage_v.max,power_w.avg,power_w.min,power_w.max,"
                       "energy_import_kwh.last,energy_import_kwh.delta");
        json_decref(t);
        t = get_table(*state, target_of(HISTORY_PATH, 0, 60, "&step=10s&agg=delta"));
        assert_columns(t, "t_ms,energy_import_kwh.delta");
        json_decref(t);
}

static void auto_step_keeps_the_limit(void **state) {
        static const unsigned limits[] = { 1, 10, 100, 1000, 11000 };
        json_t *t;
        char more[64];

        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
                snprintf(more, sizeof more, "&series=power_w&limit=%u", limits[i]);
                t = get_table(*state, target_of(HISTORY_PATH, 0, ROWS, more));
                assert_in_range(row_count(t), 1, limits[i]);
                json_decref(t);
        }
        /* 1800 s in at most 1000 points: 2 s each. */
        t = get_table(*state, target_of(HISTORY_PATH, 0, ROWS, "&series=power_w"));
        assert_int_equal(row_count(t), 900);
        json_decref(t);
        /* The last 24 h when nothing is said. */
        t = get_table(*state, HISTORY_PATH);
        assert_in_range(row_count(t), 700, 1000);
        json_decref(t);
}

/* limit cuts raw rows off; next, used as from, goes on without loss and without a row twice. */
static void raw_goes_on_at_next(void **state) {
        char target[300], next[64] = "";
        unsigned n = 0;

        snprintf(target, sizeof target, "%s", target_of(HISTORY_PATH, 0, 500, "&step=raw&series=power_w&limit=7"));
        for (;;) {
                json_t *t = get_table(*state, target);
                const char *text = json_string_value(json_object_get(t, "next"));

                for (unsigned i = 0; i < row_count(t); i++, n++)
                        assert_int_equal(cell(t, i, 0, 1), (base_s + n) * 1000);
                snprintf(next, sizeof next, "%s", text ? text : "");
                json_decref(t);
                if (!next[0])
                        break;
                snprintf(target, sizeof target, HISTORY_PATH "?from=%s&to=%lld&step=raw&series=power_w&limit=7", next,
                         (long long) base_s + 500);
        }
        assert_int_equal(n, 500);
}

static void mistakes_name_their_parameter(void **state) {
        static const struct {
                const char *more, *parameter, *detail;
        } cases[] = {
                { "series=bogus", "series", "main has no series \"bogus\"; it has voltage_v, current_a, power_w" },
                { "series=power_w,", "series", "series: expected 1 to 16 names" },
                { "series=", "series", "such as power_w,voltage_v" },
                { "series=voltage_voltage_voltage_voltage_voltage_voltage_v", "series", "expected 1 to 16 names" },
                { "from=yesterday", "from", "expected now, a time before now such as -24h" },
                { "to=1e9", "to", "expected" },
                { "from=now", "from", "before to" },
                { "from=-1h&to=-2h", "from", "from must lie before to" },
                { "step=fast", "step", "auto, raw or a duration" },
                { "step=0s", "step", "auto, raw or a duration" },
                { "step=150ms", "step", "multiple of 100ms" },
                { "step=400d", "step", "366d" },
                { "step=1s", "step", "points and limit is 1000" },
                { "step=1min&limit=1439", "step", "longer step" },
                { "agg=median", "agg", "avg, min, max, first, last, count or delta" },
                { "agg=", "agg", "expected" },
                { "agg=avg,,min", "agg", "expected" },
                { "agg=avg&series=energy_import_kwh", "agg", "energy_import_kwh is a counter: avg does not apply" },
                { "agg=delta&series=power_w", "agg", "power_w is a gauge: delta does not apply" },
                { "limit=0", "limit", "1 to 11000" },
                { "limit=11001", "limit", "1 to 11000" },
                { "limit=ten", "limit", "1 to 11000" },
                { "limit=1.5", "limit", "1 to 11000" },
                { "format=xml", "format", "json, csv, ndjson or openmetrics" },
                { "format=openmetrics&agg=avg,min&series=power_w", "agg", "one aggregate" },
                { "format=openmetrics&agg=count&series=power_w", "agg", "count" },
                { "verbose=1", "verbose", "unknown" },
        };
        char target[300];

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                snprintf(target, sizeof target, HISTORY_PATH "?%s", cases[i].more);
                assert_problem(*state, target, 400, cases[i].parameter, cases[i].detail);
        }
        assert_problem(*state, "/api/v1/meters/garage/history", 404, NULL, "there is main, three, unknown, gone");
}

/* ---- meters with less ---- */

/* After a restart the past is there before the meter has said what it is. */
static void past_of_an_unknown_product(void **state) {
        const char *path = "/api/v1/meters/unknown/history";
        json_t *t = get_table(*state, target_of(path, 0, 100, "&step=raw"));

        assert_columns(t, "t_ms,voltage_v,power_w,energy_import_kwh");
        assert_int_equal(row_count(t), OTHER_ROWS);
        json_decref(t);
        t = get_table(*state, target_of(path, 0, 100, "&step=raw&series=energy_import_kwh"));
        assert_int_equal(row_count(t), OTHER_ROWS);
        json_decref(t);
        assert_problem(*state, target_of(path, 0, 100, "&series=current_a"), 400, "series",
                       "it has voltage_v, power_w, energy_import_kwh");
}

/* ---- the service ---- */

static void state_is_told(void **state) {
        json_t *about = get_table(*state, "/api/v1"), *h = json_object_get(about, "history");
        struct reply reply;

        assert_string_equal(json_string_value(json_object_get(h, "state")), "ready");
        assert_int_equal(json_number_value(json_object_get(h, "progress")), 1);
        assert_true(json_is_null(json_object_get(h, "error")));
        assert_string_equal(json_string_value(json_object_get(h, "cursor")), "1900");
        assert_int_equal(json_integer_value(json_object_get(h, "rows")), ROWS + OTHER_ROWS);
        assert_int_equal(json_integer_value(json_object_get(h, "bytes_allocated")), 0);
        assert_true(json_is_null(json_object_get(h, "last_checkpoint")));
        assert_true(json_is_null(json_object_get(h, "safe_cursor")));
        json_decref(about);
        assert_non_null(strstr(get_body(*state, "/healthz", "application/json", &reply), "\"history\":\"ready\""));
        reply_free(&reply);
        assert_non_null(strstr(get_body(*state, "/metrics", "text/plain; version=0.0.4; charset=utf-8", &reply),
                               "\nmetergate_history_up 1\n"));
        reply_free(&reply);
}

static void assert_not_yet(struct fixture *f, const char *detail) {
        assert_problem(f, HISTORY_PATH, 503, NULL, detail);
        assert_problem(f, "/api/v1/samples", 503, NULL, detail);
}

static void waits_while_it_is_read(void **state) {
        char folder[] = "/tmp/metergate-test-XXXXXX", path[64], error[STORE_ERROR_MAX];
        struct history_options options = { .directory = mkdtemp(folder), .size_bytes = STORE_MIN_BYTES,
                                           .flush_ms = 60000 };
        struct fixture *f = *state;
        struct history *young;
        struct reply reply;
        json_t *about;

        assert_non_null(options.directory);
        assert_int_equal(history_new(&options, &young, error), 0);
        f->app.history = young;
        assert_not_yet(f, "the history is being read, 0 % are done");
        about = get_table(f, "/api/v1");
        assert_string_equal(json_string_value(json_object_get(json_object_get(about, "history"), "state")),
                            "reading");
        assert_true(json_is_null(json_object_get(json_object_get(about, "history"), "cursor")));
        json_decref(about);
        assert_non_null(strstr(get_body(f, "/healthz", "application/json", &reply), "\"history\":\"reading\""));
        reply_free(&reply);
        while (history_step(young) > 0)
                ;
        json_decref(get_table(f, "/api/v1/samples"));
        f->app.history = NULL;
        assert_not_yet(f, "without a history");
        about = get_table(f, "/api/v1");
        assert_true(json_is_null(json_object_get(about, "history")));
        json_decref(about);
        f->app.history = history;
        history_free(young);
        snprintf(path, sizeof path, "%s/%s", folder, STORE_FILE_NAME);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(raw_rows_are_what_came),
                cmocka_unit_test(range_is_exact),
                cmocka_unit_test(steps_aggregate),
                cmocka_unit_test(edges_and_gaps),
                cmocka_unit_test(auto_step_keeps_the_limit),
                cmocka_unit_test(raw_goes_on_at_next),
                cmocka_unit_test(mistakes_name_their_parameter),
                cmocka_unit_test(past_of_an_unknown_product),
                cmocka_unit_test(state_is_told),
                cmocka_unit_test(waits_while_it_is_read),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
