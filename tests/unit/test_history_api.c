/* GET .../history and /samples: real handlers on a history in memory whose rows are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/export.h"
#include "api_bench.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "protocols/quantity.h"

enum { VOLTAGE, POWER, IMPORT, COLUMNS };

#define ROWS 1800                /* one a second */
#define OTHER_ROWS 100           /* of a meter whose product is not known (yet) */
#define HISTORY_PATH "/api/v1/meters/main/history"

static int64_t base_s;           /* a full hour, two to three hours ago */
static struct history *history;

/* ---- what is in it ---- */

static int64_t power_of(unsigned i) {
        return (int64_t) (i * 7919 % 2400000) - 400000;
}

static int64_t voltage_of(unsigned i) {
        return 230000 + (int64_t) (i * 31 % 700) * 10;
}

static int64_t import_of(unsigned i) {
        return 5858944000 + (int64_t) i * 253;
}

static bool has_voltage(unsigned i) {
        return i % 3 != 1;
}

static struct history_row row_of(unsigned i) {
        struct history_row row = { .mask = 1u << POWER | 1u << IMPORT };

        row.mask |= has_voltage(i) ? 1u << VOLTAGE : 0;
        row.values[VOLTAGE] = voltage_of(i);
        row.values[POWER] = power_of(i);
        row.values[IMPORT] = 77;
        row.totals[IMPORT] = import_of(i);
        return row;
}

static void define(const char *meter, unsigned *ret) {
        struct schema schema = { .hold_ticks = 350, .n_columns = COLUMNS, .columns = {
                [VOLTAGE] = { .key = "voltage_v", .kind = COLUMN_GAUGE, .decimals = 3 },
                [POWER] = { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                [IMPORT] = { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6 },
        } };

        strcpy(schema.meter, meter);
        assert_int_equal(history_define(history, &schema, ret), 0);
}

static void fill(const char *meter, unsigned n_rows) {
        unsigned handle;

        define(meter, &handle);
        for (unsigned i = 0; i < n_rows; i++) {
                struct history_row row = row_of(i);

                assert_int_equal(history_append_at(history, handle, (base_s + i) * TICKS_PER_S, &row), 0);
        }
}

static int setup(void **state) {
        const struct history_options options = { .size_bytes = 16 << 20, .flush_ms = 60000 };
        char error[STORE_ERROR_MAX];
        struct fixture *f;
        int64_t now_ms;

        assert_int_equal(bench_setup(state), 0);
        f = *state;
        assert_true(clock_to_utc_ms(clock_now_ms(), &now_ms));
        base_s = now_ms / 3600000 * 3600 - 7200;
        assert_int_equal(history_new(&options, &history, error), 0);
        while (history_step(history) > 0)
                ;
        fill("main", ROWS);
        fill("unknown", OTHER_ROWS);
        f->app.history = history;
        return 0;
}

static int teardown(void **state) {
        history_free(history);
        return bench_teardown(state);
}

/* ---- asking ---- */

/* from and to are seconds after base_s. */
static const char *target_of(const char *path, int from, int to, const char *more) {
        static char target[300];

        snprintf(target, sizeof target, "%s?from=%lld&to=%lld%s", path, (long long) base_s + from,
                 (long long) base_s + to, more);
        return target;
}

/* The whole answer; no piece of it may be long. */
static void get_all(struct fixture *f, const char *target, struct reply *reply) {
        int r = 1;

        get(f, target, reply);
        while (reply->produce && r != 0) {
                size_t before = reply->body.len;

                r = reply->produce(reply->state, &reply->body);
                assert_true(r == 0 || r == 1 || r == -EAGAIN);
                assert_true(reply->body.len - before < EXPORT_PIECE + 2048);
        }
        assert_false(reply->body.failed);
        buffer_putc(&reply->body, '\0');
}

static const char *get_body(struct fixture *f, const char *target, const char *type, struct reply *reply) {
        get_all(f, target, reply);
        if (reply->status != 200)
                fail_msg("%s: %s", target, reply->body.data);
        assert_string_equal(reply->content_type, type);
        return reply->body.data;
}

static json_t *get_table(struct fixture *f, const char *target) {
        struct reply reply;
        json_error_t error;
        json_t *json = json_loads(get_body(f, target, "application/json", &reply), JSON_REJECT_DUPLICATES, &error);

        assert_non_null(json);
        reply_free(&reply);
        return json;
}

static void assert_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
                           const char *detail_part) {
        struct reply reply;
        json_t *json;
        const char *detail;

        get_all(f, target, &reply);
        if (reply.status != status)
                fail_msg("%s: %u instead of %u: %s", target, reply.status, status, reply.body.data);
        assert_string_equal(reply.content_type, "application/problem+json");
        json = json_loads(reply.body.data, 0, NULL);
        assert_non_null(json);
        if (parameter)
                assert_string_equal(json_string_value(json_object_get(json, "parameter")), parameter);
        detail = json_string_value(json_object_get(json, "detail"));
        if (!strstr(detail, detail_part))
                fail_msg("%s: \"%s\" does not say \"%s\"", target, detail, detail_part);
        json_decref(json);
        reply_free(&reply);
}

