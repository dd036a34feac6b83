/* The dialogue with a radio module: its start, and the states that others see, with plain numbers for time. */
#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"

static struct bench b;

/* ---- the start ---- */

static void test_start_up_order(void **state) {
        (void) state;
        bench_begin(&b);
        bench_assert_state(&b, METER_CONNECTING);
        bench_run(&b, 2000);
        assert_string_equal(bench_sent_since(&b, 0), "CR f m i j r");
        assert_int_equal(bench_sent_at(&b, "CR", 0), 0);
        assert_int_equal(bench_sent_at(&b, "f", 0), 100);
        bench_assert_state(&b, METER_ONLINE);
        assert_null(b.session.base.hint);
        assert_true(b.session.base.started);
        assert_string_equal(b.session.base.firmware, "8");
        assert_int_equal(b.session.base.baud_wanted, 0);
        assert_int_equal(b.n_reports, 1);
        assert_int_equal(b.reports[0].count, 3);
        assert_int_equal(bench_value_of(&b, Q_POWER), 909000);
        assert_int_equal(bench_value_of(&b, Q_ENERGY_IMPORT), INT64_C(5858944000));
        assert_int_equal(bench_value_of(&b, Q_ENERGY_EXPORT), INT64_C(7926904000));
        assert_int_equal(b.session.base.latency_last_ms, 85);
        assert_int_equal(b.session.base.latency_count, 1);
        for (unsigned ask = 0; ask < VUE_ASK_COUNT; ask++) {
                assert_int_equal(bench_counter(&b, VUE_REQUESTS + ask), 1);
                assert_int_equal(bench_counter(&b, VUE_ANSWERS + ask), 1);
                assert_int_equal(bench_counter(&b, VUE_TIMEOUTS + ask), 0);
        }
        assert_int_equal(bench_counter(&b, VUE_REJOINS), 0);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 0);
}

static void test_readings_carry_step_and_origin(void **state) {
        char text[24];

        (void) state;
        bench_init(&b);
        b.module.multiplier = 3;
        b.module.divisor = 5000;
        bench_start(&b);
        bench_run(&b, 2000);
        for (unsigned i = 0; i < b.reports[0].count; i++) {
                const struct reading *r = &b.reports[0].readings[i];

                assert_int_equal(r->channel, 0);
                assert_int_equal(r->step, r->quantity == Q_POWER ? 0 : 600);
                vue_protocol.origin_name(r->origin, text, sizeof text);
                assert_string_equal(text, r->quantity == Q_POWER ? "attribute 0x0400" :
                                          r->quantity == Q_ENERGY_IMPORT ? "attribute 0x0000" : "attribute 0x0001");
        }
        assert_int_equal(bench_value_of(&b, Q_POWER), 545400);
}

static void test_drain_waits_for_quiet(void **state) {
        (void) state;
        bench_begin(&b);
        for (int i = 0; i < 8; i++) {
                bench_run(&b, 50);
                bench_text(&b, "SeIhd>");
        }
        bench_run(&b, 1000);
        assert_int_equal(bench_sent_at(&b, "f", 0), 500);
}

static void test_drain_has_an_end(void **state) {
        (void) state;
        bench_begin(&b);
        for (int i = 0; i < 40; i++) {
                bench_run(&b, 50);
                bench_text(&b, "x");
        }
        assert_int_equal(bench_sent_at(&b, "f", 0), 1000);
}

static void test_log_level_is_set_when_wanted(void **state) {
        (void) state;
        bench_init(&b);
        b.config.console_log_level = 10;
        bench_start(&b);
        bench_run(&b, 2000);
        assert_string_equal(bench_sent_since(&b, 0), "CR loglevel 10 f m i j r");
        assert_int_equal(bench_sent_at(&b, "loglevel 10", 0), 100);
        assert_int_equal(bench_sent_at(&b, "f", 0), 200);
}

