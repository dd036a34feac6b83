/* Current values, what derives from them, and the ring of raw frames. */
#include "meters/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "meters/frame_log.h"
#include "protocols/tuyamcu/tuyamcu.h"

static void origin_name(uint16_t origin, char *buf, size_t size) {
        snprintf(buf, size, "dp %u", origin);
}

static struct profile *profile_with(unsigned n, const uint8_t rows[][2], unsigned n_channels) {
        struct profile *p = calloc(1, sizeof *p + n * sizeof p->datapoints[0]);

        assert_non_null(p);
        p->n_channels = n_channels;
        strcpy(p->channels[1], "a");
        strcpy(p->channels[2], "b");
        p->n_datapoints = n;
        for (unsigned i = 0; i < n; i++)
                p->datapoints[i] = (struct profile_datapoint) { .id = (uint8_t) (i + 1), .channel = rows[i][0],
                                                                .quantity = rows[i][1] };
        return p;
}

static int64_t value_of(const struct series_set *s, const char *key) {
        const struct series *item = series_set_find(s, key);

        assert_non_null(item);
        assert_true(item->known);
        return item->value;
}

static void apply(struct series_set *s, uint64_t at_ms, unsigned channel, unsigned quantity, int64_t value) {
        struct report r = { .at_ms = at_ms, .count = 1,
                            .readings = { { .value = value, .origin = 20, .channel = (uint8_t) channel,
                                            .quantity = (uint8_t) quantity } } };

        series_set_apply(s, &r, origin_name);
}

static const uint8_t single[][2] = { { 0, Q_CURRENT }, { 0, Q_POWER }, { 0, Q_VOLTAGE } };

/* The seed article's query: 240.3 V, 0.077 A, 17.7 W. */
static void test_derived_values(void **state) {
        struct profile *p = profile_with(3, single, 1);
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, p);
        assert_int_equal(s.count, 8);
        apply(&s, 1000, 0, Q_VOLTAGE, 240300);
        assert_false(series_set_find(&s, "apparent_power_va")->known);
        apply(&s, 1001, 0, Q_CURRENT, 77);
        apply(&s, 1002, 0, Q_POWER, 17700);
        assert_int_equal(value_of(&s, "apparent_power_va"), 18503);
        assert_int_equal(value_of(&s, "power_factor"), 957);
        assert_int_equal(value_of(&s, "reactive_power_var"), 5392);  /* sqrt(18.503^2 - 17.7^2) = 5.39175 */
        assert_int_equal(series_set_find(&s, "power_factor")->at_ms, 1000);
        assert_int_equal(series_set_find(&s, "power_factor")->source, SOURCE_DERIVED);
        assert_string_equal(series_set_find(&s, "voltage_v")->origin, "dp 20");
        free(p);
}

static void test_power_factor_limits(void **state) {
        struct profile *p = profile_with(3, single, 1);
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, p);
        apply(&s, 1, 0, Q_VOLTAGE, 230000);
        apply(&s, 1, 0, Q_CURRENT, 1000);
        apply(&s, 1, 0, Q_POWER, 250000);
        assert_int_equal(value_of(&s, "power_factor"), 1000);
        assert_int_equal(value_of(&s, "reactive_power_var"), 0);
        apply(&s, 1, 0, Q_POWER, -250000);
        assert_int_equal(value_of(&s, "power_factor"), -1000);
        apply(&s, 1, 0, Q_CURRENT, 0);
        assert_false(series_set_find(&s, "power_factor")->known);
        apply(&s, 1, 0, Q_CURRENT, INT64_MAX);
        assert_int_equal(value_of(&s, "apparent_power_va"), 0);
        free(p);
}

static void test_channels_have_their_own_keys(void **state) {
        static const uint8_t rows[][2] = { { 1, Q_POWER }, { 2, Q_POWER }, { 0, Q_VOLTAGE }, { 1, Q_CURRENT } };
        struct profile *p = profile_with(4, rows, 3);
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, p);
        apply(&s, 1, 2, Q_POWER, -5);
        assert_int_equal(value_of(&s, "b.power_w"), -5);
        assert_false(series_set_find(&s, "a.power_w")->known);
        assert_null(series_set_find(&s, "power_w"));
        assert_null(series_set_find(&s, "a.apparent_power_va"));
        assert_string_equal(s.items[0].key, "voltage_v");
        free(p);
}

