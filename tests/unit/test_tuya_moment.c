/* Which moments of a TuyaMCU meter may be published: no false zero, no wrong sign; with plain numbers for time. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

static struct bench b;

static void test_no_acknowledgement_publishes_from_next_report(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.network_state = false;
        bench_run(&b, 20000);
        assert_int_equal(bench_count(&b, TUYA_NETWORK_STATE), 9);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(bench_value_of(&b, Q_POWER), 17700);
        bench_assert_never_zero_volts(&b);
}

static void test_reports_before_acknowledgement_are_not_published(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.network_state = false;
        bench_run(&b, 200);
        bench_report_all(&b, 1, 2, 3);
        bench_run(&b, 1000);
        assert_int_equal(b.n_reports, 0);
        assert_true(bench_counter(&b, TUYA_WITHHELD_STARTING) > 0);
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
        assert_int_equal(bench_value_of(&b, Q_VOLTAGE), 206600);
        bench_assert_never_zero_volts(&b);
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
        assert_int_equal(bench_value_of(&b, Q_VOLTAGE), 206600);
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
        assert_int_equal(bench_value_of(&b, Q_VOLTAGE), 0);
}

static void test_zero_is_confirmed_by_a_heartbeat(void **state) {
        unsigned heartbeats;

        (void) state;
        bench_reach_online(&b);
        heartbeats = bench_count(&b, TUYA_HEARTBEAT);
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 149);
        assert_int_equal(b.n_reports, 1);
        bench_run(&b, 100);
        assert_int_equal(bench_count(&b, TUYA_HEARTBEAT), heartbeats + 1);
        assert_int_equal(bench_value_of(&b, Q_POWER), 0);
}

static void test_zeros_after_restart_are_never_published(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.heartbeat_data = 0;
        b.mcu.cloud = false;
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 5000);
        assert_int_equal(bench_counter(&b, TUYA_RESTARTS), 1);
        assert_int_equal(bench_counter(&b, TUYA_WITHHELD_RESTART), 3);
        bench_assert_never_zero_volts(&b);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_int_equal(b.n_reports, 2);
        assert_non_null(strstr(bench_sent(&b), BENCH_START " " BENCH_START));
}

/* The restarted MCU answers our own poll with zeros before any heartbeat told us. */
static void test_polled_zeros_after_restart(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.heartbeat_data = 0;
        b.mcu.cloud = false;
        bench_run(&b, 30000);
        assert_int_equal(bench_counter(&b, TUYA_RESTARTS), 1);
        bench_assert_never_zero_volts(&b);
        assert_true(b.n_reports >= 2);
}

/* The one answer that tells of the restart is lost on the line. */
static void test_restart_whose_answer_is_lost(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.heartbeat = false;
        b.mcu.cloud = false;
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 1000);
        b.mcu.heartbeat = true;
        bench_run(&b, 20000);
        bench_assert_never_zero_volts(&b);
        assert_non_null(strstr(bench_sent(&b), "08 00 00 01 02 03/02 08 03/03 03/04 08"));
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_true(b.n_reports >= 2);
}

static void test_unconfirmed_zero_is_dropped(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.mcu.heartbeat = b.mcu.query = false;
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 11000);
        assert_int_equal(b.n_reports, 1);
        assert_int_equal(bench_counter(&b, TUYA_WITHHELD_UNCONFIRMED), 1);
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
        assert_int_equal(bench_value_of(&b, Q_POWER), 0);
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
        assert_int_equal(bench_value_of(&b, Q_POWER), 60000);
        /* Nobody can tell to which side of the change this one belongs. */
        bench_report_value(&b, TUYA_REPORT, 101, 700);
        bench_run(&b, 800);
        report_direction(1);
        bench_run(&b, 500);
        assert_int_equal(b.n_reports, 1);
        assert_true(bench_counter(&b, TUYA_WITHHELD_DIRECTION) >= 1);
        bench_report_value(&b, TUYA_REPORT, 101, 710);
        bench_run(&b, 300);
        bench_report_value(&b, TUYA_REPORT, 101, 720);
        bench_run(&b, 900);
        assert_int_equal(bench_value_of(&b, Q_POWER), -71000);
        bench_run(&b, 2000);
        report_direction(0);
        bench_run(&b, 100);
        bench_report_value(&b, TUYA_REPORT, 101, 800);
        bench_run(&b, 1500);
        assert_int_equal(bench_value_of(&b, Q_POWER), -71000);
        bench_report_value(&b, TUYA_REPORT, 101, 810);
        bench_run(&b, 1500);
        assert_int_equal(bench_value_of(&b, Q_POWER), 81000);
        assert_int_equal(b.n_reports, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
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
                cmocka_unit_test(test_direction_in_another_frame),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
