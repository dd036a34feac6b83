/* The TuyaMCU dialogue, with plain numbers for time. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

static struct bench b;

static void test_start_up_order(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        bench_run(&b, 5000);
        assert_string_equal(bench_sent(&b), BENCH_START);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_string_equal(b.session.base.product_key, "djfep9s6s3b2qk89");
        assert_string_equal(b.session.base.firmware, "1.0.0");
        assert_int_equal(bench_value_of(&b, Q_CURRENT), 77);
        assert_int_equal(bench_value_of(&b, Q_POWER), 17700);
        assert_int_equal(bench_value_of(&b, Q_VOLTAGE), 240300);
        assert_int_equal(b.n_reports, 1);
        assert_int_equal(b.reports[0].count, 3);
        bench_assert_never_zero_volts(&b);
        assert_int_equal(bench_counter(&b, TUYA_RESTARTS), 0);
}

static void test_gap_between_frames(void **state) {
        (void) state;
        bench_reach_online(&b);
        for (unsigned i = 1; i < b.n_frames; i++)
                assert_true(b.frames[i].at_ms >= b.frames[i - 1].at_ms + 50);
}

static void test_heartbeat_and_poll_periods(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_run(&b, 60000);
        assert_in_range(bench_count(&b, TUYA_HEARTBEAT), 6, 8);
        assert_in_range(bench_count(&b, TUYA_QUERY), 2 + 5, 2 + 7);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(bench_counter(&b, TUYA_HEARTBEATS_MISSED), 0);
}

static void test_poll_skipped_when_all_came(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        before = bench_count(&b, TUYA_QUERY);
        for (int i = 0; i < 30; i++) {
                bench_report_all(&b, 80 + i, 180 + i, 2400 + i);
                bench_run(&b, 1000);
        }
        assert_int_equal(bench_count(&b, TUYA_QUERY), before);
        assert_int_equal(b.n_reports, 1 + 30);
}

static void test_starts_when_mcu_comes_late(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.heartbeat = b.mcu.product = false;
        bench_run(&b, 20000);
        assert_in_range(b.n_frames, 19, 21);
        assert_in_range(bench_count(&b, TUYA_HEARTBEAT), 13, 21);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_non_null(b.session.base.hint);
        b.mcu.heartbeat = b.mcu.product = true;
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_null(b.session.base.hint);
}

static void test_unanswered_steps_are_tried_three_times(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.mode = false;
        bench_run(&b, 8000);
        assert_string_equal(bench_sent(&b), "00 01 02 02 02 00 03/02 08 03/03 03/04 08");
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(bench_counter(&b, TUYA_REQUESTS_UNANSWERED), 1);
}

static void test_silence_stale_offline_and_back(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.heartbeat = b.mcu.query = b.mcu.product = b.mcu.mode = b.mcu.network_state = false;
        bench_run(&b, 24500);
        assert_int_equal(b.session.base.state, METER_STALE);
        assert_true(bench_counter(&b, TUYA_HEARTBEATS_MISSED) >= 2);
        bench_run(&b, 12000);
        assert_int_equal(b.session.base.state, METER_OFFLINE);
        b.mcu.heartbeat = b.mcu.query = b.mcu.product = b.mcu.mode = b.mcu.network_state = true;
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(b.n_reports, 2);
}

static void test_stale_without_readings(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.query = false;
        bench_run(&b, 36000);
        assert_int_equal(b.session.base.state, METER_STALE);
        assert_string_equal(b.session.base.reason, "no fresh readings");
        bench_report_all(&b, 1, 2, 3);
        bench_run(&b, 200);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

static void test_sync_report_is_answered(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_report_value(&b, TUYA_REPORT_SYNC, 19, 180);
        bench_run(&b, 300);
        assert_int_equal(b.frames[b.n_frames - 1].command, TUYA_REPORT_SYNC_ANSWER);
        assert_int_equal(b.frames[b.n_frames - 1].data_len, 1);
        assert_int_equal(b.frames[b.n_frames - 1].data[0], 1);
        assert_int_equal(bench_counter(&b, TUYA_SYNC_ACKNOWLEDGED), 1);
        assert_int_equal(bench_value_of(&b, Q_POWER), 18000);
}

/* Answers go first, but wait for the end of a frame that is on its way - not for ever, though. */
static void test_sending_waits_for_reception(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        before = b.n_frames;
        bench_report_value(&b, TUYA_REPORT_SYNC, 19, 180);
        b.receiving = true;
        bench_run(&b, 900);
        assert_int_equal(b.n_frames, before);
        bench_run(&b, 300);
        assert_int_equal(b.n_frames, before + 1);
        b.receiving = false;
}

