/* Raw datapoints: every table with bytes of known meaning, signs and wraps, and every length against an unreadable
 * page behind the value. */
#include "protocols/tuyamcu/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/datapoint.h"

enum { OWN_CHANNEL = 2, LENGTHS_MAX = 40, NONE = INT32_MIN };

static struct report mapped;
static const char *name;

static struct profile_datapoint row_of(unsigned layout, unsigned power_den) {
        return (struct profile_datapoint) {
                .id = 6, .type = DATAPOINT_RAW, .quantity = Q_NONE, .channel = OWN_CHANNEL, .scale_num = 1,
                .scale_den = 1, .layout = (uint8_t) layout, .power_den = (uint8_t) power_den,
        };
}

static unsigned map_with(unsigned layout, unsigned power_den, const uint8_t *bytes, size_t len) {
        struct profile_datapoint row = row_of(layout, power_den);

        mapped = (struct report) { .count = 0 };
        return tuya_layout_map(&row, span_of(bytes, len), 6, &mapped, &name);
}

#define BYTES(...) (const uint8_t[]) { __VA_ARGS__ }
#define MAP(layout, ...) map_with(layout, 0, BYTES(__VA_ARGS__), sizeof BYTES(__VA_ARGS__))

static int64_t value_in(unsigned channel, unsigned quantity) {
        for (unsigned i = 0; i < mapped.count; i++)
                if (mapped.readings[i].channel == channel && mapped.readings[i].quantity == quantity) {
                        assert_int_equal(mapped.readings[i].origin, 6);
                        return mapped.readings[i].value;
                }
        return NONE;
}

static int64_t value(unsigned quantity) {
        return value_in(OWN_CHANNEL, quantity);
}

static void assert_phase(int64_t mv, int64_t ma, int64_t mw) {
        assert_int_equal(value(Q_VOLTAGE), mv);
        assert_int_equal(value(Q_CURRENT), ma);
        assert_int_equal(value(Q_POWER), mw);
}

static void test_8_bytes(void **state) {
        (void) state;
        for (unsigned layout = LAYOUT_PHASE; layout <= LAYOUT_PHASE_PQFCV; layout++) {
                assert_int_equal(MAP(layout, 0x09, 0x16, 0, 0, 0x99, 0, 0, 0x23), 3);
                assert_phase(232600, 153, 35000);
                assert_string_equal(name, "phase8");
                assert_int_equal(mapped.count, 3);
        }
        MAP(LAYOUT_PHASE, 0x09, 0x35, 0, 0, 0xf8, 0, 0, 0x3a);
        assert_phase(235700, 248, 58000);
        MAP(LAYOUT_PHASE, 0x09, 0x01, 0, 0x01, 0x2e, 0, 0, 0x43);
        assert_phase(230500, 302, 67000);
        MAP(LAYOUT_PHASE, 0x09, 0x06, 0, 0x07, 0xfa, 0, 0x01, 0x74);
        assert_phase(231000, 2042, 372000);
        MAP(LAYOUT_PHASE, 0x08, 0xec, 0, 0x05, 0x8f, 0, 0x01, 0x10);
        assert_phase(228400, 1423, 272000);
        /* All bytes count: 100 A, 23 kW, and 6553.5 V without a sign. */
        MAP(LAYOUT_PHASE, 0xff, 0xff, 0x01, 0x86, 0xa0, 0, 0x59, 0xd8);
        assert_phase(6553500, 100000, 23000000);
        MAP(LAYOUT_PHASE, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0);
        assert_phase(0, 16777215, 0);
}

static void test_10_bytes(void **state) {
        (void) state;
        assert_int_equal(MAP(LAYOUT_PHASE, 0x09, 0x06, 0, 0x07, 0xfa, 0, 0x01, 0x74, 0x00, 0x1e), 3);
        assert_phase(231000, 2042, 372000);
        assert_string_equal(name, "phase10");
}