/* A number as a count of its last digit. */
static int64_t count_of_number(const json_t *value, double per_unit) {
        double number = json_number_value(value) * per_unit;

        assert_true(json_is_number(value));
        return (int64_t) (number < 0 ? number - 0.5 : number + 0.5);
}

static int64_t cell(const json_t *table, size_t row, size_t column, double per_unit) {
        return count_of_number(json_array_get(json_array_get(json_object_get(table, "rows"), row), column), per_unit);
}

static size_t row_count(const json_t *table) {
        return json_array_size(json_object_get(table, "rows"));
}

static void assert_columns(const json_t *table, const char *expected) {
        char text[300] = "";
        size_t i;
        json_t *name;

        json_array_foreach(json_object_get(table, "columns"), i, name) {
                strcat(text, i > 0 ? "," : "");
                strcat(text, json_string_value(name));
        }
        assert_string_equal(text, expected);
}

/* ---- tests ---- */

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

/* ---- formats ---- */

/* Rows of a JSON answer as the lines of CSV: the same digits, nothing in place of null. */
static void rows_to_csv(const char *json, struct buffer *out) {
        const char *p = strstr(json, "\"rows\":[") + strlen("\"rows\":[");

        for (; *p != '\0' && strncmp(p, "],\"next\"", 8) != 0; p++)
                if (strncmp(p, "null", 4) == 0)
                        p += 3;
                else if (*p == ']')
                        buffer_putc(out, '\n');
                else if (*p != '[' && !(*p == ',' && p[-1] == ']'))
                        buffer_putc(out, *p);
}

static void compare_csv(struct fixture *f, const char *json, const char *target, const char *head) {
        struct buffer expected;
        struct reply reply;

        buffer_init(&expected, 1 << 20);
        buffer_puts(&expected, head);
        rows_to_csv(json, &expected);
        buffer_putc(&expected, '\0');
        assert_string_equal(get_body(f, target, "text/csv; charset=utf-8", &reply), expected.data);
        buffer_free(&expected);
        reply_free(&reply);
}

/* NDJSON is the names of the columns and the values of the rows. */
static void compare_ndjson(struct fixture *f, const json_t *table, const char *target) {
        const json_t *rows = json_object_get(table, "rows"), *columns = json_object_get(table, "columns");
        struct reply reply;
        const char *line = get_body(f, target, "application/x-ndjson", &reply);

        for (size_t i = 0; i < json_array_size(rows); i++) {
                json_t *object = json_loadb(line, strcspn(line, "\n"), 0, NULL);

                assert_non_null(object);
                assert_int_equal(json_object_size(object), json_array_size(columns));
                for (size_t k = 0; k < json_array_size(columns); k++)
                        assert_true(json_equal(json_object_get(object, json_string_value(json_array_get(columns, k))),
                                               json_array_get(json_array_get(rows, i), k)));
                json_decref(object);
                line += strcspn(line, "\n") + 1;
        }
        assert_string_equal(line, "");
        reply_free(&reply);
}

static void formats_carry_the_same(void **state, const char *step, const char *head) {
        char more[100];
        struct reply reply;
        const char *json;
        json_t *table;

        snprintf(more, sizeof more, "&step=%s", step);
        json = get_body(*state, target_of(HISTORY_PATH, 0, 700, more), "application/json", &reply);
        table = json_loads(json, 0, NULL);
        assert_in_range(row_count(table), 1, 1000);
        snprintf(more, sizeof more, "&step=%s&format=csv", step);
        compare_csv(*state, json, target_of(HISTORY_PATH, 0, 700, more), head);
        snprintf(more, sizeof more, "&step=%s&format=ndjson", step);
        compare_ndjson(*state, table, target_of(HISTORY_PATH, 0, 700, more));
        json_decref(table);
        reply_free(&reply);
}

