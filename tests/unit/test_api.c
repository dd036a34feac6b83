/* The API's handlers, called through the route table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_bench.h"
#include "base/cleanup.h"
#include "base/clock.h"

static json_t *get_json(struct fixture *f, const char *target, unsigned status) {
        struct reply reply;
        json_error_t error;
        json_t *json;

        get(f, target, &reply);
        assert_int_equal(reply.status, status);
        assert_string_equal(reply.content_type, status < 400 ? "application/json" : "application/problem+json");
        json = json_loadb(reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, &error);
        assert_non_null(json);
        reply_free(&reply);
        return json;
}

static void assert_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
                           const char *detail_part) {
        json_t *json = get_json(f, target, status);
        const char *detail = json_string_value(json_object_get(json, "detail"));

        assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
        if (parameter)
                assert_string_equal(json_string_value(json_object_get(json, "parameter")), parameter);
        if (!strstr(detail, detail_part))
                fail_msg("\"%s\" does not say \"%s\"", detail, detail_part);
        json_decref(json);
}

/* Compact text of a member, with the order of keys as it came; freed by the caller. */
static char *dump(const json_t *json) {
        return json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
}

static void assert_dump(const json_t *json, const char *expected) {
        char *text = dump(json);

        assert_string_equal(text, expected);
        free(text);
}

/* Checks a time that has just been, and takes it out, so that the rest can be compared as text. */
static void take_time(json_t *json, const char *key, bool with_age) {
        char key_ms[32], text[CLOCK_RFC3339_MAX];
        json_int_t ms;

        snprintf(key_ms, sizeof key_ms, "%s_ms", key);
        ms = json_integer_value(json_object_get(json, key_ms));
        assert_true(ms > INT64_C(1700000000000));
        assert_int_equal(ms % 100, 0);
        clock_format_rfc3339(ms, text);
        assert_string_equal(json_string_value(json_object_get(json, key)), text);
        json_object_del(json, key);
        json_object_del(json, key_ms);
        if (!with_age)
                return;
        assert_true(json_number_value(json_object_get(json, "age_s")) < 60);
        json_object_del(json, "age_s");
}

/* ---- tests ---- */

static void test_service(void **state) {
        json_t *json = get_json(*state, "/api/v1", 200);

        assert_string_equal(json_string_value(json_object_get(json, "product")), "metergate");
        assert_true(json_is_string(json_object_get(json, "version")));
        assert_string_equal(json_string_value(json_object_get(json, "site")), "Home");
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "links"), "meters")),
                            "/api/v1/meters");
        assert_int_equal(json_array_size(json_object_get(json, "quantities")), Q_COUNT);
        json_decref(json);
        json = get_json(*state, "/healthz", 200);
        assert_dump(json, "{\"status\":\"ok\",\"meters\":4,\"delivering\":2,\"history\":null}");
        json_decref(json);
}

static void test_now(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters/main/now", 200);

        take_time(json, "at", true);
        assert_dump(json, "{\"meter\":\"main\",\"name\":\"House \\\"main\\\" \\\\ gr\xc3\xbcn\",\"available\":true,"
                    "\"state\":\"online\",\"voltage_v\":240.3,\"current_a\":0.077,\"power_w\":17.7,"
                    "\"apparent_power_va\":18.503,\"reactive_power_var\":5.392,\"power_factor\":0.957,"
                    "\"energy_import_kwh\":null,\"energy_export_kwh\":null}");
        json_decref(json);
}

static void test_now_key_order(void **state) {
        struct reply reply;
        const char *text = get_text(*state, "/api/v1/meters/main/now", "application/json", &reply);
        static const char *const keys[] = {
                "\"meter\"", "\"name\"", "\"available\"", "\"state\"", "\"at\"", "\"at_ms\"", "\"age_s\"", "\"voltage_v\"",
        };

        for (unsigned i = 0; i < ELEMENTS(keys); i++) {
                const char *next = strstr(text, keys[i]);

                assert_non_null(next);
                text = next;
        }
        reply_free(&reply);
}

