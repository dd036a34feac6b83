/* The TuyaMCU dialogue and the rule of what may be published, with plain numbers for time. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

#define START "00 01 02 03/02 08 03/03 03/04 08"

static struct bench b;

static uint64_t counter(enum tuya_counter c) {
        return b.session.base.counters[c];
}

static int64_t value_of(unsigned quantity) {
        int64_t v = INT64_MIN;

        assert_true(bench_value(&b, quantity, &v));
        return v;
}

static void assert_never_zero_volts(void) {
        for (unsigned n = 0; n < b.n_reports; n++)
                for (unsigned i = 0; i < b.reports[n].count; i++)
                        if (b.reports[n].readings[i].quantity == Q_VOLTAGE)
                                assert_int_not_equal(b.reports[n].readings[i].value, 0);
}

static void reach_online(void) {
        bench_init(&b, bench_profile());
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

static void test_start_up_order(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        bench_run(&b, 5000);
        assert_string_equal(bench_sent(&b), START);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_string_equal(b.session.base.product_key, "djfep9s6s3b2qk89");
        assert_string_equal(b.session.base.firmware, "1.0.0");
        assert_int_equal(value_of(Q_CURRENT), 77);
        assert_int_equal(value_of(Q_POWER), 17700);
        assert_int_equal(value_of(Q_VOLTAGE), 240300);
        assert_int_equal(b.n_reports, 1);
        assert_int_equal(b.reports[0].count, 3);
        assert_never_zero_volts();
        assert_int_equal(counter(TUYA_RESTARTS), 0);
}

static void test_gap_between_frames(void **state) {
        (void) state;
        reach_online();
        for (unsigned i = 1; i < b.n_frames; i++)
                assert_true(b.frames[i].at_ms >= b.frames[i - 1].at_ms + 50);
}

static void test_heartbeat_and_poll_periods(void **state) {
        (void) state;
        reach_online();
        bench_run(&b, 60000);
        assert_in_range(bench_count(&b, TUYA_HEARTBEAT), 6, 8);
        assert_in_range(bench_count(&b, TUYA_QUERY), 2 + 5, 2 + 7);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(counter(TUYA_HEARTBEATS_MISSED), 0);
}

static void test_poll_skipped_when_all_came(void **state) {
        unsigned before;

        (void) state;
        reach_online();
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
        assert_int_equal(counter(TUYA_REQUESTS_UNANSWERED), 1);
}

static void test_no_acknowledgement_publishes_from_next_report(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.network_state = false;
        bench_run(&b, 20000);
        assert_int_equal(bench_count(&b, TUYA_NETWORK_STATE), 9);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(value_of(Q_POWER), 17700);
        assert_never_zero_volts();
}

static void test_reports_before_acknowledgement_are_not_published(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.network_state = false;
        bench_run(&b, 200);
        bench_report_all(&b, 1, 2, 3);
        bench_run(&b, 1000);
        assert_int_equal(b.n_reports, 0);
        assert_true(counter(TUYA_WITHHELD_STARTING) > 0);
        assert_int_equal(datapoint_table_get(&b.session.base.datapoints, 19)->number, 2);
}

static void test_all_zero_start_is_held(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.current_raw = b.mcu.power_raw = b.mcu.voltage_raw = 0;
        bench_run(&b, 3000);
        assert_int_equal(b.n_reports, 0);
        bench_report_all(&b, 84, 83, 2066);
        bench_run(&b, 500);
        assert_int_equal(value_of(Q_VOLTAGE), 206600);
        assert_never_zero_volts();
}

/* As recorded: after the zeros, voltage and power come one by one, and the current not before it changes. */
static void test_held_zeros_do_not_travel_with_real_values(void **state) {
        int64_t v;

        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.current_raw = b.mcu.power_raw = b.mcu.voltage_raw = 0;
        bench_run(&b, 3000);
        bench_report_value(&b, TUYA_REPORT, 20, 2066);
        bench_run(&b, 500);
        assert_int_equal(value_of(Q_VOLTAGE), 206600);
        assert_false(bench_value(&b, Q_CURRENT, &v));
        assert_false(bench_value(&b, Q_POWER, &v));
}

