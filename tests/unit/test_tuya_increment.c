/* Energies that a meter tells as what flowed since its last report: each counts once, whatever an answer repeats and
 * whichever moment is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "session_bench.h"

static struct bench b;

static struct profile *increment_profile(void) {
        struct profile *p = calloc(1, sizeof *p + 2 * sizeof p->datapoints[0]);

        assert_non_null(p);
        p->n_channels = 1;
        p->n_datapoints = 2;
        p->datapoints[0] = (struct profile_datapoint) { .id = 17, .type = DATAPOINT_VALUE, .quantity = Q_ENERGY_IMPORT,
                                                        .scale_num = 1000, .scale_den = 1, .is_increment = true };
        p->datapoints[1] = (struct profile_datapoint) { .id = 19, .type = DATAPOINT_VALUE, .quantity = Q_POWER,
                                                        .scale_num = 100, .scale_den = 1 };
        return p;
}

/* All increments that were published, in Wh. */
static int64_t counted(void) {
        int64_t sum = 0;

        for (unsigned i = 0; i < b.n_reports; i++)
                for (unsigned k = 0; k < b.reports[i].count; k++)
                        if (b.reports[i].readings[k].is_increment)
                                sum += b.reports[i].readings[k].value;
        return sum / 1000;
}

/* The MCU is asked now, and this is what its answer says of the increment. */
static void answer_with(int32_t increment) {
        unsigned queries = bench_count(&b, TUYA_QUERY);

        b.mcu.query = false;
        while (bench_count(&b, TUYA_QUERY) == queries)
                bench_run(&b, 100);
        b.n_frames = 0;
        bench_report_value(&b, TUYA_REPORT, 17, increment);
        bench_report_value(&b, TUYA_REPORT, 19, 263);
        bench_run(&b, 1000);
}

static void report_by_itself(int32_t increment) {
        b.mcu.query = true;
        while (tuya_is_awaited(&b.session, TUYA_QUERY))
                bench_run(&b, 100);
        bench_report_value(&b, TUYA_REPORT, 17, increment);
        bench_run(&b, 1000);
}

static void begin_increments(struct profile *p) {
        bench_init(&b, p);
        bench_run(&b, 5000);
        b.n_reports = 0;
}

/* Each that comes counts, and one of before is not told again. */
static void test_each_counts_once(void **state) {
        struct profile *p = increment_profile();

        (void) state;
        begin_increments(p);
        bench_report_value(&b, TUYA_REPORT, 17, 2);
        bench_run(&b, 20);
        bench_report_value(&b, TUYA_REPORT, 17, 3);
        bench_run(&b, 1000);
        assert_int_equal(counted(), 5);
        assert_int_equal(b.n_reports, 1);
        bench_report_value(&b, TUYA_REPORT, 17, 0);
        bench_run(&b, 1000);
        bench_report_value(&b, TUYA_REPORT, 17, 1);
        bench_run(&b, 1000);
        assert_int_equal(counted(), 6);
        assert_int_equal(b.n_reports, 3);
        free(p);
}

/* It shows its last report in every answer. */
static void test_answers_repeat(void **state) {
        struct profile *p = increment_profile();

        (void) state;
        begin_increments(p);
        for (unsigned i = 0; i < 5; i++)
                answer_with(140);
        assert_int_equal(counted(), 0);
        report_by_itself(71);
        for (unsigned i = 0; i < 5; i++)
                answer_with(71);
        report_by_itself(71);
        report_by_itself(60);
        assert_int_equal(counted(), 71 + 71 + 60);
        /* A report of 50 was lost on the line. */
        for (unsigned i = 0; i < 5; i++)
                answer_with(60);
        for (unsigned i = 0; i < 5; i++)
                answer_with(50);
        assert_int_equal(counted(), 71 + 71 + 60);
        assert_int_equal(b.session.base.counters[TUYA_WITHHELD_REPEATED], 20);
        free(p);
}

/* It begins anew after each answer. */
static void test_answers_are_new(void **state) {
        struct profile *p = increment_profile();

        (void) state;
        begin_increments(p);
        answer_with(140);
        assert_int_equal(counted(), 0);
        answer_with(0);
        assert_int_equal(counted(), 140);
        answer_with(2);
        answer_with(2);
        report_by_itself(5);
        answer_with(1);
        assert_int_equal(counted(), 140 + 2 + 2 + 5 + 1);
        /* Smaller ones show it as well, not as soon. */
        begin_increments(p);
        answer_with(9);
        answer_with(8);
        answer_with(7);
        assert_int_equal(counted(), 0);
        answer_with(6);
        assert_int_equal(counted(), 9 + 8 + 7 + 6);
        free(p);
}

/* The answers show what has gathered for the next report. */
static void test_answers_gather(void **state) {
        struct profile *p = increment_profile();

        (void) state;
        begin_increments(p);
        for (int32_t hour = 0; hour < 3; hour++) {
                for (int32_t i = 1; i < 6; i++)
                        answer_with(i);
                report_by_itself(6);
        }
        assert_int_equal(counted(), 3 * 6);
        free(p);
}

/* A moment that is not believed takes no energy with it. */
static void test_they_outlive_their_moment(void **state) {
        struct profile *p = increment_profile();

        (void) state;
        begin_increments(p);
        bench_report_value(&b, TUYA_REPORT, 19, 263);
        report_by_itself(3);
        assert_int_equal(counted(), 3);
        b.mcu.heartbeat = b.mcu.query = false;
        bench_report_value(&b, TUYA_REPORT, 17, 4);
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 9000);
        assert_int_equal(counted(), 3);
        bench_run(&b, 60000);
        assert_true(b.session.base.counters[TUYA_WITHHELD_UNCONFIRMED] > 0);
        b.mcu.heartbeat = b.mcu.query = true;
        bench_run(&b, 60000);
        bench_report_value(&b, TUYA_REPORT, 19, 263);
        bench_run(&b, 1000);
        assert_int_equal(counted(), 3 + 4);
        bench_report_value(&b, TUYA_REPORT, 19, 264);
        bench_run(&b, 1000);
        assert_int_equal(counted(), 3 + 4);
        free(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_counts_once),
                cmocka_unit_test(test_answers_repeat),
                cmocka_unit_test(test_answers_are_new),
                cmocka_unit_test(test_answers_gather),
                cmocka_unit_test(test_they_outlive_their_moment),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