static int64_t power_of(unsigned v) {
        assert_int_equal(MAP(LAYOUT_PHASE, 0x09, 0x06, 0, 0, 1, (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v),
                         3);
        return value(Q_POWER);
}

static void test_negative_power(void **state) {
        (void) state;
        assert_int_equal(power_of(0xffff3b), -197000);
        assert_int_equal(power_of(0x800000), -8388608000);
        assert_int_equal(power_of(0x7fffff), 8388607000);
        /* Divided by ten without a sign. */
        assert_int_equal(power_of(1677525), -197000);
        assert_int_equal(power_of(1677722), 0);
        assert_int_equal(power_of(1677723), 1677723000);
        assert_int_equal(power_of(1527722), -150000000);
        assert_int_equal(power_of(1527721), 1527721000);
        MAP(LAYOUT_PHASE, 0x09, 0x06, 0, 0, 1, 0x19, 0x98, 0xd5, 0, 0);
        assert_int_equal(value(Q_POWER), -197000);
}

static void test_power_scale(void **state) {
        static const uint8_t bytes[] = { 0x09, 0x16, 0, 0, 0x99, 0, 0x01, 0x5e },
                             wrapped[] = { 0x09, 0x16, 0, 0, 0x99, 0x19, 0x98, 0xd5 },
                             short_form[] = { 0x09, 0x16, 0x00, 0x0a, 0x01, 0x5e };

        (void) state;
        map_with(LAYOUT_PHASE, 10, bytes, sizeof bytes);
        assert_phase(232600, 153, 35000);
        map_with(LAYOUT_PHASE, 1, bytes, sizeof bytes);
        assert_phase(232600, 153, 350000);
        map_with(LAYOUT_PHASE, 10, wrapped, sizeof wrapped);
        assert_int_equal(value(Q_POWER), -19700);
        map_with(LAYOUT_PHASE, 1, short_form, sizeof short_form);
        assert_phase(232600, 1000, 350000);
}

static void test_6_bytes(void **state) {
        (void) state;
        assert_int_equal(MAP(LAYOUT_PHASE, 0x09, 0x16, 0x00, 0x0a, 0xff, 0xff), 3);
        assert_phase(232600, 1000, 6553500);
        assert_string_equal(name, "phase6");
}

static void test_15_bytes_voltage_first(void **state) {
        (void) state;
        assert_int_equal(MAP(LAYOUT_PHASE_VCPQFF, 0x09, 0x0f, 0, 0, 0xbf, 0, 0, 0x78, 0, 0, 0x25, 0x01, 0x10, 0xc3, 0x32), 6);
        assert_string_equal(name, "vcpqff15");
        assert_phase(231900, 191, 12000);
        assert_int_equal(value(Q_REACTIVE_POWER), 3700);
        assert_int_equal(value(Q_POWER_FACTOR), 272);
        assert_int_equal(value(Q_FREQUENCY), 49970);
        /* No wrap of 7.1 here. */
        MAP(LAYOUT_PHASE_VCPQFF, 0x09, 0x0f, 0, 0, 0xbf, 0xff, 0xff, 0x88, 0xff, 0xff, 0xdb, 0xfe, 0xf0, 0xea, 0x60);
        assert_phase(231900, 191, -12000);
        assert_int_equal(value(Q_REACTIVE_POWER), -3700);
        assert_int_equal(value(Q_POWER_FACTOR), -272);
        assert_int_equal(value(Q_FREQUENCY), 60000);
}

static void test_15_bytes_power_first(void **state) {
        (void) state;
        assert_int_equal(MAP(LAYOUT_PHASE_PQFCV, 0, 0, 0, 0xbf, 0, 0, 0x01, 0x3c, 0x01, 0xf8, 0, 0x06, 0x4f, 0x09, 0x30), 5);
        assert_string_equal(name, "pqfcv15");
        assert_phase(235200, 1615, 191000);
        assert_int_equal(value(Q_REACTIVE_POWER), 316000);
        assert_int_equal(value(Q_POWER_FACTOR), 504);
        MAP(LAYOUT_PHASE_PQFCV, 1, 0, 0, 0xbf, 0xff, 0, 0x01, 0x3c, 0xfe, 0x08, 1, 0x06, 0x4f, 0x09, 0x30);
        assert_phase(235200, 67151, -191000);
        assert_int_equal(value(Q_REACTIVE_POWER), -316000);
        assert_int_equal(value(Q_POWER_FACTOR), -504);
        /* Only bit 0 of a sign byte counts; a magnitude has no sign of its own. */
        MAP(LAYOUT_PHASE_PQFCV, 0xfe, 0xff, 0xff, 0xff, 2, 0, 0x01, 0x3c, 0, 0, 0, 0, 0, 0x09, 0x30);
        assert_int_equal(value(Q_POWER), 16777215000);
        assert_int_equal(value(Q_REACTIVE_POWER), 316000);
}

static void test_15_bytes_of_either_form(void **state) {
        (void) state;
        assert_int_equal(MAP(LAYOUT_PHASE, 0x09, 0x0f, 0, 0, 0xbf, 0, 0, 0x78, 0, 0, 0x25, 0x01, 0x10, 0xc3, 0x32), 6);
        assert_string_equal(name, "vcpqff15");
        assert_int_equal(MAP(LAYOUT_PHASE, 0, 0, 0, 0xbf, 0, 0, 0x01, 0x3c, 0x01, 0xf8, 0, 0x06, 0x4f, 0x09, 0x30), 5);
        assert_string_equal(name, "pqfcv15");
        /* 80 to 480 V, inclusive. */
        assert_int_equal(MAP(LAYOUT_PHASE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x03, 0x20), 5);
        assert_int_equal(MAP(LAYOUT_PHASE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0xc0), 5);
        assert_int_equal(MAP(LAYOUT_PHASE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x03, 0x1f), 0);
        assert_null(name);
        assert_int_equal(MAP(LAYOUT_PHASE, 0x12, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0xc1), 0);
        assert_int_equal(mapped.count, 0);
        /* The profile's word stands, plausible or not. */
        assert_int_equal(MAP(LAYOUT_PHASE_VCPQFF, 0, 0, 0, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x09, 0x30), 6);
        assert_string_equal(name, "vcpqff15");
}

static void map_18(uint8_t signs) {
        assert_int_equal(MAP(LAYOUT_PHASE, 0xaa, 0xbb, 0x09, 0x16, 0x01, 0x00, 0x01, 0x00, 0x3a, 0x98, 0x00, 0x00,
                             0x64, 0x80, 0x3a, 0xa2, 0x63, signs),
                         6);
        assert_string_equal(name, "phase18");
}

static void test_18_bytes(void **state) {
        (void) state;
        map_18(0);
        assert_phase(232600, 65537, 15000000);
        assert_int_equal(value(Q_REACTIVE_POWER), 100000);
        assert_int_equal(value(Q_APPARENT_POWER), 8403618000);
        assert_int_equal(value(Q_POWER_FACTOR), 990);
        map_18(2);
        assert_phase(232600, 65537, -15000000);
        map_18(1 | 4 | 8);
        assert_phase(232600, -65537, 15000000);
        assert_int_equal(value(Q_REACTIVE_POWER), -100000);
        assert_int_equal(value(Q_POWER_FACTOR), -990);
        assert_int_equal(value(Q_APPARENT_POWER), 8403618000);
        map_18(0xf0);
        assert_phase(232600, 65537, 15000000);
}

static void test_blocks(void **state) {
        static const int64_t mv[] = { 230000, 230100, 230400 }, ma[] = { 1444, 1224, 1593 },
                             mw[] = { 1000, 100, -100, 1000 };

        (void) state;
        assert_int_equal(MAP(LAYOUT_VOLTAGES, 0x08, 0xfc, 0x08, 0xfd, 0x09, 0x00), 3);
        assert_string_equal(name, "voltages6");
        for (unsigned c = 1; c <= 3; c++)
                assert_int_equal(value_in(c, Q_VOLTAGE), mv[c - 1]);
        assert_int_equal(MAP(LAYOUT_CURRENTS, 0x00, 0x05, 0xa4, 0x00, 0x04, 0xc8, 0x00, 0x06, 0x39), 3);
        assert_string_equal(name, "currents9");
        for (unsigned c = 1; c <= 3; c++)
                assert_int_equal(value_in(c, Q_CURRENT), ma[c - 1]);
        assert_int_equal(MAP(LAYOUT_POWERS, 0, 0, 0x0a, 0, 0, 1, 0xff, 0xff, 0xff, 0, 0, 0x0a), 4);
        assert_string_equal(name, "powers12");
        for (unsigned c = 0; c <= 3; c++)
                assert_int_equal(value_in(c, Q_POWER), mw[c]);
}

/* The length of every table; anything else brings nothing. */
static unsigned readings_of(unsigned layout, size_t len) {
        switch (layout) {
        case LAYOUT_PHASE:
        case LAYOUT_PHASE_VCPQFF:
        case LAYOUT_PHASE_PQFCV:
                if (len == 15)
                        return layout == LAYOUT_PHASE_PQFCV ? 5 : 6;
                return len == 6 || len == 8 || len == 10 ? 3 : len == 18 ? 6 : 0;
        case LAYOUT_VOLTAGES:
                return len == 6 ? 3 : 0;
        case LAYOUT_CURRENTS:
                return len == 9 ? 3 : 0;
        case LAYOUT_POWERS:
                return len == 12 ? 4 : 0;
        default:
                return 0;
        }
}

static void walk_limits(unsigned layout, struct span value) {
        struct tuya_limit limit;
        size_t offset = 0, n = 0;

        for (; tuya_limit_next(layout, value, &offset, &limit); n++)
                assert_true(offset <= value.len);
        assert_int_equal(n, value.len / 4);
}

static void test_every_length(void **state) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct tuya_history history;

        (void) state;
        assert_true(pages != MAP_FAILED);
        assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
        memset(pages, 0x09, page);  /* 231.3 V wherever a voltage stands */
        for (unsigned layout = 0; layout < LAYOUT_COUNT; layout++)
                for (size_t len = 0; len <= LENGTHS_MAX; len++) {
                        const uint8_t *bytes = pages + page - len;

                        if (layout == LAYOUT_PHASE && len == 15)
                                pages[page - 2] = 0xc3;  /* 50 Hz: not the form that ends with a voltage */
                        assert_int_equal(map_with(layout, 0, bytes, len), readings_of(layout, len));
                        assert_int_equal(mapped.count, readings_of(layout, len));
                        pages[page - 2] = 0x09;
                        assert_int_equal(tuya_history_read(layout, span_of(bytes, len), &history),
                                         len == 8 && (layout == LAYOUT_MONTH || layout == LAYOUT_DAY));
                        walk_limits(layout, span_of(bytes, len));
                }
        munmap(pages, 2 * page);
        assert_int_equal(map_with(LAYOUT_PHASE, 0, NULL, 0), 0);
}