static void test_now_channels(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters/three/now", 200);

        take_time(json, "at", true);
        assert_dump(json, "{\"meter\":\"three\",\"name\":\"Three phases\",\"available\":true,\"state\":\"online\","
                    "\"energy_import_kwh\":5858.94,"
                    "\"channels\":{\"l1\":{\"voltage_v\":231,\"power_w\":-250,\"energy_import_kwh\":null,"
                    "\"energy_export_kwh\":null},\"l2\":{\"power_w\":null,\"energy_import_kwh\":null,"
                    "\"energy_export_kwh\":null}}}");
        json_decref(json);
}

static void test_now_of_silent_meters(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters/gone/now", 200);

        assert_dump(json, "{\"meter\":\"gone\",\"name\":\"Gone\",\"available\":false,\"state\":\"connecting\","
                    "\"at\":null,\"at_ms\":null,\"age_s\":null,\"voltage_v\":null,\"current_a\":null,\"power_w\":null,"
                    "\"apparent_power_va\":null,\"reactive_power_var\":null,\"power_factor\":null,"
                    "\"energy_import_kwh\":null,\"energy_export_kwh\":null}");
        json_decref(json);
        json = get_json(*state, "/api/v1/meters/unknown/now", 200);
        assert_int_equal(json_object_size(json), 7);
        assert_true(json_is_null(json_object_get(json, "at")));
        json_decref(json);
}

static void test_now_series(void **state) {
        static const struct {
                const char *target, *body;
        } cases[] = {
                { "/api/v1/meters/main/now/power_w", "17.7" },
                { "/api/v1/meters/main/now/energy_import_kwh", "null" },
                { "/api/v1/meters/three/now/l1.power_w", "-250" },
                { "/api/v1/meters/three/now/l2.power_w", "null" },
                { "/api/v1/meters/gone/now/power_w", "null" },
                { "/api/v1/meters/unknown/now/power_w", "null" },
        };
        struct reply reply;

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                assert_string_equal(get_text(*state, cases[i].target, "text/plain; charset=utf-8", &reply),
                                    cases[i].body);
                reply_free(&reply);
        }
        assert_problem(*state, "/api/v1/meters/main/now/frequency_hz", 404, NULL,
                       "it has voltage_v, current_a, power_w");
        assert_problem(*state, "/api/v1/meters/three/now/power_w", 404, NULL, "energy_import_kwh, l1.voltage_v");
        assert_problem(*state, "/api/v1/meters/unknown/now/bogus", 404, NULL, "not known yet");
}

static void test_problems(void **state) {
        static const char *const routes[] = { "", "/now", "/now/power_w", "/datapoints", "/diagnostics", "/frames" };
        char target[128];

        for (unsigned i = 0; i < ELEMENTS(routes); i++) {
                snprintf(target, sizeof target, "/api/v1/meters/garage%s", routes[i]);
                assert_problem(*state, target, 404, NULL, "there is main, three, unknown, gone");
                snprintf(target, sizeof target, "/api/v1/meters/main%s?verbose=1", routes[i]);
                assert_problem(*state, target, 400, "verbose", "unknown");
        }
        assert_problem(*state, "/api/v1/meters?x", 400, "x", "unknown");
        assert_problem(*state, "/api/v1/nothing", 404, NULL, "/api/v1/nothing");
        assert_problem(*state, "/api/v1/meters/main/history", 503, NULL, "without a history");
        assert_problem(*state, "/api/v1/meters/main/frames?format=xml", 400, "format", "ndjson");
}

