/* Every int64 comes back from a block; a damaged block is refused or read as something else, within its bounds. The
 * random parts print their seed; METERGATE_SEED repeats a run, METERGATE_ROUNDS makes it longer. */
#include "history/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "from_environment.h"

static uint64_t random_state;
static unsigned rounds;

static uint64_t next_random(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t random_bits(unsigned width) {
        return width == 0 ? 0 : next_random() >> (64 - width);
}

/* ---- what is expected of any values ---- */

/* Codes and decodes in blocks of exactly their size, so that a step outside is seen. Returns the size. */
static size_t check_round_trip(const int64_t *values, size_t n) {
        static uint8_t block[CODEC_BLOCK_MAX];
        size_t len = codec_encode(values, n, block, sizeof block);
        uint8_t *exact = malloc(len);
        int64_t *decoded = malloc(n * sizeof *decoded);

        assert_true(len > 0);
        assert_non_null(exact);
        assert_non_null(decoded);
        assert_int_equal(codec_encode(values, n, exact, len), len);
        assert_memory_equal(exact, block, len);
        assert_int_equal(codec_encode(values, n, exact, len - 1), 0);
        assert_int_equal(codec_decode(exact, len, n, decoded), len);
        assert_memory_equal(decoded, values, n * sizeof *values);
        free(exact);
        free(decoded);
        return len;
}

static void check_damage(const int64_t *values, size_t n) {
        uint8_t block[CODEC_BLOCK_MAX];
        size_t len = codec_encode(values, n, block, sizeof block);
        int64_t *decoded = malloc(n * sizeof *decoded);

        assert_non_null(decoded);
        for (size_t shorter = 0; shorter < len; shorter++) {
                uint8_t *exact = malloc(shorter + 1);

                assert_non_null(exact);
                memcpy(exact + 1, block, shorter);
                assert_int_equal(codec_decode(exact + 1, shorter, n, decoded), -EBADMSG);
                free(exact);
        }
        for (size_t bit = 0; bit < 8 * len; bit++) {
                uint8_t *exact = malloc(len);
                ssize_t r;

                assert_non_null(exact);
                memcpy(exact, block, len);
                exact[bit / 8] ^= (uint8_t) (1u << bit % 8);
                r = codec_decode(exact, len, n, decoded);
                assert_true(r == -EBADMSG || (r > 0 && r <= (ssize_t) len));
                free(exact);
        }
        free(decoded);
}

/* ---- known blocks ---- */

struct known {
        const char *what;
        size_t n, len;
        int64_t values[10];
        uint8_t block[20];
};

/* The format as it stands in files: these bytes never change. */
static const struct known known[] = {
        { "one zero", 1, 2, { 0 }, { 0x00, 0x00 } },
        { "a constant", 4, 3, { 2300, 2300, 2300, 2300 }, { 0x00, 0xf8, 0x23 } },
        { "above the least", 8, 3, { -1, 0, 0, -1, -1, 0, -1, 0 }, { 0x01, 0x01, 0xa6 } },
        { "a line", 10, 3, { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90 }, { 0x20, 0x00, 0x14 } },
        { "late now and then", 10, 5, { 0, 10, 21, 30, 40, 50, 61, 70, 80, 91 }, { 0x21, 0x00, 0x14, 0x44, 0x02 } },
        { "small differences", 10, 6, { 100, 101, 100, 99, 98, 97, 98, 99, 100, 101 },
          { 0x42, 0xc8, 0x01, 0x56, 0xa9, 0x02 } },
        { "uneven rises", 10, 6, { 0, 13, 25, 38, 51, 61, 72, 82, 92, 102 }, { 0x62, 0x00, 0x14, 0xfb, 0x04, 0x00 } },
        { "a factor", 10, 7, { 0, 1000, 0, 0, 1000, 1000, 0, 1000, 0, 0 },
          { 0x81, 0x00, 0x80, 0xe8, 0x07, 0xb2, 0x00 } },
        { "an exception", 10, 5, { 5, 5, 5, 5, 5, 5, 5, 106, 5, 5 }, { 0x80, 0x0a, 0x01, 0x07, 0x65 } },
};

static void test_known_blocks(void **state) {
        uint8_t block[CODEC_BLOCK_MAX];
        int64_t decoded[CODEC_BLOCK];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(known); i++) {
                const struct known *k = &known[i];
                size_t len = codec_encode(k->values, k->n, block, sizeof block);

                assert_int_equal(len, k->len);
                assert_memory_equal(block, k->block, len);
                assert_int_equal(codec_decode(block, len, k->n, decoded), len);
                assert_memory_equal(decoded, k->values, k->n * sizeof decoded[0]);
        }
}

static void test_quiet_blocks_cost_nothing(void **state) {
        int64_t values[CODEC_BLOCK];

        (void) state;
        memset(values, 0, sizeof values);
        assert_int_equal(check_round_trip(values, CODEC_BLOCK), 2);
        for (size_t i = 0; i < CODEC_BLOCK; i++)
                values[i] = 2304;
        assert_int_equal(check_round_trip(values, CODEC_BLOCK), 3);
        for (size_t i = 0; i < CODEC_BLOCK; i++)
                values[i] = 1280 + 10 * (int64_t) i;
        assert_int_equal(check_round_trip(values, CODEC_BLOCK), 4);
        values[70]++;       /* a poll that came late by one tick */
        assert_int_equal(check_round_trip(values, CODEC_BLOCK), 7);
}