static void test_all_zero_is_believed_after_a_while(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.current_raw = b.mcu.power_raw = b.mcu.voltage_raw = 0;
        bench_run(&b, 29000);
        assert_int_equal(b.n_reports, 0);
        bench_run(&b, 12000);
        assert_int_equal(value_of(Q_VOLTAGE), 0);
}

static void test_zero_is_confirmed_by_a_heartbeat(void **state) {
        unsigned heartbeats;

        (void) state;
        reach_online();
        heartbeats = bench_count(&b, TUYA_HEARTBEAT);
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 149);
        assert_int_equal(b.n_reports, 1);
        bench_run(&b, 100);
        assert_int_equal(bench_count(&b, TUYA_HEARTBEAT), heartbeats + 1);
        assert_int_equal(value_of(Q_POWER), 0);
}

static void test_zeros_after_restart_are_never_published(void **state) {
        (void) state;
        reach_online();
        b.mcu.heartbeat_data = 0;
        b.mcu.cloud = false;
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 5000);
        assert_int_equal(counter(TUYA_RESTARTS), 1);
        assert_int_equal(counter(TUYA_WITHHELD_RESTART), 3);
        assert_never_zero_volts();
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(b.n_reports, 2);
        assert_non_null(strstr(bench_sent(&b), START " 00 01 02 03/02 08 03/03 03/04 08"));
}

/* The restarted MCU answers our own poll with zeros before any heartbeat told us. */
static void test_polled_zeros_after_restart(void **state) {
        (void) state;
        reach_online();
        b.mcu.heartbeat_data = 0;
        b.mcu.cloud = false;
        bench_run(&b, 30000);
        assert_int_equal(counter(TUYA_RESTARTS), 1);
        assert_never_zero_volts();
        assert_true(b.n_reports >= 2);
}

/* The one answer that tells of the restart is lost on the line. */
static void test_restart_whose_answer_is_lost(void **state) {
        (void) state;
        reach_online();
        b.mcu.heartbeat = false;
        b.mcu.cloud = false;
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 1000);
        b.mcu.heartbeat = true;
        bench_run(&b, 20000);
        assert_never_zero_volts();
        assert_non_null(strstr(bench_sent(&b), "08 00 00 01 02 03/02 08 03/03 03/04 08"));
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_true(b.n_reports >= 2);
}

static void test_unconfirmed_zero_is_dropped(void **state) {
        (void) state;
        reach_online();
        b.mcu.heartbeat = b.mcu.query = false;
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 11000);
        assert_int_equal(b.n_reports, 1);
        assert_int_equal(counter(TUYA_WITHHELD_UNCONFIRMED), 1);
}

static void test_zero_without_heartbeat_is_published(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.heartbeat = false;
        bench_receive(&b, 3, TUYA_REPORT, NULL, 0);
        bench_run(&b, 9000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 300);
        assert_int_equal(value_of(Q_POWER), 0);
}

static void test_silence_stale_offline_and_back(void **state) {
        (void) state;
        reach_online();
        b.mcu.heartbeat = b.mcu.query = b.mcu.product = b.mcu.mode = b.mcu.network_state = false;
        bench_run(&b, 24500);
        assert_int_equal(b.session.base.state, METER_STALE);
        assert_true(counter(TUYA_HEARTBEATS_MISSED) >= 2);
        bench_run(&b, 12000);
        assert_int_equal(b.session.base.state, METER_OFFLINE);
        b.mcu.heartbeat = b.mcu.query = b.mcu.product = b.mcu.mode = b.mcu.network_state = true;
        bench_run(&b, 5000);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(b.n_reports, 2);
}