/* A phase of 8 bytes has no power factor, one of 15 has: derived until it is measured. */
static void test_what_a_layout_may_bring(void **state) {
        static const uint8_t rows[][2] = { { 1, Q_NONE }, { 0, Q_ENERGY_IMPORT }, { 0, Q_ENERGY_EXPORT } };
        struct profile *p = profile_with(3, rows, 3);
        struct series_set s;

        (void) state;
        p->datapoints[0].layout = LAYOUT_PHASE;
        p->datapoints[2].is_increment = true;
        series_set_init(&s, &tuyamcu_protocol, p);
        assert_int_equal(s.count, 2 + 8);
        assert_int_equal(series_set_find(&s, "energy_export_kwh")->source, SOURCE_MEASURED);
        assert_null(series_set_find(&s, "a.frequency_hz"));
        assert_int_equal(series_set_find(&s, "a.power_w")->source, SOURCE_MEASURED);
        apply(&s, 1, 1, Q_VOLTAGE, 230000);
        apply(&s, 1, 1, Q_CURRENT, 1000);
        apply(&s, 1, 1, Q_POWER, 115000);
        assert_int_equal(value_of(&s, "a.power_factor"), 500);
        assert_int_equal(series_set_find(&s, "a.power_factor")->source, SOURCE_DERIVED);
        apply(&s, 2, 1, Q_POWER_FACTOR, 498);
        assert_int_equal(value_of(&s, "a.power_factor"), 498);
        assert_int_equal(series_set_find(&s, "a.power_factor")->source, SOURCE_MEASURED);
        apply(&s, 3, 1, Q_POWER, 230000);
        assert_int_equal(value_of(&s, "a.power_factor"), 498);
        assert_int_equal(value_of(&s, "a.reactive_power_var"), 0);
        free(p);
}

static void test_blocks_fill_three_channels(void **state) {
        static const uint8_t rows[][2] = { { 0, Q_NONE }, { 0, Q_NONE }, { 0, Q_NONE } };
        struct profile *p = profile_with(3, rows, 4);
        struct series_set s;

        (void) state;
        strcpy(p->channels[3], "c");
        p->datapoints[0].layout = LAYOUT_VOLTAGES;
        p->datapoints[1].layout = LAYOUT_CURRENTS;
        p->datapoints[2].layout = LAYOUT_POWERS;
        series_set_init(&s, &tuyamcu_protocol, p);
        assert_int_equal(s.count, 3 + 3 * 8);
        assert_non_null(series_set_find(&s, "power_w"));
        assert_non_null(series_set_find(&s, "c.voltage_v"));
        free(p);
}

static void test_energies_of_power(void **state) {
        static const uint8_t rows[][2] = { { 0, Q_POWER }, { 0, Q_ENERGY_EXPORT }, { 1, Q_POWER }, { 2, Q_VOLTAGE } };
        struct profile *p = profile_with(4, rows, 3);
        const struct series *import;
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, p);
        assert_int_equal(series_set_find(&s, "energy_export_kwh")->source, SOURCE_MEASURED);
        assert_null(series_set_find(&s, "energy_import_kwh"));
        import = series_set_find(&s, "a.energy_import_kwh");
        assert_int_equal(import->source, SOURCE_INTEGRATED);
        assert_int_equal(series_set_find(&s, "a.energy_export_kwh")->source, SOURCE_INTEGRATED);
        assert_null(series_set_find(&s, "b.energy_import_kwh"));
        /* What no profile lists does not take its place. */
        apply(&s, 1, 1, Q_ENERGY_IMPORT, 5);
        assert_false(import->known);
        assert_int_equal(import->source, SOURCE_INTEGRATED);
        free(p);
}

static void test_age(void **state) {
        static const uint8_t rows[][2] = { { 0, Q_POWER }, { 0, Q_ENERGY_IMPORT } };
        struct profile *p = profile_with(2, rows, 1);
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, p);
        assert_false(series_is_current(series_set_find(&s, "power_w"), 0, 1000));
        apply(&s, 5000, 0, Q_POWER, 1);
        apply(&s, 5000, 0, Q_ENERGY_IMPORT, 1);
        assert_true(series_is_current(series_set_find(&s, "power_w"), 6000, 1000));
        assert_false(series_is_current(series_set_find(&s, "power_w"), 6001, 1000));
        assert_true(series_is_current(series_set_find(&s, "energy_import_kwh"), 600000, 1000));
        free(p);
}

