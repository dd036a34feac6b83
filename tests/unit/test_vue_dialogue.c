/* Answers that come late, twice or not at all, polls on the wall clock, listening, and what the owner asks. */
#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"

static struct bench b;

/* ---- answers that come late, twice, or not ---- */

static void test_late_answers_count(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.module.delay_ms[VUE_ASK_READ] = 12000;
        bench_run(&b, 295000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(b.n_reports, 10);
        assert_int_equal(bench_counter(&b, VUE_LATE_ANSWERS), 9);
        assert_int_equal(bench_counter(&b, VUE_TIMEOUTS + VUE_ASK_READ), 9);
        assert_int_equal(bench_counter(&b, VUE_ANSWERS + VUE_ASK_READ), 10);
        assert_int_equal(bench_counter(&b, VUE_UNASKED), 0);
        assert_int_equal(b.session.base.latency_max_ms, 85);
}

static void test_late_identity(void **state) {
        (void) state;
        bench_init(&b);
        b.module.delay_ms[VUE_ASK_FIRMWARE] = b.module.delay_ms[VUE_ASK_MAC] = 2500;
        bench_start(&b);
        bench_run(&b, 10000);
        bench_assert_state(&b, METER_ONLINE);
        assert_string_equal(b.session.base.firmware, "8");
        bench_assert_text(&b, "mac", "70:B3:D5:EB:80:00:9A:BC");
        assert_int_equal(bench_counter(&b, VUE_LATE_ANSWERS), 2);
}

static void test_one_request_at_a_time_and_none_at_once_again(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_ms = 5000;
        b.config.stale_after_ms = 20000;
        memset(b.module.says, 0, sizeof b.module.says);
        b.module.says[VUE_ASK_FIRMWARE] = true;
        bench_start(&b);
        bench_run(&b, 600000);
        for (unsigned i = 1; i < b.n_sent; i++) {
                const struct bench_sent *a = &b.sent[i - 1], *c = &b.sent[i];
                uint64_t gap = c->at_ms - a->at_ms;

                assert_true(gap >= 20);
                if (strchr("rj", a->text[0]))
                        assert_true(gap >= 10000);
                if (strchr("mi", a->text[0]))
                        assert_true(gap >= 2000);
                if (strcmp(a->text, c->text) == 0)
                        assert_true(gap >= 2500);
        }
        assert_true(bench_count(&b, "r") > 30);
}

static void test_repetitions(void **state) {
        (void) state;
        bench_init(&b);
        b.module.repeats = true;
        bench_start(&b);
        bench_run(&b, 300000);
        assert_int_equal(b.n_reports, 10);
        assert_int_equal(bench_counter(&b, VUE_DUPLICATES), 10);
        assert_int_equal(bench_counter(&b, VUE_UNASKED), 0);
        assert_int_equal(bench_counter(&b, VUE_SEQUENCE_GAPS), 0);
}

static void test_repeated_dumps(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_init(&b);
        b.module.dump = true;
        b.module.firmware = 2;
        bench_start(&b);
        bench_run(&b, 2000);
        b.module.says[VUE_ASK_READ] = false;
        len = bench_reading(&b, payload);
        bench_frame(&b, 'r', payload, len);
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 100);
        assert_int_equal(b.n_reports, 2);
        assert_int_equal(bench_counter(&b, VUE_DUPLICATES), 1);
        bench_run(&b, 28200);  /* the next one is asked for */
        assert_true(b.session.request.waiting);
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 100);
        assert_int_equal(b.n_reports, 3);  /* the house stood still */
}

static void test_unasked_readings_count(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_reach_online(&b);
        b.module.import++;
        len = bench_reading(&b, payload);
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 10);
        assert_int_equal(bench_value_of(&b, Q_ENERGY_IMPORT), INT64_C(5858945000));
        assert_int_equal(bench_counter(&b, VUE_UNASKED), 1);
}

static void test_more_readings_than_fit(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];

        (void) state;
        bench_reach_online(&b);
        for (int i = 0; i < 9; i++) {
                size_t len;

                b.module.import++;
                len = bench_reading(&b, payload);
                bench_frame(&b, 'r', payload, len);
        }
        bench_run(&b, 10);
        assert_int_equal(b.n_reports, 1 + VUE_PENDING_MAX);
        assert_int_equal(bench_value_of(&b, Q_ENERGY_IMPORT), INT64_C(5858953000));
}

/* ---- polls on the wall clock ---- */