static void csv_and_ndjson(void **state) {
        formats_carry_the_same(state, "raw", "t_ms,voltage_v,power_w,energy_import_kwh\n");
        formats_carry_the_same(state, "30s", "t_ms,voltage_v.avg,voltage_v.min,voltage_v.max,power_w.avg,power_w.min,"
                               "power_w.max,energy_import_kwh.last,energy_import_kwh.delta\n");
}

static void put_sample(struct buffer *out, enum quantity q, const char *labels, int64_t value, int64_t tick) {
        const struct quantity_info *info = &quantity_catalogue[q];

        buffer_printf(out, "%s{meter=\"main\"%s} ", info->metric, labels);
        buffer_put_decimal(out, value * info->metric_factor, info->metric_decimals);
        buffer_putc(out, ' ');
        buffer_put_decimal(out, tick, 1);
        buffer_putc(out, '\n');
}

static void openmetrics_raw(void **state) {
        const char *target;
        struct buffer expected;
        struct reply reply;

        buffer_init(&expected, 1 << 20);
        buffer_puts(&expected, "# TYPE metergate_energy_imported_joules counter\n"
                    "# UNIT metergate_energy_imported_joules joules\n"
                    "# HELP metergate_energy_imported_joules Imported energy of the meter.\n");
        for (unsigned i = 0; i < 1200; i++)
                put_sample(&expected, Q_ENERGY_IMPORT, "", import_of(i), (base_s + i) * TICKS_PER_S);
        buffer_puts(&expected, "# TYPE metergate_power_watts gauge\n# UNIT metergate_power_watts watts\n"
                    "# HELP metergate_power_watts Active power of the meter.\n");
        for (unsigned i = 0; i < 1200; i++)
                put_sample(&expected, Q_POWER, "", power_of(i), (base_s + i) * TICKS_PER_S);
        buffer_puts(&expected, "# EOF\n");
        buffer_putc(&expected, '\0');
        /* More rows than the default limit: these formats are not cut off. */
        target = target_of(HISTORY_PATH, 0, 1200, "&step=raw&series=power_w,energy_import_kwh&format=openmetrics");
        assert_string_equal(get_body(*state, target,
                                     "application/openmetrics-text; version=1.0.0; charset=utf-8", &reply),
                            expected.data);
        buffer_free(&expected);
        reply_free(&reply);
}

static unsigned count_of(const char *text, const char *part) {
        unsigned n = 0;

        for (; (text = strstr(text, part)); text += strlen(part))
                n++;
        return n;
}