/* What a module does not hear while it starts, it is told again. */
static void test_log_level_after_a_late_start(void **state) {
        (void) state;
        bench_init(&b);
        b.config.console_log_level = 10;
        b.module.power = false;
        bench_start(&b);
        bench_run(&b, 1000);
        b.module.power = true;
        bench_run(&b, 4000);
        assert_string_equal(bench_sent_since(&b, 0), "CR loglevel 10 f m i j loglevel 10 r f");
        bench_run(&b, 300000);
        assert_int_equal(bench_count(&b, "loglevel 10"), 2);
}

static void test_polls(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_run(&b, 300000);
        assert_int_equal(bench_count(&b, "r"), 11);
        assert_int_equal(bench_count(&b, "f"), 1);
        assert_int_equal(bench_count(&b, "j"), 1);
        assert_int_equal(bench_sent_at(&b, "r", 5) - bench_sent_at(&b, "r", 4), 30000);
        assert_int_equal(bench_counter(&b, VUE_SEQUENCE_GAPS), 0);
        assert_int_equal(b.n_reports, 11);
}

/* ---- states ---- */

static void test_silent_module(void **state) {
        (void) state;
        bench_begin(&b);
        b.module.power = false;
        assert_in_range(bench_run_until(&b, METER_NO_MODULE, 20000), 6000, 6500);
        assert_string_equal(bench_sent_since(&b, 0), "CR f m i r");
        assert_non_null(strstr(b.session.base.hint, "TX"));
        assert_false(b.session.base.started);
        bench_run(&b, 120000);
        bench_assert_state(&b, METER_NO_MODULE);
        assert_int_equal(bench_count(&b, "j"), 0);
        assert_in_range(bench_count(&b, "r"), 4, 6);
        assert_in_range(bench_count(&b, "f"), 20, 40);
        assert_true(bench_counter(&b, VUE_TIMEOUTS + VUE_ASK_READ) >= 4);
        b.module.power = true;
        bench_run_until(&b, METER_ONLINE, 15000);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 0);
        assert_int_equal(bench_count(&b, "j"), 1);
        assert_true(b.session.base.started);
        assert_null(b.session.base.hint);
}

static void test_text_without_answers(void **state) {
        (void) state;
        bench_begin(&b);
        b.module.power = false;
        bench_run_until(&b, METER_NO_MODULE, 20000);
        bench_text(&b, "SeIhd>hello\r\n");
        bench_run(&b, 10);
        assert_non_null(strstr(b.session.base.hint, "text arrives"));
}

static void test_own_requests_heard(void **state) {
        (void) state;
        bench_begin(&b);
        b.module.power = false;
        bench_run(&b, 150);
        bench_text(&b, "$f\r");
        bench_run_until(&b, METER_NO_MODULE, 20000);
        assert_non_null(strstr(b.session.base.hint, "its own requests"));
}

static void test_unprovisioned_then_provisioned(void **state) {
        (void) state;
        bench_init(&b);
        b.module.join = 0;
        b.module.says[VUE_ASK_READ] = false;
        bench_start(&b);
        assert_in_range(bench_run_until(&b, METER_NOT_PROVISIONED, 5000), 100, 1000);
        assert_non_null(strstr(b.session.base.hint, "install code"));
        bench_run(&b, 100000);
        bench_assert_state(&b, METER_NOT_PROVISIONED);
        assert_int_equal(bench_count(&b, "j"), 2);
        assert_int_equal(b.n_reports, 0);
        b.module.join = 1;
        bench_run_until(&b, METER_SEARCHING, 60000);
        b.module.says[VUE_ASK_READ] = true;
        bench_run_until(&b, METER_ONLINE, 31000);
}

