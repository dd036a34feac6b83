/* A factor of ten between active power and voltage times current: found after eight samples, told once. */
#include "meters/plausibility.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"

#define NONE INT64_MIN

struct bench {
        struct plausibility p;
        uint64_t now_ms;
        unsigned told;
};

static void add(struct report *r, unsigned channel, unsigned quantity, int64_t value) {
        if (value != NONE)
                r->readings[r->count++] = (struct reading) { .value = value, .channel = (uint8_t) channel,
                                                             .quantity = (uint8_t) quantity };
}

/* One report, 10 s after the one before. Milli-units; NONE: not in it. */
static void report(struct bench *b, unsigned channel, int64_t u, int64_t i, int64_t power, int64_t factor) {
        struct report r = { .at_ms = b->now_ms += 10000 };

        add(&r, channel, Q_VOLTAGE, u);
        add(&r, channel, Q_CURRENT, i);
        add(&r, channel, Q_POWER, power);
        add(&r, channel, Q_POWER_FACTOR, factor);
        b->told += plausibility_take(&b->p, &r);
}

static void reports(struct bench *b, unsigned n, int64_t u, int64_t i, int64_t power, int64_t factor) {
        while (n-- > 0)
                report(b, 0, u, i, power, factor);
}

static void test_ten_times_too_high(void **state) {
        struct bench b = { 0 };

        (void) state;
        reports(&b, 7, 230000, 1000, 2300000, NONE);
        assert_int_equal(b.p.found, POWER_FITS);
        assert_int_equal(b.told, 0);
        reports(&b, 1, 230000, 1000, 2300000, NONE);
        assert_int_equal(b.p.found, POWER_TEN_TIMES_HIGH);
        assert_int_equal(b.p.channel, 0);
        assert_int_equal(b.told, 1);
        reports(&b, 50, 230000, 1000, 2300000, NONE);
        reports(&b, 50, 230000, 1000, 230000, NONE);
        assert_int_equal(b.told, 1);
        assert_int_equal(b.p.found, POWER_TEN_TIMES_HIGH);
}

static void test_export_counts_by_magnitude(void **state) {
        struct bench b = { 0 };

        (void) state;
        reports(&b, 8, 230000, 1000, -2300000, NONE);
        assert_int_equal(b.p.found, POWER_TEN_TIMES_HIGH);
}

/* The borders: 9 and 11 times, 20 VA. */
static void test_borders(void **state) {
        static const struct {
                int64_t u, i, power, factor;
                enum power_mismatch found;
        } cases[] = {
                { 200000, 100, 180000, NONE, POWER_TEN_TIMES_HIGH },
                { 200000, 100, 179999, NONE, POWER_FITS },
                { 200000, 100, 220000, NONE, POWER_TEN_TIMES_HIGH },
                { 200000, 100, 220001, NONE, POWER_FITS },
                { 199990, 100, 199990, NONE, POWER_FITS },
                { 230000, 1000, 230000, NONE, POWER_FITS },
                { 230000, 1000, 23000, NONE, POWER_FITS },          /* a bad power factor looks the same */
                { 230000, 1000, 23000, 1000, POWER_TEN_TIMES_LOW },
                { 230000, 1000, 11500, 500, POWER_TEN_TIMES_LOW },
                { 230000, 1000, 11500, -500, POWER_TEN_TIMES_LOW },
                { 230000, 1000, 1150000, 500, POWER_TEN_TIMES_HIGH },
                { 230000, 1000, 1150000, NONE, POWER_FITS },
                { 230000, 1000, 115000, 500, POWER_FITS },
                { 230000, 1000, 23000, 1001, POWER_FITS },          /* no power factor at all */
                { 230000, 1000, 1000, 0, POWER_FITS },
                { 230000, 1000, 0, 0, POWER_FITS },
                { 230000, 0, 230000, NONE, POWER_FITS },
                { 90000, 1000, 10000, 1000, POWER_TEN_TIMES_LOW },
                { 89990, 1000, 10000, 1000, POWER_FITS },
                { 110000, 1000, 10000, 1000, POWER_TEN_TIMES_LOW },
                { 110010, 1000, 10000, 1000, POWER_FITS },
                { INT64_MAX, 1000, 10000, NONE, POWER_FITS },
                { 1000, INT64_MIN + 1, 10000, 1000, POWER_FITS },
                { 3000000000, 3000000000, 3000000000, 1000, POWER_FITS },
        };

        (void) state;
        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct bench b = { 0 };

                reports(&b, 20, cases[i].u, cases[i].i, cases[i].power, cases[i].factor);
                if (b.p.found != cases[i].found || b.told != (cases[i].found != POWER_FITS))
                        fail_msg("case %u: found %d, told %u times", i, (int) b.p.found, b.told);
        }
}

