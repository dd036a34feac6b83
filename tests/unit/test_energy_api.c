/* GET /api/v1/meters/{id}/energy through the route table, with a history in memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api_history.h"
#include "base/clock.h"
#include "base/time_text.h"

/* 2024-03-31: 23 hours in Warsaw. All of this was long ago. */
#define ENERGY "/api/v1/meters/three/energy"
#define CSV "text/csv; charset=utf-8"
#define WEEKEND "&from=2024-03-30T00:00:00%2B01:00&to=2024-04-01T00:00:00%2B02:00"

static struct tariff tariffs[] = {
        { .name = "early", .currency = "EUR", .price = 250000, .days = 0x7f, .quarters = { 0xff, 0xff, 0xff } },
        { .name = "rest", .currency = "EUR", .price = 100000, .days = 0x7f,
          .quarters = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } },
};

static int64_t tick_of(const char *text) {
        unsigned resolution;
        int64_t ms = 0;

        assert_int_equal(time_text_rfc3339(text, &ms, &resolution), strlen(text));
        return ms / TICK_MS;
}

static void add(struct fixture *f, unsigned handle, const char *at, int64_t import_mwh, int64_t export_mwh) {
        struct history_row row = { .mask = 0x1f, .values = { import_mwh, export_mwh, 500, import_mwh / 2, 200 },
                                   .totals = { import_mwh, export_mwh, 0, import_mwh / 2, 0 } };

        assert_int_equal(history_append_at(f->app.history, handle, tick_of(at), &row), 0);
}

static void fill(struct fixture *f) {
        const struct schema schema = {
                .meter = "three", .hold_ticks = 18000, .n_columns = 5,
                .columns = { { "energy_import_kwh", COLUMN_COUNTER, 6 }, { "energy_export_kwh", COLUMN_COUNTER, 6 },
                             { "power_w", COLUMN_GAUGE, 3 }, { "l1.energy_import_kwh", COLUMN_COUNTER, 6 },
                             { "l1.power_w", COLUMN_GAUGE, 3 } },
        };
        unsigned handle;

        assert_int_equal(history_define(f->app.history, &schema, &handle), 0);
        add(f, handle, "2024-03-29T23:30:00Z", 1000000, 0);
        add(f, handle, "2024-03-30T12:00:00Z", 1500000, 7);
        add(f, handle, "2024-03-30T23:00:00Z", 1600000, 7);
        add(f, handle, "2024-03-31T00:20:00Z", 1700000, 7);
        add(f, handle, "2024-03-31T00:50:00Z", 1700000, 7);
        add(f, handle, "2024-03-31T01:20:00Z", 1700002, 7);
        add(f, handle, "2024-03-31T21:59:59.900Z", 2000000, 1000007);
        add(f, handle, "2024-04-01T08:00:00Z", 9000000, 1000007);
}

static int setup(void **state) {
        struct fixture *f;

        setenv("TZ", "Europe/Warsaw", 1);
        tzset();
        bench_setup(state);
        f = *state;
        bench_history(f);
        fill(f);
        f->config.site.timezone = (char *) "Europe/Warsaw";
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        history_free(f->app.history);
        return bench_teardown(state);
}

/* The whole answer; freed by the caller. */
static char *fetch(struct fixture *f, const char *target, const char *type) {
        struct reply reply;
        struct buffer body;
        int r = 1;

        get(f, target, &reply);
        if (reply.status != 200)
                fail_msg("%s: %u %s", target, reply.status, reply.body.data);
        assert_string_equal(reply.content_type, type);
        assert_non_null(reply.produce);
        buffer_init(&body, 8 << 20);
        while (r != 0) {
                r = reply.produce(reply.state, &body);
                assert_true(r == 0 || r == 1 || r == -EAGAIN);
        }
        assert_false(body.failed);
        reply_free(&reply);
        return body.data;
}

static void assert_answer(struct fixture *f, const char *target, const char *type, const char *expected) {
        char *text = fetch(f, target, type);

        assert_string_equal(text, expected);
        free(text);
}