static void test_meters(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters", 200), *meters = json_object_get(json, "meters");
        json_t *one = get_json(*state, "/api/v1/meters/main", 200), *reading, *readings;

        assert_int_equal(json_array_size(meters), N_METERS);
        assert_string_equal(json_string_value(json_object_get(json_array_get(meters, THREE), "id")), "three");
        assert_true(json_is_null(json_object_get(json_array_get(meters, UNKNOWN), "profile")));
        assert_int_equal(json_object_size(json_object_get(json_array_get(meters, UNKNOWN), "readings")), 0);
        assert_string_equal(json_string_value(json_object_get(one, "profile")), "plug");
        readings = json_object_get(one, "readings");
        assert_int_equal(json_object_size(readings), 8);
        reading = json_object_get(readings, "power_w");
        take_time(reading, "at", true);
        assert_dump(reading, "{\"value\":17.7,\"source\":\"measured\",\"origin\":\"dp 19\"}");
        assert_string_equal(json_string_value(json_object_get(json_object_get(readings, "power_factor"), "source")),
                            "derived");
        reading = json_object_get(json_object_get(json_array_get(meters, THREE), "readings"), "l2.power_w");
        assert_dump(json_object_get(one, "notices"), "[]");
        assert_dump(json_object_get(json_array_get(meters, THREE), "notices"), "[]");
        assert_dump(reading,
                    "{\"value\":null,\"at\":null,\"at_ms\":null,\"age_s\":null,\"source\":null,\"origin\":null}");
        json_decref(one);
        json_decref(json);
}

static void test_stale(void **state) {
        struct fixture *f = *state;
        struct reply reply;
        uint64_t at_ms;
        json_t *json;

        assert_true(meter_last_reading(fleet_meter(f->fleet, THREE), &at_ms));
        f->meters[MAIN].stale_after_ms = f->meters[THREE].stale_after_ms = 1;
        while (clock_now_ms() <= at_ms + 1)
                bench_turn(f, at_ms + 5000);
        json = get_json(f, "/api/v1/meters/three/now", 200);
        assert_true(json_is_false(json_object_get(json, "available")));
        assert_true(json_is_string(json_object_get(json, "at")));
        assert_dump(json_object_get(json, "channels"),
                    "{\"l1\":{\"voltage_v\":null,\"power_w\":null,\"energy_import_kwh\":null,"
                    "\"energy_export_kwh\":null},\"l2\":{\"power_w\":null,\"energy_import_kwh\":null,"
                    "\"energy_export_kwh\":null}}");
        assert_dump(json_object_get(json, "energy_import_kwh"), "5858.94");
        json_decref(json);
        assert_string_equal(get_text(f, "/api/v1/meters/main/now/power_w", "text/plain; charset=utf-8", &reply),
                            "null");
        reply_free(&reply);
        assert_null(strstr(get_text(f, "/metrics", "text/plain; version=0.0.4; charset=utf-8", &reply),
                           "metergate_power_watts"));
        reply_free(&reply);
        f->meters[MAIN].stale_after_ms = f->meters[THREE].stale_after_ms = 35000;
}

static void test_datapoints(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters/unknown/datapoints", 200), *list, *item;
        const char *hint = json_string_value(json_object_get(json, "hint"));

        assert_non_null(strstr(hint, "abcdefgh12345678"));
        assert_non_null(strstr(hint, "18, 19 and 20"));
        list = json_object_get(json, "datapoints");
        assert_int_equal(json_array_size(list), 5);
        item = json_array_get(list, 0);
        take_time(item, "first_seen", false);
        take_time(item, "last_seen", false);
        take_time(item, "last_change", true);
        assert_dump(item, "{\"dp\":18,\"type\":\"value\",\"raw\":77,\"length\":4,\"count\":1,\"mapped\":false,\"name\":null,"
                    "\"quantity\":null,\"channel\":null,\"unit\":null,\"evidence\":null}");
        assert_dump(json_object_get(json_array_get(list, 3), "text"), "\"a\\\"\xef\xbf\xbd\\n\"");
        assert_dump(json_object_get(json_array_get(list, 3), "hex"), "\"6122FF0A\"");
        assert_dump(json_object_get(json_array_get(list, 4), "hex"), "\"00AB12\"");
        json_decref(json);
        json = get_json(*state, "/api/v1/meters/three/datapoints", 200);
        assert_null(json_object_get(json, "hint"));
        item = json_array_get(json_object_get(json, "datapoints"), 1);
        assert_true(json_is_true(json_object_get(item, "mapped")));
        assert_string_equal(json_string_value(json_object_get(item, "quantity")), "power_w");
        assert_string_equal(json_string_value(json_object_get(item, "channel")), "l1");
        assert_string_equal(json_string_value(json_object_get(item, "evidence")), "captured");
        list = json_object_get(json, "datapoints");
        item = json_array_get(list, 3);
        take_time(item, "first_seen", false);
        take_time(item, "last_seen", false);
        take_time(item, "last_change", true);
        assert_dump(item, "{\"dp\":11,\"type\":\"value\",\"raw\":-925,\"length\":4,\"count\":1,\"mapped\":true,\"name\":null,"
                    "\"quantity\":null,\"channel\":null,\"unit\":\"V\",\"evidence\":\"captured\",\"value\":-231.25,"
                    "\"danger\":\"calibration\"}");
        assert_true(json_is_true(json_object_get(json_array_get(list, 4), "increment")));
        assert_null(json_object_get(json_array_get(list, 4), "value"));
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 5), "layout")), "limits-meter");
        assert_dump(json_object_get(json_array_get(list, 5), "decoded"),
                    "{\"layout\":\"limits4\",\"code_9\":7,\"code_9_action\":\"alarm\",\"over_current_a\":80,"
                    "\"over_current_action\":\"trip\"}");
        assert_dump(json_object_get(json_array_get(list, 6), "decoded"),
                    "{\"layout\":\"day8\",\"month\":12,\"day\":1,\"energy_kwh\":0.03}");
        json_decref(json);
}

