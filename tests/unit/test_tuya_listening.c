/* A TuyaMCU meter that is only listened to: what is learnt without a word of our own. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

static struct bench b;

static void begin_listening(void) {
        bench_init(&b, bench_profile());
        bench_start(&b, &(struct session_config) { .profile = bench_profile(), .baud = 9600, .poll_ms = 10000,
                                                   .stale_after_ms = 35000, .listen_only = true });
}

static void test_listen_only_never_sends(void **state) {
        (void) state;
        begin_listening();
        bench_report_all(&b, 0, 0, 0);
        bench_run(&b, 1000);
        assert_int_equal(b.n_reports, 0);
        bench_report_value(&b, TUYA_REPORT_SYNC, 19, 175);
        bench_run(&b, 1000);
        assert_int_equal(bench_value_of(&b, Q_POWER), 17500);
        assert_int_equal(b.session.base.state, METER_ONLINE);
        bench_run(&b, 40000);
        assert_int_equal(b.n_frames, 0);
        assert_int_equal(b.session.base.state, METER_OFFLINE);
}

/* On a shared line the real module's state 04 and the MCU's acknowledgement open the gate at once. */
static void test_listen_only_sees_the_acknowledgement(void **state) {
        (void) state;
        begin_listening();
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
        begin_listening();
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
        assert_int_equal(bench_value_of(&b, Q_POWER), 17700);
        assert_int_equal(b.session.base.latency_count, 1);
        assert_int_equal(b.session.base.latency_last_ms, 70);
        assert_null(b.session.base.hint);
        assert_int_equal(b.n_frames, 0);
}

/* On one receiver the module's questions are told from the meter's answers by what is in them. */
static void test_listen_only_takes_no_question_for_life(void **state) {
        (void) state;
        begin_listening();
        bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        bench_receive(&b, 0, TUYA_PRODUCT, NULL, 0);
        bench_receive(&b, 0, TUYA_MODE, NULL, 0);
        bench_receive(&b, 0, TUYA_NETWORK_STATE, (const uint8_t[]) { 4 }, 1);
        bench_receive(&b, 0, TUYA_QUERY, NULL, 0);
        bench_receive(&b, 0, TUYA_SET, (const uint8_t[]) { 1, 1, 0, 1, 1 }, 5);
        bench_run(&b, 1000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_int_equal(bench_counter(&b, TUYA_UNKNOWN_COMMANDS), 0);
        bench_receive(&b, 3, TUYA_HEARTBEAT, (const uint8_t[]) { 1 }, 1);
        bench_run(&b, 10);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

/* The receiver hangs on the line to the meter: its answers to the meter, which nobody hears, are no meter. */
static void test_listen_only_takes_no_answer_for_life(void **state) {
        (void) state;
        begin_listening();
        bench_run(&b, 1000);
        assert_non_null(strstr(b.session.base.hint, "nothing understandable"));
        bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        bench_receive(&b, 0, TUYA_LOCAL_TIME, (const uint8_t[]) { 1, 26, 11, 21, 10, 0, 0, 6 }, 8);
        bench_receive(&b, 0, TUYA_SIGNAL, (const uint8_t[]) { 0xce }, 1);
        bench_receive(&b, 0, TUYA_REPORT_SYNC_ANSWER, (const uint8_t[]) { 1 }, 1);
        bench_receive(&b, 0, TUYA_EXTENDED, (const uint8_t[]) { 0x0b, 0 }, 2);
        bench_receive(&b, 0, TUYA_SELECT_PAIRING, NULL, 0);
        bench_receive(&b, 0, TUYA_SET, (const uint8_t[]) { 20, 2, 0, 4, 0, 0, 9, 99 }, 8);
        bench_run(&b, 60000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_non_null(strstr(b.session.base.hint, "the module is heard, the meter is not"));
        assert_int_equal(b.n_reports, 0);
        /* A meter of version 0. */
        bench_receive(&b, 0, TUYA_PRODUCT, (const uint8_t *) "{\"p\":\"x\"}", 9);
        bench_run(&b, 10);
        assert_int_equal(b.session.base.state, METER_STALE);
        assert_null(b.session.base.hint);
        bench_report_value(&b, TUYA_REPORT, 20, 2403);
        bench_run(&b, 1000);
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
        assert_int_equal(bench_counter(&b, TUYA_BAUD_CHANGES), 2);
        /* The module is enough to know that the speed is right. */
        bench_receive(&b, 0, TUYA_HEARTBEAT, NULL, 0);
        bench_run(&b, 3600000);
        assert_int_equal(bench_counter(&b, TUYA_BAUD_CHANGES), 2);
        assert_int_equal(b.n_frames, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_listen_only_never_sends),
                cmocka_unit_test(test_listen_only_sees_the_acknowledgement),
                cmocka_unit_test(test_listen_only_hears_the_module_apart),
                cmocka_unit_test(test_listen_only_takes_no_question_for_life),
                cmocka_unit_test(test_listen_only_takes_no_answer_for_life),
                cmocka_unit_test(test_listen_only_looks_for_the_speed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
