/* Requests that change something, what only those may see who may do so, and what a protocol tells by itself. */
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

#include "api_bench.h"
#include "base/cleanup.h"
#include "protocols/tuyamcu/tuyamcu.h"

#define QUERY "/api/v1/meters/main/actions/query"

/* ---- a protocol with everything ---- */

static int act_result;
static unsigned acts[ACTION_COUNT];
static struct text_log console_log;

static struct datapoint_write written;
static struct action_refusal refused;

static int act(struct session *s, uint64_t now_ms, const struct action_request *request,
               struct action_refusal *refusal) {
        (void) s;
        (void) now_ms;
        acts[request->action]++;
        written = request->write;
        if (act_result < 0)
                *refusal = refused;
        return act_result;
}

static const struct text_log *console(const struct session *s) {
        (void) s;
        return &console_log;
}

static bool detail(const struct session *s, unsigned i, struct session_detail *ret) {
        static const uint8_t code[] = { 0x12, 0x34, 0xab };
        static const struct session_detail details[] = {
                { .key = "mac", .label = "MAC", .kind = DETAIL_TEXT, .text = "70:B3:D5:EB:80:00:00:01" },
                { .key = "code", .label = "Code", .kind = DETAIL_HEX, .is_secret = true, .bytes = code, .len = 3 },
                { .key = "other_code", .label = "Other code", .is_secret = true },
                { .key = "join", .label = "Joined", .kind = DETAIL_NUMBER, .number = -1 },
                { .key = "fits", .label = "Fits", .kind = DETAIL_FLAG, .number = 1 },
                { .key = "joined_at", .label = "Joined at", .kind = DETAIL_TIME, .at_ms = 5 },
                { .key = "raw", .label = "Raw", .kind = DETAIL_HEX, .bytes = code, .len = 2 },
        };

        (void) s;
        if (i >= ELEMENTS(details))
                return false;
        *ret = details[i];
        return true;
}

static void attribute(const struct datapoint *d, struct attribute_info *ret) {
        *ret = (struct attribute_info) { .quantity = d->id == 18 ? Q_POWER : Q_NONE,
                                         .name = d->id == 18 ? "Demand" : NULL };
        snprintf(ret->id, sizeof ret->id, "0x%04X", (unsigned) d->id);
        if (d->id == 18)
                ret->type = "int24";
}

static int setup(void **state) {
        static struct protocol protocol;
        struct fixture *f;
        int r;

        protocol = tuyamcu_protocol;
        protocol.act = act;
        protocol.console = console;
        protocol.detail = detail;
        protocol.attribute = attribute;
        protocol.needs_profile = false;
        r = bench_setup_with(state, &protocol);
        f = *state;
        f->meters[MAIN].role = f->meters[GONE].role = ROLE_MODULE;
        text_log_put(&console_log, 1000, "SeIhd>", 6);
        text_log_put(&console_log, 2000, "sMRB \"len\" 44\x07", 14);
        return r;
}

/* ---- asking ---- */

static void expect_problem(struct fixture *f, struct asked what, unsigned status, const char *part) {
        struct reply reply;

        ask(f, what, &reply);
        if (reply.status != status)
                fail_msg("%s %s gave %u", what.method, what.target, reply.status);
        assert_string_equal(reply.content_type, "application/problem+json");
        if (!strstr(reply.body.data, part))
                fail_msg("%s does not say \"%s\"", reply.body.data, part);
        reply_free(&reply);
}

static struct asked post(const char *target) {
        return (struct asked) { .method = "POST", .target = target, .role = HTTP_ROLE_CONTROL };
}