/* What a layout is said to have is what it can bring. */
static void test_has(void **state) {
        (void) state;
        for (unsigned layout = 0; layout < LAYOUT_COUNT; layout++) {
                struct profile_datapoint row = row_of(layout, 0);
                bool brought[CHANNELS_MAX][Q_COUNT] = { 0 };
                uint8_t bytes[LENGTHS_MAX] = { 0 };

                for (size_t len = 0; len <= LENGTHS_MAX; len++) {
                        map_with(layout, 0, bytes, len);
                        for (unsigned i = 0; i < mapped.count; i++)
                                brought[mapped.readings[i].channel][mapped.readings[i].quantity] = true;
                }
                for (unsigned c = 0; c < CHANNELS_MAX; c++)
                        for (unsigned q = 0; q < Q_COUNT; q++)
                                assert_int_equal(tuya_layout_has(&row, c, q), brought[c][q]);
                assert_false(tuya_layout_has(&row, OWN_CHANNEL, Q_NONE));
        }
}

static void test_history(void **state) {
        static const uint8_t month[] = { 0x16, 0x0b, 0x16, 0x0b, 0, 0, 0, 4 },
                             day[] = { 11, 29, 11, 29, 0xff, 0, 0, 1 };
        struct tuya_history h;

        (void) state;
        assert_true(tuya_history_read(LAYOUT_MONTH, span_of(month, sizeof month), &h));
        assert_int_equal(h.year, 22);
        assert_int_equal(h.month, 11);
        assert_int_equal(h.day, 0);
        assert_int_equal(h.energy_10wh, 4);
        assert_true(tuya_history_read(LAYOUT_DAY, span_of(day, sizeof day), &h));
        assert_int_equal(h.year, 0);
        assert_int_equal(h.month, 11);
        assert_int_equal(h.day, 29);
        assert_int_equal(h.energy_10wh, 0xff000001);
        assert_false(tuya_history_read(LAYOUT_PHASE, span_of(month, sizeof month), &h));
        assert_false(tuya_history_read(LAYOUT_DAY, span_of(day, 7), &h));
        assert_int_equal(map_with(LAYOUT_MONTH, 0, month, sizeof month), 0);
        assert_string_equal(name, "month8");
        assert_int_equal(map_with(LAYOUT_DAY, 0, day, sizeof day), 0);
        assert_string_equal(name, "day8");
}

