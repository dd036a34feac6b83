/* What the search makes of single difficulties: constant values, twins, registers, powers whose energy is somewhere,
 * recordings that never met, and work that does not grow with what it is not needed for. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/random.h"
#include "workbench/correlate/correlate.h"

#define START INT64_C(1700000000000)
#define LENGTH 16

static struct packets packets;
static struct known known;
static struct correlate_result result;
static uint64_t random_state;

static int begin(void **state) {
        (void) state;
        random_state = random_seed(7);
        known = (struct known) { .digit = KNOWN_UNITS };
        return packets_init(&packets);
}

static int end(void **state) {
        (void) state;
        packets_free(&packets);
        known_free(&known);
        return 0;
}

static void put_be(uint8_t *p, uint64_t v, unsigned width) {
        while (width-- > 0) {
                p[width] = (uint8_t) v;
                v >>= 8;
        }
}

static void add_packet(int64_t s, const uint8_t *bytes) {
        assert_int_equal(packets_add(&packets, 1, bytes, LENGTH, START + s * 1000), 0);
}

static void add_value(int64_t s, int64_t value) {
        assert_int_equal(known_add(&known, START + s * 1000, value * KNOWN_UNITS), 0);
}

static void search_power(int64_t kilowatt_units) {
        const struct correlate_options options = { .kilowatt_units = kilowatt_units };

        assert_int_equal(known_finish(&known), 0);
        assert_int_equal(correlate(&packets, &known, &options, &result), 0);
}

static bool leaves_open(unsigned field, const char *text) {
        for (unsigned i = 0; i < result.fields[field].n_open; i++)
                if (strstr(result.fields[field].open[i], text))
                        return true;
        return false;
}

static int64_t next_load(int64_t v) {
        return random_below(&random_state, 5) ? v + random_below(&random_state, 41) - 20
                                              : 100 + random_below(&random_state, 5000);
}

/* ---- honesty ---- */

static void test_a_constant_tells_nothing(void **state) {
        uint8_t bytes[LENGTH] = { 0 };

        (void) state;
        for (int i = 0; i < 200; i++) {
                put_be(bytes + 2, random_below(&random_state, 65536), 2);
                add_packet(i * 5, bytes);
                add_value(i * 5, 1500);
        }
        search_power(0);
        assert_true(result.met);
        assert_int_equal(result.n_fields, 0);
        assert_int_equal(result.distinct, 1);
}

static void test_few_values_are_undecided(void **state) {
        uint8_t bytes[LENGTH];
        int64_t v = 1000;

        (void) state;
        for (int i = 0; i < 5; i++) {
                for (unsigned k = 0; k < LENGTH; k++)
                        bytes[k] = (uint8_t) random_below(&random_state, 256);
                v += 7;
                put_be(bytes + 4, (uint64_t) v, 2);
                add_packet(i * 30, bytes);
                for (int s = 0; s < 30; s++)
                        add_value(i * 30 + s, v);
        }
        search_power(0);
        for (unsigned i = 0; i < result.n_fields; i++)
                assert_false(result.fields[i].decided);
        assert_int_equal(result.pairs, 5);
}

/* What a meter tells twice is at both places. */
static void test_twins_are_rivals(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 1000;

        (void) state;
        for (int i = 0; i < 100; i++) {
                v = llabs(next_load(v));
                put_be(bytes + 2, (uint64_t) v, 2);
                put_be(bytes + 8, (uint64_t) v, 2);
                add_packet(i * 5, bytes);
                for (int s = 0; s < 5; s++)
                        add_value(i * 5 + s, v);
        }
        search_power(0);
        assert_true(result.n_fields >= 2);
        assert_false(result.fields[0].decided);
        assert_true(leaves_open(0, "fits as well"));
        assert_int_equal(result.fields[0].matched, 100);
        assert_int_equal(result.fields[1].matched, 100);
}

static void test_noise_alone_is_never_decided(void **state) {
        uint8_t bytes[LENGTH];
        int64_t v = 1000;

        (void) state;
        for (int i = 0; i < 60; i++) {
                for (unsigned k = 0; k < LENGTH; k++)
                        bytes[k] = (uint8_t) random_below(&random_state, 256);
                add_packet(i * 10, bytes);
                v = llabs(next_load(v));
                for (int s = 0; s < 10; s++)
                        add_value(i * 10 + s, v);
        }
        search_power(1000000);
        for (unsigned i = 0; i < result.n_fields; i++)
                assert_false(result.fields[i].decided);
}

/* ---- width and order ---- */

static void make_tagged(bool tagged) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 1000;

        bytes[4] = tagged ? 0x21 : 0x07;  /* a ZCL uint16 */
        for (int i = 0; i < 100; i++) {
                v = llabs(next_load(v));
                bytes[5] = (uint8_t) v;
                bytes[6] = (uint8_t) (v >> 8);
                add_packet(i * 5, bytes);
                for (int s = 0; s < 5; s++)
                        add_value(i * 5 + s, v);
        }
        search_power(0);
        assert_true(result.fields[0].decided);
        assert_int_equal(result.fields[0].field.offset, 5);
        assert_false(result.fields[0].field.big_endian);
}