static void test_aligned_polls(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_aligned = true;
        b.session.base.clock = (struct session_clock) { .known = true, .utc_minus_now_ms = INT64_C(1795255207123),
                                                        .zone_offset_s = 3600 };
        bench_start(&b);
        bench_run(&b, 300000);
        assert_in_range(bench_count(&b, "r"), 10, 11);
        for (unsigned i = 1; i < bench_count(&b, "r"); i++) {
                uint64_t at_ms = bench_sent_at(&b, "r", i) + BENCH_START_MS;

                assert_int_equal((at_ms + UINT64_C(1795255207123)) % 30000, 0);
                assert_true(bench_sent_at(&b, "r", i) - bench_sent_at(&b, "r", i - 1) >= 15000);
        }
}

static void test_aligned_to_local_time(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_ms = 3600000;
        b.config.stale_after_ms = 3 * 3600000 + 5000;
        b.config.poll_aligned = true;
        b.session.base.clock = (struct session_clock) { .known = true, .utc_minus_now_ms = INT64_C(1795255200000),
                                                        .zone_offset_s = 19800 };
        bench_start(&b);
        bench_run(&b, 3 * 3600000);
        for (unsigned i = 1; i < bench_count(&b, "r"); i++)
                assert_int_equal((bench_sent_at(&b, "r", i) + BENCH_START_MS + UINT64_C(1795255200000) + 19800000) %
                                 3600000, 0);
        assert_true(bench_count(&b, "r") >= 3);
}

static void test_alignment_waits_for_the_clock(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_aligned = true;
        bench_start(&b);
        bench_run(&b, 100000);
        assert_int_equal(bench_sent_at(&b, "r", 2) - bench_sent_at(&b, "r", 1), 30000);
        b.session.base.clock = (struct session_clock) { .known = true, .utc_minus_now_ms = 11 };
        bench_run(&b, 100000);
        assert_int_equal((bench_sent_at(&b, "r", 5) + BENCH_START_MS + 11) % 30000, 0);
}

/* A clock that goes back a little at each poll does not double it. */
static void test_alignment_with_a_drifting_clock(void **state) {
        (void) state;
        bench_init(&b);
        b.config.poll_aligned = true;
        b.session.base.clock = (struct session_clock) { .known = true, .utc_minus_now_ms = INT64_C(1795255200000) };
        bench_start(&b);
        for (int i = 0; i < 300; i++) {
                bench_run(&b, 1000);
                b.session.base.clock.utc_minus_now_ms -= 3;
        }
        assert_in_range(bench_count(&b, "r"), 10, 11);
}

/* ---- listening ---- */

static void test_listening(void **state) {
        static const uint8_t bad = 0, good = 1;
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_init(&b);
        b.config.listen_only = true;
        bench_start(&b);
        bench_run(&b, 50000);
        bench_assert_state(&b, METER_CONNECTING);
        assert_null(b.session.base.hint);
        bench_run(&b, 20000);
        assert_non_null(strstr(b.session.base.hint, "P5"));
        bench_frame(&b, 'f', &b.module.firmware, 1);
        bench_frame(&b, 'j', &bad, 1);
        bench_run(&b, 10);
        bench_assert_state(&b, METER_NOT_PROVISIONED);
        assert_string_equal(b.session.base.firmware, "8");
        bench_frame(&b, 'j', &good, 1);
        bench_run(&b, 30000);
        bench_assert_state(&b, METER_SEARCHING);
        len = bench_reading(&b, payload);
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 10);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(b.n_reports, 1);
        bench_run(&b, 94000);
        bench_assert_state(&b, METER_ONLINE);
        bench_run(&b, 2000);
        bench_assert_state(&b, METER_STALE);
        assert_string_equal(b.session.base.reason, "the line is silent");
        bench_run(&b, 3600000);
        assert_int_equal(b.n_sent, 0);
        assert_int_equal(bench_act(&b, ACTION_REJOIN), -EOPNOTSUPP);
}

