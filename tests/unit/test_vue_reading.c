/* Meter readings as Zigbee read-attributes responses: records of any order, type and number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/vue/v2.h"
#include "protocols/vue/zcl.h"
#include "vue_payload.h"

/* nekorevend/esphome-emporia-vue-utility, docs/yaml.md: its log prints 5858.944 kWh, 7926.904 kWh and 909 W. */
static const uint8_t solar[] = {
        0x18, 0x91, 0x01, 0x00, 0x00, 0x00, 0x25, 0x80, 0x66, 0x59, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x25, 0x78, 0xf4, 0x78, 0x00, 0x00, 0x00, 0x01, 0x03, 0x00, 0x22, 0x01, 0x00, 0x00,
        0x02, 0x03, 0x00, 0x22, 0xe8, 0x03, 0x00, 0x00, 0x04, 0x00, 0x2a, 0x8d, 0x03, 0x00,
};

static void test_published_solar_reading(void **state) {
        const struct vue_reading *r = reading_of(solar, sizeof solar);

        (void) state;
        assert_int_equal(r->reject, VUE_OK);
        assert_int_equal(r->layout, VUE_ZCL);
        assert_true(r->has_sequence);
        assert_int_equal(r->sequence, 0x91);
        assert_int_equal(r->multiplier.number.magnitude, 1);
        assert_int_equal(r->divisor.number.magnitude, 1000);
        assert_value(&r->power, 909000);
        assert_value(&r->import, INT64_C(5858944000));
        assert_value(&r->export, INT64_C(7926904000));
        assert_int_equal(r->step_mwh, 1000);
        assert_int_equal(r->n_attributes, 5);
        assert_int_equal(r->attributes[4].id, ZCL_INSTANTANEOUS_DEMAND);
        assert_int_equal(r->attributes[4].type, S24);
        assert_int_equal(r->attributes[4].width, 3);
        assert_int_equal(r->attributes[4].number.magnitude, 909);
        assert_false(r->all_zero);
        assert_false(r->has_unit);
}

/* Where a record ends, a shorter reading is as good as any; everywhere else it is broken. */
static void test_every_prefix(void **state) {
        (void) state;
        for (size_t len = 0; len < sizeof solar; len++) {
                const struct vue_reading *r = reading_of(solar, len);

                if (len < 3)
                        assert_rejected(r, VUE_SHORT);
                else if (len == 3 || len == 13 || len == 23 || len == 30)
                        assert_rejected(r, VUE_NO_SCALE);
                else if (len == 37)
                        assert_int_equal(r->reject, VUE_OK);
                else
                        assert_rejected(r, VUE_BAD_RECORD);
        }
        for (size_t len = 0; len < VUE_V2_SIZE; len++) {
                uint8_t payload[VUE_V2_SIZE] = { 0 };

                assert_rejected(reading_of(payload, len), len < 3 ? VUE_SHORT : VUE_NOT_READ_RESPONSE);
        }
}

/* No flipped byte does harm; those that decide whether it is a reading are seen. */
static void test_flipped_bytes(void **state) {
        uint8_t payload[sizeof solar];

        (void) state;
        for (size_t i = 0; i < sizeof solar; i++)
                for (unsigned mask = 1; mask < 256; mask++) {
                        const struct vue_reading *r;

                        memcpy(payload, solar, sizeof solar);
                        payload[i] ^= (uint8_t) mask;
                        r = reading_of(payload, sizeof solar);
                        assert_true(r->n_attributes <= VUE_ATTRIBUTES_MAX);
                        if (i == 0 && mask & 7)
                                assert_rejected(r, VUE_NOT_READ_RESPONSE);
                        else if (i == 0)
                                assert_int_equal(r->reject, VUE_OK);
                        else if (i == 2)
                                assert_rejected(r, VUE_NOT_READ_RESPONSE);
                        else if (i == 5)  /* a status: what follows may pass as other records */
                                assert_int_equal(r->import.presence, VUE_ABSENT);
                        else if (i == 15)
                                assert_int_equal(r->export.presence, VUE_ABSENT);
                        else if (i == 39)
                                assert_int_equal(r->power.presence, VUE_ABSENT);
                        else if (i == 25 || i == 32)
                                assert_int_not_equal(r->reject, VUE_OK);
                }
}

