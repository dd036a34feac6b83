/* A datapoint that somebody wants written: what may be, what is sent, and what becomes of it. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

static struct bench b;
static struct action_refusal refusal;

/* What the bench's meter measures, and something of each type to write. */
static const struct profile *switchable(void) {
        static struct profile *p;
        static const struct profile_datapoint more[] = {
                { .id = 1, .type = DATAPOINT_BOOL, .writable = true },
                { .id = 9, .type = DATAPOINT_VALUE, .writable = true, .has_range = true, .range_max = 86400 },
                { .id = 14, .type = DATAPOINT_ENUM, .writable = true, .has_range = true, .range_min = 1, .range_max = 3 },
                { .id = 17, .type = DATAPOINT_RAW, .writable = true },
                { .id = 30, .type = DATAPOINT_STRING, .writable = true },
                { .id = 31, .type = DATAPOINT_BITMAP, .writable = true },
                { .id = 32, .type = DATAPOINT_VALUE, .writable = true },
                { .id = 40, .type = DATAPOINT_BOOL },
                { .id = 41, .type = DATAPOINT_BOOL, .danger = DANGER_RESET },
        };
        const struct profile *measured = bench_profile();
        size_t n = measured->n_datapoints;

        if (p)
                return p;
        p = calloc(1, sizeof *p + (n + ELEMENTS(more)) * sizeof p->datapoints[0]);
        assert_non_null(p);
        memcpy(p, measured, sizeof *p + n * sizeof p->datapoints[0]);
        strcpy(p->name, "plug");
        for (size_t i = 0; i < ELEMENTS(more); i++) {
                p->datapoints[n + i] = more[i];
                p->datapoints[n + i].quantity = Q_NONE;
        }
        p->n_datapoints = (unsigned) (n + ELEMENTS(more));
        return p;
}

static int setup(void **state) {
        (void) state;
        bench_init(&b, switchable());
        b.mcu.has_relay = b.mcu.obeys = true;
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        return 0;
}

static int ask(struct datapoint_write what) {
        const struct action_request request = { .action = ACTION_SET_DATAPOINT, .write = what };

        refusal = (struct action_refusal) { .text = "" };
        return tuyamcu_protocol.act(&b.session.base, b.now_ms, &request, &refusal);
}

static struct datapoint_write number(uint16_t id, int64_t value) {
        return (struct datapoint_write) { .id = id, .form = VALUE_NUMBER, .number = value };
}

static struct datapoint_write flag(uint16_t id, bool value) {
        return (struct datapoint_write) { .id = id, .form = VALUE_FLAG, .number = value };
}

static struct datapoint_write bytes(uint16_t id, enum value_form form, const char *value) {
        struct datapoint_write w = { .id = id, .form = form, .len = strlen(value) };

        memcpy(w.bytes, value, w.len);
        return w;
}

static void assert_write(enum write_status status, const char *reason) {
        const struct session_write *w = &b.session.base.write;

        assert_int_equal(w->status, status);
        if (!strstr(w->reason, reason))
                fail_msg("\"%s\" does not say \"%s\"", w->reason, reason);
}

/* ---- what is sent ---- */

static void test_confirmed_by_a_report(void **state) {
        static const uint8_t expected[] = { 1, DATAPOINT_BOOL, 0, 1, 1 };
        unsigned before = b.n_frames, queries = bench_count(&b, TUYA_QUERY);

        (void) state;
        assert_int_equal(ask(flag(1, true)), 0);
        assert_write(WRITE_PENDING, "turn");
        bench_run(&b, 200);
        assert_write(WRITE_CONFIRMED, "reports it");
        assert_true(b.mcu.relay);
        assert_int_equal(b.n_frames, before + 1);
        assert_int_equal(b.frames[before].command, TUYA_SET);
        assert_int_equal(b.frames[before].data_len, sizeof expected);
        assert_memory_equal(b.frames[before].data, expected, sizeof expected);
        assert_int_equal(b.session.base.write.ended, 1);
        /* A report of the other value later is news, not about this write. */
        b.mcu.relay = 0;
        bench_report_relay(&b);
        bench_run(&b, 1000);
        assert_write(WRITE_CONFIRMED, "reports it");
        assert_int_equal(bench_count(&b, TUYA_QUERY), queries);
        assert_int_equal(ask(number(1, 0)), 0);
        bench_run(&b, 200);
        assert_write(WRITE_CONFIRMED, "reports it");
        assert_int_equal(b.session.base.write.count, 2);
        assert_int_equal(bench_count(&b, TUYA_SET), 2);
}

