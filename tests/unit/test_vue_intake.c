/* What of a radio module's readings may be published, and what the diagnostics tell of them. */
#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"

static struct bench b;

/* ---- what may be published ---- */

static void test_zeros_before_the_reading(void **state) {
        (void) state;
        bench_init(&b);
        b.module.zero_first = true;
        bench_start(&b);
        bench_run(&b, 300000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(b.n_reports, 10);
        assert_int_equal(bench_counter(&b, VUE_ALL_ZERO), 10);
        assert_int_equal(bench_counter(&b, VUE_WITHHELD_UNSCALED), 0);
        assert_int_equal(bench_counter(&b, VUE_TIMEOUTS + VUE_ASK_READ), 0);
        for (unsigned i = 0; i < b.n_reports; i++)
                assert_int_equal(b.reports[i].readings[0].value, 909000);
}

static void test_nothing_but_zeros(void **state) {
        (void) state;
        bench_init(&b);
        b.module.multiplier = b.module.divisor = 0;
        b.module.import = b.module.export = 0;
        b.module.demand = 0;
        bench_start(&b);
        bench_run(&b, 45000);
        bench_assert_state(&b, METER_SEARCHING);
        assert_string_equal(b.session.base.reason, "the utility's meter does not answer");
        bench_run(&b, 30000);
        bench_assert_state(&b, METER_SEARCHING);
        assert_non_null(strstr(b.session.base.reason, "zeros"));
        assert_int_equal(b.n_reports, 0);
        assert_int_equal(bench_counter(&b, VUE_ALL_ZERO), 3);
}

static void test_unusable_readings(void **state) {
        static const struct {
                uint8_t payload[24];
                uint8_t len;
                enum vue_counter counter;
                const char *reject;
        } cases[] = {
                { { 0x18, 1 }, 2, VUE_ERROR_SHORT, "short" },
                { { 0x18, 2, 0x0b, 0 }, 4, VUE_ERROR_NOT_READ_RESPONSE, "not_read_response" },
                { { 0x18, 3, 1, 0, 4, 0, 0x2a, 1 }, 8, VUE_ERROR_BAD_RECORD, "bad_record" },
                { { 0x18, 4, 1, 0, 4, 0, 0x2a, 1, 0, 0 }, 10, VUE_WITHHELD_NO_SCALE, "no_scale" },
                { { 0x18, 5, 1, 1, 3, 0, 0x20, 0, 2, 3, 0, 0x20, 9, 0, 4, 0, 0x2a, 1, 0, 0 }, 20,
                  VUE_WITHHELD_UNSCALED, "unscaled" },
                { { 0x18, 6, 1, 1, 3, 0, 0x20, 1, 2, 3, 0, 0x20, 9 }, 13, VUE_NO_VALUES, NULL },
        };

        (void) state;
        bench_init(&b);
        b.module.says[VUE_ASK_READ] = false;
        bench_start(&b);
        bench_run(&b, 1000);
        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                bench_frame(&b, 'r', cases[i].payload, cases[i].len);
                bench_run(&b, 10);
                assert_int_equal(bench_counter(&b, cases[i].counter), 1);
                bench_assert_text(&b, "last_reject", cases[i].reject);
                bench_assert_state(&b, METER_STALE);
                assert_int_equal(bench_detail_of(&b, "last_reading_frame").len, cases[i].len + 5);
        }
        assert_int_equal(b.n_reports, 0);
        assert_false(b.session.has_good);
}

static void test_messages_of_a_wrong_form(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_frame(&b, 'f', (const uint8_t *) "ab", 2);
        bench_frame(&b, 'j', (const uint8_t *) "", 0);
        bench_frame(&b, 'i', (const uint8_t *) "1234567", 7);
        bench_frame(&b, 'x', (const uint8_t *) "1", 1);
        bench_run(&b, 10);
        assert_int_equal(bench_counter(&b, VUE_ERROR_BAD_LENGTH), 3);
        assert_int_equal(bench_counter(&b, VUE_ERROR_UNKNOWN_TYPE), 1);
        assert_string_equal(b.session.base.firmware, "8");
        bench_assert_state(&b, METER_ONLINE);
}

static void test_another_unit(void **state) {
        static const uint8_t payload[] = { 0x18, 9, 1, 0, 3, 0, 0x30, 0x80, 1, 3, 0, 0x20, 1, 2, 3, 0, 0x21, 0xe8, 3,
                                           0, 4, 0, 0x2a, 1, 0, 0 };

        (void) state;
        bench_init(&b);
        b.module.says[VUE_ASK_READ] = false;
        bench_start(&b);
        bench_run(&b, 1000);
        bench_frame(&b, 'r', payload, sizeof payload);
        bench_run(&b, 10);
        assert_int_equal(b.n_reports, 0);
        assert_int_equal(bench_counter(&b, VUE_WITHHELD_UNIT), 1);
        bench_assert_state(&b, METER_STALE);
        assert_non_null(strstr(b.session.base.reason, "unit"));
        bench_assert_number(&b, "unit_of_measure", 0x80);
        /* The link works: nothing to join. */
        for (int i = 0; i < 20; i++) {
                uint8_t next[sizeof payload];

                memcpy(next, payload, sizeof next);
                next[1] = (uint8_t) (10 + i);
                bench_run(&b, 30000);
                bench_frame(&b, 'r', next, sizeof next);
        }
        assert_int_equal(bench_count(&b, "j"), 1);
}