static void test_a_type_tag_knows_the_width(void **state) {
        (void) state;
        make_tagged(true);
        assert_int_equal(result.fields[0].field.width, 2);
}

static void test_without_a_tag_the_widest(void **state) {
        (void) state;
        make_tagged(false);
        assert_int_equal(result.fields[0].field.width, 6);
        assert_true(leaves_open(0, "width: 2, 3, 4, 5 bytes fit as well"));
}

/* ---- registers and energies ---- */

static void test_a_register_begins_anywhere(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 12345678, speed = 1;

        (void) state;
        known.is_total = true;
        known.register_max = 1e9;
        for (int i = 0; i < 200; i++) {
                if (random_below(&random_state, 6) == 0)
                        speed = random_below(&random_state, 40);
                v += speed + random_below(&random_state, 3);
                put_be(bytes + 3, (uint64_t) v, 6);
                put_be(bytes + 10, (uint64_t) (i * 5000), 4);  /* an uptime grows, too */
                add_packet(i * 5, bytes);
                for (int s = 0; s < 5; s++)
                        add_value(i * 5 + s, v - 12000000);
        }
        search_power(0);
        assert_true(result.fields[0].decided);
        assert_true(result.fields[0].has_intercept);
        assert_int_equal(lround(result.fields[0].intercept), -12000000);
        assert_int_equal(field_lowest(result.fields[0].field), 8);
        assert_true(result.fields[0].scale == 1);
}

/* Import grows while the power is above zero, export while it is below. */
static void test_energies_of_a_power(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 0, import = 900000000, export = 40000000;
        bool found[2] = { false };

        (void) state;
        for (int i = 0; i < 1500; i++) {
                v = i % 50 ? v : (int64_t) random_below(&random_state, 9000) - 3500;
                put_be(bytes, (uint64_t) v, 3);
                put_be(bytes + 4, (uint64_t) (import / 3600), 4);
                put_be(bytes + 10, (uint64_t) (export / 3600), 4);
                add_packet(i * 5, bytes);
                for (int s = 0; s < 5; s++)
                        add_value(i * 5 + s, v);
                import += v > 0 ? v * 5 : 0;
                export += v < 0 ? -v * 5 : 0;
        }
        search_power(1000000);
        assert_true(result.fields[0].decided);
        assert_int_equal(field_lowest(result.fields[0].field), 2);
        for (unsigned i = 1; i < result.n_fields; i++) {
                const struct correlate_field *f = &result.fields[i];

                if (!f->decided)
                        continue;
                assert_true(f->energy != 0);
                assert_int_equal(field_lowest(f->field), f->energy > 0 ? 7 : 13);
                assert_true(fabs(f->scale - 0.001) < 1e-12);
                found[f->energy > 0] = true;
        }
        assert_true(found[0] && found[1]);
}

/* ---- time ---- */

static void test_never_met(void **state) {
        uint8_t bytes[LENGTH] = { 0 };

        (void) state;
        for (int i = 0; i < 10; i++) {
                bytes[1] = (uint8_t) (i * 17);
                add_packet(i, bytes);
                add_value(i + 20 * 86400, i * 17);
        }
        search_power(0);
        assert_false(result.met);
        assert_int_equal(result.n_fields, 0);
        assert_int_equal(result.apart_ms, (20 * 86400 - 9) * INT64_C(1000));
}

/* A value that another instrument measured is a little off; that is found, and told. */
static void test_another_instrument(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 1000;

        (void) state;
        for (int i = 0; i < 300; i++) {
                v = llabs(next_load(v));
                put_be(bytes + 2, (uint64_t) v, 2);
                put_be(bytes + 8, random_below(&random_state, 5000), 2);
                add_packet(i * 5, bytes);
                for (int s = 0; s < 5; s++)
                        add_value(i * 5 + s, v + random_below(&random_state, 61) - 30);
        }
        search_power(0);
        assert_true(result.n_fields > 0 && result.fields[0].decided);
        assert_true(result.fields[0].tolerance > 0);
        assert_int_equal(field_lowest(result.fields[0].field), 3);
        assert_true(result.fields[0].scale == 1);
}

/* Ten times as many packets: what is tried on a sample stays, what is measured on all grows with them. */
static uint64_t work_for(int n) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t v = 1000;
        uint64_t work;

        assert_int_equal(begin(NULL), 0);
        for (int i = 0; i < n; i++) {
                v = llabs(next_load(v));
                put_be(bytes + 2, (uint64_t) v, 2);
                put_be(bytes + 8, random_below(&random_state, 5000), 2);
                add_packet(i, bytes);
                add_value(i, v);
        }
        search_power(0);
        assert_int_equal(result.fields[0].matched, n);
        work = result.work;
        (void) end(NULL);
        return work;
}

