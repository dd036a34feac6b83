/* What looks like a reading and is none, or is another one: it is never called certain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/unknown_meter.h"

enum { OTHER = 55, ENERGY = 12, FLAG = 30, PHASE = 6 };

static void assert_not_certain(const struct unknown_meter *m, uint16_t id) {
        if (unknown_suggestion(m, id)->count > 0)
                assert_int_not_equal(unknown_best(m, id)->level, SUGGEST_HIGH);
}

/* 24.00 V of a battery: the same numbers as 240.0 V of the mains, and P is V * I. */
static void tell_battery(struct unknown_meter *m, const struct load *l, double wh) {
        double volts = 24 + l->volts / 1000 - l->now / 5000, amperes = l->now / 10 / volts;

        (void) wh;
        unknown_tell(m, CURRENT, DATAPOINT_VALUE, lround(amperes * 1000));
        unknown_tell(m, POWER, DATAPOINT_VALUE, lround(volts * amperes * 100));
        unknown_tell(m, VOLTAGE, DATAPOINT_VALUE, lround(volts * 100));
}

static void test_direct_current(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 21);
        unknown_play(&m, NULL, 200, tell_battery);
        unknown_suggest(&m, false);
        assert_not_certain(&m, VOLTAGE);
        assert_not_certain(&m, CURRENT);
        assert_not_certain(&m, POWER);
        unknown_end(&m);
}

static void tell_apparent(struct unknown_meter *m, const struct load *l, double wh) {
        (void) wh;
        unknown_tell(m, CURRENT, DATAPOINT_VALUE, lround(l->amperes * 1000));
        unknown_tell(m, POWER, DATAPOINT_VALUE, lround(l->volts * l->amperes));
        unknown_tell(m, VOLTAGE, DATAPOINT_VALUE, lround(l->volts * 10));
}

static void test_apparent_power_alone(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 22);
        unknown_play(&m, NULL, 200, tell_apparent);
        unknown_suggest(&m, false);
        assert_not_certain(&m, POWER);
        unknown_end(&m);
}

/* A temperature of 23 degrees in hundredths, and a humidity of 50 percent. */
static void tell_climate(struct unknown_meter *m, const struct load *l, double wh) {
        (void) wh;
        unknown_tell_three(m, l, &rail);
        unknown_tell(m, OTHER, DATAPOINT_VALUE, lround(2310 + 12 * unknown_noise(m)));
        unknown_tell(m, OTHER + 1, DATAPOINT_VALUE, lround(5000 + 3 * unknown_noise(m)));
        unknown_tell(m, OTHER + 2, DATAPOINT_VALUE, lround(500 + unknown_noise(m)));
}

static void test_climate(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 23);
        unknown_play(&m, NULL, 200, tell_climate);
        unknown_suggest(&m, false);
        assert_meaning(&m, POWER, Q_POWER, 1);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        /* Either may be the voltage: P = V * I fits with both. */
        assert_not_certain(&m, VOLTAGE);
        for (uint16_t id = OTHER; id <= OTHER + 2; id++)
                assert_not_certain(&m, id);
        unknown_end(&m);
}

/* The power has no sign, all of it flows back, and the flag that says so never changes. */
static void tell_export(struct unknown_meter *m, const struct load *l, double wh) {
        unknown_tell_three(m, l, &rail);
        unknown_tell(m, FLAG, DATAPOINT_ENUM, 1);
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, 251234 + (int64_t) (wh / 10));
}

static void test_all_of_it_flows_back(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 24);
        unknown_play(&m, NULL, 300, tell_export);
        unknown_suggest(&m, false);
        assert_meaning(&m, POWER, Q_POWER, 1);
        assert_not_certain(&m, ENERGY);
        unknown_end(&m);
}

/* At first it flows back, then not: the register that stands still in the end did not count what flows then. */
static double turned_wh;

static void tell_turned(struct unknown_meter *m, const struct load *l, double wh) {
        bool back = m->now_ms < 1500 * 1000;

        turned_wh = back ? wh : turned_wh;
        unknown_tell_three(m, l, &rail);
        unknown_tell(m, FLAG, DATAPOINT_ENUM, back);
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, 251234 + (int64_t) (turned_wh / 10));
}