/* An MCU that reports changes alone says nothing when the value was there already: it is asked, not told again. */
static void test_confirmed_by_a_query(void **state) {
        unsigned queries = bench_count(&b, TUYA_QUERY);

        (void) state;
        b.mcu.obeys = false;
        assert_int_equal(ask(flag(1, false)), 0);
        bench_run(&b, 3000);
        assert_write(WRITE_CONFIRMED, "reports it");
        assert_int_equal(bench_count(&b, TUYA_SET), 1);
        assert_int_equal(bench_count(&b, TUYA_QUERY), queries + 1);
}

static void test_each_type(void **state) {
        static const struct {
                struct datapoint_write what;
                size_t len;
                uint8_t unit[8];
        } cases[] = {
                { { .id = 9, .number = 86400 }, 8, { 9, DATAPOINT_VALUE, 0, 4, 0x00, 0x01, 0x51, 0x80 } },
                { { .id = 32, .number = -10 }, 8, { 32, DATAPOINT_VALUE, 0, 4, 0xff, 0xff, 0xff, 0xf6 } },
                { { .id = 14, .number = 3 }, 5, { 14, DATAPOINT_ENUM, 0, 1, 3 } },
                { { .id = 31, .number = 0x102 }, 6, { 31, DATAPOINT_BITMAP, 0, 2, 1, 2 } },
                { { .id = 17, .form = VALUE_BYTES, .len = 4, .bytes = { 1, 0, 0, 80 } }, 8,
                  { 17, DATAPOINT_RAW, 0, 4, 1, 0, 0, 80 } },
                { { .id = 30, .form = VALUE_TEXT, .len = 2, .bytes = "hi" }, 6, { 30, DATAPOINT_STRING, 0, 2, 'h', 'i' } },
                { { .id = 30, .form = VALUE_TEXT }, 4, { 30, DATAPOINT_STRING, 0, 0 } },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(ask(cases[i].what), 0);
                bench_run(&b, 60);
                assert_int_equal(b.frames[b.n_frames - 1].command, TUYA_SET);
                assert_int_equal(b.frames[b.n_frames - 1].data_len, cases[i].len);
                assert_memory_equal(b.frames[b.n_frames - 1].data, cases[i].unit, cases[i].len);
                bench_receive(&b, 3, TUYA_REPORT, cases[i].unit, cases[i].len);
                assert_write(WRITE_CONFIRMED, "reports it");
                bench_run(&b, 500);
        }
}

/* A value that the meter has in two bytes is written in two. */
static void test_width_is_the_meters_own(void **state) {
        static const uint8_t unit[] = { 32, DATAPOINT_VALUE, 0, 2, 1, 0 };

        (void) state;
        bench_receive(&b, 3, TUYA_REPORT, unit, sizeof unit);
        assert_int_equal(ask(number(32, 65536)), -EINVAL);
        assert_int_equal(ask(number(32, -1)), -EINVAL);
        assert_int_equal(ask(number(32, 256)), 0);
        bench_run(&b, 60);
        assert_int_equal(b.frames[b.n_frames - 1].data_len, sizeof unit);
        assert_memory_equal(b.frames[b.n_frames - 1].data, unit, sizeof unit);
}

/* The longest value fits into the frame that every MCU keeps. */
static void test_longest(void **state) {
        struct datapoint_write what = { .id = 17, .form = VALUE_BYTES, .len = WRITE_BYTES_MAX };

        (void) state;
        assert_int_equal(ask(what), 0);
        bench_run(&b, 60);
        assert_int_equal(b.frames[b.n_frames - 1].data_len, 4 + WRITE_BYTES_MAX);
}

/* ---- what is refused ---- */

