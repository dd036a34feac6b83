/* GET /api/v1/events through the route table, without meters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "base/cleanup.h"
#include "base/json_writer.h"

static struct meter_config meters[] = { { .id = "main", .name = (char *) "House \"main\"" } };
static const struct config config = { .meters = meters, .n_meters = ELEMENTS(meters) };
static struct app app = { .config = &config };

static int set_up(void **state) {
        (void) state;
        return events_new(NULL, NULL, &app.events);
}

static int tear_down(void **state) {
        (void) state;
        app.events = events_free(app.events);
        return 0;
}

static void get(const char *target, unsigned status, struct reply *reply) {
        struct request request = { .method = "GET", .host = "meter.local:8730", .scheme = "http" };
        char text[256], scratch[256];

        snprintf(text, sizeof text, "%s", target);
        reply_init(reply);
        assert_true(request_set_target(&request, text, reply));
        route_dispatch(api_routes, api_n_routes, &app, &request, scratch, sizeof scratch, reply);
        assert_int_equal(reply->status, status);
}

static void assert_body(const char *target, const char *expected) {
        struct reply reply;

        get(target, 200, &reply);
        assert_string_equal(reply.content_type, "application/json");
        assert_string_equal(reply.body.data, expected);
        reply_free(&reply);
}

static void assert_has(const char *target, unsigned status, const char *part) {
        struct reply reply;

        get(target, status, &reply);
        if (!strstr(reply.body.data, part))
                fail_msg("%s has no %s", reply.body.data, part);
        reply_free(&reply);
}

static void put(struct event e) {
        static uint64_t boot_ms;

        events_put(app.events, boot_ms += 61000, &e);
}

static void test_everything(void **state) {
        (void) state;
        put((struct event) { .kind = EVENT_WITHHELD, .has_time = true, .utc_ms = 1795255200199, .meter = "main",
                             .series = "energy_import_kwh",
                             .text = "more than can have flowed since the last reading", .has_value = true,
                             .value = 4294967296000, .decimals = 6, .has_previous = true, .previous = 1500000,
                             .frame = 77 });
        put((struct event) { .kind = EVENT_STARTED });
        assert_body("/api/v1/events",
                    "{\"events\":[{\"cursor\":\"1\",\"at\":\"2026-11-21T10:00:00.100Z\",\"at_ms\":1795255200100,"
                    "\"kind\":\"withheld\",\"meter\":\"main\",\"series\":\"energy_import_kwh\","
                    "\"text\":\"House \\\"main\\\": 4294967.296 kWh was not believed: "
                    "more than can have flowed since the last reading\","
                    "\"value\":4294967.296,\"previous\":1.5,\"frame\":77,\"repeats\":0},"
                    "{\"cursor\":\"2\",\"at\":null,\"at_ms\":null,\"kind\":\"started\",\"meter\":null,"
                    "\"series\":null,\"text\":\"the gateway started\",\"value\":null,\"previous\":null,"
                    "\"frame\":null,\"repeats\":0}],"
                    "\"next\":\"2\"}");
}

static void test_sentences(void **state) {
        static const struct {
                struct event event;
                const char *text;
        } cases[] = {
                { { .kind = EVENT_STOPPED }, "the gateway stopped" },
                { { .kind = EVENT_STARTED, .text = "after a crash" }, "the gateway started: after a crash" },
                { { .kind = EVENT_STATE, .meter = "gone", .text = "offline" }, "gone: offline" },
                { { .kind = EVENT_RECONNECTED, .meter = "gone" }, "gone: its port was opened again" },
                { { .kind = EVENT_WITHHELD, .meter = "gone", .series = "l1.power_w", .has_value = true,
                    .value = -5500, .decimals = 3, .text = "outside its limits" },
                  "gone, l1: -5.5 W was not believed: outside its limits" },
                { { .kind = EVENT_WITHHELD, .meter = "gone", .series = "power_factor", .has_value = true, .value = 2,
                    .decimals = 0 }, "gone: 2 was not believed" },
                { { .kind = EVENT_WITHHELD, .meter = "gone" }, "gone: a reading was not believed" },
                { { .kind = EVENT_COUNTER_RESET, .meter = "gone", .series = "energy_import_kwh", .decimals = 6,
                    .has_value = true, .value = 0, .has_previous = true, .previous = 12500000 },
                  "gone: the register begins anew at 0 kWh after 12.5 kWh" },
                { { .kind = EVENT_CLOCK, .has_value = true, .value = 3600500 },
                  "the clock was set ahead by 3600.5 s" },
                { { .kind = EVENT_CLOCK, .has_value = true, .value = INT64_MIN },
                  "the clock was set back by 9223372036854775.808 s" },
                { { .kind = EVENT_CLOCK }, "the clock was set" },
                { { .kind = EVENT_ACTION, .meter = "gone", .text = "query: accepted" },
                  "gone: somebody asked: query: accepted" },
                { { .kind = EVENT_ACTION, .meter = "gone", .has_value = true, .value = 1,
                    .text = "set-datapoint dp 1 to 1: confirmed: the meter reports it" },
                  "gone: somebody asked: set-datapoint dp 1 to 1: confirmed: the meter reports it" },
        };
        char target[64], part[160];

        (void) state;
        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                put(cases[i].event);
                snprintf(target, sizeof target, "/api/v1/events?after=%u", i);
                snprintf(part, sizeof part, "\"text\":\"%s\"", cases[i].text);
                assert_has(target, 200, part);
        }
}

static void test_paging(void **state) {
        (void) state;
        assert_body("/api/v1/events", "{\"events\":[],\"next\":\"0\"}");
        for (unsigned i = 0; i < 120; i++)
                put((struct event) { .kind = EVENT_CLOCK });
        assert_has("/api/v1/events", 200, "],\"next\":\"100\"}");
        assert_has("/api/v1/events?limit=1000", 200, "],\"next\":\"120\"}");
        assert_has("/api/v1/events?after=5&limit=1", 200, "{\"events\":[{\"cursor\":\"6\"");
        assert_has("/api/v1/events?after=5&limit=1", 200, "],\"next\":\"6\"}");
        assert_body("/api/v1/events?after=120", "{\"events\":[],\"next\":\"120\"}");
        /* A cursor of other events: all of these are new to its owner. */
        assert_has("/api/v1/events?after=121&limit=1", 200, "{\"events\":[{\"cursor\":\"1\"");
        assert_has("/api/v1/events?after=9223372036854775807", 200, "\"next\":\"100\"}");
}

