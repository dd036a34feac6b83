/* What was seen over time, in fixed memory: exact while there is room, and spanning everything when there is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocols/profile.h"
#include "workbench/suggest/observations.h"

static void put(struct datapoint_table *t, uint64_t now_ms, uint16_t id, int64_t number) {
        const uint8_t bytes[2] = { (uint8_t) (number >> 8), (uint8_t) number };

        datapoint_table_put(t, now_ms, id, DATAPOINT_VALUE, true, number, bytes, 2);
}

static void tell(struct observations *o, struct datapoint_table *t, uint64_t now_ms, uint16_t id, int64_t number) {
        put(t, now_ms, id, number);
        observations_note(o, now_ms, t);
}

static void test_runs(void **state) {
        struct datapoint_table t = { 0 };
        struct observations *o = NULL;
        const struct observed_run *runs;
        unsigned n;

        (void) state;
        assert_int_equal(observations_new(OBSERVED_RUNS_MIN - 1, &o), -EINVAL);
        assert_int_equal(observations_new(OBSERVED_RUNS_MIN, &o), 0);
        tell(o, &t, 1000, 7, 100);
        tell(o, &t, 3000, 7, 100);
        tell(o, &t, 5000, 7, 40);
        observations_note(o, 9000, &t);
        runs = observations_runs(o, &n);
        assert_int_equal(n, 2);
        assert_int_equal(runs[0].from_ms, 1000);
        assert_int_equal(runs[0].to_ms, 3000);
        assert_int_equal(runs[0].tells, 2);
        assert_int_equal(runs[1].number, 40);
        /* Sample and hold: 100 for 4 s. */
        assert_true(runs[1].area == 400);
        assert_true(runs[1].sum == 200);
        assert_true(observations_series(o, 0)->area == 400 + 40 * 4);
        assert_int_equal(observations_series(o, 0)->changes, 1);
        assert_int_equal(observations_count(o), 1);
        observations_free(o);
}

static void test_gaps_add_nothing(void **state) {
        struct datapoint_table t = { 0 };
        struct observations *o = NULL;
        unsigned n;

        (void) state;
        assert_int_equal(observations_new(OBSERVED_RUNS_MIN, &o), 0);
        tell(o, &t, 0, 7, 100);
        tell(o, &t, OBSERVED_GAP_MS + 1, 7, 50);
        assert_true(observations_runs(o, &n)[1].area == 0);
        assert_int_equal(observations_runs(o, &n)[1].gaps, 1);
        observations_free(o);
}

static void test_bytes(void **state) {
        struct datapoint_table t = { 0 };
        struct observations *o = NULL;
        uint8_t bytes[DATAPOINT_BYTES_MAX] = { 1 };
        unsigned n;

        (void) state;
        assert_int_equal(observations_new(OBSERVED_RUNS_MIN, &o), 0);
        for (unsigned i = 0; i < 3; i++) {
                bytes[3] = (uint8_t) (i / 2);
                datapoint_table_put(&t, i * 1000, 9, DATAPOINT_RAW, false, 0, bytes, sizeof bytes);
                observations_note(o, i * 1000, &t);
        }
        assert_int_equal(observations_runs(o, &n)[1].bytes[3], 1);
        assert_int_equal(n, 2);
        assert_int_equal(observations_runs(o, &n)[1].len, OBSERVED_BYTES_MAX);
        assert_false(observations_series(o, 0)->varies_in_length);
        datapoint_table_put(&t, 5000, 9, DATAPOINT_RAW, false, 0, bytes, 2);
        observations_note(o, 5000, &t);
        assert_true(observations_series(o, 0)->varies_in_length);
        observations_free(o);
}

/* Every datapoint there can be changes all the time, for a day: time is kept whole, and so are sums and integrals. */
static void test_full(void **state) {
        struct datapoint_table t = { 0 };
        struct observations *o = NULL;
        const struct observed_run *runs;
        uint64_t first, last;
        double sum[DATAPOINTS_MAX] = { 0 };
        unsigned n;

        (void) state;
        assert_int_equal(observations_new(OBSERVED_RUNS_MIN, &o), 0);
        for (uint64_t at = 0; at <= 86400; at += 30) {
                for (uint16_t id = 0; id < DATAPOINTS_MAX; id++) {
                        put(&t, at * 1000, id, (int64_t) (at * (id + 1u) % 977));
                        sum[id] += (double) (at * (id + 1u) % 977);
                }
                observations_note(o, at * 1000, &t);
        }
        runs = observations_runs(o, &n);
        assert_true(n <= OBSERVED_RUNS_MIN);
        assert_true(observations_slot_ms(o) > 0);
        observations_span(o, &first, &last);
        assert_int_equal(first, 0);
        assert_int_equal(last, 86400000);
        for (unsigned i = 1; i < n; i++)
                assert_true(runs[i].from_ms >= runs[i - 1].from_ms);
        for (unsigned s = 0; s < DATAPOINTS_MAX; s++) {
                const struct observed_series *series = observations_series(o, s);

                assert_true(series->sum == sum[s]);
                assert_int_equal(runs[series->last_run].series, s);
                assert_int_equal(runs[series->last_run].number, series->last_number);
        }
        observations_free(o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_runs),
                cmocka_unit_test(test_gaps_add_nothing),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_full),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