/* 4194304 counts are "no value", except where the register has just come near. */
static void test_energy_marker(void **state) {
        static const struct { uint64_t before, at; bool believed; } cases[] = {
                { 4194303, 4194304, true }, { 4194304, 4194304, true }, { 4174304, 4194304, true },
                { 4174303, 4194304, false }, { 4194305, 4194304, false }, { 1000, 4194304, false },
        };

        (void) state;
        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                bench_init(&b);
                b.module.dump = true;
                b.module.import = cases[i].before == 4194304 ? 4194303 : cases[i].before;
                bench_start(&b);
                bench_run(&b, 2000);
                if (cases[i].before == 4194304) {
                        b.module.import = 4194304;
                        bench_run(&b, 30000);
                }
                b.module.import = cases[i].at;
                b.module.demand = 77;
                bench_run(&b, 30000);
                assert_int_equal(bench_value_of(&b, Q_POWER), 77000);
                assert_int_equal(bench_value_of(&b, Q_ENERGY_IMPORT),
                                 (int64_t) (cases[i].believed ? cases[i].at : cases[i].before) * 1000);
                assert_int_equal(bench_counter(&b, VUE_WITHHELD_MARKER), !cases[i].believed);
        }
}

static void test_energy_marker_first(void **state) {
        int64_t v;

        (void) state;
        bench_init(&b);
        b.module.dump = true;
        b.module.import = 4194304;
        bench_start(&b);
        bench_run(&b, 2000);
        assert_false(bench_value(&b, Q_ENERGY_IMPORT, &v));
        assert_int_equal(bench_counter(&b, VUE_WITHHELD_MARKER), 1);
        bench_assert_state(&b, METER_ONLINE);  /* there is a power */
}

static void test_scale_changes(void **state) {
        (void) state;
        bench_reach_online(&b);
        b.module.multiplier = 3;
        b.module.divisor = 5000;
        bench_run(&b, 30000);
        assert_int_equal(bench_counter(&b, VUE_SCALE_CHANGES), 1);
        assert_non_null(strstr(b.session.base.hint, "multiplier or divisor changed"));
        assert_int_equal(bench_value_of(&b, Q_POWER), 545400);
        bench_assert_number(&b, "multiplier", 3);
        bench_assert_number(&b, "divisor", 5000);
        assert_int_equal(bench_detail_of(&b, "scale_changed_at").kind, DETAIL_TIME);
        bench_run(&b, 3600000);
        assert_null(b.session.base.hint);
        assert_int_equal(bench_counter(&b, VUE_SCALE_CHANGES), 1);
}

static void test_sequence_gaps(void **state) {
        (void) state;
        bench_init(&b);
        b.module.sequence = 254;
        bench_start(&b);
        bench_run(&b, 120000);
        assert_int_equal(bench_counter(&b, VUE_SEQUENCE_GAPS), 0);
        b.module.sequence += 2;
        bench_run(&b, 60000);
        assert_int_equal(bench_counter(&b, VUE_SEQUENCE_GAPS), 1);
}

static void test_notices(void **state) {
        (void) state;
        bench_init(&b);
        b.module.says[VUE_ASK_READ] = false;
        bench_start(&b);
        bench_run(&b, 12000);
        assert_null(strstr(b.session.base.hint, "notices"));
        for (uint8_t code = 0; code < 5; code++)
                bench_frame(&b, 'e', &code, 1);
        bench_run(&b, 10);
        assert_int_equal(bench_counter(&b, VUE_NOTICES_0), 1);
        assert_int_equal(bench_counter(&b, VUE_NOTICES_1), 1);
        assert_int_equal(bench_counter(&b, VUE_NOTICES_2), 1);
        assert_int_equal(bench_counter(&b, VUE_NOTICES_OTHER), 2);
        bench_assert_number(&b, "last_notice", 4);
        assert_non_null(strstr(b.session.base.hint, "notices"));
        bench_run(&b, 700000);
        assert_null(strstr(b.session.base.hint, "notices"));
}

