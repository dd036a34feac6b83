/* How often a datapoint may be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "meters/write_limit.h"

#define START_MS UINT64_C(5000)

static void test_some_at_once(void **state) {
        struct write_limit l = { 0 };

        (void) state;
        for (unsigned i = 0; i < WRITES_AT_ONCE; i++) {
                assert_int_equal(write_limit_wait_ms(&l, START_MS + i), 0);
                write_limit_take(&l, START_MS + i);
        }
        assert_int_equal(write_limit_wait_ms(&l, START_MS + 9), WRITE_EVERY_MS - 9);
        assert_int_equal(write_limit_wait_ms(&l, START_MS + WRITE_EVERY_MS - 1), 1);
        assert_int_equal(write_limit_wait_ms(&l, START_MS + WRITE_EVERY_MS), 0);
}

static void test_pace_in_the_long_run(void **state) {
        struct write_limit l = { 0 };
        unsigned n = 0;

        (void) state;
        for (uint64_t now_ms = START_MS; now_ms < START_MS + 3600000; now_ms += 500) {
                if (write_limit_wait_ms(&l, now_ms) > 0)
                        continue;
                write_limit_take(&l, now_ms);
                n++;
        }
        assert_int_equal(n, WRITES_AT_ONCE + 59);
}

static void test_rest_gives_all_of_them_again(void **state) {
        struct write_limit l = { 0 };

        (void) state;
        for (unsigned i = 0; i < WRITES_AT_ONCE; i++)
                write_limit_take(&l, START_MS);
        for (unsigned i = 0; i < WRITES_AT_ONCE; i++) {
                uint64_t now_ms = START_MS + WRITES_AT_ONCE * WRITE_EVERY_MS;

                assert_int_equal(write_limit_wait_ms(&l, now_ms), 0);
                write_limit_take(&l, now_ms);
        }
        assert_true(write_limit_wait_ms(&l, START_MS + WRITES_AT_ONCE * WRITE_EVERY_MS) > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_some_at_once),
                cmocka_unit_test(test_pace_in_the_long_run),
                cmocka_unit_test(test_rest_gives_all_of_them_again),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