static void test_out_of_reach_joins_with_back_off(void **state) {
        static const uint64_t pauses[] = { 30000, 60000, 120000, 300000, 300000 };
        uint64_t first;

        (void) state;
        bench_init(&b);
        b.module.says[VUE_ASK_READ] = false;
        bench_start(&b);
        assert_in_range(bench_run_until(&b, METER_SEARCHING, 20000), 10000, 11000);
        assert_non_null(strstr(b.session.base.hint, "nearer"));
        bench_run(&b, 1000000);
        bench_assert_state(&b, METER_SEARCHING);
        first = bench_sent_at(&b, "j", 1);
        assert_in_range(first - bench_sent_at(&b, "j", 0), 90000, 100500);
        for (unsigned i = 0; i < 5; i++)
                /* A reading that is waited for comes first: up to 10 s. */
                assert_in_range(bench_sent_at(&b, "j", i + 2) - bench_sent_at(&b, "j", i + 1), pauses[i] - 10200,
                                pauses[i] + 10200);
        assert_int_equal(bench_counter(&b, VUE_REJOINS), bench_count(&b, "j") - 1);
        assert_in_range(bench_count(&b, "r"), 33, 34);
        b.module.says[VUE_ASK_READ] = true;
        bench_run_until(&b, METER_ONLINE, 31000);
}

static void test_back_off_begins_anew_after_a_reading(void **state) {
        unsigned before;
        uint64_t lost_ms;

        (void) state;
        bench_reach_online(&b);
        b.module.says[VUE_ASK_READ] = false;
        bench_run(&b, 400000);
        bench_assert_state(&b, METER_SEARCHING);
        b.module.says[VUE_ASK_READ] = true;
        bench_run_until(&b, METER_ONLINE, 31000);
        before = bench_count(&b, "j");
        assert_true(before >= 4);
        b.module.says[VUE_ASK_READ] = false;
        lost_ms = b.now_ms - BENCH_START_MS;
        bench_run(&b, 102000);
        assert_int_equal(bench_count(&b, "j"), before + 1);
        assert_in_range(bench_sent_at(&b, "j", before) - lost_ms, 89000, 100500);
}

static void test_short_polls_use_the_limit_of_30_s(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_ms = 5000;
        b.config.stale_after_ms = 20000;
        bench_start(&b);
        bench_run(&b, 2000);
        b.module.says[VUE_ASK_READ] = false;
        assert_in_range(bench_run_until(&b, METER_STALE, 30000), 20000, 21000);
        assert_in_range(bench_run_until(&b, METER_SEARCHING, 60000), 30000, 42000);
}

static void test_long_polls_do_not_join_all_the_time(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_ms = 300000;
        b.config.stale_after_ms = 905000;
        bench_start(&b);
        bench_run(&b, 3600000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(bench_count(&b, "j"), 1);
        assert_int_equal(bench_count(&b, "r"), 12);
}

static void test_stale_while_nothing_else_is_known(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.module.says[VUE_ASK_READ] = b.module.says[VUE_ASK_JOIN] = false;
        bench_run_until(&b, METER_STALE, 96000);
        bench_run(&b, 60000);
        bench_assert_state(&b, METER_STALE);
        assert_string_equal(b.session.base.reason, "no fresh readings");
}

static void test_power_cycle(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        b.module.power = false;
        bench_run_until(&b, METER_NO_MODULE, 60000);
        assert_string_equal(b.session.base.reason, "the module no longer answers");
        bench_run(&b, 60000);
        before = b.n_sent;
        b.module.power = true;
        b.module.firmware = 7;
        b.module.sequence = 0;
        bench_run_until(&b, METER_ONLINE, 20000);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 1);
        assert_non_null(strstr(bench_sent_since(&b, before), "CR f m i j r"));
        assert_string_equal(b.session.base.firmware, "7");
}