static void test_diagnostics(void **state) {
        json_t *json = get_json(*state, "/api/v1/meters/main/diagnostics", 200), *framing, *link;

        assert_string_equal(json_string_value(json_object_get(json, "state")), "online");
        assert_true(json_array_size(json_object_get(json, "transitions")) >= 1);
        assert_string_equal(json_string_value(json_object_get(json, "firmware")), "1.0.2");
        assert_dump(json_object_get(json, "profile"),
                    "{\"name\":\"plug\",\"title\":\"Test meter\",\"evidence\":\"captured\"}");
        framing = json_object_get(json, "framing");
        assert_dump(framing, "{\"frames\":2,\"noise_bytes\":0,\"checksum_errors\":0,\"oversize\":0,"
                    "\"part_frame_timeouts\":0,\"total_bytes\":58,\"pending_bytes\":0}");
        link = json_object_get(json, "link");
        assert_true(json_is_true(json_object_get(link, "open")));
        assert_int_equal(json_integer_value(json_object_get(link, "read_bytes")), 58);
        assert_int_equal(json_integer_value(json_object_get(link, "reconnects")), 0);
        assert_true(json_is_object(json_object_get(json, "counters")));
        assert_true(json_is_object(json_object_get(json, "withheld")));
        assert_dump(json_object_get(json, "plausibility"), "{\"power_scale_mismatch\":null}");
        assert_dump(json_object_get(json, "latency"),
                    "{\"last_ms\":null,\"max_ms\":null,\"mean_ms\":null,\"count\":0}");
        assert_int_equal(json_integer_value(json_object_get(json, "frames_logged")), 2);
        json_decref(json);
        json = get_json(*state, "/api/v1/meters/gone/diagnostics", 200);
        assert_true(json_is_string(json_object_get(json_object_get(json, "link"), "error")));
        json_decref(json);
}

static void test_frames(void **state) {
        struct reply reply;
        const char *text = get_text(*state, "/api/v1/meters/main/frames", "application/x-ndjson", &reply);
        const char *end = strchr(text, '\n');
        json_t *json = json_loadb(text, (size_t) (end - text), 0, NULL);

        assert_int_equal(json_integer_value(json_object_get(json, "number")), 1);
        assert_string_equal(json_string_value(json_object_get(json, "direction")), "rx");
        assert_int_equal(strncmp(json_string_value(json_object_get(json, "hex")), "55AA0301", 8), 0);
        json_decref(json);
        reply_free(&reply);
        text = get_text(*state, "/api/v1/meters/main/frames?format=capture", "text/plain; charset=utf-8", &reply);
        assert_int_equal(strncmp(text, "# ", 2), 0);
        assert_non_null(strstr(text, "# profile: plug\n"));
        assert_non_null(strstr(text, "Z rx 55 AA 03 07 00 18 12 02 00 04 00 00 00 4D "));
        reply_free(&reply);
}