static void test_stale_without_readings(void **state) {
        (void) state;
        reach_online();
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
        reach_online();
        bench_report_value(&b, TUYA_REPORT_SYNC, 19, 180);
        bench_run(&b, 300);
        assert_int_equal(b.frames[b.n_frames - 1].command, TUYA_REPORT_SYNC_ANSWER);
        assert_int_equal(b.frames[b.n_frames - 1].data_len, 1);
        assert_int_equal(b.frames[b.n_frames - 1].data[0], 1);
        assert_int_equal(counter(TUYA_SYNC_ACKNOWLEDGED), 1);
        assert_int_equal(value_of(Q_POWER), 18000);
}

/* Answers go first, but wait for the end of a frame that is on its way - not for ever, though. */
static void test_sending_waits_for_reception(void **state) {
        unsigned before;

        (void) state;
        reach_online();
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
        reach_online();
        bench_receive(&b, 3, 0x77, NULL, 0);
        bench_receive(&b, 3, TUYA_REPORT, (const uint8_t[]) { 18, 2, 0, 4, 0, 0, 0, 99, 19, 2, 0, 4, 1 }, 13);
        bench_run(&b, 300);
        assert_int_equal(counter(TUYA_UNKNOWN_COMMANDS), 1);
        assert_int_equal(counter(TUYA_DP_ERRORS), 1);
        assert_int_equal(value_of(Q_CURRENT), 99);
        assert_int_equal(value_of(Q_POWER), 17700);
}

static void test_several_reports_of_one_moment_are_one_row(void **state) {
        (void) state;
        reach_online();
        bench_report_value(&b, TUYA_REPORT, 20, 2310);
        bench_run(&b, 40);
        bench_report_value(&b, TUYA_REPORT, 19, 200);
        bench_run(&b, 40);
        bench_report_value(&b, TUYA_REPORT, 19, 210);
        bench_run(&b, 400);
        assert_int_equal(b.n_reports, 2);
        assert_int_equal(b.reports[1].count, 2);
        assert_int_equal(value_of(Q_POWER), 21000);
}

/* A meter that never pauses still gets a row each second. */
static void test_endless_reports(void **state) {
        (void) state;
        reach_online();
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
        assert_int_equal(counter(TUYA_BAUD_CHANGES), 1);
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
        assert_int_equal(counter(TUYA_BAUD_CHANGES), 0);
}

static void test_listen_only_never_sends(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 9600, .poll_ms = 10000,
                                                   .stale_after_ms = 35000, .listen_only = true });
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 1000);
        assert_int_equal(b.n_reports, 0);
        bench_report_value(&b, TUYA_REPORT_SYNC, 19, 175);
        bench_run(&b, 1000);
        assert_int_equal(value_of(Q_POWER), 17500);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        bench_run(&b, 40000);
        assert_int_equal(b.n_frames, 0);
        assert_int_equal(b.session.base.state, METER_OFFLINE);
}

/* On a shared line the real module's state 04 and the MCU's acknowledgement open the gate at once. */
static void test_listen_only_sees_the_acknowledgement(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 9600, .poll_ms = 10000,
                                                   .stale_after_ms = 35000, .listen_only = true });
        bench_receive(&b, 0, TUYA_NETWORK_STATE, (const uint8_t[]) { 4 }, 1);
        bench_receive(&b, 3, TUYA_NETWORK_STATE, NULL, 0);
        assert_true(b.session.publishing);
        assert_int_equal(b.n_frames, 0);
}

