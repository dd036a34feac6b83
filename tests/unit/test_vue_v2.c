/* Meter readings as the record dump of older modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/vue/v2.h"
#include "vue_payload.h"

/* jrouvier/esphome-emporia-vue-utility, issue 8: about 1750 W at the panel. */
static void put_issue_8(uint8_t *payload) {
        memset(payload, 0, VUE_V2_SIZE);
        memcpy(payload + 4, "\x06\x97\xd0\xf4", 4);
        memcpy(payload + 44, "\x00\x00\x00\x03\x00\x00\x13\x88\x2c\x2b", 10);
        memcpy(payload + 57, "\x00\x0b\xd2", 3);
        memcpy(payload + 148, "\xa6\x10\x08\x00", 4);
}

static void test_published_record_dump(void **state) {
        uint8_t payload[VUE_V2_SIZE];
        const struct vue_reading *r;

        (void) state;
        put_issue_8(payload);
        r = reading_of(payload, sizeof payload);
        assert_int_equal(r->reject, VUE_OK);
        assert_int_equal(r->layout, VUE_V2);
        assert_false(r->has_sequence);
        assert_value(&r->power, 1815600);
        assert_value(&r->import, INT64_C(66367634400));
        assert_int_equal(r->import.raw.magnitude, 110612724);
        assert_int_equal(r->export.presence, VUE_ABSENT);
        assert_int_equal(r->step_mwh, 600);
        assert_int_equal(r->meter_ts_ms, 528550);
        assert_int_equal(r->summation_format, 0x2c);
        assert_int_equal(r->demand_format, 0x2b);
        assert_int_equal(r->n_nonzero, 0);
        assert_int_equal(r->n_attributes, 0);
}

/* Bytes outside the fields are listed and change nothing. */
static void test_flipped_bytes(void **state) {
        uint8_t payload[VUE_V2_SIZE];

        (void) state;
        for (size_t i = 0; i < VUE_V2_SIZE; i++)
                for (unsigned mask = 1; mask < 256; mask++) {
                        const struct vue_reading *r;

                        put_issue_8(payload);
                        payload[i] ^= (uint8_t) mask;
                        r = reading_of(payload, VUE_V2_SIZE);
                        assert_int_equal(r->layout, VUE_V2);
                        if (i < 4 || (i >= 8 && i < 44) || (i >= 54 && i < 57) || (i >= 60 && i < 148)) {
                                assert_int_equal(r->n_nonzero, 1);
                                assert_int_equal(r->nonzero[0].offset, i);
                                assert_int_equal(r->nonzero[0].value, mask);
                                assert_value(&r->power, 1815600);
                                assert_value(&r->import, INT64_C(66367634400));
                        } else
                                assert_int_equal(r->n_nonzero, 0);
                }
}

/* 152 bytes are the old layout whatever they begin with. */
static void test_record_dump_that_begins_like_zcl(void **state) {
        uint8_t payload[VUE_V2_SIZE];
        const struct vue_reading *r;

        (void) state;
        put_issue_8(payload);
        memcpy(payload, "\x18\x91\x01", 3);
        r = reading_of(payload, sizeof payload);
        assert_int_equal(r->layout, VUE_V2);
        assert_value(&r->power, 1815600);
        assert_int_equal(r->n_nonzero, 3);
        assert_int_equal(r->nonzero[2].offset, 2);
}

static void test_all_unknown_areas_full(void **state) {
        uint8_t payload[VUE_V2_SIZE];
        const struct vue_reading *r;

        (void) state;
        memset(payload, 0x11, sizeof payload);
        r = reading_of(payload, sizeof payload);
        assert_int_equal(r->reject, VUE_OK);
        assert_int_equal(r->n_nonzero, VUE_NONZERO_MAX);
        assert_int_equal(r->nonzero[0].offset, 0);
        assert_int_equal(r->nonzero[VUE_NONZERO_MAX - 1].offset, 147);
        assert_int_equal(r->meter_ts_ms, 0x11111111);
}

