/* Integers of every width, and multiplier and divisor at the edge of what numbers hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/vue/zcl.h"
#include "vue_payload.h"

/* Each width, unsigned and signed: a small value, the lowest, the highest and the marker. */
static void check_width(uint8_t type, uint64_t raw, enum vue_presence presence, uint64_t magnitude, bool negative) {
        static const uint16_t ids[] = { ZCL_SUMMATION_DELIVERED, ZCL_SUMMATION_RECEIVED, ZCL_INSTANTANEOUS_DEMAND };
        const struct vue_reading *r;
        struct payload p = payload_zcl();
        int64_t expected = (int64_t) (negative ? 0 - magnitude : magnitude);

        payload_integer(&p, ZCL_MULTIPLIER, U32, 1);
        payload_integer(&p, ZCL_DIVISOR, U32, 1000000);
        for (size_t i = 0; i < 3; i++)
                payload_integer(&p, ids[i], type, raw);
        r = reading_of_payload(&p);
        assert_int_equal(r->reject, VUE_OK);
        for (size_t i = 0; i < 3; i++) {
                const struct vue_value *v = i == 0 ? &r->import : i == 1 ? &r->export : &r->power;

                assert_int_equal(v->presence, presence);
                assert_true(v->has_raw);
                assert_int_equal(v->raw.magnitude, magnitude);
                assert_int_equal(v->raw.negative, negative);
                if (presence == VUE_PRESENT)
                        assert_value(v, expected);
        }
}

static void test_every_width(void **state) {
        (void) state;
        for (unsigned width = 1; width <= 8; width++) {
                uint64_t ones = UINT64_MAX >> (64 - 8 * width), top = ones / 2 + 1;
                uint8_t u = (uint8_t) (U8 + width - 1), s = (uint8_t) (S8 + width - 1);

                check_width(u, 0, VUE_PRESENT, 0, false);
                check_width(u, 100, VUE_PRESENT, 100, false);
                check_width(u, ones, VUE_INVALID, ones, false);
                check_width(s, 100, VUE_PRESENT, 100, false);
                check_width(s, (uint64_t) -100, VUE_PRESENT, 100, true);
                check_width(s, ones, VUE_PRESENT, 1, true);
                check_width(s, top - 1, VUE_PRESENT, top - 1, false);
                check_width(s, top + 1, VUE_PRESENT, top - 1, true);
                check_width(s, top, VUE_INVALID, top, true);
                if (width < 8 && width != 3)  /* 800000 is no demand in any 24 bits */
                        check_width(u, top, VUE_PRESENT, top, false);
        }
        check_width(U64, UINT64_MAX - 1, VUE_ABSENT, UINT64_MAX - 1, false);  /* does not fit when scaled */
}

static void test_factors_of_every_width(void **state) {
        (void) state;
        for (unsigned width = 1; width <= 8; width++)
                for (unsigned base = U8; base <= S8; base += 8) {
                        uint64_t ones = UINT64_MAX >> (64 - 8 * width);
                        uint64_t marker = base == U8 ? ones : ones / 2 + 1;
                        uint8_t type = (uint8_t) (base + width - 1);
                        struct payload good = payload_zcl(), bad = payload_zcl();

                        payload_integer(&good, ZCL_MULTIPLIER, type, 3);
                        payload_integer(&good, ZCL_DIVISOR, type, 50);
                        payload_integer(&good, ZCL_INSTANTANEOUS_DEMAND, S24, 3026);
                        assert_value(&reading_of_payload(&good)->power, 181560000);
                        payload_integer(&bad, ZCL_MULTIPLIER, U24, 1);
                        payload_integer(&bad, ZCL_DIVISOR, type, marker);
                        assert_rejected(reading_of_payload(&bad), VUE_NO_SCALE);
                        assert_int_equal(reading_of_payload(&bad)->divisor.presence, VUE_INVALID);
                }
}

static const struct vue_reading *scaled(uint8_t type, uint64_t raw, uint64_t multiplier, uint64_t divisor) {
        struct payload p = payload_zcl();

        payload_integer(&p, ZCL_MULTIPLIER, U64, multiplier);
        payload_integer(&p, ZCL_DIVISOR, U64, divisor);
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, type, raw);
        return reading_of_payload(&p);
}