static void test_order_does_not_matter(void **state) {
        struct payload p = payload_zcl();
        const struct vue_reading *r;

        (void) state;
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, (uint64_t) -5);
        payload_integer(&p, ZCL_DIVISOR, U24, 1000);
        payload_integer(&p, ZCL_SUMMATION_RECEIVED, U48, 0);
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U48, UINT64_C(4294967301));
        payload_integer(&p, ZCL_MULTIPLIER, U24, 2);
        r = reading_of_payload(&p);
        assert_value(&r->power, -10000);
        assert_value(&r->import, INT64_C(8589934602000));
        assert_value(&r->export, 0);
}

/* 48 bits, the largest count and the marker behind it. */
static void test_large_totals(void **state) {
        struct payload p = payload_zcl();
        const struct vue_reading *r;

        (void) state;
        payload_scale(&p, 1, 1000);
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U48, UINT64_C(0xfffffffffffe));
        payload_integer(&p, ZCL_SUMMATION_RECEIVED, U48, UINT64_C(0xffffffffffff));
        r = reading_of_payload(&p);
        assert_value(&r->import, INT64_C(281474976710654000));
        assert_int_equal(r->export.presence, VUE_INVALID);
        assert_int_equal(r->export.raw.magnitude, UINT64_C(0xffffffffffff));
        assert_int_equal(r->power.presence, VUE_ABSENT);
        assert_false(r->power.has_raw);
}

static void test_no_demand(void **state) {
        static const uint8_t types[] = { U24, S24 };

        (void) state;
        for (unsigned i = 0; i < 2; i++) {
                struct payload p = payload_zcl();

                payload_scale(&p, 1, 1000);
                payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, types[i], 0x800000);
                payload_integer(&p, ZCL_SUMMATION_DELIVERED, U24, 0x800000);
                assert_int_equal(reading_of_payload(&p)->power.presence, VUE_INVALID);
                assert_int_equal(reading_of_payload(&p)->power.raw.magnitude, 0x800000);
                assert_value(&reading_of_payload(&p)->import, INT64_C(8388608000));
        }
}

static void test_no_scale(void **state) {
        struct payload p = payload_zcl();

        (void) state;
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 1);
        payload_integer(&p, ZCL_DIVISOR, U24, 0);
        assert_rejected(reading_of_payload(&p), VUE_NO_SCALE);  /* which comes before the zero */
        payload_status(&p, ZCL_MULTIPLIER, ZCL_UNSUPPORTED_ATTRIBUTE);
        assert_rejected(reading_of_payload(&p), VUE_NO_SCALE);
        payload_typed(&p, ZCL_MULTIPLIER, 0x30);  /* an enumeration is no number to multiply by */
        payload_le(&p, 1, 1);
        assert_rejected(reading_of_payload(&p), VUE_NO_SCALE);
        payload_integer(&p, ZCL_MULTIPLIER, U24, 1);
        assert_rejected(reading_of_payload(&p), VUE_UNSCALED);
        payload_integer(&p, ZCL_DIVISOR, U24, 1000);
        assert_value(&reading_of_payload(&p)->power, 1000);
}

static void test_all_zero(void **state) {
        struct payload p = payload_zcl(), no_export = payload_zcl(), idle = payload_zcl();

        (void) state;
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U48, 0);
        payload_integer(&p, ZCL_SUMMATION_RECEIVED, U48, 0);
        payload_scale(&p, 0, 0);
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 0);
        assert_rejected(reading_of_payload(&p), VUE_UNSCALED);
        assert_true(reading_of_payload(&p)->all_zero);
        payload_integer(&p, ZCL_DIVISOR, U24, 1000);
        assert_rejected(reading_of_payload(&p), VUE_UNSCALED);
        assert_false(reading_of_payload(&p)->all_zero);

        payload_integer(&no_export, ZCL_SUMMATION_DELIVERED, U48, 0);
        payload_status(&no_export, ZCL_SUMMATION_RECEIVED, ZCL_UNSUPPORTED_ATTRIBUTE);
        payload_scale(&no_export, 0, 0);
        assert_true(reading_of_payload(&no_export)->all_zero);
        payload_integer(&no_export, ZCL_INSTANTANEOUS_DEMAND, S24, 1);
        assert_false(reading_of_payload(&no_export)->all_zero);

        payload_scale(&idle, 1, 1000);
        payload_integer(&idle, ZCL_SUMMATION_RECEIVED, U48, 0);
        assert_int_equal(reading_of_payload(&idle)->reject, VUE_OK);
        assert_value(&reading_of_payload(&idle)->export, 0);
        assert_false(reading_of_payload(&idle)->all_zero);
}