static void test_console_tells_of_a_start(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        bench_text(&b, "\r\nReset info: 0x03 (PWR)\r\n");
        bench_run(&b, 1000);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 0);  /* our own beginning may have provoked it */
        bench_run(&b, 15000);
        before = b.n_sent;
        bench_text(&b, "\r\nReset info: 0x03 (PWR)\r\n");
        bench_run(&b, 1000);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 1);
        assert_string_equal(bench_sent_since(&b, before), "CR f m i j r");
        bench_assert_state(&b, METER_ONLINE);
}

static void test_firmware_is_never_told(void **state) {
        (void) state;
        bench_init(&b);
        b.module.says[VUE_ASK_FIRMWARE] = false;
        bench_start(&b);
        bench_run(&b, 5000);
        bench_assert_state(&b, METER_ONLINE);
        bench_run(&b, 300000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(b.n_reports, 11);
        assert_in_range(bench_count(&b, "f"), 95, 103);
        for (unsigned i = 1; i < bench_count(&b, "f"); i++)
                assert_true(bench_sent_at(&b, "f", i) - bench_sent_at(&b, "f", i - 1) >= 3000);
        assert_string_equal(b.session.base.firmware, "");
        b.module.says[VUE_ASK_FIRMWARE] = true;
        bench_run(&b, 4000);
        assert_string_equal(b.session.base.firmware, "8");
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 0);
}

static void test_nothing_but_readings_is_answered(void **state) {
        (void) state;
        bench_init(&b);
        memset(b.module.says, 0, sizeof b.module.says);
        b.module.says[VUE_ASK_READ] = true;
        bench_start(&b);
        bench_run_until(&b, METER_ONLINE, 8000);
        for (int i = 0; i < 100; i++) {
                bench_run(&b, 5000);
                bench_assert_state(&b, METER_ONLINE);
        }
}

static void test_port_goes_and_comes(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_run(&b, 28250);  /* a reading is on its way */
        vue_protocol.stop(&b.session.base, "the port is gone");
        bench_assert_state(&b, METER_OFFLINE);
        assert_string_equal(b.session.base.reason, "the port is gone");
        assert_int_equal(bench_act(&b, ACTION_QUERY), -EBUSY);
        b.n_answers = 0;
        bench_start(&b);
        bench_assert_state(&b, METER_CONNECTING);
        bench_run(&b, 2000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(bench_counter(&b, VUE_REQUESTS + VUE_ASK_MAC), 2);
        assert_int_equal(bench_counter(&b, VUE_POWER_CYCLES), 0);
}

static void test_never_open(void **state) {
        (void) state;
        bench_init(&b);
        vue_protocol.stop(&b.session.base, "there is no such file");
        bench_assert_state(&b, METER_CONNECTING);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_start_up_order),
                cmocka_unit_test(test_readings_carry_step_and_origin),
                cmocka_unit_test(test_drain_waits_for_quiet),
                cmocka_unit_test(test_drain_has_an_end),
                cmocka_unit_test(test_log_level_is_set_when_wanted),
                cmocka_unit_test(test_log_level_after_a_late_start),
                cmocka_unit_test(test_polls),
                cmocka_unit_test(test_silent_module),
                cmocka_unit_test(test_text_without_answers),
                cmocka_unit_test(test_own_requests_heard),
                cmocka_unit_test(test_unprovisioned_then_provisioned),
                cmocka_unit_test(test_out_of_reach_joins_with_back_off),
                cmocka_unit_test(test_back_off_begins_anew_after_a_reading),
                cmocka_unit_test(test_short_polls_use_the_limit_of_30_s),
                cmocka_unit_test(test_long_polls_do_not_join_all_the_time),
                cmocka_unit_test(test_stale_while_nothing_else_is_known),
                cmocka_unit_test(test_power_cycle),
                cmocka_unit_test(test_console_tells_of_a_start),
                cmocka_unit_test(test_firmware_is_never_told),
                cmocka_unit_test(test_nothing_but_readings_is_answered),
                cmocka_unit_test(test_port_goes_and_comes),
                cmocka_unit_test(test_never_open),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