/* The requests of the module's own host, on a line of their own: answers are told from what nobody asked for. */
static void test_listening_to_requests(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_init(&b);
        b.config.listen_only = true;
        bench_start(&b);
        vue_protocol.request(&b.session.base, b.now_ms, (const uint8_t *) "$r\r", 3);
        bench_run(&b, 80);
        len = bench_reading(&b, payload);
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 10);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(bench_counter(&b, VUE_REQUESTS + VUE_ASK_READ), 1);
        assert_int_equal(bench_counter(&b, VUE_ANSWERS + VUE_ASK_READ), 1);
        assert_int_equal(b.session.base.latency_last_ms, 80);
        /* What no answer comes to is given up, by the clock or with the next request. */
        vue_protocol.request(&b.session.base, b.now_ms, (const uint8_t *) "$f\r", 3);
        vue_protocol.request(&b.session.base, b.now_ms, (const uint8_t *) "$r\r", 3);
        assert_int_equal(bench_counter(&b, VUE_TIMEOUTS + VUE_ASK_FIRMWARE), 1);
        bench_run(&b, 11000);
        assert_int_equal(bench_counter(&b, VUE_TIMEOUTS + VUE_ASK_READ), 1);
        /* What only resets the module is none of ours, and nothing to wait for. */
        vue_protocol.request(&b.session.base, b.now_ms, (const uint8_t *) "$d\r", 3);
        bench_frame(&b, 'j', (const uint8_t[]) { 1 }, 1);
        assert_int_equal(bench_counter(&b, VUE_UNASKED), 1);
        assert_int_equal(b.n_sent, 0);
}

/* A record dump has no number: where nobody is heard asking, an equal one a poll later is a reading of its own. */
static void test_listening_to_equal_dumps(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_init(&b);
        b.config.listen_only = true;
        b.module.dump = true;
        bench_start(&b);
        len = bench_reading(&b, payload);
        for (unsigned i = 0; i < 10; i++) {
                bench_frame(&b, 'r', payload, len);
                bench_run(&b, 30000);
        }
        assert_int_equal(bench_counter(&b, VUE_DUPLICATES), 0);
        assert_int_equal(b.n_reports, 10);
        bench_assert_state(&b, METER_ONLINE);
}

/* ---- what the owner asks ---- */

static void test_owner_joins(void **state) {
        unsigned before;

        (void) state;
        bench_begin(&b);
        assert_int_equal(bench_act(&b, ACTION_REJOIN), -EBUSY);
        bench_run(&b, 10000);
        assert_int_equal(bench_act(&b, ACTION_SET_DATAPOINT), -EOPNOTSUPP);
        before = b.n_sent;
        assert_int_equal(bench_act(&b, ACTION_REJOIN), 0);
        assert_int_equal(bench_act(&b, ACTION_REJOIN), 0);
        bench_run(&b, 100);
        assert_string_equal(bench_sent_since(&b, before), "j");
        assert_int_equal(bench_counter(&b, VUE_REJOINS), 1);
        for (int i = 0; i < 100; i++) {
                bench_act(&b, ACTION_REJOIN);
                bench_run(&b, 100);
        }
        assert_in_range(bench_counter(&b, VUE_REJOINS), 2, 4);
        bench_assert_state(&b, METER_ONLINE);
}

static void test_owner_reads(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        bench_run(&b, 10000);
        before = bench_count(&b, "r");
        assert_int_equal(bench_act(&b, ACTION_QUERY), 0);
        bench_run(&b, 1000);
        assert_int_equal(bench_count(&b, "r"), before + 1);
        for (int i = 0; i < 1000; i++) {
                bench_act(&b, ACTION_QUERY);
                bench_run(&b, 10);
        }
        assert_in_range(bench_count(&b, "r"), before + 9, before + 12);
        b.module.power = false;
        bench_run_until(&b, METER_NO_MODULE, 60000);
        assert_int_equal(bench_act(&b, ACTION_QUERY), -EBUSY);
        assert_int_equal(bench_act(&b, ACTION_COUNT), -EBUSY);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_late_answers_count),
                cmocka_unit_test(test_late_identity),
                cmocka_unit_test(test_one_request_at_a_time_and_none_at_once_again),
                cmocka_unit_test(test_repetitions),
                cmocka_unit_test(test_repeated_dumps),
                cmocka_unit_test(test_unasked_readings_count),
                cmocka_unit_test(test_more_readings_than_fit),
                cmocka_unit_test(test_aligned_polls),
                cmocka_unit_test(test_aligned_to_local_time),
                cmocka_unit_test(test_alignment_waits_for_the_clock),
                cmocka_unit_test(test_alignment_with_a_drifting_clock),
                cmocka_unit_test(test_listening),
                cmocka_unit_test(test_listening_to_requests),
                cmocka_unit_test(test_listening_to_equal_dumps),
                cmocka_unit_test(test_owner_joins),
                cmocka_unit_test(test_owner_reads),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
