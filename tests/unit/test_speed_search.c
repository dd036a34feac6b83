/* The speed of a line, found by listening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/speed_search.h"

static const uint32_t three[] = { 9600, 115200, 38400, 0 }, one[] = { 115200, 0 };

/* A silent line gets its time at each speed, again and again. */
static void test_silence(void **state) {
        struct speed_search s;
        uint64_t now_ms = 5000;

        (void) state;
        speed_search_begin(&s, three, now_ms);
        for (unsigned round = 0; round < 3; round++)
                for (unsigned i = 0; i < 3; i++) {
                        assert_int_equal(speed_search_baud(&s), three[i]);
                        assert_int_equal(s.tried_all, round > 0);
                        assert_int_equal(speed_search_look(&s, now_ms + SPEED_SEARCH_TRY_MS - 1, 3, 0), SPEED_STAY);
                        now_ms += SPEED_SEARCH_TRY_MS;
                        assert_int_equal(speed_search_look(&s, now_ms, 3, 0), SPEED_NEXT);
                }
        assert_int_equal(speed_search_look(&s, now_ms, 3, 1), SPEED_FOUND);
        assert_int_equal(speed_search_look(&s, now_ms + 1000000, 100000, 1), SPEED_STAY);
        assert_int_equal(speed_search_baud(&s), 9600);
}

/* Much that is not understood needs no more time; each speed is judged by its own bytes. */
static void test_noise(void **state) {
        const uint64_t bytes = 10000 + SPEED_SEARCH_BYTES;
        struct speed_search s;

        (void) state;
        speed_search_begin(&s, three, 0);
        assert_int_equal(speed_search_look(&s, SPEED_SEARCH_SOON_MS - 1, 10000, 0), SPEED_STAY);
        assert_int_equal(speed_search_look(&s, SPEED_SEARCH_SOON_MS, SPEED_SEARCH_BYTES - 1, 0), SPEED_STAY);
        assert_int_equal(speed_search_look(&s, SPEED_SEARCH_SOON_MS, 10000, 0), SPEED_NEXT);
        assert_int_equal(speed_search_look(&s, 3 * SPEED_SEARCH_SOON_MS, bytes - 1, 0), SPEED_STAY);
        assert_int_equal(speed_search_look(&s, 3 * SPEED_SEARCH_SOON_MS, bytes, 1), SPEED_FOUND);
        assert_int_equal(speed_search_baud(&s), 115200);
}

/* With one speed there is nothing to change, but it is known when it has had its time. */
static void test_one_speed(void **state) {
        struct speed_search s;

        (void) state;
        speed_search_begin(&s, one, 0);
        assert_int_equal(speed_search_look(&s, SPEED_SEARCH_TRY_MS, 0, 0), SPEED_STAY);
        assert_true(s.tried_all);
        assert_int_equal(speed_search_baud(&s), 115200);
        assert_int_equal(speed_search_look(&s, SPEED_SEARCH_TRY_MS + 1, 20, 1), SPEED_FOUND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_noise),
                cmocka_unit_test(test_one_speed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