static const struct vue_reading *decode_dump(const char *energy, const char *factors, const char *power) {
        uint8_t payload[VUE_V2_SIZE] = { 0 };

        memcpy(payload + 4, energy, 4);
        memcpy(payload + 44, factors, 8);
        memcpy(payload + 57, power, 3);
        return reading_of(payload, sizeof payload);
}

static void test_record_dump_markers(void **state) {
        static const char scale[] = "\0\0\0\1\0\0\3\xe8";
        const struct vue_reading *r;

        (void) state;
        r = decode_dump("\0\0\0\1", scale, "\x80\0\0");
        assert_int_equal(r->power.presence, VUE_INVALID);
        assert_true(r->power.has_raw && r->power.raw.negative && r->power.raw.magnitude == 0x800000);
        assert_value(&r->import, 1000);
        r = decode_dump("\0\0\0\0", scale, "\x7f\xff\xff");
        assert_value(&r->power, INT64_C(8388607000));
        assert_int_equal(r->import.presence, VUE_INVALID);
        assert_false(r->import_doubtful);
        r = decode_dump("\xff\xff\xff\xff", scale, "\x80\0\1");
        assert_value(&r->power, -INT64_C(8388607000));
        assert_int_equal(r->import.presence, VUE_INVALID);
        assert_false(r->import_doubtful);
        r = decode_dump("\xff\xff\xff\xfe", scale, "\xff\xff\xff");
        assert_value(&r->power, -1000);
        assert_value(&r->import, INT64_C(4294967294000));
        r = decode_dump("\0\x40\0\0", scale, "\0\0\0");
        assert_value(&r->power, 0);
        assert_int_equal(r->import.presence, VUE_INVALID);
        assert_true(r->import_doubtful);
        assert_int_equal(r->import_if_true, INT64_C(4194304000));
        assert_value(&decode_dump("\0\x40\0\1", scale, "\0\0\0")->import, INT64_C(4194305000));
}

static void test_record_dump_scales(void **state) {
        static const struct { const char *factors; enum vue_reject reject; } cases[] = {
                { "\0\0\0\0\0\0\3\xe8", VUE_UNSCALED },
                { "\0\0\0\1\0\0\0\0", VUE_UNSCALED },
                { "\0\0\0\0\0\0\0\0", VUE_UNSCALED },
                { "\xff\xff\xff\xff\0\0\3\xe8", VUE_NO_SCALE },
                { "\0\0\0\1\xff\xff\xff\xff", VUE_NO_SCALE },
                { "\0\0\0\0\xff\xff\xff\xff", VUE_NO_SCALE },
                { "\xff\xff\xff\xff\0\0\0\0", VUE_NO_SCALE },
        };
        const struct vue_reading *r;

        (void) state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                r = decode_dump("\0\x40\0\0", cases[i].factors, "\0\0\1");
                assert_rejected(r, cases[i].reject);
                assert_false(r->import_doubtful);
                assert_int_equal(r->step_mwh, 0);
        }
        /* All of 32 bits count, not only the lowest ones. */
        r = decode_dump("\0\0\0\1", "\1\0\0\0\0\1\0\0", "\0\0\1");
        assert_value(&r->power, INT64_C(256000000));
        /* 32 bits each: 4294967294 * 4294967294 * 10^6 is beyond 64 bits. */
        r = decode_dump("\xff\xff\xff\xfe", "\xff\xff\xff\xfe\0\0\0\1", "\0\0\0");
        assert_int_equal(r->reject, VUE_OK);
        assert_int_equal(r->import.presence, VUE_ABSENT);
        assert_value(&r->power, 0);
        assert_value(&decode_dump("\xff\xff\xff\xfe", "\xff\xff\xff\xfe\xff\xff\xff\xfe", "\0\0\0")->import,
                       INT64_C(4294967294000000));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_published_record_dump),
                cmocka_unit_test(test_flipped_bytes),
                cmocka_unit_test(test_record_dump_that_begins_like_zcl),
                cmocka_unit_test(test_all_unknown_areas_full),
                cmocka_unit_test(test_record_dump_markers),
                cmocka_unit_test(test_record_dump_scales),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