static void test_mistakes(void **state) {
        static const char *const queries[] = { "after=-1", "after=x", "after=", "after=1.5", "limit=0", "limit=1001",
                                               "after=9223372036854775808", "limit=-1", "limit=many" };
        char target[96], part[40];

        (void) state;
        for (unsigned i = 0; i < ELEMENTS(queries); i++) {
                snprintf(target, sizeof target, "/api/v1/events?%s", queries[i]);
                snprintf(part, sizeof part, "\"parameter\":\"%.5s\"", queries[i]);
                assert_has(target, 400, part);
        }
        assert_has("/api/v1/events?before=1", 400, "\"parameter\":\"before\"");
}

static void test_no_events_kept(void **state) {
        (void) state;
        app.events = events_free(app.events);
        assert_has("/api/v1/events", 503, "keeps no events");
}

/* What a file of arbitrary bytes may have given. */
static void test_odd_text(void **state) {
        struct event e = { .kind = EVENT_STATE, .meter = "m\xff", .series = "...", .has_time = true,
                           .utc_ms = INT64_MIN, .has_value = true, .value = INT64_MIN, .decimals = 18,
                           .frame = UINT64_MAX };

        (void) state;
        memset(e.text, '"', EVENT_TEXT_MAX);
        put(e);
        assert_has("/api/v1/events", 200, "\"value\":-9.223372036854775808");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_everything),
                TEST(test_sentences),
                TEST(test_paging),
                TEST(test_mistakes),
                TEST(test_no_events_kept),
                TEST(test_odd_text),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