/* What the module sends may come on a line of its own. It shows no life of the meter. */
static void test_listen_only_hears_the_module_apart(void **state) {
        uint8_t frame[16];
        size_t n;

        (void) state;
        bench_init(&b, bench_profile());
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 9600, .poll_ms = 10000,
                                                   .stale_after_ms = 35000, .listen_only = true });
        n = tuya_frame_build(frame, sizeof frame, 0, TUYA_NETWORK_STATE, (const uint8_t[]) { 4 }, 1);
        tuyamcu_protocol.request(&b.session.base, b.now_ms, frame, n);
        bench_run(&b, 1000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        bench_receive(&b, 3, TUYA_NETWORK_STATE, NULL, 0);
        assert_true(b.session.publishing);
        n = tuya_frame_build(frame, sizeof frame, 0, TUYA_QUERY, NULL, 0);
        tuyamcu_protocol.request(&b.session.base, b.now_ms, frame, n);
        bench_run(&b, 70);
        bench_report_all(&b, 77, 177, 2403);
        bench_run(&b, 1000);
        assert_int_equal(value_of(Q_POWER), 17700);
        assert_int_equal(b.session.base.latency_count, 1);
        assert_int_equal(b.session.base.latency_last_ms, 70);
        assert_null(b.session.base.hint);
        assert_int_equal(b.n_frames, 0);
}

/* On one receiver the module's questions are told from the meter's answers by what is in them. */
static void test_listen_only_takes_no_question_for_life(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 9600, .poll_ms = 10000,
                                                   .stale_after_ms = 35000, .listen_only = true });
        bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        bench_receive(&b, 0, TUYA_PRODUCT, NULL, 0);
        bench_receive(&b, 0, TUYA_MODE, NULL, 0);
        bench_receive(&b, 0, TUYA_NETWORK_STATE, (const uint8_t[]) { 4 }, 1);
        bench_receive(&b, 0, TUYA_QUERY, NULL, 0);
        bench_receive(&b, 0, TUYA_SET, (const uint8_t[]) { 1, 1, 0, 1, 1 }, 5);
        bench_run(&b, 1000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_int_equal(counter(TUYA_UNKNOWN_COMMANDS), 0);
        bench_receive(&b, 3, TUYA_HEARTBEAT, (const uint8_t[]) { 1 }, 1);
        bench_run(&b, 10);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

static void test_listen_only_looks_for_the_speed(void **state) {
        uint32_t first, second;

        (void) state;
        bench_init(&b, NULL);
        bench_start(&b, &(struct session_config) { .poll_ms = 10000, .stale_after_ms = 35000, .listen_only = true,
                                                   .has_speed = true });
        b.session.base.baud_wanted = first = tuyamcu_protocol.bauds[0];
        bench_run(&b, 19000);
        assert_int_equal(b.session.base.baud_wanted, first);
        bench_run(&b, 2000);
        second = b.session.base.baud_wanted;
        assert_int_not_equal(second, first);
        bench_run(&b, 20000);
        assert_int_not_equal(b.session.base.baud_wanted, second);
        assert_int_equal(counter(TUYA_BAUD_CHANGES), 2);
        /* The module is enough to know that the speed is right. */
        bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        bench_run(&b, 3600000);
        assert_int_equal(counter(TUYA_BAUD_CHANGES), 2);
        assert_int_equal(b.n_frames, 0);
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
        assert_true(counter(TUYA_ECHOES) >= 9);
        assert_non_null(strstr(b.session.base.hint, "own frames"));
}

static void test_port_gone_drops_what_is_pending(void **state) {
        (void) state;
        reach_online();
        bench_report_value(&b, TUYA_REPORT, 19, 555);
        tuyamcu_protocol.stop(&b.session.base, "the port is gone");
        assert_int_equal(b.session.base.state, METER_OFFLINE);
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 115200, .poll_ms = 10000,
                                                   .stale_after_ms = 35000 });
        bench_run(&b, 5000);
        assert_int_equal(b.n_reports, 2);
        assert_int_equal(value_of(Q_POWER), 17700);
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

/* dp 101: power without a sign, dp 102: its direction, 1 = export. */
static const struct profile *direction_profile(void) {
        static struct profile *p;

        if (p)
                return p;
        p = calloc(1, sizeof *p + 2 * sizeof p->datapoints[0]);
        assert_non_null(p);
        strcpy(p->name, "two-way");
        p->n_channels = 1;
        p->n_datapoints = 2;
        p->datapoints[0] = (struct profile_datapoint) { .id = 101, .type = DATAPOINT_VALUE, .quantity = Q_POWER,
                                                        .scale_num = 100, .scale_den = 1, .direction_id = 102,
                                                        .direction_reverse = 1 };
        p->datapoints[1] = (struct profile_datapoint) { .id = 102, .type = DATAPOINT_ENUM, .quantity = Q_NONE,
                                                        .scale_num = 1, .scale_den = 1 };
        return p;
}