static void test_unknown_product_shows_raw_datapoints(void **state) {
        (void) state;
        bench_init(&b, NULL);
        b.mcu.product_json = "{\"v\":\"2.1\",\"p\":\"aaaabbbbccccdddd\"}";
        bench_run(&b, 20000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(b.n_reports, 0);
        assert_string_equal(b.session.base.product_key, "aaaabbbbccccdddd");
        assert_int_equal(datapoint_table_get(&b.session.base.datapoints, 20)->number, 2403);
}

static void test_unknown_command_and_truncated_datapoint(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_receive(&b, 3, 0x77, NULL, 0);
        bench_receive(&b, 3, TUYA_REPORT, (const uint8_t[]) { 18, 2, 0, 4, 0, 0, 0, 99, 19, 2, 0, 4, 1 }, 13);
        bench_run(&b, 300);
        assert_int_equal(bench_counter(&b, TUYA_UNKNOWN_COMMANDS), 1);
        assert_int_equal(bench_counter(&b, TUYA_DP_ERRORS), 1);
        assert_int_equal(bench_value_of(&b, Q_CURRENT), 99);
        assert_int_equal(bench_value_of(&b, Q_POWER), 17700);
}

static void test_several_reports_of_one_moment_are_one_row(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_report_value(&b, TUYA_REPORT, 20, 2310);
        bench_run(&b, 40);
        bench_report_value(&b, TUYA_REPORT, 19, 200);
        bench_run(&b, 40);
        bench_report_value(&b, TUYA_REPORT, 19, 210);
        bench_run(&b, 400);
        assert_int_equal(b.n_reports, 2);
        assert_int_equal(b.reports[1].count, 2);
        assert_int_equal(bench_value_of(&b, Q_POWER), 21000);
}

/* A meter that never pauses still gets a row each second. */
static void test_endless_reports(void **state) {
        (void) state;
        bench_reach_online(&b);
        for (int i = 0; i < 50; i++) {
                bench_report_value(&b, TUYA_REPORT, 19, 200 + i);
                bench_run(&b, 100);
        }
        assert_in_range(b.n_reports, 1 + 4, 1 + 6);
}

static void test_speed_is_found(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.only_baud = 115200;
        b.session.base.baud_wanted = 0;
        bench_start(&b, &(struct session_config) { .poll_ms = 10000, .stale_after_ms = 35000,
                                                   .has_speed = true });
        assert_int_equal(b.session.base.baud_wanted, 9600);
        bench_run(&b, 10000);
        assert_int_equal(b.session.base.baud_wanted, 115200);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(bench_counter(&b, TUYA_BAUD_CHANGES), 1);
        /* The winner is tried first after a reconnect. */
        tuyamcu_protocol.stop(&b.session.base, "gone");
        assert_int_equal(b.session.base.state, METER_OFFLINE);
        bench_start(&b, &(struct session_config) { .poll_ms = 10000, .stale_after_ms = 35000, .has_speed = true });
        assert_int_equal(b.session.base.baud_wanted, 115200);
}

/* The configuration names the wrong speed: found within 10 s all the same. */
static void test_wrong_speed_in_the_configuration(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.only_baud = 9600;
        b.session.base.baud_wanted = 0;
        bench_start(&b, &(struct session_config) { .baud = 115200, .poll_ms = 10000, .stale_after_ms = 35000,
                                                   .has_speed = true });
        assert_int_equal(b.session.base.baud_wanted, 115200);
        bench_run(&b, 7000);
        assert_int_equal(b.session.base.baud_wanted, 9600);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

/* A TCP port has no speed of its own. */
static void test_no_speed_to_change(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.heartbeat = false;
        bench_run(&b, 30000);
        assert_int_equal(bench_counter(&b, TUYA_BAUD_CHANGES), 0);
}

static void test_echo_is_no_meter(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.heartbeat = false;
        for (int i = 0; i < 10; i++) {
                bench_run(&b, 1000);
                bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        }
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_true(bench_counter(&b, TUYA_ECHOES) >= 9);
        assert_non_null(strstr(b.session.base.hint, "own frames"));
}

static void test_port_gone_drops_what_is_pending(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_report_value(&b, TUYA_REPORT, 19, 555);
        tuyamcu_protocol.stop(&b.session.base, "the port is gone");
        assert_int_equal(b.session.base.state, METER_OFFLINE);
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 115200, .poll_ms = 10000,
                                                   .stale_after_ms = 35000 });
        bench_run(&b, 5000);
        assert_int_equal(b.n_reports, 2);
        assert_int_equal(bench_value_of(&b, Q_POWER), 17700);
}

