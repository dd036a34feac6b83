/* The forms in which a history is told: CSV, NDJSON and OpenMetrics say the same as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/table.h"
#include "base/buffer.h"
#include "known_history.h"
#include "protocols/quantity.h"

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(csv_and_ndjson),
                cmocka_unit_test(openmetrics_raw),
                cmocka_unit_test(limits_of_the_formats),
                cmocka_unit_test(nothing_recorded),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