static json_t *diagnostics_of(struct fixture *f, const char *target, enum http_role role, const char *caching) {
        struct asked what = { .method = "GET", .target = target, .role = role };
        struct reply reply;
        json_t *json;

        ask(f, what, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.cache_control, caching);
        json = json_loadb(reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        reply_free(&reply);
        return json;
}

static void assert_member(const json_t *json, const char *key, const char *expected) {
        char *text = json_dumps(json_object_get(json, key), JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);

        assert_string_equal(text, expected);
        free(text);
}

/* ---- tests ---- */

static void test_action(void **state) {
        unsigned queries = acts[ACTION_QUERY], rejoins = acts[ACTION_REJOIN];
        struct reply reply;

        act_result = 0;
        ask(*state, post(QUERY), &reply);
        assert_int_equal(reply.status, 202);
        assert_string_equal(reply.content_type, "application/json");
        assert_string_equal(reply.body.data, "{\"meter\":\"main\",\"action\":\"query\",\"status\":\"accepted\"}");
        assert_int_equal(acts[ACTION_QUERY], queries + 1);
        assert_int_equal(acts[ACTION_REJOIN], rejoins);
        reply_free(&reply);
        ask(*state, post("/api/v1/meters/main/actions/rejoin"), &reply);
        assert_int_equal(reply.status, 202);
        assert_int_equal(acts[ACTION_REJOIN], rejoins + 1);
        reply_free(&reply);
}

static void test_action_needs_control(void **state) {
        unsigned queries = acts[ACTION_QUERY];
        struct asked what = post(QUERY);

        what.role = HTTP_ROLE_READ;
        expect_problem(*state, what, 403, "control");
        what.role = HTTP_ROLE_NONE;
        expect_problem(*state, what, 403, "control");
        /* Nor does it say which meters and actions there are. */
        what.target = "/api/v1/meters/garage/actions/dance";
        expect_problem(*state, what, 403, "control");
        assert_int_equal(acts[ACTION_QUERY], queries);
}

static void test_action_that_is_none(void **state) {
        struct asked what = post(QUERY);

        expect_problem(*state, post("/api/v1/meters/main/actions/leave"), 404, "action: expected query or rejoin");
        expect_problem(*state, post("/api/v1/meters/garage/actions/query"), 404, "there is main, three");
        expect_problem(*state, post(QUERY "?force=1"), 400, "force");
        what.method = "GET";
        expect_problem(*state, what, 405, "POST");
        what.method = "HEAD";
        expect_problem(*state, what, 405, "POST");
        what = post(QUERY);
        what.has_body = true;
        expect_problem(*state, what, 415, "no body");
}

static void test_allowed_methods(void **state) {
        struct reply reply;

        ask(*state, (struct asked) { .method = "DELETE", .target = QUERY }, &reply);
        assert_int_equal(reply.status, 405);
        assert_string_equal(reply.allow, "POST, OPTIONS");
        reply_free(&reply);
}

static void test_action_not_now(void **state) {
        unsigned queries = acts[ACTION_QUERY];

        act_result = -EBUSY;
        expect_problem(*state, post(QUERY), 409, "cannot do query now: it is online");
        act_result = -EOPNOTSUPP;
        expect_problem(*state, post(QUERY), 409, "has no action query");
        act_result = 0;
        assert_int_equal(acts[ACTION_QUERY], queries + 2);
        /* A meter that is only listened to, and one whose port is not there. */
        expect_problem(*state, post("/api/v1/meters/three/actions/query"), 409, "has no action");
        expect_problem(*state, post("/api/v1/meters/gone/actions/query"), 409, "connecting");
        assert_int_equal(acts[ACTION_QUERY], queries + 2);
}

/* ---- writing ---- */

#define SET "/api/v1/meters/main/actions/set-datapoint"

static struct asked write_of(const char *json) {
        struct asked what = post(SET);

        what.has_body = true;
        what.json = json;
        return what;
}

static void expect_written(struct fixture *f, const char *json, const char *answer) {
        struct reply reply;

        act_result = 0;
        ask(f, write_of(json), &reply);
        assert_int_equal(reply.status, 202);
        assert_string_equal(reply.body.data, answer);
        reply_free(&reply);
}

static void test_write(void **state) {
        expect_written(*state, "{\"dp\":1,\"raw\":true}",
                       "{\"meter\":\"main\",\"action\":\"set-datapoint\",\"status\":\"accepted\",\"dp\":1,\"raw\":true}");
        assert_int_equal(written.id, 1);
        assert_int_equal(written.form, VALUE_FLAG);
        assert_int_equal(written.number, 1);
        expect_written(*state, " { \"raw\" : -10, \"dp\" : 107 }\n",
                       "{\"meter\":\"main\",\"action\":\"set-datapoint\",\"status\":\"accepted\",\"dp\":107,\"raw\":-10}");
        assert_int_equal(written.form, VALUE_NUMBER);
        expect_written(*state, "{\"dp\":17,\"hex\":\"0100aF\"}",
                       "{\"meter\":\"main\",\"action\":\"set-datapoint\",\"status\":\"accepted\",\"dp\":17,"
                       "\"hex\":\"0100AF\"}");
        assert_int_equal(written.len, 3);
        assert_memory_equal(written.bytes, "\x01\x00\xaf", 3);
        expect_written(*state, "{\"dp\":30,\"text\":\"caf\\u00e9\"}",
                       "{\"meter\":\"main\",\"action\":\"set-datapoint\",\"status\":\"accepted\",\"dp\":30,"
                       "\"text\":\"caf\xc3\xa9\"}");
        assert_int_equal(written.len, 5);
}

static void expect_refused(struct fixture *f, int result, const struct action_refusal *why, unsigned status,
                           const char *part) {
        act_result = result;
        refused = *why;
        expect_problem(f, write_of("{\"dp\":1,\"raw\":true}"), status, part);
        act_result = 0;
}

static void test_write_refused(void **state) {
        static const struct action_refusal value = { .key = "raw", .text = "datapoint 1 takes a sandwich" },
                                           profile = { .text = "datapoint 1 is not writable" },
                                           busy = { .text = "datapoint 7 is being written" }, none = { .text = "" };
        struct asked what = write_of("{\"dp\":1,\"raw\":true}");
        unsigned sets = acts[ACTION_SET_DATAPOINT];

        expect_refused(*state, -EINVAL, &value, 400,
                       "meter main: datapoint 1 takes a sandwich\",\"parameter\":\"raw\"");
        expect_refused(*state, -EACCES, &profile, 409,
                       "meter main: datapoint 1 is not writable\",\"parameter\":\"dp\"");
        expect_refused(*state, -EBUSY, &busy, 409, "(datapoint 7 is being written)");
        expect_refused(*state, -EBUSY, &none, 409, "cannot do set-datapoint now: it is online");
        expect_refused(*state, -EOPNOTSUPP, &none, 409, "has no action set-datapoint");
        assert_int_equal(acts[ACTION_SET_DATAPOINT], sets + 5);
        what.role = HTTP_ROLE_READ;
        expect_problem(*state, what, 403, "control");
        what.role = HTTP_ROLE_CONTROL;
        what.target = "/api/v1/meters/three/actions/set-datapoint";
        expect_problem(*state, what, 409, "only listened to) has no action");
        what.target = "/api/v1/meters/garage/actions/set-datapoint";
        expect_problem(*state, what, 404, "there is main");
        expect_problem(*state, write_of("{\"dp\":1,\"raw\":true,\"dp\":2}"), 400, "duplicate");
        expect_problem(*state, write_of(""), 400, "the body is empty");
        what = post(SET);
        what.has_body = true;
        expect_problem(*state, what, 415, "application/json");
        assert_int_equal(acts[ACTION_SET_DATAPOINT], sets + 5);
}

/* Refused ones do not count; what was done does, whether or not the meter obeyed. */
static void test_write_too_often(void **state) {
        struct asked what = write_of("{\"dp\":1,\"raw\":true}");
        struct reply reply;
        unsigned done = 0;

        act_result = 0;
        for (;;) {
                ask(*state, what, &reply);
                if (reply.status != 202)
                        break;
                reply_free(&reply);
                assert_true(++done <= WRITES_AT_ONCE);
        }
        assert_int_equal(reply.status, 429);
        assert_in_range(reply.retry_after_s, 1, WRITE_EVERY_MS / 1000);
        assert_non_null(strstr(reply.body.data, "relays wear out"));
        reply_free(&reply);
        /* Asking the meter is something else. */
        ask(*state, post(QUERY), &reply);
        assert_int_equal(reply.status, 202);
        reply_free(&reply);
}

static void test_details(void **state) {
        json_t *json = diagnostics_of(*state, "/api/v1/meters/main/diagnostics", HTTP_ROLE_CONTROL, "no-cache");
        json_t *details = json_object_get(json, "details"), *time;

        assert_int_equal(json_object_size(details), 7);
        assert_member(details, "mac", "{\"label\":\"MAC\",\"value\":\"70:B3:D5:EB:80:00:00:01\"}");
        assert_member(details, "code", "{\"label\":\"Code\",\"value\":\"masked\",\"secret\":true}");
        assert_member(details, "other_code", "{\"label\":\"Other code\",\"value\":null,\"secret\":true}");
        assert_member(details, "join", "{\"label\":\"Joined\",\"value\":-1}");
        assert_member(details, "fits", "{\"label\":\"Fits\",\"value\":true}");
        assert_member(details, "raw", "{\"label\":\"Raw\",\"value\":\"1234\"}");
        time = json_object_get(details, "joined_at");
        assert_true(json_is_string(json_object_get(time, "value")));
        assert_true(json_is_integer(json_object_get(time, "value_ms")));
        assert_true(json_is_number(json_object_get(time, "age_s")));
        json_decref(json);
}

static void test_secrets(void **state) {
        const char *show = "/api/v1/meters/main/diagnostics?secrets=show";
        json_t *json = diagnostics_of(*state, show, HTTP_ROLE_CONTROL, "no-store");
        struct asked what;

        assert_member(json_object_get(json, "details"), "code",
                      "{\"label\":\"Code\",\"value\":\"1234AB\",\"secret\":true}");
        json_decref(json);
        json = diagnostics_of(*state, "/api/v1/meters/main/diagnostics?secrets=mask", HTTP_ROLE_READ, "no-cache");
        assert_member(json_object_get(json, "details"), "code",
                      "{\"label\":\"Code\",\"value\":\"masked\",\"secret\":true}");
        json_decref(json);
        what = (struct asked) { .method = "GET", .target = show };
        expect_problem(*state, what, 403, "control");
        what.role = HTTP_ROLE_READ;
        expect_problem(*state, what, 403, "secrets");
        what = (struct asked) { .method = "GET", .target = "/api/v1/meters/main/diagnostics?secrets=yes" };
        what.role = HTTP_ROLE_CONTROL;
        expect_problem(*state, what, 400, "secrets");
}

static void test_console(void **state) {
        json_t *json = diagnostics_of(*state, "/api/v1/meters/main/diagnostics", HTTP_ROLE_READ, "no-cache");
        json_t *lines = json_object_get(json_object_get(json, "console"), "lines");

        assert_int_equal(json_array_size(lines), 2);
        assert_member(json_array_get(lines, 0), "text", "\"SeIhd>\"");
        assert_member(json_array_get(lines, 1), "text", "\"sMRB \\\"len\\\" 44?\"");
        assert_true(json_is_integer(json_object_get(json_array_get(lines, 1), "at_ms")));
        assert_member(json_object_get(json, "console"), "total", "2");
        json_decref(json);
}

static void test_registers(void **state) {
        json_t *json = diagnostics_of(*state, "/api/v1/meters/three/diagnostics", HTTP_ROLE_READ, "no-cache"), *item;

        assert_int_equal(json_array_size(json_object_get(json, "registers")), 1);
        item = json_array_get(json_object_get(json, "registers"), 0);
        assert_member(item, "channel", "null");
        assert_member(item, "quantity", "\"energy_import_kwh\"");
        assert_member(item, "register", "5858.9399999999996");
        assert_member(item, "published", "5858.9399999999996");
        assert_member(item, "withheld", "null");
        assert_member(item, "withheld_in_a_row", "0");
        assert_member(json_object_get(json, "counters"), "register_resets", "0");
        item = json_object_get(json, "withheld");
        assert_member(item, "counter_unconfirmed", "0");
        assert_member(item, "counter_decreased", "0");
        assert_member(item, "counter_jumped", "0");
        json_decref(json);
}

static void test_attributes(void **state) {
        json_t *json = diagnostics_of(*state, "/api/v1/meters/unknown/datapoints", HTTP_ROLE_READ, "no-cache"), *item;

        /* This protocol needs no profile, so that there is nothing to advise. */
        assert_null(json_object_get(json, "hint"));
        item = json_array_get(json_object_get(json, "datapoints"), 0);
        assert_null(json_object_get(item, "dp"));
        assert_member(item, "attribute", "\"0x0012\"");
        assert_member(item, "type", "\"int24\"");
        assert_member(item, "raw", "77");
        assert_member(item, "mapped", "true");
        assert_member(item, "name", "\"Demand\"");
        assert_member(item, "quantity", "\"power_w\"");
        assert_member(item, "unit", "\"W\"");
        item = json_array_get(json_object_get(json, "datapoints"), 1);
        assert_member(item, "type", "\"type 2\"");
        assert_member(item, "mapped", "false");
        assert_member(item, "name", "null");
        json_decref(json);
}

static void test_metrics(void **state) {
        static const char *const expected[] = {
                "metergate_meter_state{meter=\"main\",state=\"online\"} 1\n",
                "metergate_meter_state{meter=\"main\",state=\"not_provisioned\"} 0\n",
                "metergate_readings_withheld_total{meter=\"main\",reason=\"counter_jumped\"} 0\n",
                "metergate_register_resets_total{meter=\"three\"} 0\n",
                "metergate_protocol_events_total{meter=\"main\",event=\"restarts\"} 0\n",
        };
        struct reply reply;

        get(*state, "/metrics", &reply);
        for (unsigned i = 0; i < ELEMENTS(expected); i++)
                if (!strstr(reply.body.data, expected[i]))
                        fail_msg("missing: %s", expected[i]);
        assert_null(strstr(reply.body.data, "1234AB"));
        reply_free(&reply);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_action),
                cmocka_unit_test(test_action_needs_control),
                cmocka_unit_test(test_action_that_is_none),
                cmocka_unit_test(test_allowed_methods),
                cmocka_unit_test(test_action_not_now),
                cmocka_unit_test(test_write),
                cmocka_unit_test(test_write_refused),
                cmocka_unit_test(test_write_too_often),
                cmocka_unit_test(test_details),
                cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_console),
                cmocka_unit_test(test_registers),
                cmocka_unit_test(test_attributes),
                cmocka_unit_test(test_metrics),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, setup, bench_teardown);
}