static void test_led_pin_hint(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.mode_len = 2;
        b.mcu.query = false;
        bench_run(&b, 75000);
        assert_non_null(b.session.base.hint);
        assert_non_null(strstr(b.session.base.hint, "LED"));
}

static void check_field(const char *json, char key, const char *expected) {
        char buf[24];

        tuya_product_field((const uint8_t *) json, strlen(json), key, buf, sizeof buf);
        assert_string_equal(buf, expected);
}

static void test_product_answer_in_any_shape(void **state) {
        (void) state;
        check_field("{\"p\":\"djfep9s6s3b2qk89\",\"v\":\"1.0.0\",\"m\":2}", 'p', "djfep9s6s3b2qk89");
        check_field("{ \"v\" : \"1.0.0\" , \"x\":\"p\", \"p\" : \"abc\" }", 'p', "abc");
        check_field("{\"m\":2,\"v\":\"1\"}", 'm', "2");
        check_field("{\"v\":\"1\"}", 'p', "");
        check_field("{\"x\":[1,{\"p\":\"no\"}],\"p\":\"yes\"}", 'p', "yes");
        check_field("", 'p', "");
        check_field("{\"p\":\"cut", 'p', "");
        check_field("{\"p\":", 'p', "");
        check_field("{\"p\":\"a\x01\xff\"}", 'p', "a??");
        check_field("{\"p\":\"012345678901234567890123456789\"}", 'p', "01234567890123456789012");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_start_up_order),
                cmocka_unit_test(test_gap_between_frames),
                cmocka_unit_test(test_heartbeat_and_poll_periods),
                cmocka_unit_test(test_poll_skipped_when_all_came),
                cmocka_unit_test(test_starts_when_mcu_comes_late),
                cmocka_unit_test(test_unanswered_steps_are_tried_three_times),
                cmocka_unit_test(test_silence_stale_offline_and_back),
                cmocka_unit_test(test_stale_without_readings),
                cmocka_unit_test(test_sync_report_is_answered),
                cmocka_unit_test(test_sending_waits_for_reception),
                cmocka_unit_test(test_unknown_product_shows_raw_datapoints),
                cmocka_unit_test(test_unknown_command_and_truncated_datapoint),
                cmocka_unit_test(test_several_reports_of_one_moment_are_one_row),
                cmocka_unit_test(test_endless_reports),
                cmocka_unit_test(test_speed_is_found),
                cmocka_unit_test(test_wrong_speed_in_the_configuration),
                cmocka_unit_test(test_no_speed_to_change),
                cmocka_unit_test(test_echo_is_no_meter),
                cmocka_unit_test(test_port_gone_drops_what_is_pending),
                cmocka_unit_test(test_led_pin_hint),
                cmocka_unit_test(test_product_answer_in_any_shape),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
