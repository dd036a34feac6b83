/* The family's house: believable, and the same for the same seed and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tools/household.h"
#include "tools/random.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define MIDNIGHT  (INT64_C(1767225600) * 1000)  /* the first of January 2026 in UTC, a Thursday */
#define SEEDS     3

/* Mean powers of a day, in W. */
struct mean {
        int64_t house, solar, import, export;
};

static struct mean mean_of(struct household *h, int64_t from_ms, int64_t to_ms) {
        struct household_moment m;
        struct mean sum = { 0 };
        int64_t n = 0;

        for (int64_t t = from_ms; t < to_ms; t += 20000, n++) {
                household_at(h, t, &m);
                sum.house += m.house.power_mw;
                sum.solar += m.solar_mw;
                *(household_grid_mw(&m) > 0 ? &sum.import : &sum.export) += llabs(household_grid_mw(&m));
        }
        assert_int_equal(sum.import - sum.export, sum.house - sum.solar);
        return (struct mean) { sum.house / n / 1000, sum.solar / n / 1000, sum.import / n / 1000,
                               sum.export / n / 1000 };
}

/* Whoever asks in another order, or asked something else before, hears the same. */
static void test_it_has_no_memory(void **state) {
        struct household_moment expected, m;
        struct household h, other, fresh;
        uint64_t random = random_seed(1);
        unsigned different = 0;

        (void) state;
        household_init(&h, 7);
        household_init(&other, 8);
        for (unsigned i = 0; i < 5000; i++) {
                int64_t t = MIDNIGHT + (int64_t) random_below(&random, 400 * 86400) * 1000;

                household_init(&fresh, 7);
                household_at(&fresh, t, &expected);
                household_at(&h, t, &m);
                assert_memory_equal(&m, &expected, sizeof m);
                household_at(&other, t, &m);
                different += m.house.power_mw != expected.house.power_mw;
        }
        assert_true(different > 4950);
}

static void test_physics_hold(void **state) {
        (void) state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                struct household_moment m;
                struct household h;

                household_init(&h, seed);
                for (int64_t t = MIDNIGHT; t < MIDNIGHT + 400 * DAY_MS; t += 67890) {
                        household_at(&h, t, &m);
                        assert_in_range(m.house.voltage_mv, 210000, 245000);
                        assert_in_range(m.house.power_mw, 60000, 12000000);
                        assert_true(m.house.power_mw * 1000 <= m.house.voltage_mv * m.house.current_ma);
                        assert_true(m.house.power_mw * 1000 > m.house.voltage_mv * m.house.current_ma / 2);
                        assert_in_range(m.solar_mw, 0, 3600000);
                }
        }
}

static void test_seasons(void **state) {
        (void) state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                struct mean winter, summer;
                struct household h;

                household_init(&h, seed);
                winter = mean_of(&h, MIDNIGHT, MIDNIGHT + 21 * DAY_MS);
                summer = mean_of(&h, MIDNIGHT + 151 * DAY_MS, MIDNIGHT + 172 * DAY_MS);
                assert_true(summer.solar > 3 * winter.solar);
                assert_true(winter.house > summer.house * 3 / 2);
                assert_true(winter.import > summer.import && winter.export < summer.export);
        }
}

static void test_nights(void **state) {
        struct household h;
        int64_t noon = 0, night = 0;

        (void) state;
        household_init(&h, 1);
        for (int64_t day = 0; day < 365; day++) {
                int64_t midnight = MIDNIGHT + day * DAY_MS - 2 * HOUR_MS;  /* in Warsaw, whatever its clocks say */
                struct mean dark = mean_of(&h, midnight, midnight + 4 * HOUR_MS);

                assert_int_equal(dark.solar, 0);
                night += dark.house;
                noon += mean_of(&h, midnight + 16 * HOUR_MS, midnight + 20 * HOUR_MS).house;
        }
        assert_true(noon > 2 * night);
}