static void test_one_good_sample_begins_anew(void **state) {
        struct bench b = { 0 };

        (void) state;
        for (unsigned i = 0; i < 10; i++) {
                reports(&b, 7, 230000, 1000, 2300000, NONE);
                reports(&b, 1, 230000, 1000, 230000, NONE);
        }
        assert_int_equal(b.told, 0);
        /* Too high and too low are not the same mismatch. */
        for (unsigned i = 0; i < 10; i++) {
                reports(&b, 5, 230000, 1000, 2300000, 1000);
                reports(&b, 5, 230000, 1000, 23000, 1000);
        }
        assert_int_equal(b.told, 0);
}

/* Samples below 20 VA say nothing, for or against. */
static void test_small_loads_are_passed_over(void **state) {
        struct bench b = { 0 };

        (void) state;
        for (unsigned i = 0; i < 8; i++) {
                reports(&b, 3, 230000, 50, 11500, NONE);
                assert_int_equal(b.told, 0);
                reports(&b, 1, 230000, 1000, 2300000, NONE);
        }
        assert_int_equal(b.told, 1);
}

static void test_values_of_different_moments(void **state) {
        struct bench b = { 0 };

        (void) state;
        for (unsigned i = 0; i < 30; i++) {
                report(&b, 0, 230000, 1000, NONE, NONE);
                report(&b, 0, NONE, NONE, 2300000, NONE);
        }
        assert_int_equal(b.told, 0);
        /* 5 s apart they still belong together. */
        for (unsigned i = 0; i < 8; i++) {
                report(&b, 0, NONE, NONE, 2300000, NONE);
                b.now_ms -= 5000;
                report(&b, 0, 230000, 1000, NONE, NONE);
                assert_int_equal(b.told, i == 7);
        }
}

/* The power is told ten times a second, the current once: one sample, not ten. */
static void test_a_lagging_current_counts_once(void **state) {
        struct bench b = { 0 };

        (void) state;
        report(&b, 0, 230000, 100, 230000, NONE);
        for (unsigned i = 0; i < 40; i++) {
                b.now_ms -= 9900;
                report(&b, 0, NONE, NONE, 230000, NONE);
        }
        assert_int_equal(b.told, 0);
}

/* A power factor from long ago is not used. */
static void test_old_power_factor(void **state) {
        struct bench b = { 0 };

        (void) state;
        report(&b, 0, NONE, NONE, NONE, 100);
        reports(&b, 20, 230000, 1000, 230000, NONE);
        assert_int_equal(b.told, 0);
}

static void test_channels_are_apart(void **state) {
        struct bench b = { 0 };
        char text[256];

        (void) state;
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(b.told, 0);
                report(&b, 0, NONE, NONE, 9000000, NONE);
                report(&b, 1, 230000, 1000, 230000, NONE);
                report(&b, 3, 230000, 1000, 2300000, NONE);
        }
        assert_int_equal(b.told, 1);
        assert_int_equal(b.p.channel, 3);
        plausibility_describe(&b.p, "l3", text, sizeof text);
        assert_non_null(strstr(text, "active power of l3 is ten times"));
        assert_non_null(strstr(text, "profile file"));
        plausibility_describe(&b.p, "", text, sizeof text);
        assert_non_null(strstr(text, "active power is ten times"));
}

static void test_foreign_readings(void **state) {
        struct bench b = { 0 };

        (void) state;
        for (unsigned i = 0; i < 20; i++)
                report(&b, CHANNELS_MAX, 230000, 1000, 2300000, NONE);
        assert_int_equal(b.told, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ten_times_too_high),
                cmocka_unit_test(test_export_counts_by_magnitude),
                cmocka_unit_test(test_borders),
                cmocka_unit_test(test_one_good_sample_begins_anew),
                cmocka_unit_test(test_small_loads_are_passed_over),
                cmocka_unit_test(test_values_of_different_moments),
                cmocka_unit_test(test_a_lagging_current_counts_once),
                cmocka_unit_test(test_old_power_factor),
                cmocka_unit_test(test_channels_are_apart),
                cmocka_unit_test(test_foreign_readings),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