static void test_refused_by_the_profile(void **state) {
        static const struct {
                uint16_t id;
                const char *why;
        } cases[] = {
                { 40, "not writable" }, { 41, "dangerous (reset)" }, { 2, "does not know" }, { 18, "not writable" },
                { 257, "does not know" }, { 0, "does not know" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(ask(flag(cases[i].id, true)), -EACCES);
                assert_non_null(strstr(refusal.text, cases[i].why));
        }
        /* Neither is what the meter itself has as something else. */
        bench_report_value(&b, TUYA_REPORT, 1, 1);
        assert_int_equal(ask(flag(1, true)), -EACCES);
        assert_non_null(strstr(refusal.text, "another type"));
        tuyamcu_protocol.set_profile(&b.session.base, NULL);
        assert_int_equal(ask(flag(1, true)), -EACCES);
        assert_non_null(strstr(refusal.text, "without a profile"));
        bench_run(&b, 5000);
        assert_int_equal(bench_count(&b, TUYA_SET), 0);
}

static void test_refused_values(void **state) {
        const struct {
                struct datapoint_write what;
                const char *key, *expected;
        } cases[] = {
                { number(1, 2), "raw", "true or false" },
                { number(1, -1), "raw", "true or false" },
                { bytes(1, VALUE_TEXT, "on"), "text", "a number: give \"raw\"" },
                { flag(9, true), "raw", "from 0 to 86400" },
                { number(9, 86401), "raw", "from 0 to 86400" },
                { number(9, -1), "raw", "from 0 to 86400" },
                { number(14, 0), "raw", "from 1 to 3" },
                { number(14, 4), "raw", "from 1 to 3" },
                { number(32, INT64_C(2147483648)), "raw", "from -2147483648 to 2147483647" },
                { number(32, INT64_MIN), "raw", "from -2147483648" },
                { number(31, INT64_C(4294967296)), "raw", "from 0 to 4294967295" },
                { number(31, -1), "raw", "from 0 to 255" },
                { number(17, 1), "raw", "give \"hex\"" },
                { bytes(17, VALUE_TEXT, "ab"), "text", "give \"hex\"" },
                { number(30, 1), "raw", "give \"text\"" },
                { bytes(30, VALUE_BYTES, "ab"), "hex", "give \"text\"" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(ask(cases[i].what), -EINVAL);
                assert_string_equal(refusal.key, cases[i].key);
                if (!strstr(refusal.text, cases[i].expected))
                        fail_msg("\"%s\" does not say \"%s\"", refusal.text, cases[i].expected);
        }
        bench_run(&b, 5000);
        assert_int_equal(bench_count(&b, TUYA_SET), 0);
        assert_int_equal(b.session.base.write.status, WRITE_NONE);
}

static void test_one_at_a_time(void **state) {
        (void) state;
        b.mcu.obeys = false;
        b.mcu.relay = 0;
        assert_int_equal(ask(flag(1, true)), 0);
        assert_int_equal(ask(flag(1, false)), -EBUSY);
        assert_non_null(strstr(refusal.text, "datapoint 1 is being written"));
        bench_run(&b, 500);
        assert_int_equal(ask(number(32, 5)), -EBUSY);
        bench_run(&b, 10000);
        assert_write(WRITE_UNCONFIRMED, "another value");
        assert_int_equal(ask(flag(1, false)), 0);
        bench_run(&b, 60);
        assert_int_equal(bench_count(&b, TUYA_SET), 2);
}

static void test_not_while_the_meter_is_away(void **state) {
        (void) state;
        bench_init(&b, switchable());
        assert_int_equal(ask(flag(1, true)), -EBUSY);
        bench_run(&b, 200);
        assert_int_equal(ask(flag(1, true)), -EBUSY);
        bench_run(&b, 5000);
        b.mcu.heartbeat = false;
        bench_run(&b, 15000);
        assert_int_equal(ask(flag(1, true)), -EBUSY);
        assert_int_equal(bench_count(&b, TUYA_SET), 0);
}

/* The start ends with a query; the meter counts as there before. */
static void test_in_the_last_step_of_the_start(void **state) {
        (void) state;
        bench_init(&b, switchable());
        b.mcu.has_relay = b.mcu.obeys = true;
        while (!b.session.told_cloud)
                bench_run(&b, 10);
        assert_false(tuya_is_running(&b.session));
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 3000);
        assert_write(WRITE_CONFIRMED, "reports it");
        assert_string_equal(bench_sent(&b), "00 01 02 03/02 08 03/03 03/04 08 06");
}

static void test_listening_only(void **state) {
        (void) state;
        bench_start(&b, &(struct session_config) { .profile = switchable(), .listen_only = true, .poll_ms = 10000,
                                                   .stale_after_ms = 35000 });
        b.n_frames = 0;
        bench_report_relay(&b);
        assert_int_equal(ask(flag(1, true)), -EOPNOTSUPP);
        bench_run(&b, 60000);
        assert_int_equal(b.n_frames, 0);
}

/* ---- what becomes of it ---- */

static void test_never_reported(void **state) {
        (void) state;
        b.mcu.obeys = b.mcu.has_relay = false;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 5000);
        assert_write(WRITE_PENDING, "waiting for the meter");
        bench_run(&b, 2000);
        assert_write(WRITE_UNCONFIRMED, "did not report it");
        bench_run(&b, 60000);
        assert_int_equal(bench_count(&b, TUYA_SET), 1);
        assert_int_equal(b.session.base.write.ended, 1);
}