static void test_statuses(void **state) {
        struct payload p = payload_zcl();
        const struct vue_reading *r;

        (void) state;
        payload_scale(&p, 1, 1000);
        payload_status(&p, ZCL_SUMMATION_DELIVERED, ZCL_INVALID_VALUE);
        payload_status(&p, ZCL_SUMMATION_RECEIVED, ZCL_UNSUPPORTED_ATTRIBUTE);
        payload_status(&p, ZCL_INSTANTANEOUS_DEMAND, 0xc3);
        r = reading_of_payload(&p);
        assert_int_equal(r->reject, VUE_OK);
        assert_int_equal(r->import.presence, VUE_ABSENT);
        assert_int_equal(r->export.presence, VUE_ABSENT);
        assert_int_equal(r->power.presence, VUE_ABSENT);
        assert_int_equal(r->n_attributes, 5);
        assert_int_equal(r->attributes[4].status, 0xc3);
        assert_false(r->attributes[4].has_number);
        assert_string_equal(zcl_status_name(ZCL_TIMEOUT), "timeout");
        assert_null(zcl_status_name(0xc3));
}

static void test_the_last_of_repeated_ones_counts(void **state) {
        struct payload p = payload_zcl();

        (void) state;
        payload_scale(&p, 7, 7000);
        payload_scale(&p, 1, 1000);
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U48, 5);
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U32, 6);
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 9);
        assert_value(&reading_of_payload(&p)->import, 6000);
        assert_int_equal(reading_of_payload(&p)->n_attributes, 7);
        payload_integer(&p, ZCL_SUMMATION_DELIVERED, U32, UINT32_MAX);
        assert_int_equal(reading_of_payload(&p)->import.presence, VUE_INVALID);
        payload_status(&p, ZCL_SUMMATION_DELIVERED, ZCL_FAILURE);
        assert_int_equal(reading_of_payload(&p)->import.presence, VUE_ABSENT);
        assert_false(reading_of_payload(&p)->import.has_raw);
        assert_value(&reading_of_payload(&p)->power, 9000);
}

/* Widths as ZCL has them: -1 is a type nobody knows. */
static int width_of(unsigned type) {
        if (type == 0x00)
                return 0;
        if ((type >= 0x08 && type <= 0x0f) || (type >= 0x18 && type <= 0x2f))
                return (int) (type & 7) + 1;
        switch (type) {
        case 0x10: case 0x30:
                return 1;
        case 0x31: case 0x38: case 0xe8: case 0xe9:
                return 2;
        case 0x39: case 0xe0: case 0xe1: case 0xe2: case 0xea:
                return 4;
        case 0x3a: case 0xf0:
                return 8;
        case 0xf1:
                return 16;
        default:
                return -1;
        }
}

/* Put before the values that matter: a wrong width would lose them. */
static void test_unknown_attributes_of_every_type(void **state) {
        (void) state;
        for (unsigned type = 0; type < 256; type++) {
                int width = width_of(type);
                struct payload p = payload_zcl();
                const struct vue_reading *r;

                if (type == 0x41 || type == 0x42)
                        continue;
                payload_typed(&p, 0x0102, (uint8_t) type);
                payload_put(&p, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
                            width < 0 ? 1 : (size_t) width);
                payload_scale(&p, 1, 1000);
                payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 77);
                r = reading_of_payload(&p);
                if (width < 0) {
                        assert_rejected(r, VUE_BAD_RECORD);
                        assert_int_equal(r->multiplier.presence, VUE_ABSENT);
                        continue;
                }
                assert_value(&r->power, 77000);
                assert_int_equal(r->attributes[0].id, 0x0102);
                assert_int_equal(r->attributes[0].type, type);
                assert_int_equal(r->attributes[0].width, width);
        }
}

