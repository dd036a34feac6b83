/* What is known of the last hour, and a register beside the power: plain numbers for time. */
#include "meters/completeness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "from_environment.h"
#include "meters/energy_check.h"

#define MINUTE 60000u
#define HOUR (60u * MINUTE)

static void test_nothing_is_nothing(void **state) {
        struct completeness c = { 0 };

        (void) state;
        completeness_begin(&c, 12345);
        assert_int_equal(completeness_permille(&c, 12345), 0);
        assert_int_equal(completeness_permille(&c, 2 * HOUR), 0);
}

static void test_since_the_start(void **state) {
        struct completeness c = { 0 };

        (void) state;
        completeness_begin(&c, 1000);
        completeness_take(&c, 1000, 10000);
        assert_int_equal(completeness_permille(&c, 6000), 1000);
        assert_int_equal(completeness_permille(&c, 11000), 1000);
        assert_int_equal(completeness_permille(&c, 21000), 500);
        completeness_take(&c, 21000, 10000);
        assert_int_equal(completeness_permille(&c, 31000), 666);
        /* The next report ends the hold of the one before. */
        completeness_take(&c, 26000, 5000);
        assert_int_equal(completeness_permille(&c, 31000), 666);
}

/* Against a table of milliseconds, coarse enough to be small: everything happens at multiples of 100 ms. */
static void test_random(void **state) {
        enum { STEPS = 3 * 36000 };
        static unsigned char known[STEPS];
        unsigned seed = (unsigned) test_seed();
        struct completeness c = { 0 };
        unsigned begin = 7;

        (void) state;
        srand(seed);
        memset(known, 0, sizeof known);
        completeness_begin(&c, begin * 100);
        for (unsigned at = begin; at < STEPS - 700; at += 1 + (unsigned) rand() % (rand() % 20 ? 200 : 9000)) {
                unsigned hold = 1 + (unsigned) rand() % 600, minute = at / 600, first = minute < 60 ? 0 : minute - 59;
                unsigned from = first * 600 > begin ? first * 600 : begin, sum = 0;

                for (unsigned i = from; i < at; i++)
                        sum += known[i];
                if (at > from)
                        assert_int_equal(completeness_permille(&c, at * 100), (uint64_t) sum * 1000 / (at - from));
                completeness_take(&c, at * 100, hold * 100);
                memset(known + at, 0, 700);
                memset(known + at, 1, hold);
        }
}

static void test_register_beside_power(void **state) {
        struct energy_check c = { 0 };

        (void) state;
        energy_check_power(&c, 1000, 3600000, 60000);   /* 3.6 kW: 1 mWh each ms */
        assert_false(c.begun);
        energy_check_register(&c, 11000, 5000);
        energy_check_register(&c, 21000, 15000);
        assert_int_equal(c.last_total - c.first_total, 10000);
        assert_int_equal(c.integral_at_register, 10000);
        /* Export is not import, and nothing holds for ever. */
        energy_check_power(&c, 31000, -3600000, 60000);
        energy_check_power(&c, 41000, 3600000, 60000);
        energy_check_register(&c, 200000, 85000);
        assert_int_equal(c.integral_at_register, 20000 + 60000);
        energy_check_power(&c, 300000, INT64_MAX, 60000);
        energy_check_register(&c, 400000, 85000);
        assert_int_equal(c.integral_at_register, 80000);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_nothing),
                cmocka_unit_test(test_since_the_start),
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_register_beside_power),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