static void assert_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
                           const char *part) {
        struct reply reply;
        json_t *json;

        get(f, target, &reply);
        if (reply.status != status)
                fail_msg("%s: %u", target, reply.status);
        assert_string_equal(reply.content_type, "application/problem+json");
        json = json_loadb(reply.body.data, reply.body.len, 0, NULL);
        assert_non_null(json);
        if (parameter)
                assert_string_equal(json_string_value(json_object_get(json, "parameter")), parameter);
        if (!strstr(json_string_value(json_object_get(json, "detail")), part))
                fail_msg("\"%s\" does not say \"%s\"", json_string_value(json_object_get(json, "detail")), part);
        json_decref(json);
        reply_free(&reply);
}

static json_t *fetch_json(struct fixture *f, const char *target) {
        char *text = fetch(f, target, "application/json");
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(json);
        free(text);
        return json;
}

/* ---- tests ---- */

static void days(void **state) {
        assert_answer(*state, ENERGY "?period=day" WEEKEND, "application/json",
                "{\"meter\":\"three\",\"channel\":null,\"period\":\"day\",\"timezone\":\"Europe/Warsaw\",\"rows\":["
                "{\"start\":\"2024-03-30T00:00:00+01:00\",\"end\":\"2024-03-31T00:00:00+01:00\","
                "\"start_ms\":1711753200000,\"end_ms\":1711839600000,\"import_kwh\":0.6,\"export_kwh\":0.000007,"
                "\"complete\":0.041},"
                "{\"start\":\"2024-03-31T00:00:00+01:00\",\"end\":\"2024-04-01T00:00:00+02:00\","
                "\"start_ms\":1711839600000,\"end_ms\":1711922400000,\"import_kwh\":0.4,\"export_kwh\":1,"
                "\"complete\":0.086}]}\n");
}

static void costs(void **state) {
        struct fixture *f = *state;

        f->config.tariffs = tariffs;
        f->config.n_tariffs = 2;
        assert_answer(f, ENERGY "?period=hour&format=csv&from=2024-03-31T00:00:00Z&to=2024-03-31T02:00:00Z", CSV,
                "start,end,start_ms,end_ms,import_kwh,export_kwh,complete,cost.EUR\n"
                "2024-03-31T01:00:00+01:00,2024-03-31T03:00:00+02:00,1711843200000,1711846800000,0.1,0,0.666,0.025\n"
                "2024-03-31T03:00:00+02:00,2024-03-31T04:00:00+02:00,1711846800000,1711850400000,0.000002,0,0.833,"
                "0.0000005\n");
        assert_answer(f, ENERGY "?period=day&from=2024-03-01T00:00:00Z&to=2024-03-01T01:00:00Z", "application/json",
                "{\"meter\":\"three\",\"channel\":null,\"period\":\"day\",\"timezone\":\"Europe/Warsaw\",\"rows\":["
                "{\"start\":\"2024-03-01T00:00:00+01:00\",\"end\":\"2024-03-02T00:00:00+01:00\","
                "\"start_ms\":1709247600000,\"end_ms\":1709334000000,\"import_kwh\":null,\"export_kwh\":null,"
                "\"complete\":0,\"cost\":{\"EUR\":null}}]}\n");
        f->config.n_tariffs = 0;
}

/* The configuration may be another one before an answer is complete. */
static void costs_outlive_a_reload(void **state) {
        struct fixture *f = *state;
        struct buffer body;
        struct reply reply;
        int r;

        f->config.tariffs = test_malloc(sizeof tariffs);
        memcpy(f->config.tariffs, tariffs, sizeof tariffs);
        f->config.n_tariffs = 2;
        get(f, ENERGY "?format=csv&period=year&from=2024-01-01T00:00:00Z&to=2024-02-01T00:00:00Z", &reply);
        test_free(f->config.tariffs);
        f->config.n_tariffs = 0;
        buffer_init(&body, 1 << 20);
        while ((r = reply.produce(reply.state, &body)) != 0)
                assert_true(r == 1 || r == -EAGAIN);
        assert_non_null(strstr(body.data, ",cost.EUR\n2024-01-01T00:00:00+01:00,2025-01-01T00:00:00+01:00,"
                               "1704063600000,1735686000000,8,1.000007,"));
        assert_non_null(strstr(body.data, ",0.8150003\n"));
        buffer_free(&body);
        reply_free(&reply);
}