static void test_datapoints(void **state) {
        const struct datapoint *d;

        (void) state;
        bench_init(&b);
        b.module.demand = -5;
        bench_start(&b);
        bench_run(&b, 2000);
        d = datapoint_table_get(&b.session.base.datapoints, 0x0400);
        assert_int_equal(d->type, 0x2a);
        assert_int_equal(d->number, -5);
        assert_int_equal(d->length, 3);
        assert_int_equal(d->bytes[0], 0xfb);
        assert_int_equal(datapoint_table_get(&b.session.base.datapoints, 0)->number, 5858944);
        assert_int_equal(b.session.base.datapoints.count, 5);
        assert_int_equal(bench_value_of(&b, Q_POWER), -5000);
}

/* ---- details ---- */

static void test_details_of_a_zcl_module(void **state) {
        (void) state;
        bench_begin(&b);
        bench_assert_text(&b, "mac", NULL);
        assert_int_equal(bench_detail_of(&b, "last_reading_frame").kind, DETAIL_UNKNOWN);
        bench_run(&b, 2000);
        bench_assert_text(&b, "mac", "70:B3:D5:EB:80:00:9A:BC");
        bench_assert_text(&b, "install_code", "0123456789AB5C3F");
        assert_true(bench_detail_of(&b, "install_code").is_secret);
        bench_assert_text(&b, "install_code_crc", "ok");
        bench_assert_number(&b, "module_firmware", 8);
        bench_assert_text(&b, "layout", "zcl");
        assert_int_equal(bench_detail_of(&b, "layout_fits_firmware").number, 1);
        bench_assert_number(&b, "join", 1);
        bench_assert_number(&b, "poll_ms", 30000);
        bench_assert_number(&b, "multiplier", 1);
        bench_assert_number(&b, "divisor", 1000);
        bench_assert_number(&b, "demand_raw", 909);
        bench_assert_number(&b, "import_raw", 5858944);
        bench_assert_number(&b, "export_raw", 7926904);
        bench_assert_number(&b, "sequence", 0x40);
        assert_int_equal(bench_detail_of(&b, "meter_ts_ms").kind, DETAIL_UNKNOWN);
        assert_int_equal(bench_detail_of(&b, "last_reading_frame").len, 49);
        assert_int_equal(bench_detail_of(&b, "last_good_reading_at").kind, DETAIL_TIME);
        bench_assert_text(&b, "attribute_status", NULL);
}

static void test_details_of_a_dump(void **state) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len;

        (void) state;
        bench_init(&b);
        b.module.dump = true;
        bench_start(&b);
        bench_run(&b, 2000);
        bench_assert_text(&b, "layout", "v2");
        assert_int_equal(bench_detail_of(&b, "layout_fits_firmware").kind, DETAIL_FLAG);
        assert_int_equal(bench_detail_of(&b, "layout_fits_firmware").number, 0);
        len = bench_reading(&b, payload);
        payload[52] = 0x2c;
        payload[53] = 0xfb;
        payload[15] = 7;
        payload[100] = 0xff;
        bench_frame(&b, 'r', payload, len);
        bench_run(&b, 10);
        bench_assert_text(&b, "summation_format", "2C (5.4 digits)");
        bench_assert_text(&b, "demand_format", "FB (15.3 digits)");
        bench_assert_text(&b, "unknown_nonzero", "15=07 100=FF");
        bench_assert_number(&b, "meter_ts_ms", 2001);
        assert_int_equal(bench_detail_of(&b, "export_raw").kind, DETAIL_UNKNOWN);
        memset(payload + 60, 0xaa, 88);
        bench_frame(&b, 'r', payload, len);
        assert_true(strlen(bench_detail_of(&b, "unknown_nonzero").text) < SESSION_DETAIL_MAX);
        assert_non_null(strstr(bench_detail_of(&b, "unknown_nonzero").text, " ..."));
}

static void test_attribute_statuses(void **state) {
        static const uint8_t payload[] = { 0x18, 9, 1, 1, 0, 0x86, 1, 3, 0, 0x20, 1, 2, 3, 0, 0x21, 0xe8, 3,
                                           5, 5, 0x77, 0, 4, 0, 0x2a, 1, 0, 0 };

        (void) state;
        bench_reach_online(&b);
        bench_frame(&b, 'r', payload, sizeof payload);
        bench_assert_text(&b, "attribute_status", "0x0001: 0x86 unsupported attribute, 0x0505: 0x77");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_zeros_before_the_reading),
                cmocka_unit_test(test_nothing_but_zeros),
                cmocka_unit_test(test_unusable_readings),
                cmocka_unit_test(test_messages_of_a_wrong_form),
                cmocka_unit_test(test_another_unit),
                cmocka_unit_test(test_energy_marker),
                cmocka_unit_test(test_energy_marker_first),
                cmocka_unit_test(test_scale_changes),
                cmocka_unit_test(test_sequence_gaps),
                cmocka_unit_test(test_notices),
                cmocka_unit_test(test_datapoints),
                cmocka_unit_test(test_details_of_a_zcl_module),
                cmocka_unit_test(test_details_of_a_dump),
                cmocka_unit_test(test_attribute_statuses),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