static void test_unknown_meter_has_no_series(void **state) {
        struct series_set s;

        (void) state;
        series_set_init(&s, &tuyamcu_protocol, NULL);
        apply(&s, 1, 0, Q_POWER, 1);
        assert_int_equal(s.count, 0);
}

static void test_frame_log_keeps_the_newest(void **state) {
        static struct frame_log log;
        static struct frame_log_entry e;
        uint8_t data[2000];
        uint32_t cursor = 0;
        uint64_t expected;
        unsigned n = 0;

        (void) state;
        assert_false(frame_log_next(&log, &cursor, &e));
        for (unsigned i = 1; i <= 5000; i++) {
                memset(data, (int) i, sizeof data);
                frame_log_put(&log, i, i % 3 == 0, data, i % 50);
        }
        frame_log_put(&log, 5001, true, data, sizeof data);
        for (cursor = 0; frame_log_next(&log, &cursor, &e); n++) {
                expected = n == 0 ? e.number : expected + 1;
                assert_int_equal(e.number, expected);
                assert_int_equal(e.at_ms, expected);
                if (expected == 5001)
                        break;
                assert_int_equal(e.len, expected % 50);
                assert_int_equal(e.tx, expected % 3 == 0);
                for (unsigned i = 0; i < e.len; i++)
                        assert_int_equal(e.data[i], (uint8_t) expected);
        }
        assert_int_equal(e.number, 5001);
        assert_int_equal(e.len, FRAME_LOG_ENTRY_MAX);
        assert_true(n > 200);
        assert_int_equal(log.total, 5001);
}

/* Readers of any pace see every frame, or are told how many they missed. */
static void test_frame_log_is_followed(void **state) {
        static struct frame_log log;
        static struct frame_log_entry e;
        struct frame_log_place places[4];
        uint64_t seen[4] = { 0 }, lost_in_all[4] = { 0 }, lost = 77;
        uint8_t data[300] = { 0 };

        (void) state;
        for (unsigned r = 0; r < 4; r++)
                places[r] = frame_log_begin(&log);
        assert_false(frame_log_follow(&log, &places[0], &e, &lost));
        assert_int_equal(lost, 77);
        for (unsigned i = 1; i <= 20000; i++) {
                frame_log_put(&log, i, false, data, i * 7919 % sizeof data);
                for (unsigned r = 0; r < 4; r++) {
                        /* The first after each frame, the last so seldom that it misses most of them. */
                        static const unsigned paces[] = { 1, 40, 997, 5000 };

                        while (i % paces[r] == 0 && frame_log_follow(&log, &places[r], &e, &lost)) {
                                seen[r]++;
                                lost_in_all[r] += lost;
                                assert_int_equal(e.number, seen[r] + lost_in_all[r]);
                                assert_int_equal(e.at_ms, e.number);
                                assert_int_equal(e.len, e.number * 7919 % sizeof data);
                        }
                        if (i % paces[r] == 0)
                                assert_int_equal(e.number, i);
                }
        }
        assert_int_equal(lost_in_all[0] + lost_in_all[1], 0);
        assert_true(lost_in_all[2] > 0 && lost_in_all[3] > 19000);
        /* Who comes later has missed nothing. */
        places[0] = frame_log_begin(&log);
        assert_true(frame_log_follow(&log, &places[0], &e, &lost));
        assert_int_equal(lost, 0);
        assert_true(e.number > 19000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_derived_values),
                cmocka_unit_test(test_power_factor_limits),
                cmocka_unit_test(test_channels_have_their_own_keys),
                cmocka_unit_test(test_what_a_layout_may_bring),
                cmocka_unit_test(test_blocks_fill_three_channels),
                cmocka_unit_test(test_energies_of_power),
                cmocka_unit_test(test_age),
                cmocka_unit_test(test_unknown_meter_has_no_series),
                cmocka_unit_test(test_frame_log_keeps_the_newest),
                cmocka_unit_test(test_frame_log_is_followed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