/* Whole watts in milliwatts take no more room than in watts, but for the factor. */
static void test_coarse_steps_are_seen(void **state) {
        int64_t watts[CODEC_BLOCK], milliwatts[CODEC_BLOCK];
        size_t len;

        (void) state;
        for (size_t i = 0; i < CODEC_BLOCK; i++) {
                watts[i] = 1500 + (int64_t) random_bits(5);
                milliwatts[i] = 1000 * watts[i];
        }
        len = check_round_trip(watts, CODEC_BLOCK);
        assert_in_range(check_round_trip(milliwatts, CODEC_BLOCK), len, len + 5);
}

/* ---- all values ---- */

static void test_extremes(void **state) {
        static const int64_t extremes[] = { INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT64_MAX - 1,
                                            INT64_C(1) << 62, -(INT64_C(1) << 62) };
        int64_t values[CODEC_BLOCK];

        (void) state;
        for (size_t a = 0; a < ELEMENTS(extremes); a++)
                for (size_t b = 0; b < ELEMENTS(extremes); b++)
                        for (size_t n = 1; n <= 9; n++) {
                                for (size_t i = 0; i < n; i++)
                                        values[i] = i % 3 == 1 ? extremes[b] : extremes[a];
                                check_round_trip(values, n);
                        }
        for (unsigned round = 0; round < rounds; round++) {
                size_t n = 1 + random_bits(7);

                for (size_t i = 0; i < n; i++)
                        values[i] = extremes[next_random() % ELEMENTS(extremes)];
                assert_true(check_round_trip(values, n) <= CODEC_BLOCK_MAX);
        }
}

/* Noise around a value, steps from value to value, or a climb, with exceptions, in steps of any size. */
static void make_values(int64_t *values, size_t n, unsigned width) {
        uint64_t kind = next_random() % 4, value = random_bits(1 + next_random() % 64), exceptions = random_bits(5);
        uint64_t step = random_bits(2) > 0 ? 1 : 1 + random_bits(next_random() % 20), rise = random_bits(8);

        for (size_t i = 0; i < n; i++) {
                uint64_t noise = random_bits(width) * step;

                if (exceptions > 0 && next_random() % (4 * exceptions) == 0)
                        noise = random_bits(1 + next_random() % 64);
                if (kind == 0)
                        values[i] = (int64_t) (value + noise);
                else
                        values[i] = (int64_t) (value += kind == 1 && random_bits(1) ? 0 - noise : noise);
                if (kind == 3)
                        value += rise;
        }
}

static void test_random_values(void **state) {
        int64_t values[CODEC_BLOCK];

        (void) state;
        for (unsigned round = 0; round < rounds; round++)
                for (unsigned width = 0; width <= 64; width++) {
                        size_t n = round % 2 == 0 ? CODEC_BLOCK : 1 + random_bits(7);

                        make_values(values, n, width);
                        check_round_trip(values, n);
                }
}

/* ---- damage ---- */

static void test_damaged_blocks(void **state) {
        int64_t values[CODEC_BLOCK];

        (void) state;
        for (unsigned width = 0; width <= 64; width++) {
                size_t n = 1 + random_bits(width % 8);

                make_values(values, n, width);
                check_damage(values, n);
        }
}

static void test_wrong_number_of_values(void **state) {
        int64_t values[CODEC_BLOCK + 1] = { 1, 2, 3, 4 };
        uint8_t line[] = { 0x20, 0x00, 0x14 };

        (void) state;
        assert_int_equal(codec_decode(line, sizeof line, 2, values), sizeof line);
        assert_int_equal(codec_decode(line, sizeof line, 1, values), -EBADMSG);
        assert_int_equal(codec_decode(line, sizeof line, 0, values), -EBADMSG);
        assert_int_equal(codec_decode(line, sizeof line, CODEC_BLOCK + 1, values), -EBADMSG);
}

static void test_any_bytes(void **state) {
        uint8_t bytes[CODEC_BLOCK_MAX];
        int64_t values[CODEC_BLOCK];

        (void) state;
        for (unsigned round = 0; round < 100 * rounds; round++) {
                size_t len = random_bits(round % 2 ? 4 : 10), n = 1 + random_bits(7);
                ssize_t r;

                for (size_t i = 0; i < len; i++)
                        bytes[i] = (uint8_t) next_random();
                r = codec_decode(bytes, len, n, values);
                assert_true(r == -EBADMSG || (r > 0 && r <= (ssize_t) len));
                if (r > 0)
                        check_round_trip(values, n);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_blocks),
                cmocka_unit_test(test_quiet_blocks_cost_nothing),
                cmocka_unit_test(test_coarse_steps_are_seen),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_random_values),
                cmocka_unit_test(test_damaged_blocks),
                cmocka_unit_test(test_wrong_number_of_values),
                cmocka_unit_test(test_any_bytes),
        };
        random_state = test_seed() * UINT64_C(0x9e3779b97f4a7c15) | 1;
        rounds = (unsigned) number_from("METERGATE_ROUNDS", 100);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