static void test_work(void **state) {
        uint64_t few, many;

        (void) state;
        few = work_for(4000);
        many = work_for(40000);
        /* At most the finalists meet every packet. */
        assert_true(many < few + 64 * UINT64_C(40000));
        assert_int_equal(begin(NULL), 0);
}

/* A load that repeats itself every hour tells where the value is, but not where the clock stands. */
static void test_what_repeats_leaves_the_zone_open(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t loads[360];

        (void) state;
        for (int i = 0; i < 360; i++)
                loads[i] = 100 + random_below(&random_state, 5000);
        for (int i = 0; i < 720; i++) {
                put_be(bytes + 2, (uint64_t) loads[i % 360], 2);
                add_packet(i * 10, bytes);
                add_value(i * 10, loads[i % 360]);
        }
        search_power(0);
        assert_true(result.n_fields > 0);
        assert_int_equal(field_lowest(result.fields[0].field), 3);
        assert_false(result.fields[0].decided);
        assert_true(leaves_open(0, "time zone: a clock 1:00 h ahead fits as well"));
}

static void test_one_that_does_not_is_sure(void **state) {
        uint8_t bytes[LENGTH] = { 0 };

        (void) state;
        for (int i = 0; i < 720; i++) {
                int64_t load = 100 + random_below(&random_state, 5000);

                put_be(bytes + 2, (uint64_t) load, 2);
                add_packet(i * 10, bytes);
                add_value(i * 10, load);
        }
        search_power(0);
        assert_true(result.n_fields > 0 && result.fields[0].decided);
        assert_false(leaves_open(0, "time zone"));
}

/* Under a steady load a register of energy is a straight line, and so is a counter of time: nothing is told by that,
 * however unevenly the packets come. */
static void test_two_straight_lines(void **state) {
        uint8_t bytes[LENGTH] = { 0 };
        int64_t at = 0;

        (void) state;
        for (int i = 0; i < 600; i++) {
                at += i % 100 == 50 ? 120 : 1 + random_below(&random_state, 5);
                put_be(bytes + 2, (uint64_t) at * 1000, 4);
                add_packet(at, bytes);
        }
        for (int64_t s = 0; s <= at; s += 60)
                add_value(s, 5000 + s / 2);
        known.is_total = known.is_sloped = true;
        search_power(0);
        for (unsigned i = 0; i < result.n_fields; i++)
                assert_false(result.fields[i].decided);
}

/* Loads of five minutes each, and an app that is late by more than was looked at. */
static void test_a_lag_at_the_end_of_the_search(void **state) {
        uint8_t bytes[LENGTH] = { 0 };

        (void) state;
        for (int i = 0; i < 40; i++) {
                int64_t load = 100 + random_below(&random_state, 5000);

                put_be(bytes + 2, (uint64_t) load, 2);
                for (int s = 0; s < 300; s += 10)
                        add_packet(i * 300 + s, bytes);
                for (int s = 0; s < 300; s++)
                        add_value(i * 300 + s + 150, load);
        }
        search_power(0);
        assert_true(result.n_fields > 0);
        assert_int_equal(field_lowest(result.fields[0].field), 3);
        assert_int_equal(result.fields[0].lag_to_s, 120);
        assert_true(leaves_open(0, "lag: it may be more than the 120 s that were tried"));
}

/* Twelve bits with four flags above them, which never change: what is added to the number only takes them off. */
static void test_flags_above_the_number(void **state) {
        uint8_t bytes[LENGTH] = { 7 };

        (void) state;
        for (int i = 0; i < 300; i++) {
                int64_t v = random_below(&random_state, 4095);

                put_be(bytes + 1, (uint64_t) v | 0x5000, 2);
                add_packet(i * 5, bytes);
                add_value(i * 5, v);
        }
        search_power(0);
        assert_true(result.n_fields > 0 && result.fields[0].decided);
        assert_int_equal(result.fields[0].field.offset, 1);
        assert_int_equal(result.fields[0].field.width, 2);
        assert_true(leaves_open(0, "bits: the lowest 12 alone are the value"));
}

int main(void) {
#define ALONE(test) cmocka_unit_test_setup_teardown(test, begin, end)
        static const struct CMUnitTest tests[] = {
                ALONE(test_a_constant_tells_nothing),
                ALONE(test_few_values_are_undecided),
                ALONE(test_twins_are_rivals),
                ALONE(test_noise_alone_is_never_decided),
                ALONE(test_a_type_tag_knows_the_width),
                ALONE(test_without_a_tag_the_widest),
                ALONE(test_a_register_begins_anywhere),
                ALONE(test_energies_of_a_power),
                ALONE(test_never_met),
                ALONE(test_another_instrument),
                ALONE(test_what_repeats_leaves_the_zone_open),
                ALONE(test_one_that_does_not_is_sure),
                ALONE(test_two_straight_lines),
                ALONE(test_a_lag_at_the_end_of_the_search),
                ALONE(test_flags_above_the_number),
                cmocka_unit_test_teardown(test_work, end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