static void test_strings_are_skipped(void **state) {
        static const struct { const char *bytes; size_t len; unsigned width; } strings[] = {
                { "\x00", 1, 0 }, { "\xff", 1, 0 }, { "\x03" "abc", 4, 3 },
        };

        (void) state;
        for (unsigned type = 0x41; type <= 0x42; type++)
                for (size_t i = 0; i < 3; i++) {
                        struct payload p = payload_zcl();
                        const struct vue_reading *r;

                        payload_scale(&p, 1, 1000);
                        payload_typed(&p, 0x0103, (uint8_t) type);
                        payload_put(&p, strings[i].bytes, strings[i].len);
                        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 77);
                        r = reading_of_payload(&p);
                        assert_value(&r->power, 77000);
                        assert_int_equal(r->attributes[2].width, strings[i].width);
                        assert_false(r->attributes[2].has_number);
                        p.len = 3 + 14 + 4;  /* the length byte is missing */
                        assert_rejected(reading_of_payload(&p), VUE_BAD_RECORD);
                        payload_le(&p, 9, 1);    /* it is too large */
                        payload_put(&p, "short", 5);
                        assert_rejected(reading_of_payload(&p), VUE_BAD_RECORD);
                }
}

static void test_as_many_records_as_fit(void **state) {
        struct payload p = payload_zcl();
        const struct vue_reading *r;

        (void) state;
        while (p.len + 3 <= sizeof p.bytes)
                payload_status(&p, (uint16_t) p.len, ZCL_TIMEOUT);
        r = reading_of_payload(&p);
        assert_rejected(r, VUE_NO_SCALE);
        assert_int_equal(r->n_attributes, VUE_ATTRIBUTES_MAX);
        assert_int_equal(r->attributes[VUE_ATTRIBUTES_MAX - 1].id, 252);
}

static void test_stray_bytes_behind_the_records(void **state) {
        struct payload p = { 0 };

        (void) state;
        payload_put(&p, solar, sizeof solar);
        for (unsigned i = 1; i <= 2; i++) {
                payload_le(&p, 0, 1);
                assert_rejected(reading_of_payload(&p), VUE_BAD_RECORD);
        }
}

static void test_unit_of_measure(void **state) {
        struct payload p = payload_zcl();

        (void) state;
        payload_scale(&p, 1, 1000);
        payload_typed(&p, ZCL_UNIT_OF_MEASURE, 0x30);
        payload_le(&p, 0x00, 1);
        assert_true(reading_of_payload(&p)->has_unit);
        assert_int_equal(reading_of_payload(&p)->unit, 0);
        payload_typed(&p, ZCL_UNIT_OF_MEASURE, 0x30);
        payload_le(&p, 0x80, 1);
        assert_int_equal(reading_of_payload(&p)->unit, 0x80);
        payload_integer(&p, ZCL_UNIT_OF_MEASURE, 0x21, 0x0100);
        assert_int_equal(reading_of_payload(&p)->unit, 0xff);
        payload_status(&p, ZCL_UNIT_OF_MEASURE, ZCL_UNSUPPORTED_ATTRIBUTE);
        assert_false(reading_of_payload(&p)->has_unit);
        assert_int_equal(reading_of_payload(&p)->unit, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_published_solar_reading),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_flipped_bytes),
                cmocka_unit_test(test_order_does_not_matter),
                cmocka_unit_test(test_large_totals),
                cmocka_unit_test(test_no_demand),
                cmocka_unit_test(test_no_scale),
                cmocka_unit_test(test_all_zero),
                cmocka_unit_test(test_statuses),
                cmocka_unit_test(test_the_last_of_repeated_ones_counts),
                cmocka_unit_test(test_unknown_attributes_of_every_type),
                cmocka_unit_test(test_strings_are_skipped),
                cmocka_unit_test(test_as_many_records_as_fit),
                cmocka_unit_test(test_stray_bytes_behind_the_records),
                cmocka_unit_test(test_unit_of_measure),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