static void channels(void **state) {
        assert_answer(*state, ENERGY "?format=csv&channel=l1" WEEKEND, CSV,
                "start,end,start_ms,end_ms,import_kwh,export_kwh,complete\n"
                "2024-03-30T00:00:00+01:00,2024-03-31T00:00:00+01:00,1711753200000,1711839600000,0.3,,0.041\n"
                "2024-03-31T00:00:00+01:00,2024-04-01T00:00:00+02:00,1711839600000,1711922400000,0.2,,0.086\n");
        assert_problem(*state, ENERGY "?channel=l9", 400, "channel", "three has no channel \"l9\"; it has l1, l2");
        assert_problem(*state, ENERGY "?channel=", 400, "channel", "a name such as l1");
        assert_problem(*state, "/api/v1/meters/main/energy?channel=l1", 400, "channel", "it has none");
}

static void default_ranges(void **state) {
        static const struct { const char *period; size_t rows; } cases[] = {
                { "hour", 24 }, { "day", 30 }, { "week", 12 }, { "month", 12 }, { "year", 5 },
        };
        int64_t now_ms;

        for (unsigned i = 0; i < 5; i++) {
                char target[128];
                json_t *json, *rows, *last;

                snprintf(target, sizeof target, ENERGY "?period=%s", cases[i].period);
                json = fetch_json(*state, target);
                assert_string_equal(json_string_value(json_object_get(json, "period")), cases[i].period);
                rows = json_object_get(json, "rows");
                assert_in_range(json_array_size(rows), cases[i].rows, cases[i].rows);
                last = json_array_get(rows, cases[i].rows - 1);
                assert_true(clock_to_utc_ms(clock_now_ms(), &now_ms));
                assert_true(json_integer_value(json_object_get(last, "end_ms")) <= now_ms);
                assert_true(json_integer_value(json_object_get(last, "end_ms")) > now_ms - 60000);
                json_decref(json);
        }
}

/* A meter that has never said anything, and a time that is still to come. */
static void nothing_there(void **state) {
        json_t *json = fetch_json(*state, "/api/v1/meters/gone/energy?period=month");

        assert_int_equal(json_array_size(json_object_get(json, "rows")), 12);
        assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "rows"), 11), "import_kwh")));
        json_decref(json);
        assert_answer(*state, ENERGY "?format=csv&from=2090-01-01T00:00:00Z&to=2091-01-01T00:00:00Z", CSV,
                      "start,end,start_ms,end_ms,import_kwh,export_kwh,complete\n");
}

static void mistakes(void **state) {
        struct fixture *f = *state;
        struct history *history = f->app.history;

        assert_problem(f, "/api/v1/meters/none/energy", 404, NULL, "no meter");
        assert_problem(f, ENERGY "?period=fortnight", 400, "period", "hour, day, week, month or year");
        assert_problem(f, ENERGY "?format=xml", 400, "format", "json, csv or ha-statistics");
        assert_problem(f, ENERGY "?format=ha-statistics&period=day", 400, "period", "hour");
        assert_problem(f, ENERGY "?from=yesterday", 400, "from", "RFC 3339");
        assert_problem(f, ENERGY "?to=tomorrow", 400, "to", "RFC 3339");
        assert_problem(f, ENERGY "?from=now", 400, "from", "before to");
        assert_problem(f, ENERGY "?period=hour&from=0", 400, "period", "11000 are the most");
        assert_problem(f, ENERGY "?step=1h", 400, "step", "unknown");
        f->app.history = NULL;
        assert_problem(f, ENERGY, 503, NULL, "without a history");
        f->app.history = history;
}

