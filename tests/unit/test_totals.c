/* The energies of a meter: a counter for each of its registers, with the limits of its configuration. */
#include "meters/totals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

#define KWH INT64_C(1000000)          /* mWh */
#define SPIKE INT64_C(4294967296000)  /* 2^32 Wh */
#define HOUR_MS 3600000

static enum counter_verdict give(struct totals *t, const struct meter_config *c, uint64_t at_ms, unsigned channel,
                                 unsigned quantity, int64_t *value) {
        struct reading r = { .value = *value, .step = 1, .channel = (uint8_t) channel,
                             .quantity = (uint8_t) quantity };
        enum counter_verdict v = totals_take(t, c, at_ms, &r);

        *value = r.value;
        return v;
}

static void test_registers_of_a_meter(void **state) {
        struct meter_config config = { .protocol = &tuyamcu_protocol, .scale_num = 1, .scale_den = 1 };
        struct totals t = { 0 };
        int64_t import = 10 * KWH, export = 3 * KWH, phase = KWH, power = SPIKE;

        (void) state;
        assert_int_equal(give(&t, &config, 1000, 0, Q_ENERGY_IMPORT, &import), COUNTER_ACCEPTED);
        assert_int_equal(give(&t, &config, 1000, 0, Q_ENERGY_EXPORT, &export), COUNTER_ACCEPTED);
        assert_int_equal(give(&t, &config, 1000, 1, Q_ENERGY_IMPORT, &phase), COUNTER_ACCEPTED);
        assert_int_equal(give(&t, &config, 1000, 0, Q_POWER, &power), COUNTER_ACCEPTED);
        assert_int_equal(t.count, 3);
        assert_int_equal(power, SPIKE);
        export += 2 * KWH;
        assert_int_equal(give(&t, &config, 31000, 0, Q_ENERGY_EXPORT, &export), COUNTER_JUMPED);
        assert_int_equal(t.counts[COUNTER_JUMPED], 1);
        totals_forget(&t);
        assert_int_equal(give(&t, &config, 61000, 0, Q_ENERGY_EXPORT, &export), COUNTER_ACCEPTED);
        assert_int_equal(t.counts[COUNTER_JUMPED], 1);
}

static void test_largest_power_of_a_meter(void **state) {
        struct meter_config config = { .protocol = &tuyamcu_protocol, .scale_num = 40, .scale_den = 1 };
        struct totals t = { 0 };
        int64_t value = 0;

        (void) state;
        give(&t, &config, 0, 0, Q_ENERGY_IMPORT, &value);
        /* An instrument transformer of 40: 5 MW for an hour. */
        value = 6000 * KWH;
        assert_int_equal(give(&t, &config, HOUR_MS, 0, Q_ENERGY_IMPORT, &value), COUNTER_ACCEPTED);
        /* The configured limit counts as it is; the larger side of the two. */
        config.limits[Q_POWER] = (struct limit) { .set = true, .min = -18000000, .max = 5000000 };
        value = 6000 * KWH + 22 * KWH + 110 * KWH;   /* of a minute before, what did not flow may still come */
        assert_int_equal(give(&t, &config, 2 * HOUR_MS, 0, Q_ENERGY_IMPORT, &value), COUNTER_JUMPED);
        value = 6000 * KWH + 21 * KWH;
        assert_int_equal(give(&t, &config, 2 * HOUR_MS, 0, Q_ENERGY_IMPORT, &value), COUNTER_ACCEPTED);
}

/* A recording at a hundred times its speed: an hour of 3 kW in 36 s, and no more than could have flowed then. */
static void test_register_of_a_fast_replay(void **state) {
        const uint32_t speeds[] = { 1000, 100000, 1000000, 100 };
        const unsigned late[] = { 0, 0, 10, 0 };   /* so many come at once */

        (void) state;
        for (unsigned i = 0; i < ELEMENTS(speeds); i++) {
                struct meter_config c = { .protocol = &tuyamcu_protocol, .scale_num = 1, .scale_den = 1,
                                          .replay = { (char *) "meter.hex", speeds[i] } };
                struct totals t = { 0 };
                int64_t value = 5 * KWH, spike = 5 * KWH + (INT64_C(1) << 32) * 1000;
                uint64_t end_ms = 1000 + UINT64_C(3700000) * 1000 / speeds[i];

                assert_int_equal(give(&t, &c, 1000, 0, Q_ENERGY_IMPORT, &value), COUNTER_ACCEPTED);
                for (unsigned minute = 1; minute <= 60; minute++) {
                        unsigned due = late[i] ? minute - minute % late[i] : minute;
                        uint64_t at_ms = 1000 + due * UINT64_C(60000) * 1000 / speeds[i];

                        value = 5 * KWH + minute * KWH / 20;
                        assert_int_equal(give(&t, &c, at_ms, 0, Q_ENERGY_IMPORT, &value), COUNTER_ACCEPTED);
                        assert_int_equal(value, 5 * KWH + minute * KWH / 20);
                }
                assert_int_equal(give(&t, &c, end_ms, 0, Q_ENERGY_IMPORT, &spike), COUNTER_JUMPED);
        }
}

/* While nobody knows where the counter was, increments wait; registers are told again. */
static void test_early_increments(void **state) {
        struct totals t = { 0 };
        struct meter_config c = { .protocol = &tuyamcu_protocol, .scale_num = 1, .scale_den = 1 };
        struct reading r = { .quantity = Q_ENERGY_IMPORT, .is_increment = true };
        int64_t early[] = { 3, -1, 4 };

        (void) state;
        for (unsigned i = 0; i < 3; i++) {
                r.value = early[i];
                totals_wait(&t, &r);
        }
        assert_false(totals_find(&t, 0, Q_ENERGY_IMPORT)->known);
        totals_restore(&t, 0, Q_ENERGY_IMPORT, 100, 100, 0);
        r.value = -5;
        assert_int_equal(totals_take(&t, &c, 1000, &r), COUNTER_DECREASED);
        r.value = 10;
        assert_int_equal(totals_take(&t, &c, 1000, &r), COUNTER_ACCEPTED);
        assert_int_equal(r.value, 117);
        r.value = 1;
        assert_int_equal(totals_take(&t, &c, 2000, &r), COUNTER_ACCEPTED);
        assert_int_equal(r.value, 118);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_registers_of_a_meter),
                cmocka_unit_test(test_register_of_a_fast_replay),
                cmocka_unit_test(test_largest_power_of_a_meter),
                cmocka_unit_test(test_early_increments),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
