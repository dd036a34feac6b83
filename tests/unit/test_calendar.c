/* Local days and months against clocks read every half minute; long sums against the compiler's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "history/calendar.h"
#include "history/wide.h"
#include "tools/random.h"

__extension__ typedef __int128 big;

static int64_t local_day(int64_t utc_s) {
        time_t t = (time_t) utc_s;
        struct tm tm;

        localtime_r(&t, &tm);
        return (utc_s + tm.tm_gmtoff) / 86400;
}

/* Days begin when clocks show them for the first time. */
static void check_zone(const char *name, int64_t from, int64_t to) {
        int64_t newest;

        setenv("TZ", name, 1);
        tzset();
        newest = local_day(from);
        for (int64_t t = from; t < to; t += 30) {
                if (local_day(t) > newest) {
                        for (int64_t day = newest + 1; day <= local_day(t); day++)
                                assert_int_equal(calendar_day_start(day), t);
                        newest = local_day(t);
                }
                if (t % 300 == 0 && t >= from + 2 * 86400)
                        assert_int_equal(calendar_day(t), newest);
        }
}

static void test_days(void **state) {
        static const struct {
                const char *zone;
                int64_t from;
        } cases[] = {
                { "Europe/Warsaw", 1774569600 },        /* 2026-03-29: 23 hours */
                { "Europe/Warsaw", 1792800000 },        /* 2026-10-25: 25 */
                { "America/St_Johns", 1288915200 },     /* 2010-11-07: clocks went back at 00:01, over midnight */
                { "America/St_Johns", 1300060800 },
                { "Australia/Lord_Howe", 1775174400 },  /* 2026-04-05: half an hour */
                { "Australia/Lord_Howe", 1790899200 },
                { "America/Sao_Paulo", 1541116800 },    /* 2018-11-04: no midnight */
                { "America/Havana", 1793404800 },       /* 2026-11-01: midnight twice */
                { "Pacific/Apia", 1325030400 },         /* 2011-12-30 was left out */
                { "Africa/Monrovia", 63158400 },        /* 1972-01-07: an offset of 44 min 30 s ended */
                { "Asia/Kathmandu", 504748800 },
                { "UTC", 1774569600 },
        };

        (void) state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                check_zone(cases[i].zone, cases[i].from, cases[i].from + 8 * 86400);
}

static void test_months(void **state) {
        (void) state;
        assert_int_equal(calendar_month(0), 0);
        assert_int_equal(calendar_month(30), 0);
        assert_int_equal(calendar_month(31), 1);
        assert_int_equal(calendar_month(-1), -1);
        assert_int_equal(calendar_month_day(12), 365);
        assert_int_equal(calendar_month_day(-1), -31);
        for (int64_t month = -12; month < 2000; month++) {
                assert_int_equal(calendar_month(calendar_month_day(month)), month);
                assert_int_equal(calendar_month(calendar_month_day(month + 1) - 1), month);
        }
}

static int64_t any_value(uint64_t *seed) {
        uint64_t v = (uint64_t) random_below(seed, UINT32_MAX) << 29 | random_below(seed, 1u << 29);
        int64_t value = (int64_t) (v >> random_below(seed, 61));

        return random_below(seed, 2) ? -value : value;
}

static void test_wide_sums(void **state) {
        uint64_t seed = random_seed(1);

        (void) state;
        for (unsigned i = 0; i < 300000; i++) {
                struct wide sum = { 0 };
                int64_t n = random_below(&seed, 100), average;
                big expected = 0, twice;

                for (unsigned k = random_below(&seed, 8); k < 8; k++) {
                        uint32_t times = random_below(&seed, UINT32_MAX) >> random_below(&seed, 31);
                        int64_t value = any_value(&seed);

                        wide_add(&sum, value, times);
                        expected += (big) value * times;
                        n += times;
                }
                n += n == 0;
                twice = (expected < 0 ? -expected : expected) * 2 + n;
                average = (int64_t) (twice / ((big) n * 2));
                assert_int_equal(wide_divide(sum, n), expected < 0 ? -average : average);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_days),
                cmocka_unit_test(test_months),
                cmocka_unit_test(test_wide_sums),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
