/* Raw values: the known layouts of a phase, and words of no layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unknown_meter.h"

enum { PHASE = 66 };

static void put(uint8_t *to, unsigned width, bool big_endian, double value) {
        uint64_t v = (uint64_t) llround(value);

        for (unsigned i = 0; i < width; i++)
                to[big_endian ? width - 1 - i : i] = (uint8_t) (v >> (8 * i));
}

/* voltage (0.1 V), current (mA), power: the 8 bytes of most meters. */
static size_t write_phase8(uint8_t *bytes, const struct load *l) {
        put(bytes, 2, true, l->volts * 10);
        put(bytes + 2, 3, true, l->amperes * 1000);
        put(bytes + 5, 3, true, l->now);
        return 8;
}

static size_t write_phase8_of_tenths(uint8_t *bytes, const struct load *l) {
        write_phase8(bytes, l);
        put(bytes + 5, 3, true, l->now * 10);
        return 8;
}

static size_t write_power_first(uint8_t *bytes, const struct load *l) {
        put(bytes + 1, 3, true, l->now);
        put(bytes + 5, 3, true, l->var);
        put(bytes + 8, 2, true, l->factor * 1000);
        put(bytes + 10, 3, true, l->amperes * 1000);
        put(bytes + 13, 2, true, l->volts * 10);
        return 15;
}

static size_t write_voltage_first(uint8_t *bytes, const struct load *l) {
        put(bytes, 2, true, l->volts * 10);
        put(bytes + 2, 3, true, l->amperes * 1000);
        put(bytes + 5, 3, true, l->now * 10);
        put(bytes + 8, 3, true, l->var * 10);
        put(bytes + 11, 2, true, l->factor * 1000);
        put(bytes + 13, 2, true, 50000);
        return 15;
}

/* Of no layout that is known. */
static size_t write_little_endian(uint8_t *bytes, const struct load *l) {
        bytes[0] = 0xa1;
        put(bytes + 1, 4, false, l->now * 10);
        put(bytes + 5, 4, false, l->amperes * 1000);
        put(bytes + 9, 2, false, l->volts * 10);
        return 12;
}

static void play(struct unknown_meter *m, unsigned moments, size_t (*write)(uint8_t *bytes, const struct load *l)) {
        struct load l = unknown_load(m);

        for (unsigned i = 0; i < moments; i++) {
                uint8_t bytes[32] = { 0 };
                size_t len;

                if (i % 4 == 3)
                        l = unknown_load(m);
                unknown_step(m, &l);
                len = write(bytes, &l);
                unknown_tell_bytes(m, PHASE, bytes, len);
                unknown_wait(m, 10);
        }
}

static void assert_layout(size_t (*write)(uint8_t *bytes, const struct load *l), unsigned layout,
                          unsigned power_den) {
        struct unknown_meter m;
        const struct hypothesis *h;

        unknown_begin(&m, 1);
        play(&m, 100, write);
        unknown_suggest(&m, false);
        h = unknown_best(&m, PHASE);
        assert_int_equal(h->layout, layout);
        assert_int_equal(h->power_den, power_den);
        assert_int_equal(h->level, SUGGEST_HIGH);
        assert_false(unknown_suggestion(&m, PHASE)->is_word);
        unknown_end(&m);
}

static void test_layouts(void **state) {
        (void) state;
        assert_layout(write_phase8, LAYOUT_PHASE, 0);
        assert_layout(write_phase8_of_tenths, LAYOUT_PHASE, 10);
        assert_layout(write_power_first, LAYOUT_PHASE_PQFCV, 0);
        assert_layout(write_voltage_first, LAYOUT_PHASE_VCPQFF, 0);
}

/* One value tells the layout, but is not enough to be sure. */
static void test_one_value(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 2);
        play(&m, 1, write_phase8);
        unknown_suggest(&m, false);
        assert_int_equal(unknown_best(&m, PHASE)->layout, LAYOUT_PHASE);
        assert_int_not_equal(unknown_best(&m, PHASE)->level, SUGGEST_HIGH);
        unknown_end(&m);
}

/* A month's energy has 8 bytes, too, and limits 16: neither is a phase. */
static void test_other_raw_values(void **state) {
        static const uint8_t month[] = { 0x16, 0x0b, 0x16, 0x0b, 0, 0, 0, 4 };
        static const uint8_t day[] = { 9, 4, 9, 4, 0, 0, 0, 30 };
        static const uint8_t limits[] = { 1, 1, 0, 0x50, 3, 1, 0, 0xf5, 4, 1, 0, 0xa0, 8, 0, 0, 0x32 };
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 3);
        unknown_tell_bytes(&m, 3, month, sizeof month);
        unknown_tell_bytes(&m, 4, day, sizeof day);
        unknown_tell_bytes(&m, 17, limits, sizeof limits);
        unknown_suggest(&m, false);
        for (unsigned i = 0; i < m.found->count; i++)
                assert_int_equal(m.found->items[i].count, 0);
        assert_int_equal(m.found->count, 3);
        unknown_end(&m);
}

/* The energy of a phase out of a raw value beside a register. */
static void test_a_register_beside_it(void **state) {
        struct unknown_meter m;
        struct load l;
        double wh = 0;

        (void) state;
        unknown_begin(&m, 4);
        l = unknown_load(&m);
        for (unsigned i = 0; i < 300; i++) {
                uint8_t bytes[8];

                if (i % 4 == 3)
                        l = unknown_load(&m);
                unknown_step(&m, &l);
                unknown_tell_bytes(&m, PHASE, bytes, write_phase8(bytes, &l));
                unknown_tell(&m, 9, DATAPOINT_VALUE, 400 + (int64_t) (wh / 10));
                unknown_wait(&m, 10);
                wh += l.now * 10 / 3600;
        }
        unknown_suggest(&m, false);
        assert_meaning(&m, 9, Q_ENERGY_IMPORT, 100);
        assert_int_equal(unknown_best(&m, PHASE)->layout, LAYOUT_PHASE);
        unknown_end(&m);
}

static const struct suggestion *find_word(const struct unknown_meter *m, unsigned offset) {
        for (unsigned i = 0; i < m->found->count; i++)
                if (m->found->items[i].is_word && m->found->items[i].offset == offset)
                        return &m->found->items[i];
        fail_msg("no word at offset %u", offset);
        return NULL;
}

static void assert_word(const struct unknown_meter *m, unsigned offset, unsigned quantity, int64_t den) {
        const struct suggestion *s = find_word(m, offset);

        assert_int_equal(s->id, PHASE);
        assert_int_equal(s->width, 2);
        assert_false(s->big_endian);
        assert_int_equal(s->hypotheses[0].quantity, quantity);
        assert_int_equal(s->hypotheses[0].scale_den, den);
}

static void test_words(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 5);
        play(&m, 200, write_little_endian);
        unknown_suggest(&m, false);
        assert_word(&m, 9, Q_VOLTAGE, 10);
        assert_word(&m, 5, Q_CURRENT, 1000);
        assert_word(&m, 1, Q_POWER, 10);
        unknown_end(&m);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layouts),
                cmocka_unit_test(test_one_value),
                cmocka_unit_test(test_other_raw_values),
                cmocka_unit_test(test_a_register_beside_it),
                cmocka_unit_test(test_words),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