static void test_a_register_that_stands_still(void **state) {
        struct unknown_meter m;

        (void) state;
        turned_wh = 0;
        unknown_begin(&m, 25);
        unknown_play(&m, NULL, 300, tell_turned);
        unknown_suggest(&m, false);
        assert_not_certain(&m, ENERGY);
        unknown_end(&m);
}

/* The other way round, and the register is told before the first power is. */
static void tell_turning(struct unknown_meter *m, const struct load *l, double wh) {
        bool back = m->now_ms > 1500 * 1000;

        turned_wh = back ? turned_wh : wh;
        unknown_tell(m, FLAG, DATAPOINT_ENUM, back);
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, 251234 + (int64_t) ((wh - turned_wh) / 10));
        unknown_tell_three(m, l, &rail);
}

static void test_a_register_that_begins_late(void **state) {
        struct unknown_meter m;

        (void) state;
        turned_wh = 0;
        unknown_begin(&m, 25);
        unknown_play(&m, NULL, 300, tell_turning);
        unknown_suggest(&m, false);
        assert_not_certain(&m, ENERGY);
        unknown_end(&m);
}

/* 3.2 kWh may be the total of a new meter, or what came since midnight. */
static void tell_today(struct unknown_meter *m, const struct load *l, double wh) {
        unknown_tell_three(m, l, &rail);
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, 320 + (int64_t) (wh / 10));
}

static void test_energy_of_today(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 26);
        unknown_play(&m, NULL, 300, tell_today);
        unknown_suggest(&m, false);
        assert_meaning(&m, ENERGY, Q_ENERGY_IMPORT, 100);
        assert_not_certain(&m, ENERGY);
        unknown_end(&m);
}

/* A breaker that tells its phase as bytes, and the power once more. */
static void tell_twice(struct unknown_meter *m, const struct load *l, double wh) {
        uint32_t volts = (uint32_t) lround(l->volts * 10), amperes = (uint32_t) lround(l->amperes * 1000);
        uint32_t watts = (uint32_t) lround(l->now);
        uint8_t bytes[8] = {
                (uint8_t) (volts >> 8), (uint8_t) volts, 0, (uint8_t) (amperes >> 8), (uint8_t) amperes,
                0, (uint8_t) (watts >> 8), (uint8_t) watts,
        };

        (void) wh;
        unknown_tell_bytes(m, PHASE, bytes, sizeof bytes);
        unknown_tell(m, POWER, DATAPOINT_VALUE, lround(l->now * 10));
}

static void test_a_power_told_twice(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 27);
        unknown_play(&m, NULL, 200, tell_twice);
        unknown_suggest(&m, false);
        assert_int_equal(unknown_best(&m, PHASE)->layout, LAYOUT_PHASE);
        assert_meaning(&m, POWER, Q_POWER, 10);
        assert_string_equal(unknown_best(&m, POWER)->channel, "");
        unknown_end(&m);
}

/* What stands by takes 3 W and six times the VA: a power of 0.3 W would do as well. */
static void tell_standby(struct unknown_meter *m, const struct load *l, double wh) {
        uint32_t volts = (uint32_t) lround(l->volts * 10);
        bool on = m->now_ms / 60000 % 2;
        uint8_t bytes[8] = { (uint8_t) (volts >> 8), (uint8_t) volts, 0, 0, on ? 135 : 0, 0, 0, on ? 30 : 0 };

        (void) wh;
        unknown_tell_bytes(m, PHASE, bytes, sizeof bytes);
}

static void test_a_layout_of_few_counts(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 28);
        unknown_play(&m, NULL, 200, tell_standby);
        unknown_suggest(&m, false);
        assert_int_equal(unknown_best(&m, PHASE)->layout, LAYOUT_PHASE);
        assert_not_certain(&m, PHASE);
        unknown_end(&m);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_direct_current), cmocka_unit_test(test_apparent_power_alone),
                cmocka_unit_test(test_climate), cmocka_unit_test(test_all_of_it_flows_back),
                cmocka_unit_test(test_a_register_that_stands_still),
                cmocka_unit_test(test_a_register_that_begins_late), cmocka_unit_test(test_energy_of_today),
                cmocka_unit_test(test_a_power_told_twice), cmocka_unit_test(test_a_layout_of_few_counts),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