static void statistics(void **state) {
        static const char *const expected =
                "{\"meter\":\"three\",\"statistics\":["
                "{\"series\":\"energy_import_kwh\",\"unit_of_measurement\":\"kWh\",\"rows\":["
                "{\"start\":\"2024-03-30T22:00:00.000Z\",\"state\":1.6,\"sum\":0.6},"
                "{\"start\":\"2024-03-31T00:00:00.000Z\",\"state\":1.7,\"sum\":0.7},"
                "{\"start\":\"2024-03-31T01:00:00.000Z\",\"state\":1.700002,\"sum\":0.700002}]},"
                "{\"series\":\"energy_export_kwh\",\"unit_of_measurement\":\"kWh\",\"rows\":["
                "{\"start\":\"2024-03-30T22:00:00.000Z\",\"state\":0.000007,\"sum\":0.000007},"
                "{\"start\":\"2024-03-31T00:00:00.000Z\",\"state\":0.000007,\"sum\":0.000007},"
                "{\"start\":\"2024-03-31T01:00:00.000Z\",\"state\":0.000007,\"sum\":0.000007}]}]}\n";
        const char *target = ENERGY "?format=ha-statistics&from=2024-03-30T22:30:00Z&to=2024-03-31T03:00:00Z";
        json_t *all, *rows;

        assert_answer(*state, target, "application/json", expected);
        assert_answer(*state, target, "application/json", expected);
        /* From another beginning an hour has the same numbers. */
        all = fetch_json(*state, ENERGY "?format=ha-statistics&period=hour&from=2024-01-01T00:00:00Z"
                         "&to=2024-04-02T00:00:00Z");
        rows = json_object_get(json_array_get(json_object_get(all, "statistics"), 0), "rows");
        assert_int_equal(json_array_size(rows), 7);
        assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "start")),
                            "2024-03-29T23:00:00.000Z");
        assert_true(json_number_value(json_object_get(json_array_get(rows, 0), "sum")) == 0);
        assert_true(json_number_value(json_object_get(json_array_get(rows, 3), "sum")) == 0.7);
        json_decref(all);
}

/* The hour that runs, and one that ended a moment ago, are not told. */
static void statistics_are_of_the_past(void **state) {
        struct fixture *f = *state;
        struct schema schema = { .meter = "main", .hold_ticks = 100, .n_columns = 1,
                                 .columns = { { "energy_import_kwh", COLUMN_COUNTER, 6 } } };
        struct history_row row = { .mask = 1 };
        int64_t now_ms, newest;
        json_t *json, *rows, *last;
        unsigned handle;

        assert_int_equal(history_define(f->app.history, &schema, &handle), 0);
        assert_true(clock_to_utc_ms(clock_now_ms(), &now_ms));
        for (int64_t tick = now_ms / TICK_MS - 5 * 36000; tick < now_ms / TICK_MS; tick += 6000)
                assert_int_equal(history_append_at(f->app.history, handle, tick, &row), 0);
        f->config.history.flush_ms = 3600000;
        json = fetch_json(f, "/api/v1/meters/main/energy?format=ha-statistics");
        f->config.history.flush_ms = 0;
        rows = json_object_get(json_array_get(json_object_get(json, "statistics"), 0), "rows");
        assert_in_range(json_array_size(rows), 4, 5);
        last = json_array_get(rows, json_array_size(rows) - 1);
        newest = tick_of(json_string_value(json_object_get(last, "start")));
        assert_in_range(now_ms / TICK_MS - newest, 2 * 36000, 3 * 36000 + 100);
        json_decref(json);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(days),          cmocka_unit_test(costs),
                cmocka_unit_test(channels),      cmocka_unit_test(costs_outlive_a_reload),
                cmocka_unit_test(nothing_there), cmocka_unit_test(default_ranges),
                cmocka_unit_test(mistakes),      cmocka_unit_test(statistics),
                cmocka_unit_test(statistics_are_of_the_past),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, setup, teardown);
}