static void assert_limit(unsigned layout, struct span value, size_t *offset, const char *key, bool trips,
                         unsigned threshold) {
        struct tuya_limit limit;

        assert_true(tuya_limit_next(layout, value, offset, &limit));
        assert_int_equal(limit.trips, trips);
        assert_int_equal(limit.threshold, threshold);
        if (key)
                assert_string_equal(limit.name, key);
        else
                assert_null(limit.name);
}

static void test_limits(void **state) {
        static const uint8_t bytes[] = { 1,    1, 0, 0x50, 3,    1,    0, 0xf5, 4,    1, 0,
                                         0xa0, 8, 0, 0,    0x32, 0xff, 0, 0xff, 0xff, 1, 1 },
                             breaker[] = { 1, 1, 0, 1, 3, 1, 0, 20, 4, 0, 0, 30, 5, 0, 0, 80, 8, 0, 0, 0 };
        struct span value = span_of(bytes, sizeof bytes);
        struct tuya_limit limit;
        size_t offset = 0;

        (void) state;
        assert_limit(LAYOUT_LIMITS_METER, value, &offset, "over_current_a", true, 80);
        assert_limit(LAYOUT_LIMITS_METER, value, &offset, "over_voltage_v", true, 245);
        assert_limit(LAYOUT_LIMITS_METER, value, &offset, "under_voltage_v", true, 160);
        assert_limit(LAYOUT_LIMITS_METER, value, &offset, "low_balance_kwh", false, 50);
        assert_limit(LAYOUT_LIMITS_METER, value, &offset, NULL, false, 65535);
        assert_false(tuya_limit_next(LAYOUT_LIMITS_METER, value, &offset, &limit));
        value = span_of(breaker, sizeof breaker);
        offset = 0;
        assert_limit(LAYOUT_LIMITS_BREAKER, value, &offset, "short_circuit", true, 1);
        assert_limit(LAYOUT_LIMITS_BREAKER, value, &offset, "overload_kw", true, 20);
        assert_limit(LAYOUT_LIMITS_BREAKER, value, &offset, "leakage_ma", false, 30);
        assert_limit(LAYOUT_LIMITS_BREAKER, value, &offset, "temperature_c", false, 80);
        assert_limit(LAYOUT_LIMITS_BREAKER, value, &offset, NULL, false, 0);
        assert_false(tuya_limit_next(LAYOUT_LIMITS_BREAKER, value, &offset, &limit));
        assert_int_equal(map_with(LAYOUT_LIMITS_METER, 0, bytes, 16), 0);
        assert_string_equal(name, "limits4");
}