/* Halves go away from zero. */
static void test_rounding(void **state) {
        static const struct { int64_t raw; uint64_t divisor; int64_t expected; } cases[] = {
                { 1, 2000000, 1 },   { -1, 2000000, -1 }, { 1, 2000001, 0 },  { -1, 2000001, 0 },
                { 5, 2000000, 3 },   { -5, 2000000, -3 }, { 1, 3000000, 0 },  { 2, 3000000, 1 },
                { -2, 3000000, -1 }, { 7, 3, 2333333 },   { 8, 3, 2666667 },  { -8, 3, -2666667 },
                { 0, 7, 0 },
        };

        (void) state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
                assert_value(&scaled(S64, (uint64_t) cases[i].raw, 1, cases[i].divisor)->power, cases[i].expected);
}

static void test_the_edge_of_64_bits(void **state) {
        const uint64_t max = INT64_MAX;

        (void) state;
        assert_value(&scaled(U64, max, 1, 1000000)->power, INT64_MAX);
        assert_value(&scaled(S64, 0 - max, 1, 1000000)->power, -INT64_MAX);
        assert_int_equal(scaled(U64, max + 1, 1, 1000000)->power.presence, VUE_ABSENT);
        assert_int_equal(scaled(U64, max + 1, 1, 1000000)->reject, VUE_OK);
        assert_value(&scaled(U64, max + 1, 1, 2000000)->power, INT64_C(0x4000000000000000));
        /* 2^63 - 1/2 and 2^63 + 1/2, halves away from zero. */
        assert_int_equal(scaled(U64, UINT64_MAX, 1, 2000000)->power.presence, VUE_INVALID);
        assert_int_equal(scaled(S64, max, 2000001, 2000000)->power.presence, VUE_ABSENT);
        assert_value(&scaled(S64, 0 - max, 3, 3000000)->power, -INT64_MAX);
        assert_int_equal(scaled(S64, 0 - max, 3, 2999999)->power.presence, VUE_ABSENT);
}

static void test_factors_at_their_ends(void **state) {
        const uint64_t huge = UINT64_MAX - 1;

        (void) state;
        assert_value(&scaled(U64, 5, huge, huge)->power, 5000000);
        assert_int_equal(scaled(U64, huge, huge, 1)->power.presence, VUE_ABSENT);
        assert_int_equal(scaled(U64, huge, huge, huge)->power.presence, VUE_ABSENT);
        assert_value(&scaled(U64, 1, 1, huge)->power, 0);
        assert_int_equal(scaled(U64, 1, 1, huge)->step_mwh, 1);
        assert_int_equal(scaled(U64, 1, huge, 1)->step_mwh, 0);
        assert_int_equal(scaled(U64, 1, 3, 5000)->step_mwh, 600);
        assert_value(&scaled(U64, huge, 1, huge)->power, 1000000);
        assert_value(&scaled(U64, UINT64_C(1) << 40, huge, huge)->power, (INT64_C(1) << 40) * 1000000);
        /* 48 bits by 24 bits: the product needs 72, the result fits. */
        assert_value(&scaled(U48, UINT64_C(0xfffffffffffe), UINT64_C(0xfffffe), UINT64_C(16777214000))->power,
                       INT64_C(281474976710654000));
}

static void test_negative_factors(void **state) {
        struct payload p = payload_zcl();
        const struct vue_reading *r;

        (void) state;
        payload_integer(&p, ZCL_MULTIPLIER, S24, (uint64_t) -1);
        payload_integer(&p, ZCL_DIVISOR, S24, 1000);
        payload_integer(&p, ZCL_INSTANTANEOUS_DEMAND, S24, 7);
        r = reading_of_payload(&p);
        assert_value(&r->power, -7000);
        assert_int_equal(r->step_mwh, 1000);
        assert_int_equal(vue_number_clamped(r->multiplier.number), -1);
}

static void test_clamped(void **state) {
        (void) state;
        assert_int_equal(vue_number_clamped((struct vue_number) { UINT64_MAX, false }), INT64_MAX);
        assert_int_equal(vue_number_clamped((struct vue_number) { UINT64_C(1) << 63, true }), INT64_MIN);
        assert_int_equal(vue_number_clamped((struct vue_number) { 5, true }), -5);
        assert_int_equal(vue_number_clamped((struct vue_number) { INT64_MAX, false }), INT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_width),
                cmocka_unit_test(test_factors_of_every_width),
                cmocka_unit_test(test_rounding),
                cmocka_unit_test(test_the_edge_of_64_bits),
                cmocka_unit_test(test_factors_at_their_ends),
                cmocka_unit_test(test_negative_factors),
                cmocka_unit_test(test_clamped),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