static void report_direction(unsigned direction) {
        bench_receive(&b, 3, TUYA_REPORT, (const uint8_t[]) { 102, 4, 0, 1, (uint8_t) direction }, 5);
}

/* The direction comes in its own frame, before or after the power: never a sample with the wrong sign. */
static void test_direction_in_another_frame(void **state) {
        (void) state;
        bench_init(&b, direction_profile());
        b.mcu.query = false;
        bench_run(&b, 12000);
        bench_report_value(&b, TUYA_REPORT, 101, 500);
        bench_run(&b, 3000);
        assert_int_equal(b.n_reports, 0);  /* no direction was ever told */
        report_direction(0);
        bench_run(&b, 500);
        bench_report_value(&b, TUYA_REPORT, 101, 600);
        bench_run(&b, 900);
        assert_int_equal(b.n_reports, 0);  /* the direction may still change */
        bench_run(&b, 300);
        assert_int_equal(value_of(Q_POWER), 60000);
        /* Nobody can tell to which side of the change this one belongs. */
        bench_report_value(&b, TUYA_REPORT, 101, 700);
        bench_run(&b, 800);
        report_direction(1);
        bench_run(&b, 500);
        assert_int_equal(b.n_reports, 1);
        assert_true(counter(TUYA_WITHHELD_DIRECTION) >= 1);
        bench_report_value(&b, TUYA_REPORT, 101, 710);
        bench_run(&b, 300);
        bench_report_value(&b, TUYA_REPORT, 101, 720);
        bench_run(&b, 900);
        assert_int_equal(value_of(Q_POWER), -71000);
        bench_run(&b, 2000);
        report_direction(0);
        bench_run(&b, 100);
        bench_report_value(&b, TUYA_REPORT, 101, 800);
        bench_run(&b, 1500);
        assert_int_equal(value_of(Q_POWER), -71000);
        bench_report_value(&b, TUYA_REPORT, 101, 810);
        bench_run(&b, 1500);
        assert_int_equal(value_of(Q_POWER), 81000);
        assert_int_equal(b.n_reports, 3);
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
                cmocka_unit_test(test_no_acknowledgement_publishes_from_next_report),
                cmocka_unit_test(test_reports_before_acknowledgement_are_not_published),
                cmocka_unit_test(test_all_zero_start_is_held),
                cmocka_unit_test(test_held_zeros_do_not_travel_with_real_values),
                cmocka_unit_test(test_all_zero_is_believed_after_a_while),
                cmocka_unit_test(test_zero_is_confirmed_by_a_heartbeat),
                cmocka_unit_test(test_zeros_after_restart_are_never_published),
                cmocka_unit_test(test_polled_zeros_after_restart),
                cmocka_unit_test(test_restart_whose_answer_is_lost),
                cmocka_unit_test(test_unconfirmed_zero_is_dropped),
                cmocka_unit_test(test_zero_without_heartbeat_is_published),
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
                cmocka_unit_test(test_listen_only_never_sends),
                cmocka_unit_test(test_listen_only_sees_the_acknowledgement),
                cmocka_unit_test(test_listen_only_hears_the_module_apart),
                cmocka_unit_test(test_listen_only_takes_no_question_for_life),
                cmocka_unit_test(test_listen_only_looks_for_the_speed),
                cmocka_unit_test(test_echo_is_no_meter),
                cmocka_unit_test(test_port_gone_drops_what_is_pending),
                cmocka_unit_test(test_led_pin_hint),
                cmocka_unit_test(test_direction_in_another_frame),
                cmocka_unit_test(test_product_answer_in_any_shape),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