static void limits_of_the_formats(void **state) {
        struct reply reply;
        const char *text;

        text = get_body(*state, target_of(HISTORY_PATH, 0, ROWS, "&step=raw&format=csv"), "text/csv; charset=utf-8",
                        &reply);
        assert_int_equal(count_of(text, "\n"), ROWS + 1);
        reply_free(&reply);
        text = get_body(*state, target_of(HISTORY_PATH, 0, ROWS, "&step=raw&format=csv&limit=10"),
                        "text/csv; charset=utf-8", &reply);
        assert_int_equal(count_of(text, "\n"), 11);
        reply_free(&reply);
        text = get_body(*state, target_of(HISTORY_PATH, 0, 600, "&step=1min&format=openmetrics"),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8", &reply);
        assert_int_equal(count_of(text, "\nmetergate_power_watts{meter=\"main\",aggregate=\"avg\"} "), 10);
        assert_int_equal(count_of(text, "\nmetergate_energy_imported_joules_total{meter=\"main\",aggregate=\"last\"} "),
                         10);
        assert_int_equal(count_of(text, "# TYPE "), 3);
        reply_free(&reply);
        assert_problem(*state, target_of(HISTORY_PATH, 0, ROWS, "&step=1s&format=csv"), 400, "step", "1800 points");
}

/* ---- meters with less ---- */

static void nothing_recorded(void **state) {
        static const char *const bodies[TABLE_FORMATS] = { NULL, "t_ms\n", "", "# EOF\n" };
        json_t *t = get_table(*state, "/api/v1/meters/gone/history");
        char target[100];
        struct reply reply;

        assert_columns(t, "t_ms");
        assert_int_equal(row_count(t), 0);
        assert_true(json_is_null(json_object_get(t, "tier")));
        json_decref(t);
        for (unsigned i = 1; i < TABLE_FORMATS; i++) {
                snprintf(target, sizeof target, "/api/v1/meters/gone/history?format=%s", table_format_names[i]);
                assert_string_equal(get_body(*state, target, table_content_types[i], &reply), bodies[i]);
                reply_free(&reply);
        }
        /* It has the series, and no row yet. */
        t = get_table(*state, "/api/v1/meters/gone/history?series=power_w");
        assert_columns(t, "t_ms");
        json_decref(t);
        t = get_table(*state, "/api/v1/meters/main/history?series=current_a,power_w&step=1h");
        assert_columns(t, "t_ms,power_w.avg,power_w.min,power_w.max");
        json_decref(t);
}

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

/* ---- samples ---- */

static void check_sample(const json_t *s, unsigned number) {
        unsigned i = number <= ROWS ? number - 1 : number - 1 - ROWS;
        char cursor[24], at[CLOCK_RFC3339_MAX];

        snprintf(cursor, sizeof cursor, "%u", number);
        assert_string_equal(json_string_value(json_object_get(s, "cursor")), cursor);
        assert_string_equal(json_string_value(json_object_get(s, "meter")), number <= ROWS ? "main" : "unknown");
        assert_int_equal(json_integer_value(json_object_get(s, "at_ms")), (base_s + i) * 1000);
        clock_format_rfc3339((base_s + i) * 1000, at);
        assert_string_equal(json_string_value(json_object_get(s, "at")), at);
        assert_int_equal(count_of_number(json_object_get(s, "power_w"), 1000), power_of(i));
        assert_true(!json_object_get(s, "voltage_v") == !has_voltage(i));
        assert_true(json_object_get(s, "energy_import_kwh") != NULL);
}

static void samples_are_complete(void **state) {
        char target[100], next[24] = "0";
        unsigned n = 0;
        size_t got, i;
        json_t *s;

        do {
                json_t *page, *list;

                snprintf(target, sizeof target, "/api/v1/samples?after=%s&limit=77", next);
                page = get_table(*state, target);
                list = json_object_get(page, "samples");
                got = json_array_size(list);
                json_array_foreach(list, i, s)
                        check_sample(s, ++n);
                assert_int_equal(json_integer_value(json_object_get(page, "lost")), 0);
                assert_true(json_is_false(json_object_get(page, "restarted")));
                snprintf(next, sizeof next, "%s", json_string_value(json_object_get(page, "next")));
                json_decref(page);
        } while (got > 0);
        assert_int_equal(n, ROWS + OTHER_ROWS);
        assert_int_equal(atoi(next), n);
}

static void samples_after_a_foreign_cursor(void **state) {
        json_t *page = get_table(*state, "/api/v1/samples?after=9223372036854775807&limit=1"), *list;

        list = json_object_get(page, "samples");
        assert_int_equal(json_array_size(list), 1);
        check_sample(json_array_get(list, 0), 1);
        assert_true(json_is_true(json_object_get(page, "restarted")));
        assert_string_equal(json_string_value(json_object_get(page, "next")), "1");
        json_decref(page);
        page = get_table(*state, "/api/v1/samples");
        assert_int_equal(json_array_size(json_object_get(page, "samples")), 1000);
        json_decref(page);
}

static void samples_mistakes(void **state) {
        assert_problem(*state, "/api/v1/samples?after=abc", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?after=-1", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?after=9223372036854775808", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?limit=0", 400, "limit", "1 to 11000");
        assert_problem(*state, "/api/v1/samples?limit=11001", 400, "limit", "1 to 11000");
        assert_problem(*state, "/api/v1/samples?from=0", 400, "from", "unknown");
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
        assert_string_equal(json_string_value(json_object_get(json_object_get(about, "history"), "state")), "reading");
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
                cmocka_unit_test(csv_and_ndjson),
                cmocka_unit_test(openmetrics_raw),
                cmocka_unit_test(limits_of_the_formats),
                cmocka_unit_test(nothing_recorded),
                cmocka_unit_test(past_of_an_unknown_product),
                cmocka_unit_test(samples_are_complete),
                cmocka_unit_test(samples_after_a_foreign_cursor),
                cmocka_unit_test(samples_mistakes),
                cmocka_unit_test(state_is_told),
                cmocka_unit_test(waits_while_it_is_read),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, setup, teardown);
}