static void test_readings_replace_and_a_full_report_stays(void **state) {
        static const uint8_t bytes[] = { 0x09, 0x16, 0, 0, 0x99, 0, 0, 0x23 };
        struct profile_datapoint row = row_of(LAYOUT_PHASE, 0);
        struct report report = { .count = 1,
                                 .readings = { { .value = 1, .channel = OWN_CHANNEL, .quantity = Q_POWER } } };

        (void) state;
        assert_int_equal(tuya_layout_map(&row, span_of(bytes, sizeof bytes), 7, &report, NULL), 3);
        assert_int_equal(report.count, 3);
        assert_int_equal(report.readings[0].value, 35000);
        assert_int_equal(report.readings[0].origin, 7);
        report.count = READINGS_MAX;
        for (unsigned i = 0; i < READINGS_MAX; i++)
                report.readings[i] = (struct reading) { .channel = 7, .quantity = (uint8_t) (100 + i) };
        assert_int_equal(tuya_layout_map(&row, span_of(bytes, sizeof bytes), 7, &report, NULL), 0);
        assert_int_equal(report.count, READINGS_MAX);
}

/* Through the whole way: sign and direction concern the power alone. */
static void test_sign_and_direction(void **state) {
        static const uint8_t bytes[] = { 0x09, 0x16, 0, 0, 0x99, 0, 0, 0x23 };
        struct tuya_datapoint d = { .id = 6, .type = DATAPOINT_RAW, .value = span_of(bytes, sizeof bytes) };
        struct profile *p = calloc(1, sizeof *p + sizeof p->datapoints[0]);
        struct tuya_directions dir = { 0 };

        (void) state;
        assert_non_null(p);
        p->n_channels = 3;
        p->n_datapoints = 1;
        p->datapoints[0] = row_of(LAYOUT_PHASE, 0);
        p->datapoints[0].inverted = true;
        mapped = (struct report) { .count = 0 };
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &mapped), 3);
        assert_phase(232600, 153, -35000);
        p->datapoints[0].inverted = false;
        p->datapoints[0].direction_id = 102;
        p->datapoints[0].direction_reverse = 1;
        mapped = (struct report) { .count = 0 };
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &mapped), 2);  /* which way it flows is not known yet */
        assert_phase(232600, 153, NONE);
        tuya_directions_note(&dir, &(struct tuya_datapoint) { .id = 102, .numeric = true, .number = 1 });
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &mapped), 3);
        assert_phase(232600, 153, -35000);
        d.type = DATAPOINT_STRING;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &mapped), 0);
        d.type = DATAPOINT_RAW;
        d.value.len = 7;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &mapped), 0);
        free(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_8_bytes),
                cmocka_unit_test(test_10_bytes),
                cmocka_unit_test(test_negative_power),
                cmocka_unit_test(test_power_scale),
                cmocka_unit_test(test_6_bytes),
                cmocka_unit_test(test_15_bytes_voltage_first),
                cmocka_unit_test(test_15_bytes_power_first),
                cmocka_unit_test(test_15_bytes_of_either_form),
                cmocka_unit_test(test_18_bytes),
                cmocka_unit_test(test_blocks),
                cmocka_unit_test(test_every_length),
                cmocka_unit_test(test_has),
                cmocka_unit_test(test_history),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_readings_replace_and_a_full_report_stays),
                cmocka_unit_test(test_sign_and_direction),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