static void promtool_check(const char *text, size_t len) {
        char path[] = "/tmp/metergate-metrics-XXXXXX", command[128], line[256] = "";
        int fd = mkstemp(path);
        FILE *output;

        assert_int_equal(write(fd, text, len), len);
        close(fd);
        snprintf(command, sizeof command, "promtool check metrics <%s 2>&1", path);
        output = popen(command, "r");
        assert_non_null(output);
        if (fgets(line, sizeof line, output))
                fail_msg("promtool: %s", line);
        assert_int_equal(pclose(output), 0);
        unlink(path);
}

static void test_metrics(void **state) {
        static const char *const expected[] = {
                "# TYPE metergate_power_watts gauge\nmetergate_power_watts{meter=\"main\"} 17.7\n",
                "metergate_voltage_volts{meter=\"main\"} 240.3\n",
                "# HELP metergate_apparent_power_volt_amperes Apparent power of the meter (voltage * current).\n",
                "metergate_channel_power_watts{meter=\"three\",channel=\"l1\"} -250\n",
                "# TYPE metergate_energy_imported_joules_total counter\n"
                "metergate_energy_imported_joules_total{meter=\"three\"} 21092184000\n",
                "metergate_meter_up{meter=\"main\"} 1\nmetergate_meter_up{meter=\"three\"} 1\n",
                "metergate_meter_up{meter=\"gone\"} 0\n",
                "metergate_meter_info{meter=\"main\",name=\"House \\\"main\\\" \\\\ gr\xc3\xbcn\",protocol=\"tuyamcu\","
                "profile=\"plug\",firmware=\"1.0.2\"} 1\n",
                "metergate_frames_received_total{meter=\"main\"} 2\n",
                "metergate_frame_errors_total{meter=\"main\",reason=\"checksum\"} 0\n",
                "metergate_frame_errors_total{meter=\"main\",reason=\"datapoint_errors\"} 0\n",
                "metergate_readings_withheld_total{meter=\"main\",reason=\"limits\"} 0\n",
                "metergate_reconnects_total{meter=\"main\"} 0\n",
                "metergate_last_reading_timestamp_seconds{meter=\"main\"} 1",
                "metergate_build_info{version=\"",
                "\nprocess_cpu_seconds_total ", "\nprocess_resident_memory_bytes ", "\nprocess_open_fds ",
                "\nprocess_start_time_seconds 1",
        };
        struct reply reply;
        const char *text = get_text(*state, "/metrics", "text/plain; version=0.0.4; charset=utf-8", &reply);

        for (unsigned i = 0; i < ELEMENTS(expected); i++)
                if (!strstr(text, expected[i]))
                        fail_msg("missing: %s", expected[i]);
        assert_null(strstr(text, "l2"));
        assert_null(strstr(text, "metergate_last_reading_timestamp_seconds{meter=\"gone\"}"));
        reply_free(&reply);
}

