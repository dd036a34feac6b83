#include "known_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/export.h"
#include "base/buffer.h"
#include "base/clock.h"

int64_t base_s;
struct history *history;

/* ---- what is in it ---- */

int64_t power_of(unsigned i) {
        return (int64_t) (i * 7919 % 2400000) - 400000;
}

int64_t voltage_of(unsigned i) {
        return 230000 + (int64_t) (i * 31 % 700) * 10;
}

int64_t import_of(unsigned i) {
        return 5858944000 + (int64_t) i * 253;
}

bool has_voltage(unsigned i) {
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

static void fill(const char *meter, unsigned n_rows) {
        unsigned handle = bench_define(history, meter, 350);

        for (unsigned i = 0; i < n_rows; i++) {
                struct history_row row = row_of(i);

                assert_int_equal(history_append_at(history, handle, (base_s + i) * TICKS_PER_S, &row), 0);
        }
}

int set_up(void **state) {
        struct fixture *f;
        int64_t now_ms;

        assert_int_equal(bench_setup(state), 0);
        f = *state;
        assert_true(clock_to_utc_ms(clock_now_ms(), &now_ms));
        base_s = now_ms / 3600000 * 3600 - 7200;
        history = bench_history(f);
        fill("main", ROWS);
        fill("unknown", OTHER_ROWS);
        return 0;
}

int tear_down(void **state) {
        history_free(history);
        return bench_teardown(state);
}

/* ---- asking ---- */

const char *target_of(const char *path, int from, int to, const char *more) {
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

const char *get_body(struct fixture *f, const char *target, const char *type, struct reply *reply) {
        get_all(f, target, reply);
        if (reply->status != 200)
                fail_msg("%s: %s", target, reply->body.data);
        assert_string_equal(reply->content_type, type);
        return reply->body.data;
}

json_t *get_table(struct fixture *f, const char *target) {
        struct reply reply;
        json_error_t error;
        json_t *json = json_loads(get_body(f, target, "application/json", &reply), JSON_REJECT_DUPLICATES, &error);

        assert_non_null(json);
        reply_free(&reply);
        return json;
}

void assert_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
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

int64_t count_of_number(const json_t *value, double per_unit) {
        double number = json_number_value(value) * per_unit;

        assert_true(json_is_number(value));
        return (int64_t) (number < 0 ? number - 0.5 : number + 0.5);
}

int64_t cell(const json_t *table, size_t row, size_t column, double per_unit) {
        return count_of_number(json_array_get(json_array_get(json_object_get(table, "rows"), row), column), per_unit);
}

size_t row_count(const json_t *table) {
        return json_array_size(json_object_get(table, "rows"));
}

void assert_columns(const json_t *table, const char *expected) {
        char text[300] = "";
        size_t i;
        json_t *name;

        json_array_foreach(json_object_get(table, "columns"), i, name) {
                strcat(text, i > 0 ? "," : "");
                strcat(text, json_string_value(name));
        }
        assert_string_equal(text, expected);
}