/* The sun does not know of summer time. */
static void test_sunrise_of_the_days_when_clocks_are_set(void **state) {
        static const int64_t days[] = { 87, 297 };  /* Saturdays before clocks are set */
        struct household_moment m;

        (void) state;
        for (unsigned i = 0; i < 2; i++) {
                int64_t rises[2] = { 0 };

                for (int64_t d = 0; d < 2; d++) {
                        int64_t t = MIDNIGHT + (days[i] + d) * DAY_MS;
                        struct household h;

                        household_init(&h, 1);
                        do {
                                t += MINUTE_MS;
                                household_at(&h, t, &m);
                        } while (m.solar_mw == 0);
                        rises[d] = t % DAY_MS;
                }
                assert_in_range(llabs(rises[1] - rises[0]), 0, 25 * MINUTE_MS);
        }
}

static void test_weekends(void **state) {
        int64_t noons[2] = { 0 }, n[2] = { 0 };
        struct household h;

        (void) state;
        household_init(&h, 1);
        for (int64_t day = 0; day < 364; day++) {
                bool weekend = (day + 3) % 7 >= 5;
                int64_t noon = MIDNIGHT + day * DAY_MS + 10 * HOUR_MS;

                noons[weekend] += mean_of(&h, noon, noon + 3 * HOUR_MS).house;
                n[weekend]++;
        }
        assert_true(noons[1] / n[1] > noons[0] / n[0] * 5 / 4);
}

/* Under one sky panels give much, under another little, and in between it changes by the minute. */
static void test_clouds(void **state) {
        int64_t most = 0, least = INT64_MAX, swings = 0, before = 0;
        struct household_moment m;
        struct household h;

        (void) state;
        household_init(&h, 1);
        for (int64_t day = 150; day < 200; day++) {
                int64_t noon = MIDNIGHT + day * DAY_MS + 10 * HOUR_MS;
                int64_t solar = mean_of(&h, noon, noon + HOUR_MS).solar;

                most = solar > most ? solar : most;
                least = solar < least ? solar : least;
                for (int64_t t = noon; t < noon + HOUR_MS; t += MINUTE_MS) {
                        household_at(&h, t, &m);
                        swings += llabs(m.solar_mw - before) > 500000;
                        before = m.solar_mw;
                }
        }
        assert_true(most > 5 * least);
        assert_in_range(swings, 50, 1500);
}

static void test_failures(void **state) {
        (void) state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                int64_t minutes[3] = { 0 };
                unsigned begun[3] = { 0 };
                enum household_failure before = HOUSEHOLD_RUNS;
                struct household h;

                household_init(&h, seed);
                for (int64_t t = MIDNIGHT; t < MIDNIGHT + 400 * DAY_MS; t += MINUTE_MS) {
                        enum household_failure now = household_failure_at(&h, t);

                        minutes[now]++;
                        begun[now] += now != before;
                        before = now;
                }
                assert_in_range(begun[HOUSEHOLD_POWER_CUT], 3, 6);
                assert_in_range(begun[HOUSEHOLD_GATEWAY_OFF], 3, 6);
                assert_in_range(minutes[HOUSEHOLD_POWER_CUT], 60, 600);
                assert_in_range(minutes[HOUSEHOLD_GATEWAY_OFF], 360, 3600);
        }
}

/* Nobody cooks for some days of the year. */
static void test_holiday(void **state) {
        struct household h;
        unsigned quiet = 0;

        (void) state;
        household_init(&h, 1);
        for (int64_t day = 100; day < 300; day++) {
                struct household_moment m;
                int64_t most = 0;

                for (int64_t t = 0; t < DAY_MS; t += 30000) {
                        household_at(&h, MIDNIGHT + day * DAY_MS + t, &m);
                        most = m.house.power_mw > most ? m.house.power_mw : most;
                }
                quiet += most < 1500000;
        }
        assert_in_range(quiet, 8, 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_has_no_memory),
                cmocka_unit_test(test_physics_hold),
                cmocka_unit_test(test_seasons),
                cmocka_unit_test(test_nights),
                cmocka_unit_test(test_sunrise_of_the_days_when_clocks_are_set),
                cmocka_unit_test(test_weekends),
                cmocka_unit_test(test_clouds),
                cmocka_unit_test(test_failures),
                cmocka_unit_test(test_holiday),
        };

        setenv("TZ", "Europe/Warsaw", 1);
        tzset();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