/* Names of families without their suffix, units, times of beginnings, an end; and the same samples. */
static void test_openmetrics(void **state) {
        static const char *const expected[] = {
                "# HELP metergate_power_watts Active power of the meter (dp 19).\n# TYPE metergate_power_watts gauge\n"
                "# UNIT metergate_power_watts watts\nmetergate_power_watts{meter=\"main\"} 17.7\n",
                "# TYPE metergate_energy_imported_joules counter\n# UNIT metergate_energy_imported_joules joules\n"
                "metergate_energy_imported_joules_total{meter=\"three\"} 21092184000\n",
                "# TYPE metergate_meter info\nmetergate_meter_info{meter=\"main\",",
                "# TYPE metergate_frames_received counter\nmetergate_frames_received_total{meter=\"main\"} 2\n"
                "metergate_frames_received_created{meter=\"main\"} 1",
                "\nmetergate_frame_errors_created{meter=\"main\",reason=\"checksum\"} 1",
                "# TYPE metergate_build info\n", "\nprocess_cpu_seconds_created 1",
                "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\nprocess_cpu_seconds_total ",
                "# UNIT process_resident_memory_bytes bytes\n",
        };
        struct reply reply;

        ask(*state, (struct asked) { .method = "GET", .target = "/metrics", .role = HTTP_ROLE_READ,
                                     .accept = "application/openmetrics-text" }, &reply);
        assert_int_equal(reply.status, 200);
        assert_true(reply.by_accept);
        assert_string_equal(reply.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        for (unsigned i = 0; i < ELEMENTS(expected); i++)
                if (!strstr(reply.body.data, expected[i]))
                        fail_msg("missing: %s", expected[i]);
        assert_null(strstr(reply.body.data, "joules_created"));
        assert_string_equal(reply.body.data + reply.body.len - 7, "\n# EOF\n");
        reply_free(&reply);
        assert_null(strstr(get_text(*state, "/metrics", "text/plain; version=0.0.4; charset=utf-8", &reply), "EOF"));
        assert_null(strstr(reply.body.data, "_created"));
        assert_null(strstr(reply.body.data, "# UNIT"));
        reply_free(&reply);
}

/* What Prometheus 2.42, 2.30 and 3.x ask with, browsers, and others. */
static void test_metrics_negotiation(void **state) {
        static const struct { const char *accept; bool openmetrics; } cases[] = {
                { "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true },
                { "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false },
                { "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                  "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                  "text/plain;version=0.0.4;q=0.2,/;q=0.1", true },
                { "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
                  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.4", true },
                { "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8", false },
                { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false },
                { "application/openmetrics-text;q=0", false }, { "application/*", false }, { "*/*", false }, { "", false },
                { "application/openmetrics-text, */*", true },
        };
        struct reply reply;

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                ask(*state, (struct asked) { .method = "GET", .target = "/metrics", .role = HTTP_ROLE_READ,
                                             .accept = cases[i].accept }, &reply);
                if ((strstr(reply.content_type, "openmetrics") != NULL) != cases[i].openmetrics)
                        fail_msg("%s gives %s", cases[i].accept, reply.content_type);
                reply_free(&reply);
        }
}

static void test_metrics_promtool(void **state) {
        struct fixture *f = *state;
        struct fleet *none;
        struct reply reply;

        if (system("promtool --version >/dev/null 2>&1") != 0)
                skip();
        get(f, "/metrics", &reply);
        promtool_check(reply.body.data, reply.body.len);
        reply_free(&reply);
        assert_int_equal(fleet_new(f->event, NULL, NULL, NULL, &none), 0);
        f->app.fleet = none;
        get(f, "/metrics", &reply);
        promtool_check(reply.body.data, reply.body.len);
        reply_free(&reply);
        f->app.fleet = f->fleet;
        fleet_free(none);
}

static void test_page(void **state) {
        static const char *const paths[] = { "/", "/app.js", "/style.css", "/favicon.svg" };
        struct reply reply;

        for (unsigned i = 0; i < ELEMENTS(paths); i++) {
                get(*state, paths[i], &reply);
                assert_int_equal(reply.status, 200);
                assert_true(reply.fixed_len > 0);
                reply_free(&reply);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_service),
                cmocka_unit_test(test_now),
                cmocka_unit_test(test_now_key_order),
                cmocka_unit_test(test_now_channels),
                cmocka_unit_test(test_now_of_silent_meters),
                cmocka_unit_test(test_now_series),
                cmocka_unit_test(test_problems),
                cmocka_unit_test(test_meters),
                cmocka_unit_test(test_stale),
                cmocka_unit_test(test_datapoints),
                cmocka_unit_test(test_diagnostics),
                cmocka_unit_test(test_frames),
                cmocka_unit_test(test_metrics),
                cmocka_unit_test(test_openmetrics),
                cmocka_unit_test(test_metrics_negotiation),
                cmocka_unit_test(test_metrics_promtool),
                cmocka_unit_test(test_page),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, bench_setup, bench_teardown);
}