/* The old value that was on its way proves nothing; the new one behind it does. */
static void test_old_value_on_its_way(void **state) {
        (void) state;
        b.mcu.obeys = false;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 100);
        b.mcu.relay = 0;
        bench_report_relay(&b);
        bench_run(&b, 100);
        assert_write(WRITE_PENDING, "waiting for the meter");
        b.mcu.relay = 1;
        bench_report_relay(&b);
        assert_write(WRITE_CONFIRMED, "reports it");
}

/* A record of the past tells nothing of now. */
static void test_a_record_confirms_nothing(void **state) {
        static const uint8_t record[] = { 0x0b, 1, 2, 16, 4, 19, 5, 6, 7, 1, DATAPOINT_BOOL, 0, 1, 1 };

        (void) state;
        b.session.base.clock.known = true;
        b.session.base.clock.utc_minus_now_ms = INT64_C(1800000000000);
        b.mcu.obeys = false;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 100);
        bench_receive(&b, 3, TUYA_EXTENDED, record, sizeof record);
        assert_write(WRITE_PENDING, "waiting for the meter");
}

static void test_restart_in_between(void **state) {
        (void) state;
        b.mcu.obeys = b.mcu.has_relay = false;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 100);
        bench_receive(&b, 3, TUYA_HEARTBEAT, (const uint8_t[]) { 0 }, 1);
        assert_write(WRITE_UNCONFIRMED, "before it reported");
        assert_int_equal(ask(flag(1, true)), -EBUSY);
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(bench_count(&b, TUYA_SET), 1);
}

static void test_restart_before_it_was_sent(void **state) {
        (void) state;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_receive(&b, 3, TUYA_HEARTBEAT, (const uint8_t[]) { 0 }, 1);
        assert_write(WRITE_UNCONFIRMED, "nothing was written");
        bench_run(&b, 30000);
        assert_int_equal(bench_count(&b, TUYA_SET), 0);
}

static void test_port_goes_away(void **state) {
        (void) state;
        b.mcu.obeys = false;
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 100);
        tuyamcu_protocol.stop(&b.session.base, "the port is gone");
        assert_write(WRITE_UNCONFIRMED, "lost");
        assert_true(b.session.base.write.ended_ms >= b.session.base.write.asked_ms);
        assert_int_equal(b.session.base.write.ended, 1);
}

/* A switch that acted when nobody thinks of it any more would be worse than one that did not. */
static void test_busy_line(void **state) {
        (void) state;
        b.mcu.query = false;
        assert_int_equal(tuyamcu_protocol.act(&b.session.base, b.now_ms,
                                              &(struct action_request) { .action = ACTION_QUERY }, &refusal), 0);
        bench_run(&b, 100);
        assert_int_equal(ask(flag(1, true)), 0);
        bench_run(&b, 800);
        assert_write(WRITE_PENDING, "turn");
        bench_run(&b, 300);
        assert_write(WRITE_CONFIRMED, "reports it");
        /* A request that stays out for longer than any does. */
        b.session.request.waiting = true;
        b.session.request.command = TUYA_QUERY;
        b.session.request.sent_ms = b.now_ms + 10000;
        assert_int_equal(ask(flag(1, false)), 0);
        bench_run(&b, 5500);
        assert_write(WRITE_UNCONFIRMED, "busy");
        bench_run(&b, 20000);
        assert_int_equal(bench_count(&b, TUYA_SET), 1);
        assert_true(b.mcu.relay);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_confirmed_by_a_report, setup),
                cmocka_unit_test_setup(test_confirmed_by_a_query, setup),
                cmocka_unit_test_setup(test_each_type, setup),
                cmocka_unit_test_setup(test_width_is_the_meters_own, setup),
                cmocka_unit_test_setup(test_longest, setup),
                cmocka_unit_test_setup(test_refused_by_the_profile, setup),
                cmocka_unit_test_setup(test_refused_values, setup),
                cmocka_unit_test_setup(test_one_at_a_time, setup),
                cmocka_unit_test_setup(test_not_while_the_meter_is_away, setup),
                cmocka_unit_test_setup(test_in_the_last_step_of_the_start, setup),
                cmocka_unit_test_setup(test_listening_only, setup),
                cmocka_unit_test_setup(test_never_reported, setup),
                cmocka_unit_test_setup(test_old_value_on_its_way, setup),
                cmocka_unit_test_setup(test_a_record_confirms_nothing, setup),
                cmocka_unit_test_setup(test_restart_in_between, setup),
                cmocka_unit_test_setup(test_restart_before_it_was_sent, setup),
                cmocka_unit_test_setup(test_port_goes_away, setup),
                cmocka_unit_test_setup(test_busy_line, setup),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
